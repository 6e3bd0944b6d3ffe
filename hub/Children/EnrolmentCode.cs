using System.Security.Cryptography;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Children;

/// <summary>
/// What a person carries from the parent to the child (clause E3): the parent's name, a secret of 160 random bits, and the SHA-256 of the network's root. By the last the
/// child knows that it is the parent who answers, before it says the secret. Written <c>citygrid1:PARENT:SECRET:ROOT</c>, the last two in hex.
/// </summary>
public sealed record EnrolmentCode(NodeId Parent, ReadOnlyMemory<byte> Secret, Hash256 Root)
{
    public const int SecretBytes = 20;

    private const string Version = "citygrid1";

    public static byte[] NewSecret(IEntropy entropy)
    {
        var secret = new byte[SecretBytes];
        entropy.Fill(secret);
        return secret;
    }

    /// <summary>What the journal keeps of a secret. It is random, so a plain hash tells nothing of it.</summary>
    public static Hash256 HashOf(ReadOnlySpan<byte> secret)
    {
        var label = "citygrid/code/1"u8;
        var bytes = new byte[label.Length + secret.Length];
        label.CopyTo(bytes);
        secret.CopyTo(bytes.AsSpan(label.Length));
        return Hash256.Of(bytes);
    }

    /// <summary>True where the secret is that of the hash, found out in a time that tells nothing.</summary>
    public static bool Fits(ReadOnlySpan<byte> secret, Hash256 hash) => CryptographicOperations.FixedTimeEquals(HashOf(secret).ToBytes(), hash.ToBytes());

    public static bool TryParse(string text, out EnrolmentCode? code)
    {
        code = null;
        if (text.Trim().Split(':') is not [Version, var parent, { Length: 2 * SecretBytes } secret, { Length: 2 * Hash256.Size } root] || !NodeId.TryParse(parent, out var node))
        {
            return false;
        }

        try
        {
            code = new EnrolmentCode(node, Convert.FromHexString(secret), Hash256.FromBytes(Convert.FromHexString(root)));
            return true;
        }
        catch (FormatException)
        {
            return false;
        }
    }

    public override string ToString() => $"{Version}:{Parent}:{Convert.ToHexStringLower(Secret.Span)}:{Root}";
}
