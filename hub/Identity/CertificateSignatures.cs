using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Hub.Identity;

/// <summary>Signatures by certificates of this network's authorities: ECDSA over P-256 and SHA-256 (clauses A2 to A4).</summary>
public sealed class CertificateSignatures : ISignatures, IDisposable
{
    private readonly Func<X509Certificate2Collection> _authorities;
    private readonly ECDsa? _key;
    private readonly Lock _signing = new();
    private readonly SignerKeys _keys = new();
    private volatile TakenSigners _taken = new((X509Certificate2Collection?)null);

    private CertificateSignatures(Signer? own, ECDsa? key, Func<X509Certificate2Collection> authorities) => (Own, _key, _authorities) = (own, key, authorities);

    public Signer? Own { get; }

    /// <summary>A node without a signing key: it judges what others show, and says nothing itself.</summary>
    public static CertificateSignatures WithoutKey(Func<X509Certificate2Collection> authorities) => new(null, null, authorities);

    /// <summary>A node with its key (PEM files, the certificate with those between it and the authority after it). Null with the refusal where the files do not make a signer of this node.</summary>
    public static CertificateSignatures? Load(string certificateFile, string keyFile, NodeId node, Func<X509Certificate2Collection> authorities, Instant now, out Refusal? refusal)
    {
        var certificates = new X509Certificate2Collection();
        try
        {
            certificates.ImportFromPemFile(certificateFile);
            var own = SignerCertificate.Read([.. certificates.Select(c => ByteString.CopyFrom(c.RawData))], authorities(), now, out refusal);
            if (own is not null && own.Node != node)
            {
                refusal = new Refusal("SIGNER_OF_ANOTHER", $"The signer's certificate is that of {own.Node}; this node is {node}.");
            }

            if (own is null || refusal is not null)
            {
                return null;
            }

            using var certified = certificates[0].GetECDsaPublicKey()!;
            var key = ECDsa.Create();
            key.ImportFromPem(File.ReadAllText(keyFile));
            if (key.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(certified.ExportSubjectPublicKeyInfo()))
            {
                return new CertificateSignatures(own, key, authorities);
            }

            key.Dispose();
            refusal = new Refusal("SIGNER_WRONG_KEY", "The signing key is not the one of the signing certificate.");
            return null;
        }
        catch (Exception failure) when (failure is CryptographicException or ArgumentException)
        {
            refusal = new Refusal("SIGNER_MALFORMED", $"The signing certificate or key is no PEM file of one: {failure.Message}");
            return null;
        }
        finally
        {
            foreach (var certificate in certificates)
            {
                certificate.Dispose();
            }
        }
    }

    public byte[] Sign(ReadOnlySpan<byte> statement)
    {
        var key = _key ?? throw new InvalidOperationException("This node has no signing key.");
        lock (_signing)
        {
            return key.SignData(statement, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
        }
    }

    public Signer? Judge(IReadOnlyList<ByteString> certificates, Instant now, out Refusal? refusal)
    {
        refusal = null;
        var (authorities, taken) = TakenUnder(_authorities());
        var shown = KeptVerdicts<Signer>.MarkOf(certificates.Select(c => c.Memory));
        if (taken.Find(shown, now.ToDateTimeOffset()) is { } kept)
        {
            return kept;
        }

        var signer = SignerCertificate.Read(certificates, authorities, now, out refusal, out var times);
        if (signer is not null)
        {
            taken.Keep(shown, signer, times);
        }

        return signer;
    }

    /// <summary>Other authorities than before have taken nothing yet.</summary>
    private (X509Certificate2Collection Authorities, KeptVerdicts<Signer> Taken) TakenUnder(X509Certificate2Collection authorities)
    {
        var taken = _taken;
        if (!ReferenceEquals(taken.Authorities, authorities))
        {
            _taken = taken = new TakenSigners(authorities);
        }

        return (authorities, taken.Verdicts);
    }

    private sealed record TakenSigners(X509Certificate2Collection? Authorities)
    {
        public KeptVerdicts<Signer> Verdicts { get; } = new();
    }

    public bool Verify(Signer signer, ReadOnlySpan<byte> statement, ReadOnlySpan<byte> signature) => _keys.Verify(signer, statement, signature);

    public void Dispose() => _key?.Dispose();
}
