using System.Numerics;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Journal;

/// <summary>
/// Tells a frame that a disk has damaged from one that a power cut has torn: a frame that one flipped bit would make whole was once whole, so it may
/// have been acknowledged and must never be cut.
/// </summary>
internal static class SingleBit
{
    private const uint Polynomial = 0x82F63B78;

    /// <summary>True where flipping one bit makes these 32 bytes a frame header.</summary>
    public static bool RepairsHeader(ReadOnlySpan<byte> header, uint seed)
    {
        Span<byte> copy = stackalloc byte[FrameHeader.Bytes];
        header[..FrameHeader.Bytes].CopyTo(copy);
        for (var bit = 0; bit < FrameHeader.Bytes * 8; bit++)
        {
            Flip(copy, bit);
            if (FrameHeader.TryRead(copy, seed, out _))
            {
                return true;
            }

            Flip(copy, bit);
        }

        return false;
    }

    /// <summary>True where flipping one bit makes this frame, whose header is sound, whole. The bytes are changed on the way and restored.</summary>
    public static bool RepairsFrame(Span<byte> frame, in FrameHeader header)
    {
        var body = frame[..(header.Length - FrameHeader.TrailerBytes)];
        var (records, at) = SoundRecords(body, header);
        if (records == header.Records)
        {
            return at == body.Length && TrailerDistance(frame, at) == 1;
        }

        var record = body[at..];
        for (var bit = 0; bit < 32; bit++)
        {
            if (IsWholeWith(frame, header, (at * 8) + bit))
            {
                return true;
            }
        }

        var length = RecordFormat.LengthAt(record);
        if (length == 0)
        {
            return false;
        }

        record = record[..length];
        var difference = RecordFormat.CheckValue(record) ^ RecordFormat.StoredCheckValue(record);
        if (BitOperations.PopCount(difference) == 1)
        {
            return IsWholeWith(frame, header, ((at + 4) * 8) + BitOperations.TrailingZeroCount(difference));
        }

        // The check value covers the four bytes of the length, then everything behind the check value itself.
        var bitOfMessage = FlippedBit(length - 4, difference);
        return bitOfMessage >= 32 && IsWholeWith(frame, header, (at * 8L) + bitOfMessage + 32);
    }

    /// <summary>
    /// The one bit of a message of this length that, flipped, changes its CRC-32C by <paramref name="difference"/>; -1 where there is none. Bit 0 is
    /// the lowest of the first byte. Up to 2^31 - 1 bits no two single bits make the same difference.
    /// </summary>
    internal static long FlippedBit(long messageBytes, uint difference)
    {
        var bits = messageBytes * 8;
        var step = 1u;
        for (var fromEnd = 1L; fromEnd <= bits; fromEnd++)
        {
            step = (step & 1) == 0 ? step >> 1 : (step >> 1) ^ Polynomial;
            if (step == difference)
            {
                return bits - fromEnd;
            }
        }

        return -1;
    }

    private static bool IsWholeWith(Span<byte> frame, in FrameHeader header, long bit)
    {
        Flip(frame, bit);
        var body = frame[..(header.Length - FrameHeader.TrailerBytes)];
        var (records, at) = SoundRecords(body, header);
        var whole = records == header.Records && at == body.Length && TrailerDistance(frame, at) == 0;
        Flip(frame, bit);
        return whole;
    }

    /// <summary>How many records from the front have a possible length and a right check value, and where the next one stands.</summary>
    private static (int Records, int At) SoundRecords(ReadOnlySpan<byte> body, in FrameHeader header)
    {
        var at = FrameHeader.Bytes;
        for (var i = 0; i < header.Records; i++)
        {
            var length = RecordFormat.LengthAt(body[at..]);
            if (length == 0 || RecordFormat.CheckValue(body.Slice(at, length)) != RecordFormat.StoredCheckValue(body.Slice(at, length)))
            {
                return (i, at);
            }

            at += length;
        }

        return (header.Records, at);
    }

    private static int TrailerDistance(ReadOnlySpan<byte> frame, int at)
    {
        // The records are sound, so the last one is where the lengths lead.
        var last = FrameHeader.Bytes;
        for (var next = last; next < at; next += RecordFormat.LengthAt(frame[next..at]))
        {
            last = next;
        }

        Span<byte> expected = stackalloc byte[FrameHeader.TrailerBytes];
        FrameHeader.WriteTrailer(expected, Hash256.Of(frame[last..at]));
        return Sectors.DifferingBits(expected, frame[at..(at + FrameHeader.TrailerBytes)]);
    }

    private static void Flip(Span<byte> bytes, long bit) => bytes[(int)(bit / 8)] ^= (byte)(1 << (int)(bit % 8));
}
