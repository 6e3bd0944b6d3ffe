using CityGrid.Hub.Sealing;
using CsCheck;
using NUnit.Framework;

namespace CityGrid.Tests.Sealing;

/// <summary>A place that has libsodium and one that has it not, or a backup that goes from one to the other, read each other's boxes: they are the same bytes.</summary>
public sealed class Both_ciphers_make_the_same_boxes
{
    private static readonly AesGcmSeal Runtime = new(ofSodium: false);

    private static readonly Gen<(byte[] Key, byte[] Nonce, byte[] Associated, byte[] Text)> Texts =
        Gen.Select(Gen.Byte.Array[32], Gen.Byte.Array[SealInput.NonceBytes], Gen.Byte.Array[0, 100], Gen.Byte.Array[0, 5000]);

    [SetUp]
    public void Is_there() => Assert.That(Sodium.HasAesGcm, "on the machines that tests run on");

    [Test]
    public void Of_whatever_text() => Texts.Sample(one =>
    {
        var (text, tag) = Sealed(Runtime, one);
        var (sodiumText, sodiumTag) = Sealed(new AesGcmSeal(ofSodium: true), one);
        return text.SequenceEqual(sodiumText) && tag.SequenceEqual(sodiumTag);
    });

    [Test]
    public void And_each_opens_the_others_and_nothing_else() => Gen.Select(Texts, Gen.Int[0, 1 << 20], Gen.Bool).Sample((one, bit, ofSodium) =>
    {
        var (made, opened) = (new AesGcmSeal(ofSodium), new AesGcmSeal(!ofSodium));
        var (text, tag) = Sealed(made, one);
        var plain = new byte[text.Length];
        if (!opened.TryDecrypt(new SealInput(one.Key, one.Nonce, one.Associated), text, tag, plain) || !plain.SequenceEqual(one.Text))
        {
            return false;
        }

        byte[][] changed = [[.. one.Key], [.. one.Nonce], [.. one.Associated], text, tag];
        var part = changed[bit % changed.Length];
        if (part.Length == 0)
        {
            return true;
        }

        part[bit % part.Length] ^= (byte)(1 << (bit % 8));
        Array.Fill(plain, (byte)1);
        return !opened.TryDecrypt(new SealInput(changed[0], changed[1], changed[2]), text, tag, plain) && plain.All(b => b == 0);
    });

    [TestCase(16, 12, 16, 5)]
    [TestCase(31, 12, 16, 5)]
    [TestCase(32, 11, 16, 5)]
    [TestCase(32, 12, 15, 5)]
    [TestCase(32, 12, 16, 4)]
    public void No_wrong_length_goes_to_either(int key, int nonce, int tag, int plain)
    {
        foreach (var seal in (AesGcmSeal[])[Runtime, new(ofSodium: true)])
        {
            Assert.That(() => seal.TryDecrypt(new SealInput(new byte[key], new byte[nonce], []), new byte[5], new byte[tag], new byte[plain]), Throws.ArgumentException);
        }
    }

    private static (byte[] Text, byte[] Tag) Sealed(AesGcmSeal seal, (byte[] Key, byte[] Nonce, byte[] Associated, byte[] Text) one)
    {
        var (text, tag) = (new byte[one.Text.Length], new byte[SealInput.TagBytes]);
        seal.Encrypt(new SealInput(one.Key, one.Nonce, one.Associated), one.Text, text, tag);
        return (text, tag);
    }
}
