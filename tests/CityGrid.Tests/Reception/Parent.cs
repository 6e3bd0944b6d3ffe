using CityGrid.Hub.Cells;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Escalations;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Load;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Views;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Reception;

/// <summary>A peer as a certificate would name it.</summary>
internal sealed record Peer(NodeId Node, IReadOnlyList<DivisionCode> Divisions) : IPeerIdentity;

/// <summary>
/// The receiving half of a node with its real folds: frames go in, decisions become events, events go through the journal's form into the folds. No
/// sequencer and no disk.
/// </summary>
internal sealed class Parent
{
    public static readonly Instant Noon = Instant.FromUtc(2026, 11, 24, 4, 0);

    private readonly Dictionary<NodeId, LinkSession?> _sessions = [];
    private readonly Dictionary<NodeId, OwnSigner?> _shown = [];
    private readonly List<JournalRecord> _journal = [];
    private long _lsn;

    public Parent(string node, string division, DivisionRegister register, EpochPolicy policy = EpochPolicy.Granted)
    {
        Settings = new ReceiverSettings(NodeId.Parse(node), DivisionCode.Parse(division), register) { Policy = policy };
        Cells = new CellFold();
        Reception = new ReceptionFold(Cells);
        Escalations = new EscalationFold(Settings.Node);
        Orders = new OrderFold(Settings.Node);
        Finality = new FinalityFold(Reception);
    }

    public ReceiverSettings Settings { get; set; }

    public CellFold Cells { get; }

    public ReceptionFold Reception { get; }

    public EscalationFold Escalations { get; }

    public OrderFold Orders { get; }

    public FinalityFold Finality { get; }

    /// <summary>Events so far: what nothing was applied of leaves it as it is.</summary>
    public Lsn Head => new(_lsn);

    public Instant Now { get; set; } = Noon;

    /// <summary>What the next epoch that is granted is told from others by.</summary>
    public ulong NextNonce { get; set; } = 100;

    /// <summary>Looks at signatures, where this parent does.</summary>
    public ChildNotary? Notary { get; set; }

    /// <summary>What one child may lay upon this parent, where that is bounded and frames come through its <see cref="Door"/>.</summary>
    public ChildQuota? Quota { get; set; }

    /// <summary>The children whose places are retired.</summary>
    public HashSet<NodeId> Retired { get; init; } = [];

    /// <summary>What was made durable so far.</summary>
    public IReadOnlyList<JournalRecord> Journal => _journal;

    /// <summary>Takes a frame on the child's connection.</summary>
    public ConnectResponse Take(IPeerIdentity peer, ConnectRequest request)
    {
        var session = _sessions.GetValueOrDefault(peer.Node);
        var found = Notary?.Look(session, request);
        var judge = new RecordJudge(Settings, Reception, Cells, Escalations, Now) { Orders = Orders, OrderFaults = found?.Orders ?? [], SignsOrders = found?.SignsOrders ?? false };
        var decision = LinkReceiver.Decide(Settings, Reception.Child(peer.Node), session, peer, request, Epoch.NotGranted, NextNonce++, judge, found);
        foreach (var change in new[] { decision.Change, decision.NewSigner }.OfType<ReceptionChange>())
        {
            Apply(ReceptionEvents.ToEvent(change, Settings.Node));
            foreach (var beside in RangeEvents.Beside(change))
            {
                Apply(beside);
            }

            decision = decision with { Stands = MarkAt(Head) };
        }

        if (found is not null)
        {
            _shown[peer.Node] = Notary!.Answer(decision, found, _shown.GetValueOrDefault(peer.Node));
        }

        _sessions[peer.Node] = decision.Session;
        return decision.Response;
    }

    /// <summary>Takes a frame on the child's connection as the whole desk does, with all that it writes beside.</summary>
    public ConnectResponse Door(IPeerIdentity peer, ConnectRequest request)
    {
        var decision = Do(Desk.Receive(peer, request.FrameCase == ConnectRequest.FrameOneofCase.Hello ? null : _sessions.GetValueOrDefault(peer.Node), request, NextNonce++));
        _sessions[peer.Node] = decision.Session;
        return decision.Response;
    }

