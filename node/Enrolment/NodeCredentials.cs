using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Children;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Node.Configuration;
using CityGrid.Protocol.Names;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace CityGrid.Node.Enrolment;

/// <summary>
/// The node's certificate and whom it trusts, read from the files that the configuration names, and again when these have changed: connections that begin then have the new
/// ones, those that stand keep theirs. Safe for many threads.
/// </summary>
public sealed class NodeCredentials : IDisposable
{
    private readonly NodeConfiguration _configuration;
    private readonly DivisionRegister _register;
    private readonly TimeProvider _clock;
    private volatile Read _current;

    /// <exception cref="ConfigurationException">The files do not fit together, or are none.</exception>
    public NodeCredentials(NodeConfiguration configuration, DivisionRegister register, TimeProvider clock)
    {
        (_configuration, _register, _clock) = (configuration, register, clock);
        Files = CredentialFiles.Of(configuration);
        try
        {
            foreach (var pair in Files.Pairs)
            {
                CredentialFiles.Settle(pair);
            }

            _current = Load();
        }
        catch (CryptographicException)
        {
            var link = configuration.Link;
            throw new ConfigurationException(
                configuration.File, [new("link.certificate", $"\"{link.CertificateFile}\"", $"a PEM certificate that fits the key {link.KeyFile}, and an authority in {link.AuthorityFile}, are needed")]);
        }

        Signatures = SignaturesOf(configuration);
    }

    public CredentialFiles Files { get; }

    /// <summary>What the node signs with, apart from the key of its connections; read at the start.</summary>
    public CertificateSignatures Signatures { get; }

    /// <summary>Who is a child, once the core is there; null for a node without a register of children.</summary>
    public Admission? Admission { get; set; }

    public void Dispose() => Signatures.Dispose();

    public LinkCredential Credential() => _current.Credential;

    public NetworkTrust Trust() => _current.Trust;

    /// <summary>Reads the files again where they have changed; true where they had. Files that cannot be used, such as half of a change by hand, leave what is in force.</summary>
    public bool Refresh()
    {
        try
        {
            var read = Load();
            if (read.Text == _current.Text)
            {
                return false;
            }

            Failpoint.Hit("credential.reload.before");
            _current = read;
            Failpoint.Hit("credential.reload.after");
            return true;
        }
        catch (Exception unusable) when (unusable is CryptographicException or IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Judges a child's certificate, and whether it is a child now.</summary>
    public IPeerIdentity? Judge(X509Certificate2? certificate, X509Certificate2Collection between, out Refusal? refusal)
    {
        var now = _clock.GetUtcNow();
        var peer = _current.Children.Read(certificate, between, now, out refusal);
        return peer is null || Admission is not { } admission ? peer : admission.Admit(peer, NodaTime.Instant.FromDateTimeOffset(now), out refusal);
    }

    public void SecureLink(ListenOptions listen) => listen.UseMutualTls(Credential, Judge);

    public void SecureEnrolment(ListenOptions listen) => listen.UseEnrolmentTls(Credential);

    private CertificateSignatures SignaturesOf(NodeConfiguration configuration)
    {
        if (configuration.Link is not { SigningCertificateFile: { } certificate, SigningKeyFile: { } key })
        {
            return CertificateSignatures.WithoutKey(() => Trust().Roots);
        }

        var signatures = CertificateSignatures.Load(certificate, key, configuration.Node, () => Trust().Roots, _clock.Now(), out var refusal)
            ?? throw new ConfigurationException(configuration.File, [new("link.signingCertificate", $"\"{certificate}\"", refusal!.ToString())]);
        if (signatures.Own is { } own)
        {
            using var signer = X509CertificateLoader.LoadCertificate(own.Certificates[0].Span);
            if (signer.PublicKey.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(Credential().Certificate.PublicKey.ExportSubjectPublicKeyInfo()))
            {
                signatures.Dispose();
                throw new ConfigurationException(configuration.File, [new("link.signingKey", $"\"{key}\"", "it is the key of the node's connections too; a signing key is one of its own")]);
            }
        }

        return signatures;
    }

    private Read Load()
    {
        var link = _configuration.Link;
        var (certificates, key, authority) = (File.ReadAllText(link.CertificateFile), File.ReadAllText(link.KeyFile), File.ReadAllText(link.AuthorityFile));
        var roots = new X509Certificate2Collection();
        roots.ImportFromPem(authority);
        return roots.Count == 0
            ? throw new CryptographicException($"There is no certificate in {link.AuthorityFile}.")
            : new Read(LinkCredential.Read(certificates, key), new NetworkTrust(roots, _register), $"{certificates}{key}{authority}");
    }

    private sealed record Read(LinkCredential Credential, NetworkTrust Trust, string Text)
    {
        /// <summary>Whom this trust has taken; another begins anew.</summary>
        public JudgedPeers Children { get; } = new(Trust, PeerUse.Client);
    }
}
