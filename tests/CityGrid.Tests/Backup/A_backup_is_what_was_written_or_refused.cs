using System.Buffers.Binary;
using CityGrid.Hub.Backup;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using NUnit.Framework;

namespace CityGrid.Tests.Backup;

/// <summary>SEC-30, INV-3: a backup is encrypted and authenticated; no bit of it can be another one, no chunk in another place, and a wrong key is told as that.</summary>
public sealed class A_backup_is_what_was_written_or_refused
{
    private BackedUpCity _city = null!;
    private BackupTaken _taken = null!;

    /// <summary>Of small chunks, so that a little backup has several.</summary>
    private static BackupSubject Subject => BackedUpCity.Subject with { ChunkBytes = 512 };

    private BackupTaking Taking(ModelDisk shelf, BackupKey? key = null) => new(_city.Disk, shelf, key ?? BackedUpCity.Key, _city.Entropy, new VirtualClock(_city.Time));

    [OneTimeSetUp]
    public void Take()
    {
        _city = new BackedUpCity();
        for (var i = 0; i < 12; i++)
        {
            _city.Report();
        }

        _city.City.PackSealed();
        _taken = Taking(_city.Shelf).Take(Subject);
    }

    [OneTimeTearDown]
    public void End() => _city.Dispose();

    [Test]
    public void Every_bit_of_its_header_and_of_its_chunks_heads()
    {
        var chunk = 512 + 24;
        var bytes = Enumerable.Range(0, 128).Concat(Enumerable.Range(128, 8)).Concat(Enumerable.Range(128 + chunk, 8)).Concat(Enumerable.Range(128 + chunk - 16, 16));
        foreach (var bit in bytes.SelectMany(at => Enumerable.Range(at * 8, 8)))
        {
            AssertRefused(shelf => shelf.FlipBit(_taken.File, bit), $"bit {bit}");
        }
    }

    [Test]
    public void And_any_other_bit()
    {
        var random = new SeededEntropy(3);
        var bits = _city.Shelf.Bytes(_taken.File).Length * 8;
        for (var i = 0; i < 400; i++)
        {
            var bit = random.Below(bits);
            AssertRefused(shelf => shelf.FlipBit(_taken.File, bit), $"bit {bit}");
        }
    }

    [Test]
    public void A_cut_at_any_chunk_and_anywhere_else()
    {
        var length = _city.Shelf.Bytes(_taken.File).Length;
        var random = new SeededEntropy(4);
        var chunk = 512 + 24;
        foreach (var cut in Enumerable.Range(0, (length - 128) / chunk).Select(n => 128 + (n * chunk)).Concat(Enumerable.Range(0, 60).Select(_ => random.Below(length))).Append(0).Append(length - 1))
        {
            AssertRefused(shelf =>
            {
                using var file = shelf.Open(_taken.File, DiskAccess.ReadWrite);
                file.Truncate(cut);
            }, $"cut at {cut}");
        }

        AssertRefused(shelf =>
        {
            using var file = shelf.Open(_taken.File, DiskAccess.ReadWrite);
            file.Write(length, new byte[1]);
        }, "a byte more");
    }

    [Test]
    public void Two_chunks_exchanged_one_twice_and_one_of_another_backup()
    {
        var chunk = 512 + 24;
        var bytes = _city.Shelf.Bytes(_taken.File);
        Assert.That(bytes.Length, Is.GreaterThan(128 + (3 * chunk)));
        var (first, second) = (bytes[128..(128 + chunk)], bytes[(128 + chunk)..(128 + (2 * chunk))]);
        AssertRefused(shelf => Put(shelf, (128, second), (128 + chunk, first)), "exchanged");
        AssertRefused(shelf => Put(shelf, (128 + chunk, first)), "twice");

        var again = new ModelDisk();
        Assert.That(Taking(again).Take(Subject).File, Is.EqualTo(_taken.File));
        AssertRefused(shelf => Put(shelf, (128, again.Bytes(_taken.File)[128..(128 + chunk)])), "of another backup under the same key");
    }

