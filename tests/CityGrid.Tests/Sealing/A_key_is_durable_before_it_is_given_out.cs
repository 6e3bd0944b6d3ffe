using CityGrid.Hub.Journal;
using CityGrid.Hub.Sealing;
using CityGrid.Hub.Seams;
using NUnit.Framework;

namespace CityGrid.Tests.Sealing;

public sealed class A_key_is_durable_before_it_is_given_out
{
    [Test]
    public void A_power_cut_at_any_step_loses_no_key_that_was_taken()
    {
        var disk = new ModelDisk();
        var cuts = new SeededEntropy(1);
        var taken = new List<byte[]>();
        var states = new List<(ModelDisk Disk, int Taken)>();
        disk.Happened = _ => states.AddRange(disk.CrashStates(cuts, 4).Select(state => (state, taken.Count)));
        using (var keys = KeyPool.Open(disk, new SeededEntropy(2), 0))
        {
            while (taken.Count < (2 * KeyPool.SlotsPerBlock) + 10)
            {
                var key = new byte[KeyPool.KeyBytes];
                Assert.That(keys.Read(keys.Take(), key), Is.EqualTo(KeyState.Present));
                taken.Add(key);
            }
        }

        Assert.That(states, Has.Count.GreaterThan(50));
        foreach (var (state, count) in states)
        {
            using var reopened = KeyPool.Open(state, new SeededEntropy(3), count);
            var key = new byte[KeyPool.KeyBytes];
            for (var slot = 1; slot <= count; slot++)
            {
                if (reopened.Read(slot, key) != KeyState.Present || !key.AsSpan().SequenceEqual(taken[slot - 1]))
                {
                    Assert.Fail($"Slot {slot} of {count} was lost.");
                }
            }

            Assert.That(reopened.Take(), Is.EqualTo(count + 1));
        }
    }

    [Test]
    public void Slots_count_from_one_and_go_on_after_the_highest_used()
    {
        var disk = new ModelDisk();
        using (var keys = KeyPool.Open(disk, new SeededEntropy(3), 0))
        {
            Assert.That(keys.Take(), Is.EqualTo(1));
            Assert.That(keys.Take(), Is.EqualTo(2));
        }

        using var again = KeyPool.Open(disk, new SeededEntropy(4), 1);
        Assert.That(again.Take(), Is.EqualTo(2), "2 never reached the journal");
    }

    [Test]
    public void A_missing_block_stops_the_node_instead_of_hiding_that_cases_cannot_be_read()
    {
        var disk = new ModelDisk();
        KeyPool.Open(disk, new SeededEntropy(5), 0).Dispose();
        disk.Delete("keys/00000000.key");
        Assert.That(() => KeyPool.Open(disk, new SeededEntropy(6), 5), Throws.TypeOf<KeysLostException>().With.Message.Contains("keys/00000000.key"));
    }

    [Test]
    public void A_damaged_header_is_named_and_its_keys_are_not_used()
    {
        var disk = new ModelDisk();
        KeyPool.Open(disk, new SeededEntropy(7), 0).Dispose();
        disk.FlipBit("keys/00000000.key", 16 * 8);
        using var keys = KeyPool.Open(disk, new SeededEntropy(8), 5);
        Assert.That(keys.Verify(), Has.Count.EqualTo(1).And.One.Contains("keys/00000000.key: its header is damaged"));
        Assert.That(() => keys.Take(), Throws.TypeOf<KeysLostException>());
        Assert.That(keys.Read(1, new byte[KeyPool.KeyBytes]), Is.EqualTo(KeyState.Lost));
    }

    [Test]
    public void A_newer_format_is_left_alone()
    {
        var disk = new ModelDisk();
        KeyPool.Open(disk, new SeededEntropy(9), 0).Dispose();
        using (var file = disk.Open("keys/00000000.key", Hub.Seams.DiskAccess.ReadWrite))
        {
            Span<byte> header = stackalloc byte[28];
            file.Read(0, header);
            header[8] = 2;
            System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(header[24..], Hub.Storage.Crc32C.Of(header[..24]));
            file.Write(0, header);
        }

        using var keys = KeyPool.Open(disk, new SeededEntropy(10), 5);
        Assert.That(() => keys.Verify(), Throws.TypeOf<NewerFormatException>());
    }
}
