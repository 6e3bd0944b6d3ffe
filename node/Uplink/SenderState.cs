using System.Collections.Immutable;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Node.Uplink;

/// <summary>Where the conversation with the parent stands.</summary>
public enum SenderPhase
{
    /// <summary>Not connected; it dials when the pause is over.</summary>
    Resting,
    Dialling,

    /// <summary>The hello is sent.</summary>
    Greeting,

    /// <summary>The parent granted an epoch; it is being made durable.</summary>
    TakingEpoch,
    Open,

    /// <summary>Asked the shell to hang up; waiting for it to say so.</summary>
    Closing,
}

/// <summary>What a lane is doing.</summary>
public enum LanePhase
{
    Idle,

    /// <summary>The shell reads a cut.</summary>
    Reading,
    Sending,
}

/// <summary>One frame of a cut and where the parent stands once it has applied it.</summary>
public sealed record CutPart(StreamMark After, CellsPart? Cells, EscalationsPart? Escalations)
{
    /// <summary>What it takes on the line, about.</summary>
    public int Bytes { get; } = Cells?.CalculateSize() ?? Escalations?.CalculateSize() ?? 0;
}

/// <summary>
/// What a lane has between two positions of this node's journal, in parts. No parts means that there is nothing to say.
/// <paramref name="ReachesHead"/> is false where the cut was bounded and more follows.
/// </summary>
public sealed record Cut(Lane Lane, StreamMark From, StreamMark To, bool ReachesHead, IReadOnlyList<CutPart> Parts)
{
    /// <summary>The head at which it was read: what had changed once more by then is not in it.</summary>
    public Lsn ReadAt { get; init; } = To.Lsn;

    /// <summary>What it says of ranges in its last parts; null for nothing.</summary>
    public RangeWords? Ranges { get; init; }
}

/// <summary>A frame that waits for its answer; of no lane for a piece of an answer to a query.</summary>
public sealed record Outstanding(long Number, Lane Lane, int Part, int Bytes, Instant SentAt);

/// <summary>A result of a query on its way up, and how much of it is sent.</summary>
public sealed record UnsentResult(ByteString Query, int Number, ByteString Content, int Sent, Instant Until);

/// <summary>The lane of bulk (L5): the answers to queries from above that wait for the line (P5). It has no cut and no cursor, for nothing of it is ever sent again.</summary>
public sealed record AnswersState
{
    /// <summary>The share of the line that it is sure of, as <see cref="LaneState.Weight"/>: as much as escalations have, so that a line full of cells still answers.</summary>
    public const int Weight = 3;

    /// <summary>Bytes that may wait. What finds no room is told in a few words instead.</summary>
    public const int BytesMax = 4 << 20;

    public ImmutableList<UnsentResult> Results { get; init; } = [];

    /// <summary>As <see cref="LaneState.Pass"/>.</summary>
    public long Pass { get; init; }

    public long Bytes => Results.Sum(result => (long)result.Content.Length - result.Sent);
}

/// <summary>One lane of the sender.</summary>
public sealed record LaneState(Lane Lane)
{
    /// <summary>Applied at the parent as far as this node has durably noted; what the hello says.</summary>
    public StreamMark Acked { get; init; }

    /// <summary>Where the next cut starts: what the parent itself last said.</summary>
    public StreamMark From { get; init; }

    /// <summary>How far the parent may have heard this lane, past what it has applied: of cells, the next cut shows that this was of the same history (L8).</summary>
    public Lsn Heard { get; init; }

    /// <summary>There may be something to send.</summary>
    public bool Due { get; init; }

    /// <summary>The schedule wants a cut even if it is empty: it proves liveness and carries the watermarks.</summary>
    public bool EvenIfEmpty { get; init; }

    public LanePhase Phase { get; init; }

    public Cut? Cut { get; init; }

    /// <summary>How many parts of the cut are sent.</summary>
    public int Sent { get; init; }

    /// <summary>Gaps in a row without progress.</summary>
    public int Gaps { get; init; }

    /// <summary>The parent had no room for the lane (<c>BUSY</c>): nothing of it is read before this. Null where it did not say so.</summary>
    public Instant? NotBefore { get; init; }

    /// <summary>What the parent said as it had no room for the lane; empty where it did not say so.</summary>
    public string Refused { get; init; } = string.Empty;

    /// <summary>
    /// The bytes that the lane has had of the line, divided by its weight (stride scheduling, Waldspurger and Weihl 1995): of the lanes that have
    /// something to send, the one with the least is next.
    /// </summary>
    public long Pass { get; init; }

    /// <summary>When its last cut was answered there was more to send: whatever the others had of the line while it waited for that answer is still its due.</summary>
    public bool IsBehind { get; init; }

    /// <summary>
    /// The share of the line that a lane is sure of while all have something to send. A lane that was quiet goes first, so that an escalation never
    /// waits for cells; one that floods cannot keep the others off the line.
    /// </summary>
    public int Weight => Lane switch
    {
        Lane.Alarms => 12,
        Lane.Escalations => 3,
        _ => 1,
    };

    /// <summary>What the parent kept aside or refused of the parts answered since the last stored receipt.</summary>
    public ImmutableList<RecordReceipt> Problems { get; init; } = [];
}

/// <summary>Everything the sender remembers; it is rebuilt from the journal at start (see Start).</summary>
public sealed record SenderState(SenderSettings Settings, Incarnation Incarnation, Epoch Epoch)
{
    public SenderPhase Phase { get; init; }

