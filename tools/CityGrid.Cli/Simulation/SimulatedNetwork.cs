using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;

namespace CityGrid.Cli.Simulation;

/// <summary>What the network does to messages: in a thousand so many are lost, so many come twice, and the delay is drawn up to a bound.</summary>
public sealed record SimulatedWeather(int LostOf1000, int TwiceOf1000, TimeSpan DelayMax, int CutOf1000)
{
    /// <summary>What a line carries each way; 0 for no bound. Messages then queue in front of it and keep their order.</summary>
    public int BytesPerSecond { get; init; }

    public static readonly SimulatedWeather Fair = new(0, 0, TimeSpan.FromMilliseconds(50), 0);
    public static readonly SimulatedWeather Storm = new(150, 200, TimeSpan.FromSeconds(20), 20);

    /// <summary>Messages of which a copy is kept, to come again much later.</summary>
    public int KeptOf1000 { get; init; }
}

/// <summary>The network between simulated nodes: its weather, and the ways that are blocked or clogged for a while.</summary>
public sealed class SimulatedNetwork(VirtualTime time, SeededEntropy random)
{
    private const int KeptMax = 40;

    private readonly Dictionary<(NodeId From, NodeId To), long> _blocked = [];
    private readonly Dictionary<(NodeId From, NodeId To), long> _clogged = [];
    private readonly Queue<Action> _kept = new();

    public SimulatedWeather Weather { get; set; } = SimulatedWeather.Fair;

    public void Block(NodeId from, NodeId to, TimeSpan span) => _blocked[(from, to)] = time.UtcTicks + span.Ticks;

    public void Clog(NodeId from, NodeId to, TimeSpan span) => _clogged[(from, to)] = time.UtcTicks + span.Ticks;

    public bool IsBlocked(NodeId from, NodeId to) => _blocked.TryGetValue((from, to), out var until) && until > time.UtcTicks;

    /// <summary>How long a message takes this way.</summary>
    public TimeSpan Delay(NodeId from, NodeId to)
    {
        var delay = random.Jitter(Weather.DelayMax);
        return _clogged.TryGetValue((from, to), out var until) && until > time.UtcTicks ? TimeSpan.FromTicks(until - time.UtcTicks) + delay : delay;
    }

    public bool Breaks() => random.Chance(Weather.CutOf1000);

    /// <summary>How many times a message arrives.</summary>
    public int Copies(NodeId from, NodeId to) =>
        IsBlocked(from, to) || random.Chance(Weather.LostOf1000) ? 0 : random.Chance(Weather.TwiceOf1000) ? 2 : 1;

    /// <summary>May keep a copy of a message for <see cref="ReplayLate"/>.</summary>
    public void Keep(Action arrival)
    {
        if (Weather.KeptOf1000 > 0 && random.Chance(Weather.KeptOf1000))
        {
            _kept.Enqueue(arrival);
            if (_kept.Count > KeptMax)
            {
                _kept.Dequeue();
            }
        }
    }

    /// <summary>Some of the messages kept arrive again, out of all order; true where there were any.</summary>
    public bool ReplayLate(SeededEntropy drawn)
    {
        var count = Math.Min(_kept.Count, 1 + drawn.Below(5));
        for (var i = 0; i < count; i++)
        {
            time.After(drawn.Jitter(TimeSpan.FromSeconds(10)), _kept.Dequeue());
        }

        return count > 0;
    }

    /// <summary>Fair weather, and every way is free.</summary>
    public void Clear()
    {
        Weather = SimulatedWeather.Fair;
        _blocked.Clear();
        _clogged.Clear();
        _kept.Clear();
    }
}
