using CityGrid.Hub.Sealing;
using CityGrid.Hub.Seams;
using NUnit.Framework;

namespace CityGrid.Tests.Sealing;

/// <summary>INV-27: a box that was sealed once opens for ever, with the key that stands in its block; a block is read as it was written.</summary>
public sealed class The_format_of_keys_and_boxes_is_kept
{
    private const int Block = 3;

    private const long Slot = (Block * KeyPool.SlotsPerBlock) + 5;

    private const string Header = "43474B4559530D0A" + "0100" + "2000" + "00100000" + "0300000000000000" + "ECD8CF40";

    private const string Box = "01" + "0530000000000000" + "000102030405060708090A0B" + "0FDFF147CD2389CDFE5E7F695D459D013F1151BB808BF469" + "8126D9A7FD134C0028FE59EC89A49E48";

    private static readonly byte[] Text = "13800138000 桥面塌陷"u8.ToArray();

    [Test]
    public void A_block_is_written_as_ever()
    {
        var disk = new ModelDisk();
        disk.CreateFolder("keys");
        KeyBlock.Write(disk, "keys", Block, new Counted());
        var bytes = disk.Bytes("keys/00000003.key");
        Assert.That(Convert.ToHexString(bytes[..28]), Is.EqualTo(Header));
        Assert.That(bytes, Is.EqualTo(Golden()));
    }

    [Test]
    public void A_box_is_made_as_ever()
    {
        using var keys = Kept();
        Assert.That(Convert.ToHexString(new Sealer(keys, new AesGcmSeal(), new Counted()).Seal(Slot, Text, "case"u8)), Is.EqualTo(Box));
    }

    [Test]
    public void And_opens_with_the_key_that_is_kept()
    {
        using var keys = Kept();
        var opened = new Sealer(keys, new AesGcmSeal(), new SeededEntropy(1)).Unseal(Convert.FromHexString(Box), "case"u8);
        Assert.That((keys.Verify().Count, opened.State, opened.Plaintext.ToArray()), Is.EqualTo((0, UnsealState.Opened, Text)));
        Assert.That(Sealer.SlotOf(Convert.FromHexString(Box)), Is.EqualTo(Slot));
    }

    /// <summary>The header, zeros up to its 4,096 bytes, and the keys of 32 bytes.</summary>
    private static byte[] Golden() => [.. Convert.FromHexString(Header), .. new byte[4096 - 28], .. Enumerable.Range(0, KeyPool.SlotsPerBlock * KeyPool.KeyBytes).Select(i => (byte)(i % 251))];

    private static KeyPool Kept()
    {
        var disk = new ModelDisk();
        disk.CreateFolder("keys");
        for (var block = 0; block <= Block; block++)
        {
            KeyBlock.Write(disk, "keys", block, new SeededEntropy(9));
        }

        using (var file = disk.Open("keys/00000003.key", DiskAccess.ReadWrite))
        {
            file.Write(0, Golden());
        }

        return KeyPool.Open(disk, new SeededEntropy(8), Slot);
    }

    /// <summary>The numbers from 0 to 250, over and over.</summary>
    private sealed class Counted : IEntropy
    {
        private int _next;

        public void Fill(Span<byte> target)
        {
            foreach (ref var one in target)
            {
                one = (byte)(_next++ % 251);
            }
        }
    }
}
