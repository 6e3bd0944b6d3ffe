using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Hub.Identity;

/// <summary>Signatures by certificates of this network's authorities: ECDSA over P-256 and SHA-256 (clauses A2 to A4).</summary>
/// <param name="authorities">The network's roots, as they are in office.</param>
/// <param name="own">This node's own signer, as it is in office; null, or giving null, for a node that judges what others show and says nothing itself.</param>
public sealed class CertificateSignatures(Func<X509Certificate2Collection> authorities, Func<OwnSigner?>? own = null) : ISignatures
{
    private readonly SignerKeys _keys = new();
    private volatile TakenSigners _taken = new((X509Certificate2Collection?)null);

    public OwnSigner? Own => own?.Invoke();

    /// <summary>Reads a node's own signer from PEM. Null with the refusal where it does not make a signer of this node.</summary>
    /// <param name="certificates">Its certificate, behind it those between it and the authority.</param>
    /// <param name="key">Its private key.</param>
    /// <param name="node">Whose signer it must be.</param>
    /// <param name="authorities">The network's roots.</param>
    /// <param name="now">The time by which it is judged.</param>
    /// <param name="refusal">Why it is not taken.</param>
    public static OwnSigner? Read(string certificates, string key, NodeId node, X509Certificate2Collection authorities, Instant now, out Refusal? refusal)
    {
        var shown = new X509Certificate2Collection();
        try
        {
            shown.ImportFromPem(certificates);
            var signer = SignerCertificate.Read([.. shown.Select(c => ByteString.CopyFrom(c.RawData))], authorities, now, out refusal);
            if (signer is not null && signer.Node != node)
            {
                refusal = new Refusal("SIGNER_OF_ANOTHER", $"The signer's certificate is that of {signer.Node}; this node is {node}.");
            }

            if (signer is null || refusal is not null)
            {
                return null;
            }

            using var certified = shown[0].GetECDsaPublicKey()!;
            var ecdsa = ECDsa.Create();
            ecdsa.ImportFromPem(key);
            if (ecdsa.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(certified.ExportSubjectPublicKeyInfo()))
            {
                return new OwnSigner(signer, statement => SignWith(ecdsa, statement));
            }

            ecdsa.Dispose();
            refusal = new Refusal("SIGNER_WRONG_KEY", "The signing key is not the one of the signing certificate.");
            return null;
        }
        catch (Exception failure) when (failure is CryptographicException or ArgumentException or NotSupportedException)
        {
            refusal = new Refusal("SIGNER_MALFORMED", $"The signing certificate or key is no PEM file of one: {failure.Message}");
            return null;
        }
        finally
        {
            foreach (var certificate in shown)
            {
                certificate.Dispose();
            }
        }
    }

    /// <summary>The library promises nothing for one key on two threads.</summary>
    private static byte[] SignWith(ECDsa key, ReadOnlySpan<byte> statement)
    {
        lock (key)
        {
            return key.SignData(statement, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
        }
    }

    public Signer? Judge(IReadOnlyList<ByteString> certificates, Instant now, out Refusal? refusal)
    {
        refusal = null;
        var (roots, taken) = TakenUnder(authorities());
        var shown = KeptVerdicts<Signer>.MarkOf(certificates.Select(c => c.Memory));
        if (taken.Find(shown, now.ToDateTimeOffset()) is { } kept)
        {
            return kept;
        }

        var signer = SignerCertificate.Read(certificates, roots, now, out refusal, out var times);
        if (signer is not null)
        {
            taken.Keep(shown, signer, times);
        }

        return signer;
    }

    /// <summary>Other authorities than before have taken nothing yet.</summary>
    private (X509Certificate2Collection Roots, KeptVerdicts<Signer> Taken) TakenUnder(X509Certificate2Collection roots)
    {
        var taken = _taken;
        if (!ReferenceEquals(taken.Roots, roots))
        {
            _taken = taken = new TakenSigners(roots);
        }

        return (roots, taken.Verdicts);
    }

    private sealed record TakenSigners(X509Certificate2Collection? Roots)
    {
        public KeptVerdicts<Signer> Verdicts { get; } = new();
    }

    public bool Verify(Signer signer, ReadOnlySpan<byte> statement, ReadOnlySpan<byte> signature) => _keys.Verify(signer, statement, signature);
}
