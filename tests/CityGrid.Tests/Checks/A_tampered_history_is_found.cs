using System.Globalization;
using System.Text.RegularExpressions;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.Checks;
using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Checks;

/// <summary>
/// INV-28, clause A5: 1,000 random tampers of a city's directory, by hands that know nothing and by hands that know the whole format, and 1,000 are found by
/// what the parent has recorded. Where the own chain breaks, the index is that of the first frame that is not sound; where somebody made the chain anew, it is
/// the one after the last head that still agrees.
/// </summary>
public sealed class A_tampered_history_is_found
{
    private const int Tampers = 1_000;

    private SignedTree _tree = null!;
    private AnchorBook _book = null!;
    private Incarnation _life;
    private List<JournalRecord> _records = null!;

    /// <summary>The positions of the heads that the parent has of the city, in order.</summary>
    private List<long> _heads = null!;
    private ModelDisk _sound = null!;

    private static readonly string[] Ways = ["bit", "content", "deleted", "inserted", "swapped", "cut", "replaced", "forged", "packed", "segment"];

    [OneTimeSetUp]
    public void Live()
    {
        _tree = new SignedTree();
        _tree.Work(20);
        _tree.RenewKey();
        _tree.Work(20);
        _tree.Stop();
        _records = SignedTree.Records(_tree.City);
        using (var journal = SignedTree.Open(_tree.City.Disk, SignedTree.CityName))
        {
            _life = journal.Incarnation;
        }

        _book = SignedTree.BookOf(_tree.Province.Disk, SignedTree.ProvinceName, SignedTree.CityName, _tree.Signers);
        _heads = [.. _book.Anchors.Select(anchor => anchor.Mark.Lsn.Value).Distinct().Order()];
        _sound = SignedTree.Forge(SignedTree.CityName, _life, _records.Select(SignedTree.Draft));
    }

    [OneTimeTearDown]
    public void Release() => _tree.Dispose();

    [Test]
    public void The_one_that_nobody_touched_is_sound_and_every_head_of_it_is_signed()
    {
        Assert.That(_book.Fault, Is.Null);
        Assert.That(_book.Anchors, Has.Count.GreaterThan(40));
        Assert.That(_book.Anchors.All(anchor => anchor.Signed is not null));
        Assert.That(_sound.Files.Count(file => file.EndsWith(".zst", StringComparison.Ordinal)), Is.GreaterThan(2), "some of it is packed");
        foreach (var disk in new[] { _tree.City.Disk, _sound })
        {
            var verdict = SignedTree.Judge(disk.Copy(), _book);
            Assert.That(verdict.ExitCode, Is.Zero, verdict.What);
            Assert.That(verdict.What, Does.Contain($"{_book.Anchors.Count} of {_book.Anchors.Count} are signed"));
        }
    }

    [Test]
    public void Of_a_thousand_tampers_a_thousand_are_found()
    {
        var missed = new List<string>();
        var count = Ways.ToDictionary(way => way, _ => 0);
        for (var i = 0; i < Tampers; i++)
        {
            var draw = new SeededEntropy(1_000 + (ulong)i);
            var way = Ways[i % Ways.Length];
            var (disk, expected) = Tampered(way, draw);
            var verdict = SignedTree.Judge(disk, _book);
            var index = IndexOf(verdict);
            count[way]++;
            if (verdict.ExitCode != 2 || (expected is { } exact && index != exact))
            {
                missed.Add($"{i} {way}: {verdict.ExitCode} {verdict}; expected index {expected}");
            }
        }

        Assert.That(missed, Is.Empty);
        Assert.That(count.Values, Has.All.EqualTo(Tampers / Ways.Length));
    }

    /// <summary>The tampered directory, and the first bad index; null where a file as a whole is doubted, which is told by name.</summary>
    private (ModelDisk Disk, long? Expected) Tampered(string way, SeededEntropy draw)
    {
        // What was written after the last head is nobody's to vouch for, so the hand is laid on what stands before it.
        var reach = _records.FindLastIndex(record => record.Last.Value <= _heads[^1]) + 1;
        var at = draw.Below(reach);
        var drafts = _records.Select(SignedTree.Draft).ToList();
        switch (way)
        {
            case "bit":
                return Flipped(draw);
            case "content":
                drafts[at] = (drafts[at].At, Edited(drafts[at].Record, draw));
                break;
            case "deleted":
                drafts.RemoveAt(at);
                break;
            case "inserted":
                drafts.Insert(at, drafts[Other(at, drafts.Count, draw)]);
                break;
            case "swapped":
                var other = Other(at, reach, draw);
                (at, other) = (Math.Min(at, other), Math.Max(at, other));
                (drafts[at], drafts[other]) = (drafts[other], drafts[at]);
                break;
            case "cut":
                // Not a byte of the journal tells that there was more.
                drafts = drafts[..at];
                break;
            case "replaced":
                if (draw.OneIn(2))
                {
                    drafts[at] = (drafts[at].At, Edited(drafts[at].Record, draw));
                }

                return (SignedTree.Forge(SignedTree.CityName, new Incarnation(draw.NextUInt128()), drafts), 1);
            case "forged":
                // The same identity, and a history of the forger's own from some point on.
                for (var i = at; i < drafts.Count; i++)
                {
                    drafts[i] = (drafts[i].At, Edited(drafts[i].Record, draw));
                }

                break;
            case "packed":
                return Exchanged(at, drafts, draw);
            case "segment":
                return Without(draw);
            default:
                throw new ArgumentOutOfRangeException(nameof(way), way, "no such way");
        }

        return (SignedTree.Forge(SignedTree.CityName, _life, drafts), AfterTheLastHeadBefore(at));
    }

