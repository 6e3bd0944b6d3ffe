using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Children;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Node.Configuration;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace CityGrid.Node.Enrolment;

/// <summary>A certificate that this node uses now, of each kind that it has.</summary>
/// <param name="Kind">What it is for.</param>
/// <param name="Certificate">The certificate.</param>
/// <param name="From">Which parent issued it.</param>
public sealed record CertificateInUse(CertificateKind Kind, X509Certificate2 Certificate, ParentKind From);

/// <summary>
/// What the node shows, signs and issues with, and whom it trusts, read from the files that the configuration names, and again when these have changed: all of it is replaced
/// together, or nothing is. Connections that begin then have the new ones, those that stand keep theirs until they end. Safe for many threads.
/// </summary>
public sealed class NodeCredentials
{
    private readonly NodeConfiguration _configuration;
    private readonly DivisionRegister _register;
    private readonly DivisionRegister _sectorRegister;
    private readonly TimeProvider _clock;
    private volatile Read _current;

    /// <exception cref="ConfigurationException">The files do not fit together, or are none.</exception>
    public NodeCredentials(NodeConfiguration configuration, DivisionRegister register, TimeProvider clock)
    {
        (_configuration, _register, _clock) = (configuration, register, clock);
        _sectorRegister = RegisterCheck.OfSector(configuration, register);
        Files = CredentialFiles.Of(configuration);
        SectorFiles = CredentialFiles.OfSector(configuration);
        foreach (var pair in Files.Pairs.Concat(SectorFiles?.Pairs ?? []))
        {
            try
            {
                CredentialFiles.Settle(pair);
            }
            catch (CryptographicException)
            {
                // It is told below what is wrong with the files.
            }
        }

        _current = Load(TextsOf(configuration), null);
        Signatures = new CertificateSignatures(() => Trust().Roots, () => _current.Signer);
    }

    public CredentialFiles Files { get; }

    /// <summary>Those for the connections to the sector's parent; null where it is shown what the territorial one is.</summary>
    public CredentialFiles? SectorFiles { get; }

    /// <summary>What the node signs with, apart from the key of its connections, and how it judges what others sign.</summary>
    public ISignatures Signatures { get; }

    /// <summary>Who is a child, once the core is there; null for a node without a register of children.</summary>
    public Admission? Admission { get; set; }

    public LinkCredential Credential() => _current.Credential;

    public NetworkTrust Trust() => _current.Trust;

    /// <summary>What is shown to a parent.</summary>
    public LinkCredential CredentialFor(ParentKind parent) => parent == ParentKind.Sector && _current.Sector is { } sector ? sector : _current.Credential;

    /// <summary>How a parent is judged: the roots are the same, the register may be the sector's.</summary>
    public NetworkTrust TrustOf(ParentKind parent) => parent == ParentKind.Sector ? _current.SectorTrust : _current.Trust;

    /// <summary>The node's authority over its children.</summary>
    /// <exception cref="InvalidOperationException">The node takes no children in.</exception>
    public CertificateAuthority Authority() => _current.Authority ?? throw new InvalidOperationException("This node has no authority over children.");

    /// <summary>The node's own certificates that are in use.</summary>
    public IReadOnlyList<CertificateInUse> InUse => _current.InUse;

