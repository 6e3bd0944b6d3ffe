using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CsCheck;
using NUnit.Framework;

namespace CityGrid.Tests.Journal;

/// <summary>What recovery cuts, and what it refuses to cut.</summary>
public sealed class A_bad_end_is_judged
{
    private static readonly string File = JournalFiles.Raw(new Lsn(1));

    [Test]
    public void A_frame_that_is_too_short_is_cut_at_every_length()
    {
        var (disk, frames) = Journal(600, 900);
        for (var length = frames[1]; length < frames[2]; length += 7)
        {
            Assert.That(KeptAfter(disk, file => file.Truncate(length)), Is.EqualTo(1), $"{length}");
        }
    }

    [Test]
    public void A_frame_with_lost_sectors_is_cut()
    {
        var (disk, frames) = Journal(600, 3000);
        for (var sector = (frames[1] / 512) + 1; sector < frames[2] / 512; sector++)
        {
            Assert.That(KeptAfter(disk, file => file.Write(sector * 512L, new byte[512])), Is.EqualTo(1), $"{sector}");
        }

        Assert.That(KeptAfter(disk, file => file.Write(frames[1], new byte[512 - (frames[1] % 512)])), Is.EqualTo(1), "the first sector");
        Assert.That(KeptAfter(disk, file => file.Write(frames[1], new byte[frames[2] - frames[1]])), Is.EqualTo(1), "all of it");
    }

    [Test]
    public void A_frame_with_a_wrong_byte_and_no_lost_sector_is_refused()
    {
        var (disk, frames) = Journal(600, 3000);
        var seed = new SeededEntropy(1);
        for (var i = 0; i < 300; i++)
        {
            var at = frames[1] + seed.Below(frames[2] - frames[1]);
            var wrong = (byte)(disk.Bytes(File)[at] ^ (1 + seed.Below(255)));
            Assert.That(KeptAfter(disk, file => file.Write(at, [wrong])), Is.EqualTo(-1), $"{at}");
        }
    }

    [Test]
    public void A_frame_of_zeros_with_two_wrong_bytes_is_refused_because_no_sector_is_missing()
    {
        var disk = new ModelDisk();
        using (var journal = FileJournal.Open(disk, new SeededEntropy(4), Drafts.Node))
        {
            journal.Append([Drafts.Of("a", new byte[4000])], Drafts.Noon);
        }

        Assert.That(KeptAfter(disk, file => file.Write(300, [1, 2])), Is.EqualTo(-1));
        Assert.That(KeptAfter(disk, file => file.Write(2000, [1, 2])), Is.EqualTo(-1));
    }

    [Test]
    public void A_bad_frame_before_another_one_is_refused_however_it_looks()
    {
        var (disk, frames) = Journal(600, 3000, 40);
        Assert.That(KeptAfter(disk, file => file.Write(frames[1], new byte[frames[2] - frames[1]])), Is.EqualTo(-1));
        Assert.That(KeptAfter(disk, file => file.Write(frames[1] + 1000, new byte[512])), Is.EqualTo(-1));
        Assert.That(
            KeptAfter(disk, file =>
            {
                file.Write(frames[1], new byte[1200]);
                file.Truncate(frames[2] + 35);
            }),
            Is.EqualTo(-1),
            "the header of the later one is enough");
    }

    [Test]
    public void Zeros_after_the_last_frame_are_cut()
    {
        var (disk, frames) = Journal(600, 900);
        foreach (var more in new[] { 1, 31, 32, 511, 512, 5000 })
        {
            Assert.That(KeptAfter(disk, file => file.Truncate(frames[2] + more)), Is.EqualTo(2), $"{more}");
        }
    }

    [Test]
    public void A_payload_that_looks_like_a_frame_is_not_taken_for_one()
    {
        var (other, places) = Journal(100, 100);
        var foreign = other.Bytes(File)[places[0]..];
        var disk = new ModelDisk();
        int end;
        using (var journal = FileJournal.Open(disk, new SeededEntropy(77), Drafts.Node))
        {
            journal.Append([Drafts.Of("a", [1])], Drafts.Noon);
            end = disk.Bytes(File).Length;
            journal.Append([Drafts.Of("a", [.. new byte[1000], .. foreign, .. foreign])], Drafts.Noon);
        }

        Assert.That(KeptAfter(disk, file => file.Write(end, new byte[512])), Is.EqualTo(1));
    }

    [Test]
    public void A_batch_larger_than_a_frame_is_kept_in_several()
    {
        var disk = new ModelDisk();
        using var journal = FileJournal.Open(disk, new SeededEntropy(4), Drafts.Node, new JournalOptions { FrameBytesMax = 1000 });
        var result = journal.Append([.. Enumerable.Range(0, 10).Select(i => Drafts.Of("a", new byte[i * 150]))], Drafts.Noon);
        Assert.That(result.Ranges.Select(range => range.First.Value), Is.EqualTo(Enumerable.Range(1, 10)));
        Assert.That(journal.ReadFrom(Lsn.Zero).Select(record => record.Events[0].Payload.Length), Is.EqualTo(Enumerable.Range(0, 10).Select(i => i * 150)));
    }

    [Test]
    public void The_flipped_bit_is_found_from_the_difference_of_check_values() => Gen.Select(Gen.Byte.Array[1, 200], Gen.Int[0, 1599]).Sample((bytes, drawn) =>
    {
        var bit = drawn % (bytes.Length * 8);
        var before = CityGrid.Hub.Storage.Crc32C.Of(bytes);
        bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        return SingleBit.FlippedBit(bytes.Length, before ^ CityGrid.Hub.Storage.Crc32C.Of(bytes)) == bit;
    });

    /// <summary>A journal with a frame for each payload size, and where each begins; the last place is the end.</summary>
    private static (ModelDisk Disk, List<int> Frames) Journal(params int[] payloads)
    {
        var disk = new ModelDisk();
        var seed = new SeededEntropy(4);
        using var journal = FileJournal.Open(disk, seed, Drafts.Node);
        var frames = new List<int> { disk.Bytes(File).Length };
        foreach (var size in payloads)
        {
            var payload = new byte[size];
            seed.Fill(payload);
            journal.Append([Drafts.Of("a", payload)], Drafts.Noon);
            frames.Add(disk.Bytes(File).Length);
        }

        return (disk, frames);
    }

    /// <summary>How many records a copy keeps after such a change; -1 where it is refused, by the verifier too.</summary>
    private static int KeptAfter(ModelDisk disk, Action<IDiskFile> change)
    {
        var changed = disk.Copy();
        using (var file = changed.Open(File, DiskAccess.ReadWrite))
        {
            change(file);
        }

        var verdict = JournalVerifier.Verify(changed);
        try
        {
            using var journal = FileJournal.Open(changed, new SeededEntropy(1), Drafts.Node);
            var kept = journal.ReadFrom(Lsn.Zero).Count();
            Assert.That((verdict as JournalVerdict.Sound)?.Records, Is.EqualTo(kept));
            return kept;
        }
        catch (JournalDamagedException)
        {
            Assert.That(verdict, Is.TypeOf<JournalVerdict.Damaged>());
            return -1;
        }
    }
}
