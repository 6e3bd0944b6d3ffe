using CityGrid.Hub.Seams;
using CityGrid.Protocol.V1;

namespace CityGrid.Tests.EndToEnd.Network;

/// <summary>What becomes of whole messages that go one way above TLS: each that comes lets none, itself, or several pass.</summary>
internal abstract record Twist
{
    public static readonly Twist None = new Straight();

    /// <summary>What passes now.</summary>
    /// <param name="message">What came.</param>
    /// <param name="held">What is kept back on this connection; the relay lets it pass when nothing comes for a moment.</param>
    /// <param name="recorded">What ever passed this way, on this connection and on all before it.</param>
    /// <param name="random">The draws.</param>
    public abstract IEnumerable<T> Of<T>(T message, List<T> held, IReadOnlyList<T> recorded, SeededEntropy random)
        where T : class;

    /// <summary>How long each message is kept back before.</summary>
    internal virtual TimeSpan Wait(SeededEntropy random) => TimeSpan.Zero;

    private sealed record Straight : Twist
    {
        public override IEnumerable<T> Of<T>(T message, List<T> held, IReadOnlyList<T> recorded, SeededEntropy random) => [message];
    }

    /// <summary>Each comes twice.</summary>
    public sealed record Twice : Twist
    {
        public override IEnumerable<T> Of<T>(T message, List<T> held, IReadOnlyList<T> recorded, SeededEntropy random) => [message, message];
    }

    /// <summary>Each second one, as drawn, comes behind the one after it.</summary>
    public sealed record OutOfTurn : Twist
    {
        public override IEnumerable<T> Of<T>(T message, List<T> held, IReadOnlyList<T> recorded, SeededEntropy random)
        {
            if (random.OneIn(2))
            {
                held.Add(message);
                return [];
            }

            T[] pass = [message, .. held];
            held.Clear();
            return pass;
        }
    }

    /// <summary>Each comes late, by a time up to this.</summary>
    public sealed record Late(TimeSpan Most) : Twist
    {
        public override IEnumerable<T> Of<T>(T message, List<T> held, IReadOnlyList<T> recorded, SeededEntropy random) => [message];

        internal override TimeSpan Wait(SeededEntropy random) => random.Jitter(Most);
    }

    /// <summary>Behind each comes one that passed before, of this connection or of an earlier one.</summary>
    public sealed record Again : Twist
    {
        public override IEnumerable<T> Of<T>(T message, List<T> held, IReadOnlyList<T> recorded, SeededEntropy random) =>
            recorded.Count == 0 ? [message] : [message, recorded[random.Below(recorded.Count)]];
    }

    /// <summary>In place of the welcome comes the first that ever came in this epoch: a parent that seems to have lost all since.</summary>
    public sealed record OldWelcome : Twist
    {
        public override IEnumerable<T> Of<T>(T message, List<T> held, IReadOnlyList<T> recorded, SeededEntropy random) =>
            message is ConnectResponse { Welcome: { } now }
                ? [recorded.FirstOrDefault(old => old is ConnectResponse { Welcome: { } then } && (then.ChildEpoch, then.ChildEpochNonce) == (now.ChildEpoch, now.ChildEpochNonce)) ?? message]
                : [message];
    }
}
