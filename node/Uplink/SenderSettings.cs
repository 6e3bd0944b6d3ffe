using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Node.Uplink;

/// <summary>What a sender goes by.</summary>
public sealed record SenderSettings(NodeId Node, DivisionCode Division)
{
    public const int ProtocolMin = 1;

    public const int ProtocolMax = 2;

    /// <summary>Which of the node's parents this is. A sector's takes the epoch that the node holds, and gives no orders.</summary>
    public ParentKind Kind { get; init; }

    /// <summary>The node that is to be the parent; null where whoever answers may be.</summary>
    public NodeId? Parent { get; init; }

    /// <summary>The matters that it is told of; one that is told of some alone must be a parent that does not take them for the whole (L17).</summary>
    public Matters Matters { get; init; } = Matters.All;

    /// <summary>The newest protocol that is spoken; a network that is being upgraded may hold back.</summary>
    public int ProtocolNewest { get; init; } = ProtocolMax;

    /// <summary>Parts under way at once, all lanes together; their bytes are bounded by <see cref="Pace"/>.</summary>
    public int PartsUnderWayMax { get; init; } = 8;

    /// <summary>The back-off is drawn evenly from zero to this, doubled with every failure (full jitter).</summary>
    public Duration BackoffFirst { get; init; } = Duration.FromSeconds(1);

    public Duration BackoffMost { get; init; } = Duration.FromSeconds(60);

    /// <summary>An alarm does not wait for the back-off to end: it dials, no sooner than this after the dialling before.</summary>
    public Duration AlarmTriesApart { get; init; } = Duration.FromSeconds(5);

    /// <summary>An unanswered frame ends the connection after this.</summary>
    public Duration AnswerWait { get; init; } = Duration.FromSeconds(30);

    /// <summary>After a refusal that only a person can lift the sender asks again no sooner than this.</summary>
    public Duration RefusedPause { get; init; } = Duration.FromMinutes(5);

    /// <summary>A parent may ask for a pause of at most this.</summary>
    public Duration RetryAfterMost { get; init; } = Duration.FromMinutes(15);

    /// <summary>The longest pause that is ever taken.</summary>
    public Duration PauseMost => BackoffMost + Duration.Max(RetryAfterMost, RefusedPause);

    /// <summary>This many gaps in a row without progress end the connection.</summary>
    public int GapsMax { get; init; } = 3;
}
