using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;

namespace CityGrid.Hub.Bundles;

/// <summary>A bundle that was opened: who made it, by its certificate, and what it says.</summary>
/// <param name="Maker">Whom the certificate names.</param>
/// <param name="MakersCertificate">The certificate itself, DER: an answer is sealed for it.</param>
/// <param name="Content">What is said.</param>
public sealed record OpenedBundle(PeerCertificate Maker, ReadOnlyMemory<byte> MakersCertificate, BundleContent Content);

/// <summary>
/// A bundle as a file (clauses B1 and B2): signed by the maker's certificate, and sealed for one reader: AES-256-GCM under a key agreed between a key of
/// this bundle alone and that of the reader's certificate (ECDH on P-256, HKDF-SHA-256: NIST SP 800-56A and 800-56C).
/// </summary>
public static class BundleFile
{
    /// <summary>A month of a large city is about 20 MB; more goes with the next bundle.</summary>
    public const int BytesMax = 256 << 20;

    public const string Malformed = "BUNDLE_MALFORMED";
    public const string ForAnother = "BUNDLE_FOR_ANOTHER";
    public const string Forged = "BUNDLE_FORGED";
    public const string ReaderKey = "BUNDLE_READER_KEY";

    private const int Format = 1;
    private const int TagBytes = 16;
    private const int NonceBytes = 12;

    private static readonly byte[] Magic = Encoding.ASCII.GetBytes("CITYGRID-BUNDLE\n");

    /// <param name="content">What is said.</param>
    /// <param name="maker">The maker's certificate with its key; those above it follow.</param>
    /// <param name="makerNode">The node that the maker's certificate names.</param>
    /// <param name="above">Certificates between the maker's and the root.</param>
    /// <param name="reader">The reader's certificate.</param>
    /// <param name="readerNode">The node that it names.</param>
    /// <param name="now">The maker's clock.</param>
    /// <param name="entropy">For the nonce.</param>
    public static byte[] Make(
        BundleContent content, X509Certificate2 maker, NodeId makerNode, IReadOnlyList<X509Certificate2> above, X509Certificate2 reader, NodeId readerNode, DateTimeOffset now, IEntropy entropy)
    {
        using var theirs = AgreementKeyOf(reader) ?? throw new CryptographicException("The reader's certificate has no key on P-256.");
        using var once = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
        var nonce = new byte[NonceBytes];
        entropy.Fill(nonce);
        var bundle = new Bundle
        {
            Format = Format,
            From = makerNode.ToString(),
            To = readerNode.ToString(),
            MadeAt = now.ToUnixTimeSeconds(),
            EphemeralKey = ByteString.CopyFrom(once.ExportSubjectPublicKeyInfo()),
            Nonce = ByteString.CopyFrom(nonce),
        };
        bundle.Certificates.Add(ByteString.CopyFrom(maker.RawData));
        bundle.Certificates.AddRange(above.Select(certificate => ByteString.CopyFrom(certificate.RawData)));

        var plain = content.ToByteArray();
        var box = new byte[plain.Length + TagBytes];
        using (var cipher = new AesGcm(KeyOf(once.DeriveRawSecretAgreement(theirs.PublicKey), bundle), TagBytes))
        {
            cipher.Encrypt(nonce, plain, box.AsSpan(0, plain.Length), box.AsSpan(plain.Length), Bound(bundle));
        }

        bundle.Sealed = UnsafeByteOperations.UnsafeWrap(box);
        using var key = maker.GetECDsaPrivateKey() ?? throw new CryptographicException("The maker's certificate has no key to sign with.");
        bundle.Signature = ByteString.CopyFrom(key.SignHash(Signed(bundle)));
        return [.. Magic, .. bundle.ToByteArray()];
    }

