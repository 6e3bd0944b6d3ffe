using System.Collections.Immutable;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Hub.Children;

/// <summary>How a place stands.</summary>
public enum PlaceState
{
    /// <summary>Asked for; a second person has to approve it.</summary>
    Asked,

    /// <summary>Approved: whoever has the code may take it.</summary>
    Open,

    /// <summary>The code ran out, unused.</summary>
    Expired,

    /// <summary>The code was tried wrongly too often.</summary>
    Closed,

    /// <summary>The child has certificates that are taken.</summary>
    Enrolled,

    /// <summary>None of the child's certificates is taken any more.</summary>
    Revoked,

    /// <summary>The child reports no more.</summary>
    Retired,
}

/// <summary>A place being opened for a child, until its code is used.</summary>
public sealed record Opening(ImmutableArray<DivisionCode> Divisions, bool Authority, string AskedBy, Instant AskedAt)
{
    /// <summary>So many wrong codes close the place: 160 random bits are not guessed, and nobody mistypes a code five times.</summary>
    public const int WrongTriesMax = 5;

    public string ApprovedBy { get; init; } = string.Empty;

    /// <summary>Null until it is approved.</summary>
    public Hash256? CodeHash { get; init; }

    public Instant? ExpiresAt { get; init; }

    public int WrongTries { get; init; }

    public bool Used { get; init; }

    public bool IsClosed => WrongTries >= WrongTriesMax;
}

/// <summary>A certificate that this node issued to a child.</summary>
public sealed record ChildCertificate(CertificateKind Kind, string Serial, string KeyMark, ReadOnlyMemory<byte> Der, Instant NotBefore, Instant NotAfter)
{
    public Instant? RevokedAt { get; init; }

    public string RevokedFor { get; init; } = string.Empty;

    /// <summary>A newer one was shown; until then this one is taken beside it. Null while none was.</summary>
    public Instant? TakenUntil { get; init; }

    public bool IsTakenAt(Instant now) => RevokedAt is null && NotBefore <= now && now < NotAfter && (TakenUntil is not { } until || now < until);
}

/// <summary>
/// A child in the register of children: what it may report by word of this node, how it is taking its place, and the certificates it was given. A function of the journal.
/// </summary>
public sealed record Place(NodeId Node)
{
    /// <summary>The newest opening, kept after it was used: the same code with the same keys has the same answer again (E4).</summary>
    public Opening? Opening { get; init; }

    /// <summary>What the child may report, with all that lies below; that of the opening once its code was used.</summary>
    public ImmutableArray<DivisionCode> Divisions { get; init; } = [];

    public bool Authority { get; init; }

    /// <summary>Oldest first; those that have ended are dropped when new ones come.</summary>
    public ImmutableArray<ChildCertificate> Certificates { get; init; } = [];

    public Instant? EnrolledAt { get; init; }

    public Instant? RetiredAt { get; init; }

    public string RetiredFor { get; init; } = string.Empty;

    /// <summary>The newest certificate of a kind that was not revoked.</summary>
    public ChildCertificate? Newest(CertificateKind kind) => Certificates.LastOrDefault(c => c.Kind == kind && c.RevokedAt is null);

    public PlaceState StateAt(Instant now) =>
        Certificates.Any(c => c.Kind == CertificateKind.Link && c.IsTakenAt(now)) && RetiredAt is null ? PlaceState.Enrolled
        : Opening is { Used: false } opening
            ? opening.IsClosed ? PlaceState.Closed : opening.CodeHash is null ? PlaceState.Asked : now < opening.ExpiresAt ? PlaceState.Open : PlaceState.Expired
        : RetiredAt is not null ? PlaceState.Retired
        : PlaceState.Revoked;

    internal Place Enrol(ImmutableArray<ChildCertificate> issued, Instant at) => this with
    {
        Divisions = Opening!.Divisions,
        Authority = Opening.Authority,
        Opening = Opening with { Used = true },
        Certificates = [.. Certificates.Where(c => at < c.NotAfter), .. issued],
        EnrolledAt = at,
        RetiredAt = null,
        RetiredFor = string.Empty,
    };

    /// <summary>
    /// New certificates stand beside the ones before, which are taken on: the answer may be lost. Only a record of an earlier program names an end of those here.
    /// </summary>
    internal Place Renew(ImmutableArray<ChildCertificate> issued, Instant? overlapEnds, Instant at)
    {
        var kinds = issued.Select(c => c.Kind).ToHashSet();
        return this with
        {
            Certificates =
            [
                .. Certificates.Where(c => at < c.NotAfter).Select(c => overlapEnds is { } ends && kinds.Contains(c.Kind) && c.TakenUntil is null ? c with { TakenUntil = ends } : c),
                .. issued,
            ],
        };
    }

    /// <summary>The certificates for connections that the shown one replaces and that have no end yet but their own.</summary>
    internal IEnumerable<ChildCertificate> ReplacedBy(string serial) => Certificates.Any(c => c.Serial == serial)
        ? Certificates.TakeWhile(c => c.Serial != serial).Where(c => c is { Kind: CertificateKind.Link, RevokedAt: null, TakenUntil: null })
        : [];

    internal Place Show(string serial, Instant overlapEnds)
    {
        var replaced = ReplacedBy(serial).Select(c => c.Serial).ToHashSet(StringComparer.Ordinal);
        return this with { Certificates = [.. Certificates.Select(c => replaced.Contains(c.Serial) ? c with { TakenUntil = overlapEnds } : c)] };
    }

    internal Place Revoke(IReadOnlySet<string> serials, string reason, Instant at) => this with
    {
        Certificates = [.. Certificates.Select(c => serials.Contains(c.Serial) && c.RevokedAt is null ? c with { RevokedAt = at, RevokedFor = reason } : c)],
    };
}
