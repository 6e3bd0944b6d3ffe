using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Journal;

/// <summary>What a verification found. The exit code is that of <c>citygrid journal verify</c>.</summary>
public abstract record JournalVerdict(int ExitCode)
{
    /// <summary>
    /// Every byte is accounted for, and the chain leads from the first record to the head. An incomplete end, which an interrupted write left and which
    /// nobody was told is kept, is no damage; it is cut when the journal is opened.
    /// </summary>
    public sealed record Sound(long Records, JournalHead Head, long IncompleteBytes) : JournalVerdict(0)
    {
        /// <summary>Whose journal it is, by its headers.</summary>
        public required NodeId Node { get; init; }

        /// <summary>The incarnation that the directory began with, by its headers.</summary>
        public required Incarnation Began { get; init; }
    }

    /// <summary>Something that no crash explains, at an offset of a file.</summary>
    public sealed record Damaged(string File, long Offset, string What) : JournalVerdict(2)
    {
        /// <summary>The first position that nothing vouches for any more; null where the chain was not walked so far, or leads past the damage.</summary>
        public Lsn? FirstBad { get; init; }
    }

    /// <summary>There is no journal, the disk refused, or a newer program wrote it.</summary>
    public sealed record CannotDecide(string Reason) : JournalVerdict(3);
}

/// <summary>
/// Reads a whole journal with its snapshots and checks everything that can be checked, without changing anything; the node may be running meanwhile.
/// </summary>
public static class JournalVerifier
{
    /// <summary>How often it begins again when files were packed or replaced while it read them.</summary>
    private const int Attempts = 3;
    private const int NoEntry = 2;

    public static JournalVerdict Verify(IDisk disk)
    {
        for (var attempt = 1; ; attempt++)
        {
            var verification = new Verification(disk);
            try
            {
                return verification.Run();
            }
            catch (JournalDamagedException damage)
            {
                return new JournalVerdict.Damaged(damage.File, damage.Offset, damage.What) { FirstBad = verification.FirstBad };
            }
            catch (NewerFormatException newer)
            {
                return new JournalVerdict.CannotDecide(newer.Message);
            }
            catch (DiskFailedException failure) when (failure.ErrorNumber != NoEntry || attempt == Attempts)
            {
                return new JournalVerdict.CannotDecide(failure.Message);
            }
            catch (DiskFailedException)
            {
                // A file went while it was looked for: the node packs its journal. What took its place is found on the next attempt.
            }
        }
    }

    private sealed class Verification(IDisk disk)
    {
        private readonly ChainWalk _walk = new(new ActorNames(), JournalFaults.None);
        private readonly Dictionary<Lsn, Hash256?> _snapshots = SnapshotFiles.All(disk).ToDictionary(lsn => lsn, _ => (Hash256?)null);
        private long _incomplete;
        private bool _walking;

        /// <summary>Where the chain is walked and has not come to its end.</summary>
        public Lsn? FirstBad => _walking && _walk.HasBegun ? _walk.Position.Next : null;

        public JournalVerdict Run()
        {
            var segments = Load();
            if (segments.Count == 0)
            {
                return _snapshots.Count == 0
                    ? new JournalVerdict.CannotDecide($"There is no journal: the folder '{JournalFiles.Folder}' has no segment.")
                    : new JournalVerdict.Damaged(JournalFiles.Folder, 0, "there is a snapshot, but no segment.");
            }

            try
            {
                SegmentListing.CheckOrder(segments);
                _walking = true;
                for (var i = 0; i < segments.Count; i++)
                {
                    Walk(segments[i], isLast: i == segments.Count - 1);
                }

                _walking = false;
            }
            finally
            {
                segments.ForEach(segment => segment.Dispose());
            }

            foreach (var lsn in _snapshots.Keys.Order())
            {
                CheckSnapshot(lsn, segments[0].Header.Incarnation);
            }

            DirectoryLife.Read(disk);
            return new JournalVerdict.Sound(_walk.Records, _walk.Head, _incomplete) { Node = segments[0].Header.Node, Began = segments[0].Header.Incarnation };
        }