    /// <summary>What the bundle says, or why it is not believed. Nothing of it is read before its maker is known.</summary>
    /// <param name="file">The bytes of the file.</param>
    /// <param name="reader">This node's certificate with its key.</param>
    /// <param name="readerNode">This node.</param>
    /// <param name="trust">The network's roots, and the register by which authorities on the way are judged.</param>
    /// <param name="now">The time by which certificates are judged.</param>
    /// <param name="refusal">Why it is not taken.</param>
    public static OpenedBundle? Open(ReadOnlyMemory<byte> file, X509Certificate2 reader, NodeId readerNode, NetworkTrust trust, DateTimeOffset now, out Refusal? refusal)
    {
        if (Read(file) is not { } bundle)
        {
            refusal = new Refusal(Malformed, $"The file is no bundle of format {Format}. Copy it again from where it was made.");
            return null;
        }

        if (bundle.To != readerNode.ToString())
        {
            refusal = new Refusal(ForAnother, $"The bundle is for {bundle.To}; this node is {readerNode}. Import it there.");
            return null;
        }

        using var maker = CertificateOf(bundle.Certificates[0]);
        if (maker is null)
        {
            refusal = new Refusal(Malformed, "The bundle's certificate cannot be read. Copy the file again from where it was made.");
            return null;
        }

        var above = bundle.Certificates.Skip(1).Select(CertificateOf).ToArray();
        if (above.Any(certificate => certificate is null))
        {
            refusal = new Refusal(Malformed, "A certificate above the bundle's cannot be read. Copy the file again from where it was made.");
            return null;
        }

        var peer = PeerCertificate.Read(maker, [.. above.OfType<X509Certificate2>()], trust, PeerUse.Client, now, out refusal);
        if (peer is null)
        {
            return null;
        }

        using var key = maker.GetECDsaPublicKey();
        if (peer.Node.ToString() != bundle.From || key is null || !key.VerifyHash(Signed(bundle), bundle.Signature.Span))
        {
            refusal = new Refusal(Forged, $"The bundle is not signed by {bundle.From}, or was changed since. Do not use it; have it made again.");
            return null;
        }

        if (Unseal(bundle, reader) is not { } content)
        {
            refusal = new Refusal(ReaderKey, "The bundle cannot be opened with this node's key: it was sealed for another certificate. Export it again for the present one.");
            return null;
        }

        return new OpenedBundle(peer, bundle.Certificates[0].Memory, content);
    }

    private static Bundle? Read(ReadOnlyMemory<byte> file)
    {
        if (file.Length <= Magic.Length || file.Length > BytesMax || !file.Span[..Magic.Length].SequenceEqual(Magic))
        {
            return null;
        }

        try
        {
            var bundle = Bundle.Parser.ParseFrom(file.Span[Magic.Length..]);
            return bundle.Format == Format && bundle.Certificates.Count > 0 && bundle.Nonce.Length == NonceBytes && bundle.Sealed.Length > TagBytes ? bundle : null;
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }

    private static BundleContent? Unseal(Bundle bundle, X509Certificate2 reader)
    {
        try
        {
            using var ours = AgreementKeyOf(reader, isPrivate: true);
            using var once = ECDiffieHellman.Create();
            once.ImportSubjectPublicKeyInfo(bundle.EphemeralKey.Span, out _);
            if (ours is null)
            {
                return null;
            }

            var box = bundle.Sealed.Span;
            var plain = new byte[box.Length - TagBytes];
            using var cipher = new AesGcm(KeyOf(ours.DeriveRawSecretAgreement(once.PublicKey), bundle), TagBytes);
            cipher.Decrypt(bundle.Nonce.Span, box[..^TagBytes], box[^TagBytes..], plain, Bound(bundle));
            return BundleContent.Parser.ParseFrom(plain);
        }
        catch (Exception failure) when (failure is CryptographicException or ArgumentException or NotSupportedException or InvalidProtocolBufferException)
        {
            return null;
        }
    }

    private static ECDiffieHellman? AgreementKeyOf(X509Certificate2 certificate, bool isPrivate = false)
    {
        using var key = isPrivate ? certificate.GetECDsaPrivateKey() : certificate.GetECDsaPublicKey();
        if (key is null || key.KeySize != 256)
        {
            return null;
        }

        var agreement = ECDiffieHellman.Create();
        agreement.ImportParameters(key.ExportParameters(isPrivate));
        return agreement;
    }

    private static byte[] KeyOf(byte[] secret, Bundle bundle)
    {
        var key = HKDF.DeriveKey(HashAlgorithmName.SHA256, secret, 32, bundle.Nonce.ToByteArray(), Bound(bundle));
        CryptographicOperations.ZeroMemory(secret);
        return key;
    }

    /// <summary>What the sealed content belongs to.</summary>
    private static byte[] Bound(Bundle bundle) => Encoding.UTF8.GetBytes($"citygrid/bundle/1\n{bundle.From}\n{bundle.To}\n{bundle.MadeAt}");

    /// <summary>The hash that is signed: each field with its length before it, so that no two bundles give the same bytes.</summary>
    internal static byte[] Signed(Bundle bundle)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Add(Bound(bundle));
        foreach (var certificate in bundle.Certificates)
        {
            Add(certificate.Span);
        }

        Add(bundle.EphemeralKey.Span);
        Add(bundle.Nonce.Span);
        Add(bundle.Sealed.Span);
        return hash.GetHashAndReset();

        void Add(ReadOnlySpan<byte> bytes)
        {
            Span<byte> length = stackalloc byte[8];
            BinaryPrimitives.WriteInt64BigEndian(length, bytes.Length);
            hash.AppendData(length);
            hash.AppendData(bytes);
        }
    }

    private static X509Certificate2? CertificateOf(ByteString der)
    {
        try
        {
            return X509CertificateLoader.LoadCertificate(der.Span);
        }
        catch (CryptographicException)
        {
            return null;
        }
    }
}
