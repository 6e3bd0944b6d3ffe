using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Hub.Seams;

/// <summary>
/// Signing, and judging who signs, handed in: certificates and ECDSA in production, a cheap keyed stand-in in simulation. What is a valid statement
/// is decided elsewhere; here it is only whether this key made this signature.
/// </summary>
public interface ISignatures
{
    /// <summary>
    /// This node's own signer, as it is now; null for a node without a signing key. Another takes its place when it is renewed, and whoever has shown the one before goes on
    /// with that: so it is asked once for what must be signed by one key.
    /// </summary>
    OwnSigner? Own { get; }

    /// <summary>
    /// Judges a signer that a peer showed: its certificate and those between it and the authority. Null with the refusal for one that is not a signer of
    /// this network at this time.
    /// </summary>
    Signer? Judge(IReadOnlyList<ByteString> certificates, Instant now, out Refusal? refusal);

    /// <summary>True where the signer's key made the signature over exactly this statement.</summary>
    bool Verify(Signer signer, ReadOnlySpan<byte> statement, ReadOnlySpan<byte> signature);
}

/// <summary>Who signs, as the certificate says.</summary>
/// <param name="Node">The one node whose statements this key makes.</param>
/// <param name="Fingerprint">SHA-256 of the certificate.</param>
/// <param name="Algorithm">How it signs.</param>
/// <param name="Certificates">The certificate (DER), then those between it and the authority.</param>
/// <param name="HoldsTo">The last moment at which it signs anything.</param>
public sealed record Signer(NodeId Node, Hash256 Fingerprint, SignatureAlgorithm Algorithm, IReadOnlyList<ByteString> Certificates, Instant HoldsTo)
{
    /// <summary>What the signer's certificate names, then each authority on the way up to the root. It ends with the signer's own where no root was asked.</summary>
    public IReadOnlyList<CertificateNames> Way { get; init; } = [];

    /// <summary>The divisions that the signer's certificate names. Whether those who issued it might name them is told by <see cref="Way"/> alone.</summary>
    public IReadOnlyList<DivisionCode> Divisions => Way.Count == 0 ? [] : Way[0].Divisions;
}

/// <summary>A signer of this node with its key. For many threads.</summary>
/// <param name="signer">Who signs, as others are shown it.</param>
/// <param name="sign">Signs a statement with the key.</param>
public sealed class OwnSigner(Signer signer, Func<ReadOnlySpan<byte>, byte[]> sign)
{
    public Signer Signer { get; } = signer;

    public byte[] Sign(ReadOnlySpan<byte> statement) => sign(statement);
}

/// <summary>What one certificate on the way from a peer to the root names.</summary>
/// <param name="Subject">Its subject, for messages.</param>
/// <param name="IsAuthority">It is named as an authority of this network, exactly one.</param>
/// <param name="Divisions">Those among its URI names.</param>
public sealed record CertificateNames(string Subject, bool IsAuthority, IReadOnlyList<DivisionCode> Divisions)
{
    /// <summary>The mark of its public key: the same certificate can be written down in more ways than one, its key cannot be another.</summary>
    public string KeyMark { get; init; } = string.Empty;
}