    /// <summary>
    /// Reads the files again where they have changed; true where they had and are in use now. Files that cannot be used, such as half of a change by hand, leave what is in
    /// force, all of it; those for the sector's parent alone hold up nothing else.
    /// </summary>
    /// <param name="fault">What is wrong with changed files; null where nothing is.</param>
    public bool Refresh(out string? fault)
    {
        fault = null;
        try
        {
            var texts = TextsOf(_configuration);
            if (texts == _current.Texts)
            {
                fault = _current.SectorFault;
                return false;
            }

            var read = Load(texts, _current.Sector);
            Failpoint.Hit("credential.reload.before");
            _current = read;
            Failpoint.Hit("credential.reload.after");
            fault = read.SectorFault;
            return true;
        }
        catch (Exception unusable) when (unusable is ConfigurationException or IOException or UnauthorizedAccessException)
        {
            fault = unusable is ConfigurationException wrong ? wrong.Faults[0].ToString() : unusable.Message;
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

    public void SecureLink(ListenOptions listen) => listen.UseMutualTls(Credential, Judge, _configuration.Limits.HandshakeTime.ToTimeSpan());

    public void SecureEnrolment(ListenOptions listen) => listen.UseEnrolmentTls(Credential, _configuration.Limits.HandshakeTime.ToTimeSpan());

    /// <exception cref="ConfigurationException">The files do not fit together; where what is shown to the sector's parent does not, and <paramref name="sectorBefore"/> can be, that is told in the result instead.</exception>
    private Read Load(Texts texts, LinkCredential? sectorBefore)
    {
        var link = _configuration.Link;
        var (credential, trust) = LinkOf(texts);
        var (sector, sectorFault) = SectorOf(texts, sectorBefore);
        var signer = link is { SigningCertificateFile: not null, SigningKeyFile: not null } ? SignerOf(texts, credential, trust) : null;
        var authority = _configuration.Children is null ? null : AuthorityOf(texts);
        return new Read(texts, credential, trust, sector, trust with { Register = _sectorRegister }, signer, authority) { SectorFault = sectorFault };
    }

    private (LinkCredential? Credential, string? Fault) SectorOf(Texts texts, LinkCredential? before)
    {
        if (SectorFiles is not { Pairs: [var pair] })
        {
            return (null, null);
        }

        try
        {
            return (LinkCredential.Read(texts.SectorCertificates, texts.SectorKey), null);
        }
        catch (CryptographicException)
        {
            var fault = Fault("sectorParent.certificate", pair.Certificate, $"a PEM certificate that fits the key {pair.Key} is needed; citygrid enrol --sector gets one");
            return before is null ? throw fault : (before, fault.Faults[0].ToString());
        }
    }

    private (LinkCredential Credential, NetworkTrust Trust) LinkOf(Texts texts)
    {
        var link = _configuration.Link;
        try
        {
            var roots = new X509Certificate2Collection();
            roots.ImportFromPem(texts.Roots);
            if (roots.Count > 0)
            {
                return (LinkCredential.Read(texts.Certificates, texts.Key), new NetworkTrust(roots, _register));
            }
        }
        catch (CryptographicException)
        {
            // The same is wrong as with no certificate at all.
        }

        throw Fault("link.certificate", link.CertificateFile, $"a PEM certificate that fits the key {link.KeyFile}, and an authority in {link.AuthorityFile}, are needed");
    }

    private OwnSigner SignerOf(Texts texts, LinkCredential credential, NetworkTrust trust)
    {
        var link = _configuration.Link;
        var own = CertificateSignatures.Read(texts.SigningCertificates, texts.SigningKey, _configuration.Node, trust.Roots, _clock.Now(), out var refusal)
            ?? throw Fault("link.signingCertificate", link.SigningCertificateFile!, refusal!.ToString());
        using var signer = X509CertificateLoader.LoadCertificate(own.Signer.Certificates[0].Span);
        return CertificateAuthority.MarkOf(signer.PublicKey) != CertificateAuthority.MarkOf(credential.Certificate.PublicKey)
            ? own
            : throw Fault("link.signingKey", link.SigningKeyFile!, "it is the key of the node's connections too; a signing key is one of its own");
    }

    private CertificateAuthority AuthorityOf(Texts texts)
    {
        try
        {
            return CertificateAuthority.Open(texts.Authority, texts.AuthorityKey, texts.Roots);
        }
        catch (CryptographicException)
        {
            var children = _configuration.Children!;
            throw Fault("children.authority", children.AuthorityFile,
                $"a PEM certificate of an authority that fits the key {children.AuthorityKeyFile}, and the network's root in {_configuration.Link.AuthorityFile}, are needed");
        }
    }

    private ConfigurationException Fault(string path, string file, string allowed) => new(_configuration.File, [new ConfigurationFault(path, $"\"{file}\"", allowed)]);

    private static Texts TextsOf(NodeConfiguration configuration)
    {
        var (link, children, sector) = (configuration.Link, configuration.Children, configuration.SectorParent);
        return new Texts(
            File.ReadAllText(link.CertificateFile), File.ReadAllText(link.KeyFile), File.ReadAllText(link.AuthorityFile),
            TextOf(link.SigningCertificateFile), TextOf(link.SigningKeyFile), TextOf(children?.AuthorityFile), TextOf(children?.AuthorityKeyFile),
            TextOrNone(sector?.CertificateFile), TextOrNone(sector?.KeyFile));
    }

    private static string TextOrNone(string? file)
    {
        try
        {
            return TextOf(file);
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            return string.Empty;
        }
    }

    private static string TextOf(string? file) => file is null ? string.Empty : File.ReadAllText(file);

    /// <summary>What stands in the files; empty for one that the configuration does not name.</summary>
    private sealed record Texts(
        string Certificates, string Key, string Roots, string SigningCertificates, string SigningKey, string Authority, string AuthorityKey, string SectorCertificates, string SectorKey);

    private sealed record Read(
        Texts Texts, LinkCredential Credential, NetworkTrust Trust, LinkCredential? Sector, NetworkTrust SectorTrust, OwnSigner? Signer, CertificateAuthority? Authority)
    {
        /// <summary>Why what is shown to the sector's parent is still that of before; null where its files are in use.</summary>
        public string? SectorFault { get; init; }

        /// <summary>Whom this trust has taken; another begins anew.</summary>
        public JudgedPeers Children { get; } = new(Trust, PeerUse.Client);

        public IReadOnlyList<CertificateInUse> InUse { get; } =
        [
            new(CertificateKind.Link, Credential.Certificate, ParentKind.Territorial),
            .. Sector is null ? [] : new[] { new CertificateInUse(CertificateKind.Link, Sector.Certificate, ParentKind.Sector) },
            .. Signer is null ? [] : new[] { new CertificateInUse(CertificateKind.Signer, X509CertificateLoader.LoadCertificate(Signer.Signer.Certificates[0].Span), ParentKind.Territorial) },
            .. Authority is null ? [] : new[] { new CertificateInUse(CertificateKind.Authority, Authority.Certificate, ParentKind.Territorial) },
        ];
    }
}
