using System.Collections.Immutable;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
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
public sealed record CutPart(StreamMark After, CellsPart? Cells, EscalationsPart? Escalations);

/// <summary>
/// What a lane has between two positions of this node's journal, in parts. No parts means that there is nothing to say.
/// <paramref name="ReachesHead"/> is false where the cut was bounded and more follows.
/// </summary>
public sealed record Cut(Lane Lane, StreamMark From, StreamMark To, bool ReachesHead, IReadOnlyList<CutPart> Parts);

/// <summary>A frame that waits for its answer.</summary>
public sealed record Outstanding(long Number, Lane Lane, int Part);

/// <summary>One lane of the sender.</summary>
public sealed record LaneState(Lane Lane)
{
    /// <summary>Applied at the parent as far as this node has durably noted; what the hello says.</summary>
    public StreamMark Acked { get; init; }

    /// <summary>Where the next cut starts: what the parent itself last said.</summary>
    public StreamMark From { get; init; }

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

    /// <summary>What the parent kept aside or refused of the parts answered since the last stored receipt.</summary>
    public ImmutableList<RecordReceipt> Problems { get; init; } = [];
}

/// <summary>Everything the sender remembers; it is rebuilt from the journal at start (see Start).</summary>
public sealed record SenderState(SenderSettings Settings, Incarnation Incarnation, Epoch Epoch)
{
    public SenderPhase Phase { get; init; }

    public LaneState Escalations { get; init; } = new(Protocol.V1.Lane.Escalations);

    public LaneState Cells { get; init; } = new(Protocol.V1.Lane.Cells);

    /// <summary>Frames sent and not answered, oldest first.</summary>
    public ImmutableList<Outstanding> UnderWay { get; init; } = [];

    /// <summary>The number of the last frame of this connection.</summary>
    public long Number { get; init; }

    /// <summary>This node's head when it said hello: a parent cannot have applied more.</summary>
    public Lsn Head { get; init; }

    /// <summary>Grains that the parent asks for.</summary>
    public ImmutableArray<Grain> Grains { get; init; } = [];

    /// <summary>The newest epoch number in this journal, whichever data directory it was granted to.</summary>
    public long LastEpoch { get; init; }

    /// <summary>Failed connections in a row.</summary>
    public int Failures { get; init; }

    /// <summary>A pause that the parent, or its refusal, asked for; it is taken when the connection has ended.</summary>
    public Duration Pause { get; init; }

    /// <summary>No dialling before this.</summary>
    public Instant NotBefore { get; init; } = Instant.MinValue;

    /// <summary>The oldest unanswered frame must be answered by this.</summary>
    public Instant? AnswerBy { get; init; }

    /// <summary>The wake-up that the shell was asked for and has not given yet.</summary>
    public Instant? Alarm { get; init; }

    public LaneState Lane(Lane lane) => lane == Protocol.V1.Lane.Escalations ? Escalations : Cells;

    /// <summary>The state of a node that starts: its own epoch and what it durably noted of the parent's receipts.</summary>
    public static SenderState Start(SenderSettings settings, Incarnation incarnation, UplinkFold uplink)
    {
        var epoch = uplink.EpochOf(incarnation);
        var marks = (Escalations: uplink.ReceiptOf(Protocol.V1.Lane.Escalations, incarnation).Mark, Cells: uplink.ReceiptOf(Protocol.V1.Lane.Cells, incarnation).Mark);
        return Start(settings, incarnation, epoch, uplink.RevisionEpoch, marks.Escalations, marks.Cells);
    }

    public static SenderState Start(
        SenderSettings settings, Incarnation incarnation, Epoch epoch, long lastEpoch, StreamMark escalations, StreamMark cells) => new(settings, incarnation, epoch)
        {
            LastEpoch = Math.Max(lastEpoch, epoch.Number),
            Escalations = new LaneState(Protocol.V1.Lane.Escalations) { Acked = escalations, From = escalations, Due = true },
            Cells = new LaneState(Protocol.V1.Lane.Cells) { Acked = cells, From = cells, Due = true },
        };
}
