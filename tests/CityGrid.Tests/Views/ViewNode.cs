using CityGrid.Hub.Cells;
using CityGrid.Hub.Escalations;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Views;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using Google.Protobuf;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Views;

/// <summary>A node with nothing but a journal, the folds that views read, and the desks; its clock stands still until it is set.</summary>
internal sealed class ViewNode : IDisposable
{
    public static readonly DateTimeZone Shanghai = DateTimeZoneProviders.Tzdb["Asia/Shanghai"];

    private readonly VirtualTime _time = new(new DateTimeOffset(2024, 3, 1, 4, 0, 0, TimeSpan.Zero));
    private readonly MemoryJournal _journal = new(new SeededEntropy(7));
    private readonly Dictionary<string, long> _lsn = [];

    public ViewNode(string place = "N", int cellsAtOnce = 16_384)
    {
        Clock = new VirtualClock(_time);
        Reception = new ReceptionFold(Cells);
        Finality = new FinalityFold(Reception);
        Escalations = new EscalationFold(NodeId.Parse("here"));
        Sequencer = new Sequencer(_journal, [Cells, Reception, Finality, Escalations], Clock);
        var at = new ViewPlace(NodeId.Parse("here"), DivisionCode.Parse(place), Shanghai, ViewWorld.Register, Duration.FromDays(3));
        Desk = new ViewDesk(at, Sequencer, _journal, Cells, () => Reception.Watermarks, Clock, Finality) { CellsAtOnce = cellsAtOnce };
        EscalationDesk = new EscalationDesk(at, Sequencer, _journal, Escalations, () => Reception.Watermarks, Clock);
    }

    public VirtualClock Clock { get; }

    public CellFold Cells { get; } = new();

    public ReceptionFold Reception { get; }

    public FinalityFold Finality { get; }

    public EscalationFold Escalations { get; }

    public Sequencer Sequencer { get; }

    public ViewDesk Desk { get; }

    public EscalationDesk EscalationDesk { get; }

    public void Dispose()
    {
        Sequencer.Dispose();
        _journal.Dispose();
    }

    /// <summary>Moves the clock to a local time of Shanghai.</summary>
    public void Now(string local)
    {
        var to = NodaTime.Text.LocalDateTimePattern.CreateWithInvariantCulture("uuuu-MM-dd HH:mm").Parse(local).Value.InZoneStrictly(Shanghai).ToInstant();
        _time.Run(TimeSpan.FromTicks(to.ToUnixTimeTicks() - (_time.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks)));
    }

    /// <summary>A city sends the cells of these facts, and says through which day it is complete. The same day again is a correction.</summary>
    public void Hears(string city, string completeThrough, params Fact[] facts)
    {
        var node = NodeId.Parse("node-" + city.ToLowerInvariant());
        var (incarnation, epoch) = (new Incarnation(7), new Epoch(1, 7));
        if (!_lsn.TryGetValue(city, out var lsn))
        {
            Append(ReceptionEvents.ToEvent(new EpochGrant(node, DivisionCode.Parse(city), incarnation, epoch), NodeId.Parse("here")));
        }

        _lsn[city] = ++lsn;
        var part = new CellsPart { CutFrom = lsn - 1, CutTo = lsn, CutChainHash = ByteString.CopyFrom(new byte[32]), Part = 1, Parts = 1 };
        var held = ViewWorld.Held(facts, _ => false);
        var cells = held.ChangedSince(Lsn.Zero, held.NewestChange).Select(row => row with { Revision = new Revision(1, lsn) });
        var stated = new OriginWatermark(
            node, incarnation, epoch, new Lsn(lsn), Instant.FromUnixTimeSeconds(Clock.Now().ToUnixTimeSeconds()), ViewWorld.Day(completeThrough), DivisionCode.Parse(city), default, "Asia/Shanghai")
        {
            Matters = Tells,
            MattersSince = Tells.IsAll ? Lsn.Zero : new Lsn(lsn),
        };
        CellsPartCodec.Write(part, cells, [stated], []);
        Append(ReceptionEvents.ToEvent(new CellsTaken(node, incarnation, epoch, part, []), NodeId.Parse("here")));
    }

    /// <summary>What the city says from its next statement on of the matters that it tells of.</summary>
    public Matters Tells { get; set; } = Matters.All;

    /// <summary>This node raises an escalation.</summary>
    public void Raises(byte id, string division, EscalationState state, int version = 1)
    {
        var bytes = new byte[16];
        bytes[15] = id;
        Append(EscalationFold.RaisedEvent(new Escalation { Id = ByteString.CopyFrom(bytes), Version = version, Origin = "here", Division = division, State = state }));
    }

    public QueryResponse Answers(QueryRequest request)
    {
        var answer = Desk.Answer(request, out var refusal);
        Assert.That(refusal, Is.Null);
        return answer!;
    }

    /// <summary>What was saved now and loaded by a node that begins.</summary>
    public void Restarts()
    {
        foreach (var fold in new IFold[] { Cells, Reception, Finality })
        {
            using var image = new MemoryStream();
            fold.Save(image);
            image.Position = 0;
            fold.Load(image);
        }
    }

    private void Append(EventDraft draft)
    {
        Sequencer.Submit(new Deed(draft) { Actor = "test" }, _ => { });
        Assert.That(Sequencer.Pump(), Is.True);
    }

    private sealed class Deed(EventDraft draft) : Command<bool>
    {
        public override IReadOnlyCollection<Touched> Touches => [];

        public override Decision<bool> Decide(Instant now) => Decision<bool>.Of(new RecordDraft(Actor, [draft]), _ => true);
    }
}