    /// <summary>A head at a position inside a record vouches for the whole record: it is the hash after it.</summary>
    private long AfterTheLastHeadBefore(int record) => _heads.Where(head => head < _records[record].First.Value).DefaultIfEmpty(0).Max() + 1;

    private (ModelDisk Disk, long? Expected) Flipped(SeededEntropy draw)
    {
        var disk = _sound.Copy();
        var path = disk.Files.Where(file => file.StartsWith("journal/", StringComparison.Ordinal)).ElementAt(draw.Below(disk.Files.Count(file => file.StartsWith("journal/", StringComparison.Ordinal))));
        var bytes = disk.Bytes(path);
        var offset = draw.Below(bytes.Length);
        Write(disk, path, offset, [(byte)(bytes[offset] ^ (1 << draw.Below(8)))]);
        var expected = path.EndsWith(".seg", StringComparison.Ordinal) ? FrameAt(path, offset) : null;
        return (disk, expected);
    }

    /// <summary>The first position of the frame at an offset of a raw segment; null in the header, where nothing of the segment can be read.</summary>
    private long? FrameAt(string path, int offset)
    {
        var segment = SegmentListing.LoadRaw(_sound, new Lsn(long.Parse(Path.GetFileName(path)[..20], CultureInfo.InvariantCulture)))!;
        using (segment)
        {
            var file = segment.Take()!;
            using var frames = segment.FramesFrom(file, segment.First, file.Length);
            var before = frames.Offset;
            long? found = null;
            while (offset >= before && frames.TryNext(out var frame))
            {
                if (offset < frames.Offset)
                {
                    found = frame.Header.First.Value;
                    break;
                }

                before = frames.Offset;
            }

            segment.Release();
            return found;
        }
    }

    /// <summary>A packed segment of a forged directory stands in the place of the true one.</summary>
    private (ModelDisk Disk, long? Expected) Exchanged(int at, List<(NodaTime.Instant At, RecordDraft Record)> drafts, SeededEntropy draw)
    {
        var disk = _sound.Copy();
        var packed = disk.Files.Where(file => file.EndsWith(".zst", StringComparison.Ordinal)).ToList();
        var path = packed[draw.Below(packed.Count)];
        var first = long.Parse(Path.GetFileName(path)[..20], CultureInfo.InvariantCulture);
        at = _records.FindIndex(record => record.First.Value == first);
        drafts[at] = (drafts[at].At, Edited(drafts[at].Record, draw));
        var forged = SignedTree.Forge(SignedTree.CityName, _life, drafts);
        disk.Delete(path);
        Write(disk, path, 0, forged.Bytes(path));
        return (disk, null);
    }

    private (ModelDisk Disk, long? Expected) Without(SeededEntropy draw)
    {
        var disk = _sound.Copy();
        var segments = disk.Files.Where(file => file.EndsWith(".zst", StringComparison.Ordinal)).ToList();
        disk.Delete(segments[draw.Below(segments.Count)]);
        return (disk, null);
    }

    private int Other(int at, int reach, SeededEntropy draw)
    {
        while (true)
        {
            var other = draw.Below(reach);
            var (a, b) = (SignedTree.Draft(_records[at]), SignedTree.Draft(_records[other]));
            if (a.At != b.At || Journal.Drafts.Plain(a.Record) != Journal.Drafts.Plain(b.Record))
            {
                return other;
            }
        }
    }

    private static RecordDraft Edited(RecordDraft record, SeededEntropy draw)
    {
        var events = record.Events.ToArray();
        var edited = draw.Below(events.Length);
        var payload = events[edited].Payload.ToArray();
        if (payload.Length == 0)
        {
            payload = [1];
        }
        else
        {
            payload[draw.Below(payload.Length)] ^= (byte)(1 << draw.Below(8));
        }

        events[edited] = events[edited] with { Payload = payload };
        return draw.OneIn(8) ? record with { Actor = record.Actor + "2" } : record with { Events = events };
    }

    private static long? IndexOf(CheckVerdict verdict) =>
        Regex.Match(verdict.Place ?? string.Empty, "index (\\d+)") is { Success: true } found ? long.Parse(found.Groups[1].Value, CultureInfo.InvariantCulture) : null;

    private static void Write(ModelDisk disk, string path, long offset, byte[] bytes)
    {
        using var file = disk.Open(path, disk.Exists(path) ? DiskAccess.ReadWrite : DiskAccess.CreateNew);
        file.Write(offset, bytes);
    }
}