    /// <summary>In the order in which they go first.</summary>
    public ImmutableArray<LaneState> Lanes { get; init; } = [.. LinkWords.Lanes.Select(lane => new LaneState(lane))];

    public LaneState Alarms => Lane(Protocol.V1.Lane.Alarms);

    public LaneState Escalations => Lane(Protocol.V1.Lane.Escalations);

    public LaneState Cells => Lane(Protocol.V1.Lane.Cells);

    /// <summary>Frames sent and not answered, oldest first.</summary>
    public ImmutableList<Outstanding> UnderWay { get; init; } = [];

    public AnswersState Answers { get; init; } = new();

    /// <summary>How many bytes may be under way.</summary>
    public Pace Pace { get; init; } = Pace.Start;

    /// <summary>How many bytes the parent lets be under way: what its memory allows each of its children.</summary>
    public long Credit { get; init; } = Pace.Most;

    /// <summary>The protocol of this connection, as the welcome chose it.</summary>
    public int Speaks { get; init; }

    /// <summary>The epoch that the welcome of this connection named: the stream that the parent hears on it.</summary>
    public Epoch Welcomed { get; init; }

    /// <summary>How many records of this node the parent keeps aside, as it last said.</summary>
    public int ParkedAbove { get; init; }

    /// <summary>Who the parent says it is, now or when it was last heard; null before the first welcome.</summary>
    public NodeId? Parent { get; init; }

    /// <summary>How far the parent's clock is ahead of this one, as far as the welcome told; null before the first. For showing only (RULE-11).</summary>
    public Duration? Skew { get; init; }

    /// <summary>When the hello was sent.</summary>
    public Instant HelloAt { get; init; }

    /// <summary>The number of the last frame of this connection.</summary>
    public long Number { get; init; }

    /// <summary>This node's head when it said hello: a parent cannot have applied more.</summary>
    public Lsn Head { get; init; }

    /// <summary>Grains that the parent asks for.</summary>
    public ImmutableArray<Grain> Grains { get; init; } = [];

    /// <summary>The newest epoch number in this journal, whichever data directory it was granted to.</summary>
    public long LastEpoch { get; init; }

    /// <summary>The highest epoch of its own in which that parent was heard, in this life or before (INV-24).</summary>
    public Epoch ParentEpoch { get; init; }

    /// <summary>Failed connections in a row.</summary>
    public int Failures { get; init; }

    /// <summary>A pause that the parent, or its refusal, asked for; it is taken when the connection has ended.</summary>
    public Duration Pause { get; init; }

    /// <summary>Over how long the parent wants its children to come back that lost it at once, as it last said.</summary>
    public Duration RedialWithin { get; init; }

    /// <summary>No dialling before this.</summary>
    public Instant NotBefore { get; init; } = Instant.MinValue;

    /// <summary>No dialling before this either once there is more to send than cells; null where <see cref="NotBefore"/> is no later for the parent's wish.</summary>
    public Instant? NotBeforeUrgent { get; init; }

    /// <summary>No dialling before this in any case: the parent, or its refusal, asked for it.</summary>
    public Instant PausedUntil { get; init; } = Instant.MinValue;

    /// <summary>When this node last dialled; null before the first time.</summary>
    public Instant? DialledAt { get; init; }

    /// <summary>The oldest unanswered frame must be answered by this, and an epoch that is being taken must be durable.</summary>
    public Instant? AnswerBy { get; init; }

    /// <summary>The wake-up that the shell was asked for and has not given yet.</summary>
    public Instant? Alarm { get; init; }

    /// <summary>How far comparing the ranges with the parent has come.</summary>
    public RangeTalk Ranges { get; init; } = RangeTalk.Quiet;

    public LaneState Lane(Lane lane) => Lanes[PlaceOf(lane)];

    /// <summary>Whether there is, or may be, more to send than cells.</summary>
    public bool IsUrgent => Lanes.Any(lane => lane.Lane != Protocol.V1.Lane.Cells && (lane.Due || lane.Phase != LanePhase.Idle));

    public SenderState With(LaneState lane) => this with { Lanes = Lanes.SetItem(PlaceOf(lane.Lane), lane) };

    /// <summary>Whether the lane is spoken on this connection: alarms only from protocol 2 on.</summary>
    public bool Carries(LaneState lane) => lane.Lane != Protocol.V1.Lane.Alarms || Speaks >= 2;

    private static int PlaceOf(Lane lane) => lane switch
    {
        Protocol.V1.Lane.Alarms => 0,
        Protocol.V1.Lane.Escalations => 1,
        _ => 2,
    };

    /// <summary>The state of a node that starts: its own epoch and what it durably noted of the parent's receipts.</summary>
    public static SenderState Start(SenderSettings settings, Incarnation incarnation, UplinkFold uplink)
    {
        var start = Start(settings, incarnation, uplink.EpochOf(incarnation), uplink.RevisionEpoch, lane => uplink[settings.Kind].ReceiptOf(lane, incarnation).Mark);
        return start with { Parent = uplink[settings.Kind].Node, ParentEpoch = uplink[settings.Kind].Epoch };
    }

    public static SenderState Start(SenderSettings settings, Incarnation incarnation, Epoch epoch, long lastEpoch, Func<Lane, StreamMark> acked) => new(settings, incarnation, epoch)
    {
        LastEpoch = Math.Max(lastEpoch, epoch.Number),
        Lanes = [.. LinkWords.Lanes.Select(lane => new LaneState(lane) { Acked = acked(lane), From = acked(lane), Due = true })],
    };
}