        private List<Segment> Load()
        {
            var listing = SegmentListing.Read(disk);
            var segments = new List<Segment>();
            foreach (var first in listing.Firsts)
            {
                Segment? raw = listing.IsRaw(first) ? SegmentListing.LoadRaw(disk, first) : null;
                Segment? packed = listing.IsPacked(first) ? PackedSegment.Load(disk, JournalFiles.Packed(first)) : null;
                if (packed is not null && raw is not null)
                {
                    // A crash came between the packing and the end of the raw form: either alone is enough, so both are checked.
                    CheckAlone(raw);
                }

                if ((packed ?? raw) is { } segment)
                {
                    segments.Add(segment);
                }
                else if (first != listing.Firsts[^1] || segments is [.., PackedSegment])
                {
                    throw new JournalDamagedException(JournalFiles.Raw(first), 0, "the segment has no header, and it had one.");
                }
                else
                {
                    using var file = disk.Open(JournalFiles.Raw(first), DiskAccess.Read);
                    _incomplete += file.Length;
                }
            }

            return segments is [.., PackedSegment last] ? throw new JournalDamagedException(last.Path, 0, "a packed segment is the last one: the one after it is missing.") : segments;
        }

        private void Walk(Segment segment, bool isLast)
        {
            if (_walk.HasBegun && (segment.First != _walk.Position.Next || segment.Header.Previous != _walk.Head.ChainHash))
            {
                throw new JournalDamagedException(segment.Path, 0, $"the segment does not continue the chain after position {_walk.Position}.");
            }

            var file = segment.Take()!;
            try
            {
                _walk.BeginAt(segment.Header);
                WalkFrames(segment, file, _walk, isLast, NoteSnapshots);
                if (segment is PackedSegment { End: var end } && end != _walk.Head)
                {
                    throw new JournalDamagedException(segment.Path, file.Length - PackedTail.Bytes, "the packed segment names another end.");
                }
            }
            finally
            {
                segment.Release();
            }
        }

        private void CheckAlone(Segment raw)
        {
            var file = raw.Take()!;
            var walk = new ChainWalk(new ActorNames(), JournalFaults.None);
            walk.BeginAt(raw.Header);
            WalkFrames(raw, file, walk, isLast: false, _ => { });
            raw.Release();
            raw.Dispose();
        }

        private void WalkFrames(Segment segment, IDiskFile file, ChainWalk walk, bool isLast, Action<Frame> sound)
        {
            var length = file.Length;
            using var frames = segment.FramesFrom(file, segment.First, length);
            var end = frames.Offset;
            var fault = default(FrameFault?);
            while (fault is null && frames.TryNext(out var frame))
            {
                fault = walk.Take(frame.Bytes.Span, frame.Header);
                if (fault is null)
                {
                    sound(frame);
                    end = frames.Offset;
                }
            }

            if (fault is null && frames.AtEnd)
            {
                return;
            }

            if (!isLast)
            {
                throw new JournalDamagedException(segment.Path, end + (fault?.Offset ?? 0), fault?.What ?? "there is no frame.");
            }

            (end, fault, var damage) = SegmentTail.Walk(file, segment.Header.FrameSeed, end, length, walk, sound);
            if (damage is not null)
            {
                throw new JournalDamagedException(segment.Path, end + (fault?.Offset ?? 0), $"{damage} ({fault?.What ?? "there is no frame."})");
            }

            _incomplete += SegmentTail.IsRoom(file, end, length) ? 0 : length - end;
        }

        private void NoteSnapshots(Frame frame)
        {
            foreach (var lsn in _snapshots.Keys.ToArray())
            {
                if (lsn >= frame.Header.First && lsn <= frame.Header.Last
                    && ChainWalk.Find(frame.Bytes.Span, frame.Header, lsn, new ActorNames(), JournalFaults.None) is { } record && record.Last == lsn)
                {
                    _snapshots[lsn] = record.Hash;
                }
            }
        }

        private void CheckSnapshot(Lsn lsn, Incarnation incarnation)
        {
            var path = JournalFiles.Snapshot(lsn);
            var snapshot = SnapshotFiles.Load(disk, lsn, out var owner);
            var what = owner != incarnation ? "the snapshot is that of another data directory."
                : lsn > _walk.Position ? $"the snapshot stands past the journal's head {_walk.Position}: records that were durable are missing."
                : snapshot.ChainHash != (lsn == Lsn.Zero ? Hash256.Zero : _snapshots[lsn]) ? "the snapshot's chain hash is not that of the journal."
                : null;
            if (what is not null)
            {
                throw new JournalDamagedException(path, 0, what);
            }
        }
    }
}
