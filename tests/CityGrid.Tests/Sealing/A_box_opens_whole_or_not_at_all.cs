using CityGrid.Hub.Sealing;
using CityGrid.Hub.Seams;
using CsCheck;
using NUnit.Framework;

namespace CityGrid.Tests.Sealing;

[TestFixture("AES-GCM", TestName = "A box of AES-GCM opens whole or not at all")]
[TestFixture("AES-GCM of the runtime", TestName = "A box of the runtime's own AES-GCM opens whole or not at all")]
[TestFixture("stand-in", TestName = "A box of the stand-in opens whole or not at all")]
public sealed class A_box_opens_whole_or_not_at_all(string cipher)
{
    private ISeal Seal => cipher switch
    {
        "AES-GCM" => new AesGcmSeal(),
        "stand-in" => new StandInSeal(),
        _ => new AesGcmSeal(ofSodium: false),
    };

    private KeyPool _keys = null!;
    private Sealer _sealer = null!;

    [OneTimeSetUp]
    public void Open()
    {
        _keys = KeyPool.Open(new ModelDisk(), new SeededEntropy(20), 0);
        _sealer = new Sealer(_keys, Seal, new SeededEntropy(21));
    }

    [OneTimeTearDown]
    public void Close() => _keys.Dispose();

    [Test]
    public void What_was_sealed_is_opened() =>
        Gen.Select(Gen.Byte.Array[0, 3000], Gen.Byte.Array[0, Sealer.AssociatedBytesMax]).Sample((text, associated) =>
        {
            var slot = _keys.Take();
            var box = _sealer.Seal(slot, text, associated);
            var opened = _sealer.Unseal(box, associated);
            return opened.State == UnsealState.Opened && opened.Plaintext.Span.SequenceEqual(text)
                && box.Length == text.Length + Sealer.OverheadBytes && Sealer.SlotOf(box) == slot;
        });

    [Test]
    public void Any_changed_bit_is_refused()
    {
        var slot = _keys.Take();
        _keys.Take();
        var box = _sealer.Seal(slot, "13800138000"u8, "case"u8);
        for (var bit = 0; bit < box.Length * 8; bit++)
        {
            var changed = (byte[])box.Clone();
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.That(_sealer.Unseal(changed, "case"u8), Is.EqualTo(Unsealed.Damaged), $"bit {bit}");
        }
    }

    [Test]
    public void Any_shortening_is_refused()
    {
        var box = _sealer.Seal(_keys.Take(), "13800138000"u8, "case"u8);
        for (var length = 0; length < box.Length; length++)
        {
            Assert.That(_sealer.Unseal(box.AsSpan(0, length), "case"u8), Is.EqualTo(Unsealed.Damaged), $"{length} bytes");
        }
    }

    [Test]
    public void Another_case_or_another_places_keys_are_refused()
    {
        var slot = _keys.Take();
        var box = _sealer.Seal(slot, "13800138000"u8, "case"u8);
        Assert.That(_sealer.Unseal(box, "cast"u8), Is.EqualTo(Unsealed.Damaged));

        using var elsewhere = KeyPool.Open(new ModelDisk(), new SeededEntropy(22), 0);
        var other = new Sealer(elsewhere, Seal, new SeededEntropy(23));
        Assert.That(other.Unseal(box, "case"u8), Is.EqualTo(Unsealed.Damaged));
    }

    [Test]
    public void The_same_text_never_looks_the_same_twice()
    {
        var slot = _keys.Take();
        var seen = new HashSet<string>();
        for (var i = 0; i < 1000; i++)
        {
            Assert.That(seen.Add(Convert.ToHexString(_sealer.Seal(slot, "13800138000"u8, "case"u8))), Is.True);
        }
    }
}
