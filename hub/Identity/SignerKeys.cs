using System.Security.Cryptography;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.V1;
using Google.Protobuf;

namespace CityGrid.Hub.Identity;

/// <summary>
/// The public keys of signers that are heard again and again: to decode one from its certificate takes three times as long as to verify with it, and a
/// parent verifies a signature with every part. For many threads.
/// </summary>
internal sealed class SignerKeys
{
    /// <summary>More than a parent has children; whoever is left out is decoded anew.</summary>
    private const int Most = 1024;

    private readonly Dictionary<ByteString, ECDsa> _keys = [];
    private readonly Lock _lock = new();

    /// <summary>As <see cref="SignerCertificate.Verify(Signer, ReadOnlySpan{byte}, ReadOnlySpan{byte})"/>.</summary>
    public bool Verify(Signer signer, ReadOnlySpan<byte> statement, ReadOnlySpan<byte> signature)
    {
        if (KeyOf(signer) is not { } key)
        {
            return false;
        }

        // Two connections of one child may bring a part at once, and the library promises nothing for one key on two threads.
        lock (key)
        {
            return SignerCertificate.Verify(key, statement, signature);
        }
    }

    /// <summary>Found by the certificate itself, never by what is said of it.</summary>
    private ECDsa? KeyOf(Signer signer)
    {
        var certificate = signer.Certificates[0];
        lock (_lock)
        {
            if (signer.Algorithm == SignatureAlgorithm.EcdsaP256Sha256 && _keys.TryGetValue(certificate, out var kept))
            {
                return kept;
            }
        }

        if (SignerCertificate.KeyOf(signer) is not { } key)
        {
            return null;
        }

        lock (_lock)
        {
            if (_keys.Count >= Most)
            {
                // Those that are in use on other threads are not disposed under their hands: the collector takes them.
                _keys.Clear();
            }

            return _keys.TryAdd(certificate, key) ? key : _keys[certificate];
        }
    }
}
