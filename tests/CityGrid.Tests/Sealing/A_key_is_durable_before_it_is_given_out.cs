using CityGrid.Hub.Journal;
using CityGrid.Hub.Sealing;
using CityGrid.Hub.Seams;
using CityGrid.Tests.Storage;
using NUnit.Framework;

namespace CityGrid.Tests.Sealing;

public sealed class A_key_is_durable_before_it_is_given_out
{
    [Test]
    public void A_power_cut_at_any_step_loses_no_key_that_was_taken()
    {
        for (var step = 1; ; step++)
        {
            var disk = new ForgetfulDisk { CutBefore = step };
            var taken = new Dictionary<long, byte[]>();
            var finished = true;
            try
            {
                using var keys = KeyPool.Open(disk, new SeededEntropy(1), 0);
                while (taken.Count < (2 * KeyPool.SlotsPerBlock) + 10)
                {
                    var slot = keys.Take();
                    var key = new byte[KeyPool.KeyBytes];
                    Assert.That(keys.Read(slot, key), Is.EqualTo(KeyState.Present));
                    taken.Add(slot, key);
                }
            }
            catch (PowerFailedException)
            {
                finished = false;
            }

            for (var seed = 0; seed < 8; seed++)
            {
                using var reopened = KeyPool.Open(disk.AfterPowerCut(seed), new SeededEntropy(2), taken.Count);
                var key = new byte[KeyPool.KeyBytes];
                foreach (var (slot, expected) in taken)
                {
                    if (reopened.Read(slot, key) != KeyState.Present || !key.AsSpan().SequenceEqual(expected))
                    {
                        Assert.Fail($"Slot {slot} was lost at step {step}, seed {seed}.");
                    }
                }

                Assert.That(reopened.Take(), Is.EqualTo(taken.Count + 1));
            }

            if (finished)
            {
                return;
            }
        }
    }

    [Test]
    public void Slots_count_from_one_and_go_on_after_the_highest_used()
    {
        var disk = new ForgetfulDisk();
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
        var disk = new ForgetfulDisk();
        KeyPool.Open(disk, new SeededEntropy(5), 0).Dispose();
        disk.Delete("keys/00000000.key");
        Assert.That(() => KeyPool.Open(disk, new SeededEntropy(6), 5), Throws.TypeOf<KeysLostException>().With.Message.Contains("keys/00000000.key"));
    }

    [Test]
    public void A_damaged_header_is_named_and_its_keys_are_not_used()
    {
        var disk = new ForgetfulDisk();
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
        var disk = new ForgetfulDisk();
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