    [Test]
    public void A_wrong_key_is_told_and_so_is_another_kind_of_secret()
    {
        var wrong = BackupKey.OfBytes(new byte[32]);
        Assert.That(() => BackupReader.Open(_city.Shelf, _taken.File, wrong), Throws.TypeOf<BackupKeyException>().With.Message.Contains("another key"));
        var words = BackupKey.Parse("a passphrase that is long", out _)!;
        Assert.That(() => BackupReader.Open(_city.Shelf, _taken.File, words), Throws.TypeOf<BackupKeyException>().With.Message.Contains("a passphrase was given"));
    }

    [Test]
    public void Under_a_passphrase_it_opens_with_that_one_alone()
    {
        var words = BackupKey.Parse("correct horse battery staple\n", out _)!;
        var shelf = new ModelDisk();
        var taken = Taking(shelf, words).Take(Subject);
        using (var reader = BackupReader.Open(shelf, taken.File, BackupKey.Parse("correct horse battery staple", out _)!))
        {
            reader.Verify();
        }

        Assert.That(() => BackupReader.Open(shelf, taken.File, BackupKey.Parse("correct horse battery stable", out _)!), Throws.TypeOf<BackupKeyException>().With.Message.Contains("another passphrase"));
    }

    [Test]
    public void A_passphrase_with_what_is_no_character_is_told() => A_secret_that_is_none_is_told("a long passphrase with \uFFFE in it");

    [TestCase("too short")]
    [TestCase("a first line that is long\nand a second one")]
    [TestCase("citygrid-backup-key 0102")]
    [TestCase("citygrid-backup-key zz02030405060708091011121314151617181920212223242526272829303132")]
    public void A_secret_that_is_none_is_told(string text)
    {
        Assert.That(BackupKey.Parse(text, out var fault), Is.Null);
        Assert.That(fault, Is.Not.Empty);
    }

    [Test]
    public void Nothing_of_it_is_in_the_clear()
    {
        var marker = "citygrid"u8.ToArray();
        foreach (var file in new[] { _taken.File, _taken.KeysFile })
        {
            var bytes = _city.Shelf.Bytes(file);
            Assert.That(bytes.AsSpan().IndexOf(marker), Is.Negative);
            Assert.That(bytes.AsSpan().IndexOf("CITYGRDJ"u8), Is.Negative);
            Assert.That(bytes.AsSpan().IndexOf("CGKEYS"u8), Is.Negative);
        }
    }

    [Test]
    public void One_of_a_newer_program_is_named_and_stays_as_it_is()
    {
        var shelf = _city.Shelf.Copy();
        var bytes = shelf.Bytes(_taken.File);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(8), 2);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(124), Crc32C.Of(bytes.AsSpan(0, 124)));
        Put(shelf, (0, bytes[..128]));
        var before = shelf.Fingerprint();
        Assert.That(() => BackupReader.Open(shelf, _taken.File, BackedUpCity.Key), Throws.TypeOf<NewerFormatException>().With.Message.Contains(_taken.File).And.Message.Contains("format 2"));
        Assert.That(shelf.Fingerprint(), Is.EqualTo(before));
    }

    private void AssertRefused(Action<ModelDisk> harm, string what)
    {
        var shelf = _city.Shelf.Copy();
        harm(shelf);
        Assert.That(
            () =>
            {
                using var reader = BackupReader.Open(shelf, _taken.File, BackedUpCity.Key);
                reader.Verify();
            },
            Throws.TypeOf<BackupDamagedException>(),
            what);
    }

    private void Put(ModelDisk shelf, params (int At, byte[] Bytes)[] pieces)
    {
        using var file = shelf.Open(_taken.File, DiskAccess.ReadWrite);
        foreach (var (at, bytes) in pieces)
        {
            file.Write(at, bytes);
        }
    }
}