    /// <summary>What was made durable, in order.</summary>
    public IEnumerable<JournalEvent> Events => _journal.SelectMany(record => record.Events);

    public void Apply(EventDraft draft)
    {
        var lsn = new Lsn(++_lsn);
        var journalEvent = new JournalEvent(lsn, lsn, lsn, Now, "test", draft.Kind, draft.Schema, draft.Payload);
        _journal.Add(new JournalRecord(Now, "test", Hash256.Zero, Hash256.Zero, [journalEvent]));
        Reception.Apply(journalEvent);
        Finality.Apply(journalEvent);
        Escalations.Apply(journalEvent);
        Orders.Apply(journalEvent);
    }

    public void Rewind(NodeId child) => Apply(ReceptionEvents.ToEvent(new ChildRewind(child), Settings.Node));

    /// <summary>Takes a frame as the sequencer brings it.</summary>
    public LinkDecision Receive(IPeerIdentity peer, ConnectRequest request) => Do(Desk.Receive(peer, _sessions.GetValueOrDefault(peer.Node), request, NextNonce++));

    /// <summary>Judges again what is kept aside of a child; how many records were settled.</summary>
    public int Redrive(NodeId child) => Do(Desk.Redrive(child, lsn => _journal[(int)lsn.Value - 1], "test"));

    /// <summary>A person gives a name to a division.</summary>
    public NameOutcome GiveName(NodeId name, DivisionCode division) => Do(Desk.GiveName(name, division, "officer"));

    /// <summary>Another process with what is durable here, by its journal alone.</summary>
    public Parent Replayed()
    {
        var again = new Parent(Settings.Node.ToString(), Settings.Division.ToString(), Settings.Register) { Retired = Retired };
        foreach (var journalEvent in Events)
        {
            again.Apply(new EventDraft(journalEvent.Kind, journalEvent.Schema, journalEvent.Payload));
        }

        return again;
    }

    /// <summary>The same by what a snapshot keeps.</summary>
    public Parent FromImages()
    {
        var again = new Parent(Settings.Node.ToString(), Settings.Division.ToString(), Settings.Register) { _lsn = _lsn, Retired = Retired };
        again._journal.AddRange(_journal);
        foreach (var (from, to) in new (IFold From, IFold To)[] { (Cells, again.Cells), (Reception, again.Reception), (Escalations, again.Escalations), (Orders, again.Orders), (Finality, again.Finality) })
        {
            using var image = new MemoryStream();
            from.Save(image);
            image.Position = 0;
            to.Load(image);
        }

        return again;
    }

    private ReceptionDesk Desk => new(Settings, Reception, Cells, Escalations, () => Epoch.NotGranted) { Orders = Orders, Quota = Quota, IsRetired = (child, _) => Retired.Contains(child) };

    private T Do<T>(Command<T> command)
    {
        var decision = command.Decide(Now);
        Assert.That(decision.Records.Select(JournalRules.Problem), Has.All.Null, "a journal keeps it");
        foreach (var draft in decision.Records.SelectMany(r => r.Events))
        {
            Apply(draft);
        }

        return decision.Answer([.. decision.Records.Select(_ => new LsnRange(Head, Head, Now))]);
    }

    /// <summary>The child's connection ends.</summary>
    public void HangUp(NodeId child) => _sessions.Remove(child);

    /// <summary>The mark of this node's own journal, for what it sends further up.</summary>
    public static StreamMark MarkAt(Lsn lsn) => lsn == Lsn.Zero ? StreamMark.Start : new StreamMark(lsn, Hash256.Of(System.Text.Encoding.ASCII.GetBytes($"parent {lsn}")));
}

/// <summary>A child made by hand: a journal that is only numbers and hashes, and frames written as a test wants them.</summary>
internal sealed class Child
{
    private int _number;

