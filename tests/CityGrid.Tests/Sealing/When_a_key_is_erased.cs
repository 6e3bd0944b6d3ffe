using System.Text;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Sealing;
using NUnit.Framework;

namespace CityGrid.Tests.Sealing;

public sealed class When_a_key_is_erased
{
    private static readonly byte[] Case = [.. Enumerable.Range(0, 16).Select(i => (byte)i)];

    [Test]
    public void Nothing_of_the_text_is_found_by_a_byte_search_of_the_directory([Values] bool simulation)
    {
        const string reporter = "张伟明 13800138000 海淀区中关村大街27号";
        var disk = new ModelDisk();
        using var keys = KeyPool.Open(disk, new SeededEntropy(1), 0);
        var sealer = new Sealer(keys, simulation ? new StandInSeal() : new AesGcmSeal(), new SeededEntropy(2));
        var slot = keys.Take();
        Keep(disk, "journal/0", sealer.Seal(slot, Encoding.UTF8.GetBytes(reporter), Case));

        keys.Erase(slot);

        Encoding.RegisterProvider(CodePagesEncodingProvider.Instance);
        var needles = new List<byte[]>();
        foreach (var part in reporter.Split(' '))
        {
            byte[][] forms = [Encoding.UTF8.GetBytes(part), Encoding.Unicode.GetBytes(part), Encoding.BigEndianUnicode.GetBytes(part), Encoding.GetEncoding("GBK").GetBytes(part)];
            needles.AddRange(forms);
            needles.AddRange(forms.Select(form => Encoding.ASCII.GetBytes(Convert.ToHexString(form))));
            needles.AddRange(forms.Select(form => Encoding.ASCII.GetBytes(Convert.ToHexStringLower(form))));
            needles.AddRange(forms.Select(form => Encoding.ASCII.GetBytes(Convert.ToBase64String(form).TrimEnd('=')[..^1])));
        }

        foreach (var path in disk.Files)
        {
            Assert.That(needles.Where(needle => disk.Bytes(path).AsSpan().IndexOf(needle) >= 0), Is.Empty, path);
        }
    }

    [Test]
    public void A_slot_that_was_erased_before_its_turn_is_passed_over_though_keys_are_read_some_ahead()
    {
        var disk = new ModelDisk();
        using var keys = KeyPool.Open(disk, new SeededEntropy(3), 0);
        var (first, own, read) = (keys.Take(), new byte[KeyPool.KeyBytes], new byte[KeyPool.KeyBytes]);
        keys.Erase(first + 1, first + 3);
        var taken = new List<long>();
        for (var i = 0; i < 2 * KeyPool.SlotsPerBlock; i++)
        {
            var slot = keys.Take(own);
            taken.Add(slot);
            Assert.That((keys.Read(slot, read), read), Is.EqualTo((KeyState.Present, own)), $"slot {slot}");
        }

        Assert.That(taken, Is.EqualTo(Enumerable.Range(0, (2 * KeyPool.SlotsPerBlock) + 2).Select(i => first + 1 + i).Except([first + 1, first + 3])));
    }

    [Test]
    public void Its_bytes_are_gone_from_every_file_and_its_boxes_say_erased()
    {
        var disk = new ModelDisk();
        using var keys = KeyPool.Open(disk, new SeededEntropy(3), 0);
        var sealer = new Sealer(keys, new AesGcmSeal(), new SeededEntropy(4));
        var slot = keys.Take();
        var box = sealer.Seal(slot, "reporter"u8, Case);
        var key = new byte[KeyPool.KeyBytes];
        Assert.That(keys.Read(slot, key), Is.EqualTo(KeyState.Present));

        keys.Erase(slot);

        Assert.That(sealer.Unseal(box, Case), Is.EqualTo(Unsealed.Erased));
        foreach (var path in disk.Files)
        {
            Assert.That(disk.Bytes(path).AsSpan().IndexOf(key), Is.Negative, path);
        }

        using var reopened = KeyPool.Open(disk.AfterCut(new SeededEntropy(0)), new SeededEntropy(5), slot);
        Assert.That(new Sealer(reopened, new AesGcmSeal(), new SeededEntropy(6)).Unseal(box, Case), Is.EqualTo(Unsealed.Erased));
    }

