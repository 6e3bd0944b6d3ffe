using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using CityGrid.Hub.Children;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Seams;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;

namespace CityGrid.Node.Enrolment;

/// <summary>Who enrols, and where its files go.</summary>
/// <param name="Node">Who it is.</param>
/// <param name="Division">Its division.</param>
/// <param name="Register">The register by which the parent's authority is judged.</param>
/// <param name="Files">Where keys, certificates and the root go.</param>
public sealed record Enrollee(NodeId Node, DivisionCode Division, DivisionRegister Register, CredentialFiles Files)
{
    /// <summary>It belongs to a network already, and takes a place beside that which it has: whom it trusts stays as it is.</summary>
    public bool KeepsRoot { get; init; }
}

/// <summary>Enrolment was refused, or the parent is not to be believed; nothing of the node's certificates has changed.</summary>
public sealed class EnrolmentRefusedException(Refusal refusal) : Exception(refusal.ToString())
{
    public Refusal Refusal { get; } = refusal;
}

/// <summary>
/// The child's side of enrolment and renewal (clauses E3, E4, E6): keys are made here and never leave; what the parent answers is judged before a file is touched.
/// </summary>
/// <param name="clock">Judges certificates, and bounds each call.</param>
/// <param name="proxy">The forward proxy by which the parent is reached; null for none.</param>
public sealed class EnrolmentClient(TimeProvider clock, Uri? proxy = null)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Takes the place that the code is for. Returns when the certificates are in their files; may be run again with the same code.</summary>
    /// <exception cref="EnrolmentRefusedException">The parent refused, or is not the one that the code names.</exception>
    /// <exception cref="RpcException">The parent was not reached, or answered with a refusal of the call.</exception>
    public async Task<DateTimeOffset> EnrolAsync(Uri parent, EnrolmentCode code, Enrollee enrollee, CancellationToken stop)
    {
        var root = await RootOfAsync(parent, code, stop);
        if (enrollee.KeepsRoot && !IsKept(root, enrollee.Files.Root))
        {
            throw new EnrolmentRefusedException(new Refusal(
                "NETWORK_IS_ANOTHER", $"{code.Parent} is of another network than {enrollee.Node}: its root is not the one in {enrollee.Files.Root}. Nothing was asked for. A sector's parent is one of the same network."));
        }

        var trust = new NetworkTrust([X509CertificateLoader.LoadCertificate(root)], enrollee.Register);
        Refusal? distrust = null;
        using var channel = ChannelTo(parent, null, (certificate, between) =>
        {
            var answering = PeerCertificate.Read(certificate, between, trust, PeerUse.Server, clock.GetUtcNow(), out distrust);
            if (answering is not null && answering.Node != code.Parent)
            {
                distrust = new Refusal("PARENT_IS_ANOTHER", $"{answering.Node} answers at {parent}; the code is one of {code.Parent}.");
            }

            return distrust is null;
        });
        var request = new EnrolRequest { Node = enrollee.Node.ToString(), Division = enrollee.Division.ToString(), Secret = UnsafeByteOperations.UnsafeWrap(code.Secret) };
        enrollee.Files.Begin(EnrolmentCode.HashOf(code.Secret.Span).ToString());
        request.Requests.AddRange(RequestsFor(enrollee, CredentialFiles.BegunKey));
        try
        {
            Failpoint.Hit("enrol.ask.before");
            var answer = await new EnrolmentService.EnrolmentServiceClient(channel).EnrolAsync(request, deadline: Deadline, cancellationToken: stop);
            Failpoint.Hit("enrol.ask.after");
            return Install(enrollee, new Given([.. answer.Certificates], [.. answer.Between]), trust, CredentialFiles.BegunKey, enrollee.KeepsRoot ? null : root);
        }
        catch (RpcException) when (distrust is not null)
        {
            throw new EnrolmentRefusedException(distrust);
        }
    }

    /// <summary>Asks the parent for newer certificates over the link, as the node that the present ones name.</summary>
    /// <param name="link">The parent's link.</param>
    /// <param name="credential">What the node shows.</param>
    /// <param name="parent">Judges who answers.</param>
    /// <param name="enrollee">Who renews, and its files.</param>
    /// <param name="trust">The network's roots as they are in office.</param>
    /// <param name="stop">Gives the call up.</param>
    public async Task<DateTimeOffset> RenewAsync(Uri link, LinkCredential credential, ShownCertificate parent, Enrollee enrollee, NetworkTrust trust, CancellationToken stop)
    {
        using var channel = ChannelTo(link, credential, parent);
        var request = new RenewRequest();
        request.Requests.AddRange(RequestsFor(enrollee, CredentialFiles.NextKey));
        Failpoint.Hit("renew.ask.before");
        var answer = await new RenewalService.RenewalServiceClient(channel).RenewAsync(request, deadline: Deadline, cancellationToken: stop);
        Failpoint.Hit("renew.ask.after");

        // Whom the node trusts is no parent's to change: the root in office judges what came.
        return Install(enrollee, new Given([.. answer.Certificates], [.. answer.Between]), trust, CredentialFiles.NextKey, null);
    }

    /// <summary>
    /// The root of the parent's network. It is asked for on a connection that nobody vouches for yet, and believed because the code names its hash; the secret is said on the
    /// next connection, to a parent that has proven itself by this root.
    /// </summary>
    private async Task<byte[]> RootOfAsync(Uri parent, EnrolmentCode code, CancellationToken stop)
    {
        using var channel = ChannelTo(parent, null, (_, _) => true);
        var answer = await new EnrolmentService.EnrolmentServiceClient(channel).GetAuthorityAsync(new GetAuthorityRequest(), deadline: Deadline, cancellationToken: stop);
        return Hash256.Of(answer.Root.Span) == code.Root
            ? answer.Root.ToByteArray()
            : throw new EnrolmentRefusedException(new Refusal("PARENT_UNPROVEN", $"{parent} shows another root than the one that the code names. The code was not sent. Check the address and the code."));
    }

    private static bool IsKept(byte[] root, string file)
    {
        var kept = new X509Certificate2Collection();
        try
        {
            kept.ImportFromPemFile(file);
            return kept.Any(certificate => certificate.RawData.AsSpan().SequenceEqual(root));
        }
        catch (Exception none) when (none is CryptographicException or IOException)
        {
            return false;
        }
    }

    private static IEnumerable<KeyRequest> RequestsFor(Enrollee enrollee, Func<KeyPairFiles, ECDsa> keyOf)
    {
        foreach (var pair in enrollee.Files.Pairs)
        {
            using var key = keyOf(pair);
            yield return new KeyRequest
            {
                Kind = pair.Kind,
                Request = UnsafeByteOperations.UnsafeWrap(CertificateAuthority.AskFor(enrollee.Node, key)),
            };
        }
    }

    private DateTime Deadline => clock.GetUtcNow().UtcDateTime + Patience;

    private GrpcChannel ChannelTo(Uri parent, LinkCredential? credential, ShownCertificate judge) => GrpcChannel.ForAddress(parent, new GrpcChannelOptions
    {
        HttpHandler = ByProxy.Of(proxy, new SocketsHttpHandler { AllowAutoRedirect = false, ConnectTimeout = TimeSpan.FromSeconds(10), SslOptions = LinkTls.Client(credential, judge) }),
        DisposeHttpClient = true,
        MaxReceiveMessageSize = 256 << 10,
    });

    /// <summary>Judges all that was given, then puts it into the files; a new root first, so that nothing is there that could not be judged.</summary>
    internal DateTimeOffset Install(Enrollee enrollee, Given given, NetworkTrust trust, Func<KeyPairFiles, ECDsa> keyOf, byte[]? newRoot)
    {
        X509Certificate2Collection between = [.. given.Between.Select(Read)];
        var texts = new Dictionary<CertificateKind, string>();
        var end = DateTimeOffset.MaxValue;
        foreach (var pair in enrollee.Files.Pairs)
        {
            using var key = keyOf(pair);
            var der = given.Certificates.FirstOrDefault(c => c.Kind == pair.Kind)?.Certificate
                ?? throw new EnrolmentRefusedException(new Refusal("PARENT_MALFORMED", $"The parent gave no certificate of kind {pair.Kind}."));
            using var certificate = Read(der);
            if (CertificateAuthority.MarkOf(certificate.PublicKey) != CertificateAuthority.MarkOf(new PublicKey(key)))
            {
                throw new EnrolmentRefusedException(new Refusal("PARENT_MALFORMED", $"The parent gave a {pair.Kind} certificate for another key than this node's."));
            }

            if (pair.Kind == CertificateKind.Link)
            {
                var own = PeerCertificate.Read(certificate, between, trust, PeerUse.Client, clock.GetUtcNow(), out var refusal);
                if (own?.Node != enrollee.Node)
                {
                    throw new EnrolmentRefusedException(refusal ?? new Refusal("PARENT_MALFORMED", $"The parent gave the certificate of {own!.Node} to {enrollee.Node}."));
                }

                end = new DateTimeOffset(certificate.NotAfter);
            }

            if (pair.Kind == CertificateKind.Signer)
            {
                var own = SignerCertificate.Read([der, .. given.Between], trust.Roots, clock.Now(), out var refusal);
                if (own?.Node != enrollee.Node)
                {
                    throw new EnrolmentRefusedException(refusal ?? new Refusal("PARENT_MALFORMED", $"The parent gave the signer of {own!.Node} to {enrollee.Node}."));
                }
            }

            texts[pair.Kind] = Pem(certificate, between);
        }

        if (newRoot is not null)
        {
            CredentialFiles.Write(enrollee.Files.Root, PemEncoding.WriteString("CERTIFICATE", newRoot) + "\n");
        }

        foreach (var pair in enrollee.Files.Pairs)
        {
            CredentialFiles.Install(pair, texts[pair.Kind]);
        }

        return end;
    }

    private static X509Certificate2 Read(ByteString der)
    {
        try
        {
            return X509CertificateLoader.LoadCertificate(der.Span);
        }
        catch (CryptographicException)
        {
            throw new EnrolmentRefusedException(new Refusal("PARENT_MALFORMED", "The parent gave something as a certificate that is none. Nothing of it is kept here: have its program looked at, and a new code given."));
        }
    }

    private static string Pem(X509Certificate2 certificate, X509Certificate2Collection between)
    {
        var text = new StringBuilder(certificate.ExportCertificatePem()).Append('\n');
        foreach (var above in between)
        {
            text.Append(above.ExportCertificatePem()).Append('\n');
        }

        return text.ToString();
    }

    /// <summary>What an authority gave: certificates, and those between them and the root.</summary>
    internal sealed record Given(IReadOnlyList<GivenCertificate> Certificates, IReadOnlyList<ByteString> Between);
}