    public Child(string node, string division, params string[] covered)
    {
        Node = NodeId.Parse(node);
        Division = DivisionCode.Parse(division);
        Peer = new Peer(Node, covered.Length == 0 ? [Division] : [.. covered.Select(DivisionCode.Parse)]);
    }

    public NodeId Node { get; }

    public DivisionCode Division { get; }

    public IPeerIdentity Peer { get; init; }

    public Incarnation Incarnation { get; set; } = new(1);

    public Epoch Epoch { get; set; }

    public long LastEpoch { get; set; }

    /// <summary>Tells one history from another.</summary>
    public string History { get; set; } = "first";

    /// <summary>Up to here all histories are one.</summary>
    public long SharedTo { get; set; }

    public long Head { get; set; } = 10;

    public StreamMark MarkAt(long lsn) =>
        lsn == 0 ? StreamMark.Start : new StreamMark(new Lsn(lsn), Hash256.Of(System.Text.Encoding.ASCII.GetBytes($"{Node} {(lsn > SharedTo ? History : "first")} {lsn}")));

    /// <summary>The part with a head that speaks of exactly it, to Hubei; <paramref name="twist"/> changes the head before it is signed.</summary>
    public ConnectRequest Signed(ConnectRequest part, OwnSigner own, Instant at, Action<SignedHead>? twist = null)
    {
        var said = PartStatements.Of(part)!.Value;
        var head = new SignedHead
        {
            Node = Node.ToString(),
            Receiver = "hubei",
            Incarnation = Google.Protobuf.ByteString.CopyFrom(Incarnation.ToBytes()),
            Epoch = Epoch.Number,
            EpochNonce = Epoch.Nonce,
            Lane = said.Lane,
            Lsn = said.To.Lsn.Value,
            ChainHash = said.To.HashBytes(),
            PartHash = Google.Protobuf.ByteString.CopyFrom(Statements.HashOf(said.Part).ToBytes()),
            SignedAt = at.ToUnixTimeMilliseconds(),
            Algorithm = own.Signer.Algorithm,
            Signer = Google.Protobuf.ByteString.CopyFrom(own.Signer.Fingerprint.ToBytes()),
        };
        twist?.Invoke(head);
        head.Signature = Google.Protobuf.ByteString.CopyFrom(own.Sign(Statements.BytesOf(head)));
        part.SignedHead = head;
        return part;
    }

    public ConnectRequest Hello(Action<Hello>? twist = null)
    {
        var head = MarkAt(Head);
        var hello = new Hello
        {
            Node = Node.ToString(),
            Division = Division.ToString(),
            Incarnation = Google.Protobuf.ByteString.CopyFrom(Incarnation.ToBytes()),
            Epoch = Epoch.Number,
            EpochNonce = Epoch.Nonce,
            LastEpoch = Math.Max(LastEpoch, Epoch.Number),
            HeadLsn = Head,
            HeadChainHash = head.HashBytes(),
            ProtocolMin = 1,
            ProtocolMax = 1,
        };
        twist?.Invoke(hello);
        return new ConnectRequest { Number = ++_number, Hello = hello };
    }

    /// <summary>Says hello on a new connection and takes the epoch that it is granted.</summary>
    public Welcome Join(Parent parent, Action<Hello>? twist = null)
    {
        parent.HangUp(Node);
        var response = parent.Take(Peer, Hello(twist));
        var welcome = response.Welcome ?? throw new InvalidOperationException($"No welcome: {response.Refusal}");
        Epoch = new Epoch(welcome.ChildEpoch, welcome.ChildEpochNonce);
        return welcome;
    }

