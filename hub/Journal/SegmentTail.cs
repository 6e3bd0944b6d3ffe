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

    /// <summary>Null where the rest of the file is an incomplete frame; otherwise what is damaged.</summary>
    public static string? Damage(IDiskFile file, uint seed, long offset, long length, Lsn expected)
    {
        var header = new byte[FrameHeader.Bytes];
        var read = file.Read(offset, header);
        if (read < FrameHeader.Bytes)
        {
            return null;
        }

        if (FrameHeader.TryRead(header, seed, out var frame))
        {
            return frame.First != expected ? $"a frame begins at position {frame.First}, {expected} was expected."
                : offset + frame.Length > length ? null
                : offset + frame.Length < length ? "a frame is damaged, and another one was begun after it."
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
