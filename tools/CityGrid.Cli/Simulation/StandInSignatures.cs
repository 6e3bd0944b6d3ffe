using System.Text;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Cli.Simulation;

/// <summary>
/// A stand-in for certificates and ECDSA in simulation: the key of a signer is made of its certificates, so it proves nothing to anybody, but a wrong byte in what
/// is signed is found as surely, at a hundredth of the cost. A certificate is a node and a division; behind it stand, nearest first, the nodes whose authorities issued it.
/// </summary>
public sealed class StandInSignatures : ISignatures
{
    private const SignatureAlgorithm Keyed = (SignatureAlgorithm)1000;

    /// <param name="node">Whose statements the key makes.</param>
    /// <param name="division">What it speaks for.</param>
    /// <param name="above">The authorities between the signer and the root of the network, which names no division.</param>
    public StandInSignatures(NodeId node, DivisionCode division, params (NodeId Node, DivisionCode Division)[] above)
    {
        var signer = SignerOf([.. above.Prepend((node, division)).Select(named => ByteString.CopyFromUtf8($"{named.Item1} {named.Item2}"))])!;
        Own = new OwnSigner(signer, statement => SignatureOf(signer, statement));
    }

    public OwnSigner? Own { get; }

    public Signer? Judge(IReadOnlyList<ByteString> certificates, Instant now, out Refusal? refusal)
    {
        var shown = SignerOf(certificates);
        refusal = shown is null ? new Refusal("SIGNER_MALFORMED", "What was shown as a signer's certificate is none.") : null;
        return shown;
    }

    public bool Verify(Signer signer, ReadOnlySpan<byte> statement, ReadOnlySpan<byte> signature) => signature.SequenceEqual(SignatureOf(signer, statement));

    private static Signer? SignerOf(IReadOnlyList<ByteString> certificates)
    {
        var way = new List<CertificateNames>();
        NodeId? node = null;
        foreach (var certificate in certificates)
        {
            var words = certificate.ToStringUtf8().Split(' ');
            if (words.Length != 2 || !NodeId.TryParse(words[0], out var named) || !DivisionCode.TryParse(words[1], out var division))
            {
                return null;
            }

            node ??= named;
            way.Add(new CertificateNames(words[0], way.Count > 0, [division]));
        }

        way.Add(new CertificateNames("root", true, []));
        return node is { } own ? new Signer(own, Hash256.Of(certificates[0].Span), Keyed, certificates, Instant.MaxValue) { Way = way } : null;
    }

    private static byte[] SignatureOf(Signer signer, ReadOnlySpan<byte> statement) =>
        Hash256.Of([.. Encoding.ASCII.GetBytes(string.Concat(signer.Certificates.Select(certificate => certificate.ToStringUtf8() + "/"))), .. statement]).ToBytes();
}