    public ConnectRequest Cut(long from, long to, IEnumerable<CellRow> cells, int part = 1, int parts = 1, Action<CellsPart>? twist = null)
    {
        var message = new CellsPart
        {
            CutFrom = from,
            CutFromChainHash = MarkAt(from).HashBytes(),
            CutTo = to,
            CutChainHash = MarkAt(to).HashBytes(),
            Part = part,
            Parts = parts,
            Reading = 1,
        };
        CellsPartCodec.Write(message, cells, [], []);
        twist?.Invoke(message);
        return new ConnectRequest { Number = ++_number, Cells = message };
    }

    public ConnectRequest Raise(long from, long to, params EscalationEnvelope[] envelopes) => new()
    {
        Number = ++_number,
        Escalations = new EscalationsPart { From = from, FromChainHash = MarkAt(from).HashBytes(), To = to, ChainHash = MarkAt(to).HashBytes(), Escalations = { envelopes } },
    };

    /// <summary>A cell of this child's own division, or of another place.</summary>
    public CellRow Cell(long lsn, long reported, string? division = null, string? origin = null, int day = 20_000, Grain? grain = null) => new(
        new CellKey(
            origin is null ? Node : NodeId.Parse(origin),
            grain ?? Grain.Detail,
            new TypeKey(CatalogueVersion.Parse("gb47678-2026"), TypeKind.Matter, Protocol.Names.TypeCode.Parse("01001")),
            division is null ? Division : DivisionCode.Parse(division),
            new StatDay(day),
            SourceCode.Parse("all")),
        new Revision(Epoch.Number, lsn),
        Value(reported));

    public static byte[] Value(long reported)
    {
        var draft = new CellDraft();
        draft.Add(Counter.Reported.Id, reported);
        return draft.ToBytes();
    }

    public OriginWatermark Statement(long lsn) => new(
        Node, Incarnation, Epoch, new Lsn(lsn), Parent.Noon - Duration.FromMinutes(1), StatDay.Of(new LocalDate(2026, 11, 23)), Division, Hash256.Zero, "Asia/Shanghai");

    public EscalationEnvelope Escalation(long lsn, byte id, int version = 1, Action<Escalation>? twist = null)
    {
        var bytes = new byte[16];
        bytes[15] = id;
        var content = new Escalation
        {
            Id = Google.Protobuf.ByteString.CopyFrom(bytes),
            Version = version,
            Origin = Node.ToString(),
            Division = Division.ToString(),
            Grade = EmergencyGrade.Serious,
        };
        twist?.Invoke(content);
        return new EscalationEnvelope { Lsn = lsn, Escalation = Google.Protobuf.MessageExtensions.ToByteString(content) };
    }
}

/// <summary>Registers whose codes tempt a reader to go by prefix.</summary>
internal static class Registers
{
    /// <summary>
    /// 42 Hubei with 4201 Wuhan and 420111 in it; 4290 groups counties that hang directly under the province, 429004 is one; 43 is a sibling; 420-X has Hubei's
    /// digits and hangs under 43; 11 is a municipality whose districts hang under it although a group 1101 exists.
    /// </summary>
    public static DivisionRegister Tempting { get; } = DivisionRegister.Of(
    [
        Row("CN", null, DivisionKind.Nation),
        Row("42", "CN", DivisionKind.Province),
        Row("4201", "42", DivisionKind.City),
        Row("420111", "4201", DivisionKind.County),
        Row("420111-NONE", "4201", DivisionKind.Unknown),
        Row("4290", "42", DivisionKind.Placeholder),
        Row("429004", "42", DivisionKind.DirectCounty),
        Row("43", "CN", DivisionKind.Province),
        Row("4301", "43", DivisionKind.City),
        Row("420-X", "43", DivisionKind.City),
        Row("42011", "43", DivisionKind.County),
        Row("430111", "4201", DivisionKind.County),
        Row("11", "CN", DivisionKind.Municipality),
        Row("1101", "11", DivisionKind.Placeholder),
        Row("110101", "11", DivisionKind.County),
    ]);

    private static Division Row(string code, string? parent, DivisionKind kind) =>
        new(DivisionCode.Parse(code), parent is null ? null : DivisionCode.Parse(parent), code, code, kind, null, null);
}
