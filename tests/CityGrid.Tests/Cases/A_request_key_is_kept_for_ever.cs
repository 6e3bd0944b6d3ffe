using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using CityGrid.Hub.Seams;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Cases;

public sealed class A_request_key_is_kept_for_ever
{
    [Test]
    public void Every_key_finds_its_own_case_also_after_a_snapshot()
    {
        var entropy = new SeededEntropy(7);
        var expected = new Dictionary<UInt128, KeyUse>();
        var keys = new RequestKeys();
        Span<byte> random = stackalloc byte[10];
        for (var i = 0; i < 20_000; i++)
        {
            entropy.Fill(random);
            var key = Hash($"import/{(i % 3 == 0 ? "城管" : "boston")}/{i}");
            var use = new KeyUse(CaseId.Mint(Instant.FromUnixTimeSeconds(i), random), entropy.Next(), i % 2 * (long)i);
            keys.Keep(key, use.Case, use.Content, use.Slot);
            expected.Add(key, use);
        }

        using var snapshot = new MemoryStream();
        keys.Save(snapshot);
        snapshot.Position = 0;
        var loaded = new RequestKeys();
        loaded.Load(snapshot);
        foreach (var (key, use) in expected)
        {
            Assert.That(keys.Find(key), Is.EqualTo(use));
            Assert.That(loaded.Find(key), Is.EqualTo(use));
        }

        Assert.That(keys.Count, Is.EqualTo(20_000));
        Assert.That(keys.Find(Hash("import/boston/20001")), Is.Null);
    }

    [Test]
    public void Newer_content_replaces_the_older_under_the_same_key()
    {
        var keys = new RequestKeys();
        var id = CaseId.Mint(Instant.FromUnixTimeSeconds(1), new byte[10]);
        keys.Keep(Hash("k"), id, 1);
        keys.Keep(Hash("k"), id, 2);
        Assert.That(keys.Find(Hash("k")), Is.EqualTo(new KeyUse(id, 2)));
        Assert.That(keys.Count, Is.EqualTo(1));
    }

    [Test]
    public void Whoever_was_erased_stays_so()
    {
        var keys = new RequestKeys();
        var id = CaseId.Mint(Instant.FromUnixTimeSeconds(1), new byte[10]);
        keys.Keep(Hash("k"), id, 1, 7);
        keys.Erase(Hash("k"));
        keys.Erase(Hash("another"));
        keys.Keep(Hash("k"), id, 2, 8);
        Assert.That(keys.Find(Hash("k")), Is.EqualTo(new KeyUse(id, 2, KeyUse.Erased)));
        Assert.That(keys.Count, Is.EqualTo(1));
    }

    [Test]
    public void A_key_is_known_by_the_first_16_bytes_of_its_SHA_256()
    {
        foreach (var key in new[] { "k", "城管/1", new string('城', RequestMark.KeyLengthMax), new string('k', RequestMark.KeyLengthMax + 1) })
        {
            Assert.That(Hash(key), Is.EqualTo(BinaryPrimitives.ReadUInt128BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes(key)))), key);
        }
    }

    private static UInt128 Hash(string key) => new RequestMark(key, 0).KeyHash;
}
