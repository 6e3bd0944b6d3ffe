using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Journal;

/// <summary>
/// Judges the end of the last segment, where no sound frame stands: was a write interrupted there that nobody was told about, or is it damage? A
/// writer never begins a frame before the one before it is durable, so only the very last frame can be incomplete, and a power cut leaves it too
/// short or with whole sectors missing, never with a wrong bit.
/// </summary>
internal static class SegmentTail
{
    private const int ScanBytes = 1 << 20;

    /// <summary>
    /// Walks the sound frames from an offset on, beside a writer that may be at work: what follows them is judged damaged only where it still stands there when it is
    /// looked at again, for a frame that was half written a moment ago is whole then. Returns where they end, what stopped the walk, and what is damaged there.
    /// </summary>
    public static (long End, FrameFault? Fault, string? Damage) Walk(IDiskFile file, uint seed, long offset, long length, ChainWalk walk, Action<Frame>? sound = null)
    {
        while (true)
        {
            var (end, fault) = (offset, default(FrameFault?));
            using (var frames = new RawFrames(file, seed, offset, length, FrameReach.Many))
            {
                while (fault is null && frames.TryNext(out var frame))
                {
                    fault = walk.Take(frame.Bytes.Span, frame.Header);
                    if (fault is null)
                    {
                        sound?.Invoke(frame);
                        end = frames.Offset;
                    }
                }
            }

            var damage = end == length || IsRoom(file, end, length) ? null : Damage(file, seed, end, length, walk.Position.Next);
            if (damage is null || end == offset)
            {
                return (end, fault, damage);
            }

            offset = end;
        }
    }

    /// <summary>True where zeros alone follow: the room that was made for frames to come, in which none was begun.</summary>
    public static bool IsRoom(IDiskFile file, long offset, long length) => ContentEnd(file, offset, length) == offset;

    /// <summary>Null where the rest of the file is an incomplete frame or room for others; otherwise what is damaged.</summary>
    public static string? Damage(IDiskFile file, uint seed, long offset, long length, Lsn expected)
    {
        // In a room an interrupted write is followed by zeros, where otherwise the file ends. No whole frame ends with a zero, nor makes one flipped bit it do so.
        var end = ContentEnd(file, offset, length);
        var header = new byte[FrameHeader.Bytes];
        if (end - offset < FrameHeader.Bytes || file.Read(offset, header) < FrameHeader.Bytes)
        {
            return null;
        }

        if (FrameHeader.TryRead(header, seed, out var frame))
        {
            return frame.First != expected ? $"a frame begins at position {frame.First}, {expected} was expected."
                : offset + frame.Length > end ? null
                : offset + frame.Length < end ? "a frame is damaged, and another one was begun after it."
                : DamageOfWhole(file, offset, frame);
        }

        if (SingleBit.RepairsHeader(header, seed))
        {
            return "one bit of a frame's header is wrong.";
        }

        if (!LacksSector(file, offset, length, FrameHeader.Bytes))
        {
            return "there is no frame, and no sector is missing.";
        }

        return LaterFrame(file, seed, offset + 1, length, expected) is { } later ? $"a frame is damaged, and another one follows at {later}." : null;
    }

    /// <summary>Behind the last byte that is not zero; the offset itself where none is.</summary>
    private static long ContentEnd(IDiskFile file, long offset, long length)
    {
        var piece = new byte[Math.Clamp(length - offset, 0, ScanBytes)];
        var end = offset;
        for (var at = offset; at < length;)
        {
            var read = file.Read(at, piece.AsSpan(0, (int)Math.Min(piece.Length, length - at)));
            if (read == 0)
            {
                break;
            }

            var last = piece.AsSpan(0, read).LastIndexOfAnyExcept((byte)0);
            end = last < 0 ? end : at + last + 1;
            at += read;
        }

        return end;
    }

    private static string? DamageOfWhole(IDiskFile file, long offset, FrameHeader header)
    {
        var frame = new byte[header.Length];
        if (file.Read(offset, frame) < frame.Length)
        {
            return null;
        }

        return Sectors.ZeroSlices(frame, offset) <= header.ZeroSlices ? "the last frame is damaged, and no sector of it is missing."
            : SingleBit.RepairsFrame(frame, header) ? "one bit of the last frame is wrong."
            : null;
    }

    /// <summary>True where one of the slices that the first bytes touch holds zeros alone, as a sector that was never written does.</summary>
    private static bool LacksSector(IDiskFile file, long offset, long length, int touched)
    {
        for (var at = offset; at < Math.Min(length, offset + touched);)
        {
            var end = Math.Min(length, ((at / Sectors.Bytes) + 1) * Sectors.Bytes);
            var slice = new byte[end - at];
            if (file.Read(at, slice) == slice.Length && !slice.AsSpan().ContainsAnyExcept((byte)0))
            {
                return true;
            }

            at = end;
        }

        return false;
    }

    /// <summary>Where a later frame's header stands: its salted check value proves that this journal wrote it, so what is before it was durable.</summary>
    private static long? LaterFrame(IDiskFile file, uint seed, long from, long length, Lsn expected)
    {
        var buffer = new byte[ScanBytes];
        while (from + FrameHeader.Bytes <= length)
        {
            var read = file.Read(from, buffer);
            var window = buffer.AsSpan(0, read);
            for (var at = window.IndexOf(FrameHeader.Magic); at >= 0;)
            {
                if (FrameHeader.TryRead(window[at..], seed, out var header) && header.First >= expected)
                {
                    return from + at;
                }

                var next = window[(at + 1)..].IndexOf(FrameHeader.Magic);
                at = next < 0 ? -1 : at + 1 + next;
            }

            from += Math.Max(1, read - FrameHeader.Bytes + 1);
        }

        return null;
    }
}
