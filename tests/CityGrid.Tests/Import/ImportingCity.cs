using CityGrid.Cli.Mappings;
using CityGrid.Cli.Network;
using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Sealing;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Node;
using CityGrid.Node.Cases;
using CityGrid.Node.Intake;
using CityGrid.Node.Intake.Import;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;

namespace CityGrid.Tests.Import;

/// <summary>A whole city of the register that ships, on a real disk with real threads, into which files come as <c>citygrid import</c> sends them.</summary>
internal sealed class ImportingCity : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("citygrid-import-").FullName;
    private readonly FileJournal _journal;
    private readonly ProjectorThread _projecting;
    private readonly RowIntake _intake;

    public ImportingCity(ImportMapping mapping)
    {
        var clock = new VirtualClock(new VirtualTime(new DateTimeOffset(2026, 11, 24, 12, 0, 0, TimeSpan.Zero)));
        var register = DivisionFile.Read(new StringReader(ShippedMapping.RegisterCsv)).Register!;
        var (node, entropy, disk) = (NodeId.Parse("city"), new SeededEntropy(1), PosixDisk.At(_folder));
        var rules = new CaseRules { Place = mapping.City, Divisions = register, Catalogue = CatalogueShelf.BuiltIn, Calendar = new WorkCalendar(mapping.Zone) };
        _journal = FileJournal.Open(disk, entropy, node);
        Core = new NodeCore(
            new NodeSettings(node, mapping.City, mapping.Zone, register, rules), new NodeSeams(disk, _journal, new MemoryViewStore(), new AesGcmSeal(), null, clock, entropy))
        {
            FoldFailed = (fold, e, failure) => Failure = new InvalidOperationException($"Fold {fold.Name} failed at {e.Lsn}.", failure),
        };
        Core.Sequencer.Fatal = failure => Failure = failure;
        Core.Sequencer.Start();
        _projecting = new ProjectorThread(Core.Projector, failure => Failure = failure);
        _intake = new RowIntake(Core.Desk, Core.Sequencer, TimeProvider.System);
    }

    public NodeCore Core { get; }

    public Exception? Failure { get; private set; }

    /// <summary>Sends a file; what all answers add up to.</summary>
    public async Task<ImportRowsResponse> TakeAsync(string path, ImportMapping mapping, string system)
    {
        await using var file = File.OpenRead(path);
        var sum = new ImportRowsResponse();
        foreach (var rows in ImportReader.Read(file, mapping).OfType<Node.Intake.Import.ImportRow>().Chunk(ImportRun.RowsPerRequest))
        {
            var request = new ImportRowsRequest { System = system };
            request.Rows.AddRange(rows.Select(row => ImportRun.RowOf(row, live: false)));
            var answer = await _intake.TakeAsync(request, "import", CancellationToken.None);
            sum.Created += answer.Created;
            sum.Unchanged += answer.Unchanged;
            sum.Corrected += answer.Corrected;
            sum.Faults.Add(answer.Faults);
        }

        return sum;
    }

    /// <summary>What the node answers; a refusal is a failure.</summary>
    public IReadOnlyList<ViewRow> View(QueryRequest request) =>
        Core.Views.Answer(request, out var refusal)?.Rows ?? throw new InvalidOperationException($"{refusal!.Code}: {refusal.Message}");

    public void Dispose()
    {
        _intake.Dispose();
        _projecting.Dispose();
        Core.Dispose();
        _journal.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
