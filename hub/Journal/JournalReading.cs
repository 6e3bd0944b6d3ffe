using System.Collections.Immutable;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Journal;

/// <summary>What of a journal is durable: the head, the segments, and how far the last one has been written. Replaced as a whole.</summary>
internal sealed record JournalState(JournalHead Head, ImmutableArray<Segment> Segments, long ActiveEnd)
{
    /// <summary>The segment that holds a position up to the one after the head.</summary>
    public Segment SegmentOf(Lsn lsn)
    {
        var (low, high) = (0, Segments.Length - 1);
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            (low, high) = Segments[middle].First <= lsn ? (middle, high) : (low, middle - 1);
        }

        return Segments[low];
    }
}

/// <summary>Reads a journal's durable records, beside the writer and beside the packing of segments.</summary>
internal sealed class JournalReading(Func<JournalState> state, JournalOptions options)
{
    /// <summary>Records handed on together: enough that the hand-over costs nothing, few enough to wait for.</summary>
    private const int BatchRecords = 256;
    private const int BatchBytes = 256 << 10;

    /// <summary>The records from after a position up to a head, in order and in batches; damage is thrown after what is sound before it.</summary>
    public IEnumerable<List<JournalRecord>> Batches(Lsn after, JournalHead head, ChainCheck check)
    {
        var walk = new ChainWalk(new ActorNames(), options.Faults, check);
        while ((walk.HasBegun ? walk.Position : after) < head.Lsn)
        {
            var next = walk.HasBegun ? walk.Position.Next : after.Next;
            var (segment, file, end) = Take(next);
            try
            {
                if (walk.HasBegun && (segment.First != next || segment.Header.Previous != walk.Head.ChainHash))
                {
                    throw new JournalDamagedException(segment.Path, 0, $"the segment does not continue the chain after position {walk.Position}.");
                }

                using var frames = segment.FramesFrom(file, next, end);
                foreach (var batch in Batches(segment, frames, walk, after, head.Lsn))
                {
                    yield return batch;
                }
            }
            finally
            {
                segment.Release();
            }
        }

        if (walk.HasBegun && walk.Head != head)
        {
            throw new JournalDamagedException(state().SegmentOf(head.Lsn).Path, 0, $"the records up to position {head.Lsn} do not end in the chain hash that they had.");
        }
    }

    /// <summary>The record that holds a position between 1 and the head.</summary>
    public JournalRecord ReadAt(Lsn lsn)
    {
        var (segment, file, end) = Take(lsn);
        try
        {
            using var frames = segment.FramesFrom(file, lsn, end, FrameReach.One);
            while (frames.TryNext(out var frame))
            {
                if (frame.Header.Last >= lsn)
                {
                    return ChainWalk.Find(frame.Bytes.Span, frame.Header, lsn, new ActorNames(), options.Faults)
                        ?? throw new JournalDamagedException(segment.Path, frame.Offset, $"the record at position {lsn} is damaged.");
                }
            }

            throw new JournalDamagedException(segment.Path, frames.Offset, $"there is no frame, and position {lsn} comes later.");
        }
        finally
        {
            segment.Release();
        }
    }

    private static IEnumerable<List<JournalRecord>> Batches(Segment segment, FrameSource frames, ChainWalk walk, Lsn after, Lsn last)
    {
        var batch = new List<JournalRecord>();
        var bytes = 0;
        while (walk.Position < last && frames.TryNext(out var frame))
        {
            if (!walk.HasBegun && frame.Header.Last <= after)
            {
                continue;
            }

            walk.BeginAt(frame.Header, segment.Header);
            bytes += frame.Header.Length;
            var fault = walk.Take(frame.Bytes.Span, frame.Header, after, batch);
            if (batch.Count >= BatchRecords || bytes >= BatchBytes || fault is not null)
            {
                yield return batch;
                (batch, bytes) = ([], 0);
            }

            if (fault is { } found)
            {
                throw new JournalDamagedException(segment.Path, frame.Offset + found.Offset, found.What);
            }
        }

        if (batch.Count > 0)
        {
            yield return batch;
        }

        if (walk.Position < last && !frames.AtEnd)
        {
            throw new JournalDamagedException(segment.Path, frames.Offset, $"there is no frame, and position {walk.Position.Next} comes next.");
        }
    }

    private (Segment Segment, IDiskFile File, long End) Take(Lsn lsn)
    {
        Segment? retired = null;
        while (true)
        {
            var now = state();
            var segment = now.SegmentOf(lsn);
            if (segment.Take() is { } file)
            {
                return (segment, file, segment == now.Segments[^1] ? now.ActiveEnd : file.Length);
            }

            // Packed in between: its packed form stands in the state by now. Still the same: the journal itself was closed.
            retired = segment == retired ? throw new JournalClosedException(JournalRules.Disposed) : segment;
        }
    }
}
