using System.Text;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Cli.Simulation;

/// <summary>
/// A stand-in for certificates and ECDSA in simulation: the key of a node is made of its name, so it proves nothing to anybody, but a wrong byte in what
/// is signed is found as surely, at a hundredth of the cost.
/// </summary>
public sealed class StandInSignatures(NodeId node) : ISignatures
{
    private const SignatureAlgorithm Keyed = (SignatureAlgorithm)1000;

    public Signer? Own { get; } = SignerOf(node);

    public byte[] Sign(ReadOnlySpan<byte> statement) => SignatureOf(node, statement);

    public Signer? Judge(IReadOnlyList<ByteString> certificates, Instant now, out Refusal? refusal)
    {
        var named = certificates.Count == 1 && NodeId.TryParse(certificates[0].ToStringUtf8(), out var shown) ? SignerOf(shown) : null;
        refusal = named is null ? new Refusal("SIGNER_MALFORMED", "What was shown as a signer's certificate is none.") : null;
        return named;
    }

    public bool Verify(Signer signer, ReadOnlySpan<byte> statement, ReadOnlySpan<byte> signature) => signature.SequenceEqual(SignatureOf(signer.Node, statement));

    private static Signer SignerOf(NodeId node)
    {
        var name = ByteString.CopyFromUtf8(node.ToString());
        return new Signer(node, Hash256.Of(name.Span), Keyed, [name], Instant.MaxValue);
    }

    private static byte[] SignatureOf(NodeId node, ReadOnlySpan<byte> statement) => Hash256.Of([.. Encoding.ASCII.GetBytes($"{node}/"), .. statement]).ToBytes();
}
