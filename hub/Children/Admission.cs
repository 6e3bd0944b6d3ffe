using CityGrid.Hub.Divisions;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Hub.Children;

/// <summary>
/// Who of those that show a sound certificate is a child of this node now, and for what (INV-29, clause E5): its place is in the register of children, its certificate was
/// issued here and is not revoked, and it speaks for what certificate and place both allow. Asked at the handshake, at each call and for each frame.
/// </summary>
/// <param name="fold">The register of children.</param>
/// <param name="register">The register of divisions.</param>
/// <param name="issuer">The mark of this node's own authority, as it is in office.</param>
public sealed class Admission(ChildrenFold fold, DivisionRegister register, Func<string> issuer)
{
    /// <summary>How long the certificates before it are taken once a renewed one was shown.</summary>
    public Duration Overlap { get; init; } = Duration.FromDays(7);

    /// <summary>
    /// What is to be noted of a child that is let in: with the first word under a renewed certificate the overlap of those before it begins, not when it was issued, for that
    /// answer may be lost and the line with it. Null where there is nothing to note.
    /// </summary>
    internal EventDraft? Shows(IPeerIdentity peer, Instant now) =>
        peer.Mark is { } mark && fold.Find(peer.Node)?.ReplacedBy(mark.Serial).Any() == true ? ChildrenEvents.Shown(peer.Node, mark.Serial, now + Overlap) : null;

    /// <summary>The peer with what it may speak for; null with the reason for one that is no child now.</summary>
    public IPeerIdentity? Admit(IPeerIdentity peer, Instant now, out Refusal? refusal)
    {
        refusal = Denied(peer, now, out var place);
        if (refusal is not null)
        {
            return null;
        }

        var both = Common(peer.Divisions, place!.Divisions);
        refusal = both.Count > 0 ? null : new Refusal(
            "CHILD_WITHOUT_DIVISION", $"The place of {peer.Node} is for {string.Join(", ", place.Divisions)}, its certificate for {string.Join(", ", peer.Divisions)}: nothing is in both. Open its place anew.");
        return refusal is null ? new AdmittedChild(peer.Node, both, peer.Mark) : null;
    }

    private Refusal? Denied(IPeerIdentity peer, Instant now, out Place? place)
    {
        place = fold.Find(peer.Node);
        if (place is null || place.Divisions.IsEmpty)
        {
            return new Refusal("CHILD_UNKNOWN", $"{peer.Node} is not in the register of children. Open a place for it (citygrid children open) and enrol it.");
        }

        if (place.RetiredAt is { } retired)
        {
            return new Refusal("CHILD_RETIRED", $"{peer.Node} reports no more since {retired}: {place.RetiredFor}");
        }

        if (peer.Mark is not { } mark)
        {
            return new Refusal("CERTIFICATE_MISSING", $"{peer.Node} showed no certificate.");
        }

        if (Instant.FromDateTimeOffset(mark.NotAfter) <= now)
        {
            return new Refusal("CERTIFICATE_OUT_OF_TIME", $"The certificate of {peer.Node} ended on {mark.NotAfter:O}. Open its place anew and enrol it again.");
        }

        var known = place.Certificates.FirstOrDefault(c => c.Serial == mark.Serial);
        if (known?.RevokedAt is { } revoked)
        {
            return new Refusal("CERTIFICATE_REVOKED", $"Certificate {mark.Serial} of {peer.Node} is not taken since {revoked}: {known.RevokedFor}");
        }

        if (known?.TakenUntil is { } until && until <= now)
        {
            return new Refusal("CERTIFICATE_REPLACED", $"Certificate {mark.Serial} of {peer.Node} was renewed, and is not taken since {until}. The newer one is at the child.");
        }

        // One that this authority signed and the register does not know is of days that a restored copy of this node has lost. Anybody else's is an impostor's, however
        // well its issuer covers the division: an authority below could name any node of its own subtree.
        return known is not null || mark.Issuer == issuer()
            ? null
            : new Refusal("CERTIFICATE_NOT_OURS", $"The certificate of {peer.Node} was not issued by this node. Open its place and enrol it here.");
    }

    /// <summary>The divisions that lie at or below one of each list.</summary>
    private List<DivisionCode> Common(IReadOnlyList<DivisionCode> shown, IReadOnlyList<DivisionCode> granted) =>
    [
        .. shown.Where(d => granted.Any(g => register.HasBeenAtOrBelow(d, g)))
            .Concat(granted.Where(g => shown.Any(d => register.HasBeenAtOrBelow(g, d))))
            .Distinct(),
    ];

    private sealed record AdmittedChild(NodeId Node, IReadOnlyList<DivisionCode> Divisions, PeerMark? Mark) : IPeerIdentity;
}
