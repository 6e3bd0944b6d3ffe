using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using CityGrid.Node.Checks;
using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Checks;

/// <summary>Clause A6, C3: whoever has the proof and the network's authority needs no program of ours to check it.</summary>
public sealed class What_was_told_is_proved
{
    private SignedTree _tree = null!;
    private string _province = null!;
    private string _city = null!;

    [OneTimeSetUp]
    public void Live()
    {
        _tree = new SignedTree();
        _tree.Work(4);
        _tree.RenewKey();
        _tree.Work(1);
        _tree.Stop();
        (_province, _city) = (_tree.FolderOf(_tree.Province), _tree.FolderOf(_tree.City));
    }

    [OneTimeTearDown]
    public void Release() => _tree.Dispose();

    [TestCase(1)]
    [TestCase(15)]
    public void What_a_child_told_its_parent(long lsn)
    {
        var proof = Proof(_province, SignedTree.CityName, lsn);
        var says = proof["says"]!;
        Checked(proof);
        Assert.Multiple(() =>
        {
            Assert.That((string)says["node"]!, Is.EqualTo("city-1-1"));
            Assert.That((string)says["receiver"]!, Is.EqualTo("province-1"));
            Assert.That(long.Parse((string)says["lsn"]!, System.Globalization.CultureInfo.InvariantCulture), Is.GreaterThanOrEqualTo(lsn));
            Assert.That(SHA256.HashData(Convert.FromBase64String((string)proof["part"]!)), Is.EqualTo(Convert.FromBase64String((string)says["partHash"]!)));
            Assert.That((string)proof["heldBy"]!, Is.EqualTo("province-1"));
            Assert.That((string)proof["recordedAt"]!, Does.StartWith("2026-03-02T"));
        });
    }

    [Test]
    public void What_a_parent_countersigned_for_its_child()
    {
        var proof = Proof(_city, SignedTree.ProvinceName, 1);
        Checked(proof);
        Assert.That((string)proof["statement"]!, Is.EqualTo("citygrid/receipt/1"));
        Assert.That((string)proof["says"]!["child"]!, Is.EqualTo("city-1-1"));
    }

    [Test]
    public void What_nobody_told_is_not_proved()
    {
        Undecided(_province, NodeId.Parse("city-9"), 1);
        Undecided(_province, SignedTree.CityName, 1_000_000);
        Undecided(_tree.Signers.AuthorityFile, SignedTree.CityName, 1);
    }

    [Test]
    public void The_folders_are_judged_both_ways()
    {
        foreach (var (folder, anchors) in new[] { (_city, _province), (_province, _city) })
        {
            var verdict = AuditCheck.Verify(folder, anchors, _tree.Signers.AuthorityFile);
            Assert.That(verdict.ExitCode, Is.Zero, verdict.ToString());
        }
    }

    private JsonNode Proof(string folder, NodeId node, long lsn) =>
        JsonNode.Parse(AuditProof.Make(folder, node, new Lsn(lsn), _tree.Signers.AuthorityFile, out var verdict) ?? throw new AssertionException($"{verdict}"))!;

    /// <summary>Signature, chain and time, with nothing but the system's own cryptography.</summary>
    private void Checked(JsonNode proof)
    {
        using var certificate = X509Certificate2.CreateFromPem((string)proof["certificates"]![0]!);
        using var key = certificate.GetECDsaPublicKey()!;
        Assert.That(key.VerifyData(Convert.FromBase64String((string)proof["signedBytes"]!), Convert.FromBase64String((string)proof["signature"]!), HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence));
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(_tree.Signers.Roots);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.VerificationTime = DateTime.Parse((string)proof["recordedAt"]!, System.Globalization.CultureInfo.InvariantCulture, System.Globalization.DateTimeStyles.AdjustToUniversal);
        Assert.That(chain.Build(certificate));
        Assert.That((string)proof["authority"]!, Is.EqualTo("checked"));
    }

    private static void Undecided(string folder, NodeId node, long lsn)
    {
        Assert.That(AuditProof.Make(folder, node, new Lsn(lsn), null, out var verdict), Is.Null);
        Assert.That(verdict!.ExitCode, Is.EqualTo(3));
    }
}
