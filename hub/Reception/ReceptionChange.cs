using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;

namespace CityGrid.Hub.Reception;

/// <summary>What a receiver decided to make durable about a child: one journal event with the effect and the cursor together (RULE-3).</summary>
public abstract record ReceptionChange(NodeId Child);

/// <summary>The child was granted an epoch for this data directory; both its lanes start again at 0 (L7).</summary>
public sealed record EpochGrant(NodeId Child, DivisionCode Division, Incarnation Incarnation, Epoch Epoch) : ReceptionChange(Child)
{
    /// <summary>The greatest number of an epoch that the directory named as one of its history; its own, where it is taken as it is.</summary>
    public long LastEpoch { get; init; }
}

/// <summary>A part of a cells cut was applied, but for the records that <paramref name="Verdicts"/> names.</summary>
public sealed record CellsTaken(NodeId Child, Incarnation Incarnation, Epoch Epoch, CellsPart Part, IReadOnlyList<RecordReceipt> Verdicts)
    : ReceptionChange(Child)
{
    /// <summary>What the child signed with the part; null where it does not sign.</summary>
    public SignedHead? Head { get; init; }

    /// <summary>What came of the ranges that the part states; the event beside it tells it (<see cref="RangeEvents"/>).</summary>
    public IReadOnlyList<Finding> Findings { get; init; } = [];

    /// <summary>What the part's repair does; null for a part that is none.</summary>
    public RepairCounts? Repair { get; init; }
}

/// <summary>Escalations were applied, but for the records that <paramref name="Verdicts"/> names.</summary>
public sealed record EscalationsTaken(NodeId Child, Incarnation Incarnation, Epoch Epoch, EscalationsPart Part, IReadOnlyList<RecordReceipt> Verdicts)
    : ReceptionChange(Child)
{
    /// <summary>What the child signed with the part; null where it does not sign.</summary>
    public SignedHead? Head { get; init; }

    /// <summary>The receipts, by index, whose order is not learned from them: it was not believed.</summary>
    public IReadOnlyList<int> OrdersUnbelieved { get; init; } = [];

    /// <summary>The orders' signatures were looked at; where they were not, none is taken.</summary>
    public bool OrdersJudged { get; init; }
}

/// <summary>A peer signs with this from here on; its certificates make the journal enough to check what it said (A3).</summary>
public sealed record SignerChange(NodeId Child, SignatureAlgorithm Algorithm, IReadOnlyList<ByteString> Certificates) : ReceptionChange(Child)
{
    public Hash256 Fingerprint => Hash256.Of(Certificates[0].Span);
}

/// <summary>The child is to send everything again.</summary>
public sealed record ChildRewind(NodeId Child) : ReceptionChange(Child);

/// <summary>The child was set aside, or released by a person.</summary>
public sealed record QuarantineChange(NodeId Child, bool Released, string Code, string Reason) : ReceptionChange(Child);

/// <summary>
/// What came of looking at each record of a part. Records that are accepted or unchanged are counted; all others are named in
/// <paramref name="Named"/>, in order of index.
/// </summary>
public sealed record Judgement(int Accepted, int Unchanged, IReadOnlyList<RecordReceipt> Named)
{
    /// <summary>Set where the child itself gave one name two contents, so that nothing of the part is applied: what it said before, and now.</summary>
    public string? Fork { get; init; }

    /// <summary>What came of the ranges that the part states (L16).</summary>
    public IReadOnlyList<Finding> Findings { get; init; } = [];

    /// <summary>The receipts of orders, by index, whose order is not believed.</summary>
    public IReadOnlyList<int> OrdersUnbelieved { get; init; } = [];

    /// <summary>The orders' signatures were looked at.</summary>
    public bool OrdersJudged { get; init; }

    /// <summary>What the part's repair will do; null for a part that is none, or whose range was not found differing.</summary>
    public RepairCounts? Repair { get; init; }
}

/// <summary>The stream that a connection speaks for, once its hello was welcomed. Kept with the connection, in memory.</summary>
public sealed record LinkSession(NodeId Child, Incarnation Incarnation, Epoch Epoch)
{
    /// <summary>The protocol that the welcome chose.</summary>
    public int Protocol { get; init; } = ReceiverSettings.ProtocolMin;

    /// <summary>Where the child's division is, by which orders find their way.</summary>
    public DivisionCode Division { get; init; }

    /// <summary>The child's signer: each of its parts must be signed by it. Null for a child that does not sign.</summary>
    public Signer? Signer { get; init; }

    /// <summary>The child proves its chain at what was heard and is not applied (L8); a program of before does not.</summary>
    public bool ProvesHeard { get; init; }
}

/// <summary>What a receiver decided: what to make durable first (null for nothing), the answer to send once it is, and the session from here on.</summary>
public sealed record LinkDecision(ReceptionChange? Change, ConnectResponse Response, LinkSession? Session)
{
    /// <summary>A signer that is new here, to be made durable beside the change.</summary>
    public SignerChange? NewSigner { get; init; }

    /// <summary>Where the effect stands in this node's own journal, once it is durable.</summary>
    public StreamMark? Stands { get; init; }

    /// <summary>True where the connection ends after the answer.</summary>
    public bool HangUp => Session is null;
}
