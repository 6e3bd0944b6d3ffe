using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Children;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Node.Configuration;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Grpc.Core;
using NodaTime;

namespace CityGrid.Node.Enrolment;

/// <summary>How near a certificate is to its end.</summary>
public enum EndNear
{
    /// <summary>More than 30 days.</summary>
    Far,
    Within30Days,
    Within14Days,
    Within7Days,
    Ended,
}

/// <summary>A certificate and its end. <see cref="Node"/> is whose it is: this node's own, or a child's.</summary>
public sealed record CertificateEnd(NodeId Node, CertificateKind Kind, string Serial, Instant NotBefore, Instant NotAfter)
{
    /// <summary>Which parent of the node issued it.</summary>
    public ParentKind From { get; init; } = ParentKind.Territorial;

    public EndNear NearAt(Instant now) => (NotAfter - now) switch
    {
        var left when left <= Duration.Zero => EndNear.Ended,
        var left when left <= Duration.FromDays(7) => EndNear.Within7Days,
        var left when left <= Duration.FromDays(14) => EndNear.Within14Days,
        var left when left <= Duration.FromDays(30) => EndNear.Within30Days,
        _ => EndNear.Far,
    };

    /// <summary>True from two thirds of its life on.</summary>
    public bool IsDueAt(Instant now) => now >= NotBefore + ((NotAfter - NotBefore) * 2 / 3);
}

/// <summary>
/// Looks after certificates (clause E6): takes up changed files, has the node's own renewed at two thirds of their life, and tells 30, 14 and 7 days ahead of every end, the
/// node's own and its children's.
/// </summary>
public sealed class CertificateWatch(
    NodeConfiguration configuration, NodeCredentials credentials, ChildrenFold children, TimeProvider clock, IEntropy entropy)
{
    /// <summary>Codes of <see cref="Told"/> that are good news.</summary>
    public const string ReadAgain = "CERTIFICATES_READ";

    public const string Renewed = "CERTIFICATES_RENEWED";

    /// <summary>After a renewal that failed: an hour is little of the months that are left.</summary>
    private static readonly Duration RetryAfter = Duration.FromHours(1);

    private readonly Dictionary<string, EndNear> _told = [];
    private readonly Dictionary<ParentKind, Instant> _nextTry = [];
    private string? _faultSeen;
    private string? _faultTold;

    /// <summary>Is told of what an operator should know: a code and words.</summary>
    public Action<string, string> Told { get; set; } = (_, _) => { };

    /// <summary>The node's own certificates that are in use.</summary>
    public IReadOnlyList<CertificateEnd> Own() =>
    [
        .. from used in credentials.InUse
           let certificate = used.Certificate
           select new CertificateEnd(configuration.Node, used.Kind, certificate.SerialNumber.ToLowerInvariant(), InstantOf(certificate.NotBefore), InstantOf(certificate.NotAfter)) { From = used.From },
    ];

    /// <summary>The newest certificate for connections of each child that reports.</summary>
    public IReadOnlyList<CertificateEnd> OfChildren() =>
    [
        .. from place in children.Places
           where place.RetiredAt is null
           let newest = place.Newest(CertificateKind.Link)
           where newest is not null
           select new CertificateEnd(place.Node, CertificateKind.Link, newest.Serial, newest.NotBefore, newest.NotAfter),
    ];

    /// <summary>One look around. Called every minute, by one thread at a time.</summary>
    public async Task LookAsync(CancellationToken stop)
    {
        if (credentials.Refresh(out var fault))
        {
            Told(ReadAgain, "The files of this node's certificates have changed and are in use; connections that begin now have the new ones.");
        }

        TellOf(fault);

        var now = clock.Now();
        foreach (var from in new[] { ParentKind.Territorial, ParentKind.Sector })
        {
            if (now >= _nextTry.GetValueOrDefault(from, Instant.MinValue) && Own().Any(c => c.From == from && Renews(c) && c.IsDueAt(now)))
            {
                _nextTry[from] = now + RetryAfter;
                await RenewAsync(from, stop);
            }
        }

        foreach (var end in Own().Concat(OfChildren()))
        {
            Warn(end, now);
        }
    }

    /// <summary>A fault that stands at two looks is no change by hand that is under way, and is told once.</summary>
    private void TellOf(string? fault)
    {
        if (fault is not null && fault == _faultSeen && fault != _faultTold)
        {
            Told("CERTIFICATES_UNUSABLE", $"The files of this node's certificates have changed and cannot be used; it goes on with those that it has: {fault}");
            _faultTold = fault;
        }

        _faultSeen = fault;
        _faultTold = fault is null ? null : _faultTold;
    }

    private bool Renews(CertificateEnd end) => configuration.Parent is not null || (configuration.Children is not null && end.Kind != CertificateKind.Authority);

    private async Task RenewAsync(ParentKind from, CancellationToken stop)
    {
        var trust = credentials.TrustOf(from);
        var files = from == ParentKind.Sector ? credentials.SectorFiles! : credentials.Files;
        try
        {
            var end = (from == ParentKind.Sector ? configuration.SectorParent : configuration.Parent) is { } parent
                ? await new EnrolmentClient(clock, parent.Proxy).RenewAsync(
                    parent.Url, credentials.CredentialFor(from), (certificate, between) => IsParent(certificate, between, parent, trust),
                    new Enrollee(configuration.Node, configuration.Division, trust.Register!, files), trust, stop)
                : RootCeremony.GiveItself(configuration, credentials.Authority(), clock, entropy);
            if (!credentials.Refresh(out var fault) && fault is not null)
            {
                throw new IOException(fault);
            }

            Told(Renewed, $"This node's certificates {OfWhom(from)}were renewed; they hold until {end:O}.");
        }
        catch (Exception failure) when (failure is RpcException or EnrolmentRefusedException or IOException or System.Security.Cryptography.CryptographicException)
        {
            Told("CERTIFICATE_NOT_RENEWED", $"This node's certificates {OfWhom(from)}were not renewed, and it is tried again in an hour: {(failure is RpcException call ? call.Status.Detail : failure.Message)}");
        }
    }

    private static string OfWhom(ParentKind from) => from == ParentKind.Sector ? "for its sector's parent " : string.Empty;

    private bool IsParent(X509Certificate2? certificate, X509Certificate2Collection between, ParentConfiguration parent, NetworkTrust trust) =>
        PeerCertificate.Read(certificate, between, trust, PeerUse.Server, clock.GetUtcNow(), out _) is { } peer && parent.IsNamedBy(peer);

    /// <summary>Each step nearer to the end is told once, by each life of the process.</summary>
    private void Warn(CertificateEnd end, Instant now)
    {
        var near = end.NearAt(now);
        if (near > _told.GetValueOrDefault(end.Serial))
        {
            _told[end.Serial] = near;
            Told("CERTIFICATE_ENDS", near == EndNear.Ended
                ? $"The {end.Kind} certificate of {end.Node} {OfWhom(end.From)}ended on {end.NotAfter}. Open the place of {end.Node} anew at its parent and enrol it again."
                : $"The {end.Kind} certificate of {end.Node} {OfWhom(end.From)}ends on {end.NotAfter}, in {(end.NotAfter - now).Days} days. It should have been renewed by now: see what {end.Node} says of its renewal.");
        }
    }

    private static Instant InstantOf(DateTime local) => Instant.FromDateTimeOffset(new DateTimeOffset(local));
}
