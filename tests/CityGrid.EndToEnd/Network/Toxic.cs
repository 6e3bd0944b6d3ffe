using CityGrid.Hub.Seams;

namespace CityGrid.Tests.EndToEnd.Network;

/// <summary>How a connection goes on behind a chunk.</summary>
internal enum Ending
{
    None,

    /// <summary>Both ends see an orderly end.</summary>
    Closed,

    /// <summary>The receiver sees an orderly end; the other direction goes on.</summary>
    HalfClosed,

    /// <summary>Both ends see a reset.</summary>
    Reset,

    /// <summary>The child sees a reset; its parent hears nothing more, for good.</summary>
    HalfOpen,
}

/// <summary>What becomes of a chunk: the bytes that arrive, when, and how it goes on behind them.</summary>
internal sealed record Passage(ReadOnlyMemory<byte> Bytes, TimeSpan At, Ending Ending = Ending.None);

/// <summary>How far one direction of a connection has come under a toxic.</summary>
/// <param name="Bytes">Bytes that came in.</param>
/// <param name="FreeAt">When the last of them has left.</param>
internal readonly record struct Passed(long Bytes, TimeSpan FreeAt);

/// <summary>
/// What a line does to the bytes that go one way on it, below TLS. A pure function of the chunk, of what went before and of the draws; times count from the start of the proxy.
/// The names are those of Toxiproxy (Shopify, MIT) where it has one.
/// </summary>
internal abstract record Toxic
{
    public static readonly Toxic None = new Clear();

    /// <summary>Nobody listens: a connection is refused, and standing ones are reset.</summary>
    internal virtual bool Refuses => false;

    /// <summary>False where neither bytes nor an end pass. They are held and pass once the toxic is gone, as TCP would send them again.</summary>
    internal virtual bool Carries => true;

    /// <summary>How long an end is kept from the other end.</summary>
    internal virtual TimeSpan EndAfter => TimeSpan.Zero;

    /// <summary>What the line still lets through may be progress: nothing can be said of the link but that it must be right.</summary>
    internal virtual bool MayProgress => false;

    public virtual (Passage Passage, Passed Passed) Pass(ReadOnlyMemory<byte> chunk, Passed passed, TimeSpan now, SeededEntropy random) =>
        (new Passage(chunk, now), new Passed(passed.Bytes + chunk.Length, now));

    private static (Passage Passage, Passed Passed) EndBehind(long bytes, Ending ending, ReadOnlyMemory<byte> chunk, Passed passed, TimeSpan now)
    {
        var left = bytes - passed.Bytes;
        return chunk.Length < left
            ? (new Passage(chunk, now), new Passed(passed.Bytes + chunk.Length, now))
            : (new Passage(chunk[..(int)Math.Max(left, 0)], now, ending), new Passed(bytes, now));
    }

    private sealed record Clear : Toxic
    {
        internal override bool MayProgress => true;
    }

    /// <summary>Each chunk comes later, by a time that varies; the order stays.</summary>
    public sealed record Latency(TimeSpan Delay, TimeSpan Jitter) : Toxic
    {
        internal override bool MayProgress => true;

        public override (Passage Passage, Passed Passed) Pass(ReadOnlyMemory<byte> chunk, Passed passed, TimeSpan now, SeededEntropy random)
        {
            var at = now + Delay + random.Jitter(Jitter);
            at = at > passed.FreeAt ? at : passed.FreeAt;
            return (new Passage(chunk, at), new Passed(passed.Bytes + chunk.Length, at));
        }
    }

    /// <summary>So many bits a second, and a queue in front.</summary>
    public sealed record Rate(long BitsPerSecond) : Toxic
    {
        internal override bool MayProgress => true;

        public override (Passage Passage, Passed Passed) Pass(ReadOnlyMemory<byte> chunk, Passed passed, TimeSpan now, SeededEntropy random)
        {
            var from = now > passed.FreeAt ? now : passed.FreeAt;
            var at = from + TimeSpan.FromSeconds(chunk.Length * 8d / BitsPerSecond);
            return (new Passage(chunk, at), new Passed(passed.Bytes + chunk.Length, at));
        }
    }

    /// <summary>A reset (RST) to both ends behind so many bytes of a connection.</summary>
    public sealed record ResetPeer(long AfterBytes) : Toxic
    {
        internal override bool MayProgress => AfterBytes > 0;

