using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Sealing;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Node;
using CityGrid.Node.Cases;
using CityGrid.Node.Stored;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Bench;

/// <summary>A node in this process with its production seams, on a real disk, without its doors.</summary>
internal sealed class BenchNode : IDisposable
{
    private static readonly SourceCode Source = SourceCode.Parse("hotline");
    private static readonly TypeCode[] Types = [.. TypeCatalogue.BuiltIn.All.Where(t => t.Key.Kind == TypeKind.Matter).Take(150).Select(t => t.Key.Code)];

    private readonly DivisionCode[] _districts;
    private readonly CancellationTokenSource _lifetime = new();
    private readonly FileJournal _journal;
    private readonly LiteViewStore _views;
    private readonly ProjectorThread? _projecting;
    private readonly SeededEntropy _random = new(11);
    private readonly SystemEntropy _entropy = new();
    private int _rows;

    /// <param name="folder">The data directory, kept.</param>
    /// <param name="name">The node and the division it keeps; by default a city of the built-in register.</param>
    /// <param name="keepsViews">False leaves the view store behind, to see what the journal and the indicators alone take.</param>
    /// <param name="around">Makes another disk of the folder's.</param>
    public BenchNode(string folder, (NodeId Node, DivisionCode Division)? name = null, bool keepsViews = true, Func<IDisk, IDisk>? around = null)
    {
        var (node, division) = name ?? (NodeId.Parse("wuhan"), DivisionCode.Parse("420100"));
        _districts = [.. DivisionRegister.BuiltIn.ChildrenOf(division).Where(d => d.Kind != DivisionKind.Unknown).Select(d => d.Code).Take(10)];
        var spawner = new PoolSpawner(_lifetime.Token, (_, failure) => throw new InvalidOperationException("Something in the background failed.", failure));
        IDisk disk = new PosixDisk(folder);
        disk = around?.Invoke(disk) ?? disk;
        _journal = FileJournal.Open(disk, _entropy, node, null, spawner);
        _views = new LiteViewStore(disk, _journal.Incarnation);
        var zone = DateTimeZoneProviders.Tzdb["Asia/Shanghai"];
        var rules = new CaseRules { Place = division, Divisions = DivisionRegister.BuiltIn, Catalogue = CatalogueShelf.BuiltIn, Calendar = new WorkCalendar(zone) };
        Core = new NodeCore(new NodeSettings(node, division, zone, DivisionRegister.BuiltIn, rules), new NodeSeams(disk, _journal, _views, new AesGcmSeal(), null, TimeProvider.System, _entropy));
        Core.Sequencer.Start();
        _projecting = !keepsViews ? null : new ProjectorThread(Core.Projector, failure => throw new InvalidOperationException("The projector failed.", failure));
    }

    public NodeCore Core { get; }

    /// <summary>A case with a reporter comes in, as the gRPC service would bring it; the answer is durable.</summary>
    public async Task ReportAsync()
    {
        var id = Core.Desk.Mint();
        var personal = new PersonalPart { FreeText = "The manhole cover at the crossing rocks under every wheel and wakes the street at night." };
        int pick;
        lock (_random)
        {
            pick = _random.Below(1 << 20);
        }

        var answer = await Core.Desk.SubmitAsync(new ReportCase(Types[pick % Types.Length], _districts[pick / Types.Length % _districts.Length], Source)
        {
            Case = id,
            Actor = "desk",
            Request = new RequestMark($"bench/{id}", Core.Desk.Digest.Of(personal)),
            Sealed = Core.Desk.Seal(id, personal),
        });
        if (answer.Refusal is { } refusal)
        {
            throw new InvalidOperationException($"A report was refused: {refusal}");
        }
    }

    /// <summary>Rows of another system, 19 of 20 closed, over a year.</summary>
    public async Task ImportAsync(int rows, int atATime = 4096)
    {
        var start = Core.Now - Duration.FromDays(365);
        for (var done = 0; done < rows;)
        {
            var answers = new Task<CaseAnswer>[Math.Min(atATime, rows - done)];
            for (var i = 0; i < answers.Length; i++, done++)
            {
                answers[i] = Core.Desk.SubmitAsync(Row(start));
            }

            foreach (var answer in await Task.WhenAll(answers))
            {
                if (!answer.Created)
                {
                    throw new InvalidOperationException($"A row was not taken: {answer.Refusal}");
                }
            }

            while (Core.Desk.ShouldSlow)
            {
                await Task.Delay(5);
            }
        }
    }

    /// <summary>What an operator's screen asks, as the node's services read it: a page of open cases, one of ended ones, a case by id, a year by month.</summary>
    public async Task ReadSomethingAsync(SeededEntropy random)
    {
        var page = await Core.Readers.ReadAsync(() => Core.Lists.Page(new CaseQuery(true, null, default, null, false, null, random.NextUInt128(), 50)));
        _ = await Core.Readers.ReadAsync(() => Core.Lists.Page(new CaseQuery(false, null, default, null, false, null, 0, 50)));
        if (page.Cases.Count > 0)
        {
            _ = Core.Desk.Find(page.Cases[0].Id) ?? throw new InvalidOperationException("A case of a list was not found.");
        }

        var query = new QueryRequest { From = "2026-01-01", To = "2026-11-01" };
        query.By.Add("month");
        query.Measures.Add("reported");
        _ = await Core.Readers.ReadAsync(() => Core.Views.Answer(query, out var refusal) ?? throw new InvalidOperationException($"A view was refused: {refusal}"));
    }

    public void Dispose()
    {
        Core.Sequencer.Dispose();
        _projecting?.Dispose();
        Core.Dispose();
        _views.Dispose();
        _journal.Dispose();
        _lifetime.Dispose();
    }

    private ImportCase Row(Instant start)
    {
        var number = _rows++;
        var id = Core.Desk.Mint();
        var reported = start + Duration.FromSeconds(number * 31L % (364 * 86_400));
        var personal = new PersonalPart { FreeText = "Water stands in the road since the rain of Tuesday." };
        Span<byte> hash = stackalloc byte[Hash256.Size];
        _random.Fill(hash);
        return new ImportCase(Types[_random.Below(Types.Length)], _districts[_random.Below(_districts.Length)], Source, "bench", $"row-{number}")
        {
            Case = id,
            Actor = "desk",
            Request = new RequestMark($"import/bench/row-{number}", (ulong)number + 1),
            ReportedAt = reported,
            ClosedAt = number % 20 == 0 ? null : reported + Duration.FromSeconds(600 + _random.Below(80_000)),
            ContentHash = Hash256.FromBytes(hash),
            Sealed = Core.Desk.Seal(id, personal),
        };
    }
}