    [Test]
    public void A_tag_under_it_tells_nothing_any_more()
    {
        var disk = new ModelDisk();
        using var keys = KeyPool.Open(disk, new SeededEntropy(3), 0);
        var sealer = new Sealer(keys, new AesGcmSeal(), new SeededEntropy(4));
        var (slot, _, tag) = sealer.Seal("reporter"u8, Case, "13800138000"u8);
        var (other, _, otherTag) = sealer.Seal("reporter"u8, Case, "13800138000"u8);
        Assert.That((sealer.Tag(slot, "13800138000"u8), sealer.Tag(slot, "13800138001"u8) == tag, otherTag == tag), Is.EqualTo(((ulong?)tag, false, false)));

        keys.Erase(slot);

        Assert.That((sealer.Tag(slot, "13800138000"u8), sealer.Tag(other, "13800138000"u8)), Is.EqualTo(((ulong?)null, (ulong?)otherTag)));
    }

    [Test]
    public void All_others_still_open()
    {
        var disk = new ModelDisk();
        using var keys = KeyPool.Open(disk, new SeededEntropy(7), 0);
        var sealer = new Sealer(keys, new AesGcmSeal(), new SeededEntropy(8));
        var boxes = Enumerable.Range(0, 20).Select(_ => keys.Take()).Select(slot => (Slot: slot, Box: sealer.Seal(slot, "x"u8, Case))).ToList();

        keys.Erase([.. boxes.Where(box => box.Slot % 3 == 0).Select(box => box.Slot)]);
        keys.Erase(boxes[2].Slot);

        foreach (var (slot, box) in boxes)
        {
            Assert.That(sealer.Unseal(box, Case).State, Is.EqualTo(slot % 3 == 0 ? UnsealState.Erased : UnsealState.Opened), $"slot {slot}");
        }
    }

    [Test]
    public void Nothing_can_be_sealed_under_it_and_it_is_not_given_out_again()
    {
        var disk = new ModelDisk();
        using (var keys = KeyPool.Open(disk, new SeededEntropy(9), 0))
        {
            keys.Erase(keys.Take(), keys.Take());
        }

        using var again = KeyPool.Open(disk, new SeededEntropy(10), 0);
        Assert.That(again.Take(), Is.EqualTo(3));
        Assert.That(() => new Sealer(again, new AesGcmSeal(), new SeededEntropy(11)).Seal(1, "x"u8, Case), Throws.InvalidOperationException.With.Message.Contains("slot 1 is Erased"));
    }

    [Test]
    public void A_power_cut_at_any_step_leaves_it_whole_or_gone_and_erasing_again_finishes_it()
    {
        var disk = new ModelDisk();
        using var keys = KeyPool.Open(disk, new SeededEntropy(12), 0);
        var sealer = new Sealer(keys, new AesGcmSeal(), new SeededEntropy(13));
        var (slot, other) = (keys.Take(), keys.Take());
        var (box, otherBox) = (sealer.Seal(slot, "x"u8, Case), sealer.Seal(other, "y"u8, Case));
        var states = new List<ModelDisk>();
        var cuts = new SeededEntropy(14);
        disk.Happened = _ => states.AddRange(disk.CrashStates(cuts, 32));

        keys.Erase(slot);

        Assert.That(states, Has.Count.GreaterThan(30));
        Assert.That(Opened(disk.AfterCut(cuts), box), Is.EqualTo(UnsealState.Erased));
        foreach (var state in states)
        {
            Assert.That(Opened(state, box), Is.AnyOf(UnsealState.Opened, UnsealState.Erased));
            Assert.That(Opened(state, otherBox), Is.EqualTo(UnsealState.Opened));
            using var reopened = KeyPool.Open(state, new SeededEntropy(15), other);
            reopened.Erase(slot);
            Assert.That(Opened(state, box), Is.EqualTo(UnsealState.Erased));
        }

        UnsealState Opened(ModelDisk state, byte[] sealedBox)
        {
            using var reopened = KeyPool.Open(state, new SeededEntropy(16), other);
            return new Sealer(reopened, new AesGcmSeal(), new SeededEntropy(17)).Unseal(sealedBox, Case).State;
        }
    }

    [Test]
    public void A_failed_sync_is_no_erasure()
    {
        var disk = new ModelDisk();
        using var keys = KeyPool.Open(disk, new SeededEntropy(16), 0);
        var slot = keys.Take();
        disk.Fail(new DiskFault(disk.Operations + 3, 5)); // After opening and writing.
        Assert.That(() => keys.Erase(slot), Throws.TypeOf<DiskFailedException>());
    }

    private static void Keep(ModelDisk disk, string path, byte[] bytes)
    {
        disk.CreateFolder("journal");
        using var file = disk.Open(path, DiskAccess.CreateNew);
        file.Write(0, bytes);
        file.Sync();
    }
}