        public override (Passage Passage, Passed Passed) Pass(ReadOnlyMemory<byte> chunk, Passed passed, TimeSpan now, SeededEntropy random) =>
            EndBehind(AfterBytes, Ending.Reset, chunk, passed, now);
    }

    /// <summary>Behind so many bytes the receiver sees the end, while its own words still arrive.</summary>
    public sealed record HalfClose(long AfterBytes) : Toxic
    {
        internal override bool MayProgress => AfterBytes > 0;

        public override (Passage Passage, Passed Passed) Pass(ReadOnlyMemory<byte> chunk, Passed passed, TimeSpan now, SeededEntropy random) =>
            EndBehind(AfterBytes, Ending.HalfClosed, chunk, passed, now);
    }

    /// <summary>Behind so many bytes the child sees a reset and its parent nothing: a middlebox that forgot the connection.</summary>
    public sealed record HalfOpen(long AfterBytes) : Toxic
    {
        internal override bool MayProgress => AfterBytes > 0;

        public override (Passage Passage, Passed Passed) Pass(ReadOnlyMemory<byte> chunk, Passed passed, TimeSpan now, SeededEntropy random) =>
            EndBehind(AfterBytes, Ending.HalfOpen, chunk, passed, now);
    }

    /// <summary>Behind so many bytes the connection ends in order, in the middle of whatever was being said.</summary>
    public sealed record LimitData(long AfterBytes) : Toxic
    {
        internal override bool MayProgress => AfterBytes > 0;

        public override (Passage Passage, Passed Passed) Pass(ReadOnlyMemory<byte> chunk, Passed passed, TimeSpan now, SeededEntropy random) =>
            EndBehind(AfterBytes, Ending.Closed, chunk, passed, now);
    }

    /// <summary>An end is told to the other end only after a while.</summary>
    public sealed record SlowClose(TimeSpan Delay) : Toxic
    {
        internal override bool MayProgress => true;

        internal override TimeSpan EndAfter => Delay;
    }

    /// <summary>Connections are taken and nothing passes.</summary>
    public sealed record Blackhole : Toxic
    {
        internal override bool Carries => false;
    }

    /// <summary>Nobody is at the address.</summary>
    public sealed record Refusal : Toxic
    {
        internal override bool Refuses => true;
    }

    /// <summary>One bit is another, of each chunk that is drawn.</summary>
    public sealed record FlippedBit(int OneInChunks) : Toxic
    {
        internal override bool MayProgress => OneInChunks > 1;

        public override (Passage Passage, Passed Passed) Pass(ReadOnlyMemory<byte> chunk, Passed passed, TimeSpan now, SeededEntropy random)
        {
            var bytes = chunk.ToArray();
            if (random.OneIn(OneInChunks))
            {
                bytes[random.Below(bytes.Length)] ^= (byte)(1 << random.Below(8));
            }

            return (new Passage(bytes, now), new Passed(passed.Bytes + chunk.Length, now));
        }
    }

    /// <summary>Some bytes in the middle of a chunk that is drawn are missing: an interceptor that lost its place.</summary>
    public sealed record MissingBytes(int OneInChunks) : Toxic
    {
        internal override bool MayProgress => OneInChunks > 1;

        public override (Passage Passage, Passed Passed) Pass(ReadOnlyMemory<byte> chunk, Passed passed, TimeSpan now, SeededEntropy random)
        {
            var bytes = chunk;
            if (random.OneIn(OneInChunks))
            {
                var from = random.Below(chunk.Length);
                var to = from + 1 + random.Below(chunk.Length - from);
                bytes = (byte[])[.. chunk.Span[..from], .. chunk.Span[to..]];
            }

            return (new Passage(bytes, now), new Passed(passed.Bytes + chunk.Length, now));
        }
    }

    /// <summary>A chunk that is drawn comes twice.</summary>
    public sealed record RepeatedBytes(int OneInChunks) : Toxic
    {
        internal override bool MayProgress => OneInChunks > 1;

        public override (Passage Passage, Passed Passed) Pass(ReadOnlyMemory<byte> chunk, Passed passed, TimeSpan now, SeededEntropy random)
        {
            ReadOnlyMemory<byte> bytes = random.OneIn(OneInChunks) ? (byte[])[.. chunk.Span, .. chunk.Span] : chunk;
            return (new Passage(bytes, now), new Passed(passed.Bytes + chunk.Length, now));
        }
    }
}
