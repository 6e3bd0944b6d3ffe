using System.Numerics;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Journal;

/// <summary>What is wrong in a frame, and how far from its start.</summary>
internal readonly record struct FrameFault(int Offset, string What);

/// <summary>How much of the chain of hashes a walk works out again. Everything else, it checks of every record.</summary>
internal enum ChainCheck
{
    EveryRecord,

    /// <summary>
    /// The last record of each frame, against the frame's trailer; of the others, what the record after them says of them is taken. No flipped bit and
    /// no torn write is missed by it, for each record has its check value: only somebody's hand is, or a disk that brings back whole sectors of a former time within a frame,
    /// until every record is walked.
    /// </summary>
    EveryFrame,
}

/// <summary>
/// Walks frames in order and checks everything that can be checked: lengths, check values, positions, and the chain of hashes as far as it is asked to. Where it begins in the
/// middle of a segment, the first record's own word on its predecessor is taken.
/// </summary>
internal sealed class ChainWalk(ActorNames actors, JournalFaults faults, ChainCheck check = ChainCheck.EveryRecord)
{
    /// <summary>The hash of the record before, which the next one must name; null where that one's word is taken.</summary>
    private Hash256? _chain;

    public bool HasBegun { get; private set; }

    /// <summary>The position of the last event walked.</summary>
    public Lsn Position { get; private set; }

    /// <summary>The position and the chain hash there.</summary>
    public JournalHead Head => new(Position, _chain ?? Hash256.Zero);

    public long Records { get; private set; }

    /// <summary>Begins at the front of a segment.</summary>
    public void BeginAt(SegmentHeader segment)
    {
        (HasBegun, Position, _chain) = (true, new Lsn(segment.First.Value - 1), segment.Previous);
    }

    /// <summary>Begins at a frame of a segment, unless it has begun.</summary>
    public void BeginAt(in FrameHeader frame, SegmentHeader segment)
    {
        if (!HasBegun)
        {
            (HasBegun, Position, _chain) = (true, new Lsn(frame.First.Value - 1), frame.First == segment.First ? segment.Previous : null);
        }
    }

    /// <summary>
    /// Checks a frame and, where a list is given, reads its records that end after <paramref name="after"/>. A frame with a fault is not walked at all.
    /// </summary>
    public FrameFault? Take(ReadOnlySpan<byte> frame, in FrameHeader header, Lsn after = default, List<JournalRecord>? into = null)
    {
        var (position, chain, records, count) = (Position, _chain, Records, into?.Count ?? 0);
        var fault = TakeRecords(frame, header, after, into);
        if (fault is not null)
        {
            (Position, _chain, Records) = (position, chain, records);
            into?.RemoveRange(count, into.Count - count);
        }

        return fault;
    }

    /// <summary>Reads the one record of a frame that holds a position, and checks that record alone.</summary>
    public static JournalRecord? Find(ReadOnlySpan<byte> frame, in FrameHeader header, Lsn lsn, ActorNames actors, JournalFaults faults)
    {
        var body = frame[FrameHeader.Bytes..(header.Length - FrameHeader.TrailerBytes)];
        for (var i = 0; i < header.Records; i++)
        {
            var length = RecordFormat.LengthAt(body);
            if (length == 0)
            {
                return null;
            }

            var record = body[..length];
            var first = RecordFormat.First(record);
            if (first > Lsn.Zero && lsn >= first && lsn.Value - first.Value < RecordFormat.Events(record))
            {
                return IsSound(record, faults) ? RecordFormat.Read(record, Hash256.Of(record), actors) : null;
            }

            body = body[length..];
        }

        return null;
    }

    private FrameFault? TakeRecords(ReadOnlySpan<byte> frame, in FrameHeader header, Lsn after, List<JournalRecord>? into)
    {
        if (header.First != Position.Next)
        {
            return new(0, $"the frame begins at position {header.First}, {Position.Next} was expected.");
        }

        var at = FrameHeader.Bytes;
        var body = frame[..(header.Length - FrameHeader.TrailerBytes)];
        for (var i = 0; i < header.Records; i++)
        {
            var length = RecordFormat.LengthAt(body[at..]);
            if (length == 0)
            {
                return new(at, "a record's length is impossible.");
            }

            var record = body.Slice(at, length);
            if (TakeRecord(record, HashOf(record, body[(at + length)..]), after, into) is { } what)
            {
                return new(at, what);
            }

            at += length;
        }

        if (at != body.Length || Position != header.Last)
        {
            return new(at, "the frame's records do not add up to what its header says.");
        }

        return Trailer(frame[at..]) is { } trailer ? new(at, trailer) : null;
    }

    private static bool IsSound(ReadOnlySpan<byte> record, JournalFaults faults) =>
        faults.SkipCrc || RecordFormat.CheckValue(record) == RecordFormat.StoredCheckValue(record);

    private string? TakeRecord(ReadOnlySpan<byte> record, Hash256 hash, Lsn after, List<JournalRecord>? into)
    {
        if (!IsSound(record, faults))
        {
            return "a record's check value is wrong.";
        }

        if (RecordFormat.First(record) != Position.Next)
        {
            return $"a record begins at position {RecordFormat.First(record)}, {Position.Next} was expected.";
        }

        if (_chain is { } chain && RecordFormat.Previous(record) != chain)
        {
            return "a record does not continue the chain of hashes.";
        }

        _chain = hash;
        Position = new Lsn(Position.Value + RecordFormat.Events(record));
        Records++;
        if (into is not null && Position > after)
        {
            if (RecordFormat.Read(record, hash, actors) is not { } read)
            {
                return "a record's parts do not add up.";
            }

            into.Add(read);
        }

        return null;
    }

    private Hash256 HashOf(ReadOnlySpan<byte> record, ReadOnlySpan<byte> rest) =>
        check == ChainCheck.EveryFrame && RecordFormat.LengthAt(rest) > 0 ? RecordFormat.Previous(rest) : Hash256.Of(record);

    private string? Trailer(ReadOnlySpan<byte> trailer)
    {
        Span<byte> expected = stackalloc byte[FrameHeader.TrailerBytes];
        FrameHeader.WriteTrailer(expected, Head.ChainHash);
        return trailer.SequenceEqual(expected) ? null : "the frame's trailer is wrong.";
    }
}

/// <summary>Sector slices: the parts into which a disk's sectors of 512 bytes divide a frame.</summary>
internal static class Sectors
{
    public const int Bytes = 512;

    /// <summary>How many slices of these bytes, which stand at an offset of a file, hold zeros alone.</summary>
    public static int ZeroSlices(ReadOnlySpan<byte> bytes, long offset)
    {
        var count = 0;
        for (var at = 0; at < bytes.Length;)
        {
            var length = Math.Min(bytes.Length - at, Bytes - (int)((offset + at) % Bytes));
            count += bytes.Slice(at, length).ContainsAnyExcept((byte)0) ? 0 : 1;
            at += length;
        }

        return count;
    }

    /// <summary>In how many bits two spans of one length differ.</summary>
    public static int DifferingBits(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        var bits = 0;
        for (var i = 0; i < a.Length; i++)
        {
            bits += BitOperations.PopCount((uint)(a[i] ^ b[i]));
        }

        return bits;
    }
}
