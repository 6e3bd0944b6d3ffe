using System.Collections.Immutable;
using CityGrid.Hub.Children.V1;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Hub.Children;

/// <summary>
/// The register of children: a fold of the journal's events 40 to 47. It is read on any thread: at handshakes, which wait for nobody.
/// </summary>
public sealed class ChildrenFold : IFold
{
    private ImmutableSortedDictionary<NodeId, Place> _places = ImmutableSortedDictionary<NodeId, Place>.Empty;
    private ImmutableDictionary<string, (NodeId Node, string Serial)> _revoked = ImmutableDictionary<string, (NodeId, string)>.Empty;

    public string Name => "children";

    public int Version => 1;

    public bool Takes(ushort kind) => kind < EventKinds.NodeFirst;

    /// <summary>Every place that was ever opened, in order of name.</summary>
    public IEnumerable<Place> Places => Volatile.Read(ref _places).Values;

    public Place? Find(NodeId node) => Volatile.Read(ref _places).GetValueOrDefault(node);

    /// <summary>
    /// Why a signer is not taken any more (clause E7): this node revoked its certificate, or that of an authority on its way to the root. Null for one of which nothing was revoked here.
    /// </summary>
    public Refusal? RevokedOf(Signer signer)
    {
        var revoked = Volatile.Read(ref _revoked);
        if (revoked.IsEmpty)
        {
            return null;
        }

        foreach (var certificate in signer.Way)
        {
            if (revoked.TryGetValue(certificate.KeyMark, out var known) && Find(known.Node)?.Certificates.FirstOrDefault(c => c.Serial == known.Serial) is { RevokedAt: { } at } found)
            {
                return new Refusal("SIGNER_REVOKED", $"Certificate {found.Serial} of {known.Node}, by which {signer.Node} signs, is not taken since {at}: {found.RevokedFor} Open the place of {known.Node} anew and enrol it again.");
            }
        }

        return null;
    }

    /// <summary>The children of which a certificate was made void by these events.</summary>
    public static IEnumerable<NodeId> Dropped(IReadOnlyList<JournalEvent> events) =>
        events.Where(e => e.Kind == EventKinds.ChildRevoked).Select(e => NodeId.Parse(ChildRevoked.Parser.ParseFrom(e.Payload.Span).Node)).Distinct();

    public void Apply(in JournalEvent journalEvent)
    {
        var at = journalEvent.RecordedAt;
        var payload = journalEvent.Payload.Span;
        switch (journalEvent.Kind)
        {
            case EventKinds.PlaceOpened:
                var opened = PlaceOpened.Parser.ParseFrom(payload);
                var opening = new Opening([.. opened.Divisions.Select(DivisionCode.Parse)], opened.Authority, journalEvent.Actor, at);
                Change(opened.Node, place => place with { Opening = opening }, create: true);
                break;
            case EventKinds.PlaceApproved:
                var (approved, approver) = (PlaceApproved.Parser.ParseFrom(payload), journalEvent.Actor);
                Change(approved.Node, place => place with
                {
                    Opening = place.Opening! with
                    {
                        ApprovedBy = approver,
                        CodeHash = Hash256.FromBytes(approved.CodeHash.Span),
                        ExpiresAt = Instant.FromUnixTimeTicks(approved.ExpiresAt),
                    },
                });
                break;
            case EventKinds.CodeTried:
                Change(CodeTried.Parser.ParseFrom(payload).Node, place => place with { Opening = place.Opening! with { WrongTries = place.Opening.WrongTries + 1 } });
                break;
            case EventKinds.ChildEnrolled:
                var enrolled = ChildEnrolled.Parser.ParseFrom(payload);
                Change(enrolled.Node, place => place.Enrol([.. enrolled.Certificates.Select(ChildrenEvents.ToCertificate)], at));
                break;
            case EventKinds.ChildRenewed:
                var renewed = ChildRenewed.Parser.ParseFrom(payload);
                Change(renewed.Node, place => place.Renew([.. renewed.Certificates.Select(ChildrenEvents.ToCertificate)], renewed.OverlapEnds == 0 ? null : Instant.FromUnixTimeTicks(renewed.OverlapEnds), at));
                break;
            case EventKinds.ChildRevoked:
                var revoked = ChildRevoked.Parser.ParseFrom(payload);
                Change(revoked.Node, place => place.Revoke(revoked.Serials.ToHashSet(StringComparer.Ordinal), revoked.Reason, at));
                Volatile.Write(ref _revoked, _revoked.SetItems(RevokedIn(Find(NodeId.Parse(revoked.Node))!)));
                break;
            case EventKinds.CertificateShown:
                var shown = CertificateShown.Parser.ParseFrom(payload);
                Change(shown.Node, place => place.Show(shown.Serial, Instant.FromUnixTimeTicks(shown.OverlapEnds)));
                break;
            case EventKinds.ChildRetired:
                var retired = ChildRetired.Parser.ParseFrom(payload);
                Change(retired.Node, place => place with { RetiredAt = at, RetiredFor = retired.Reason, Opening = null });
                break;
        }
    }

    public void Save(Stream target) => new ChildrenImage { Places = { Places.Select(ChildrenEvents.ToImage) } }.WriteTo(target);

    public void Load(Stream source)
    {
        Volatile.Write(ref _places, ChildrenImage.Parser.ParseFrom(source).Places.Select(ChildrenEvents.ToPlace).ToImmutableSortedDictionary(place => place.Node, place => place));
        Volatile.Write(ref _revoked, ImmutableDictionary<string, (NodeId, string)>.Empty.SetItems(Places.SelectMany(RevokedIn)));
    }

    private static IEnumerable<KeyValuePair<string, (NodeId Node, string Serial)>> RevokedIn(Place place) =>
        place.Certificates.Where(c => c.RevokedAt is not null).Select(c => KeyValuePair.Create(c.KeyMark, (place.Node, c.Serial)));

    private void Change(string name, Func<Place, Place> change, bool create = false)
    {
        var node = NodeId.Parse(name);
        var place = _places.GetValueOrDefault(node) ?? (create ? new Place(node) : throw new FormatException($"There is no place of {node} in the register of children."));
        Volatile.Write(ref _places, _places.SetItem(node, change(place)));
    }
}

/// <summary>Events of the register of children, and its image. Schema 1.</summary>
internal static class ChildrenEvents
{
    private const ushort Schema = 1;

    public static EventDraft Opened(NodeId node, IEnumerable<DivisionCode> divisions, bool authority) =>
        Draft(EventKinds.PlaceOpened, new PlaceOpened { Node = node.ToString(), Divisions = { divisions.Select(d => d.ToString()) }, Authority = authority });

    public static EventDraft Approved(NodeId node, Hash256 codeHash, Instant expiresAt) => Draft(
        EventKinds.PlaceApproved, new PlaceApproved { Node = node.ToString(), CodeHash = ByteString.CopyFrom(codeHash.ToBytes()), ExpiresAt = expiresAt.ToUnixTimeTicks() });

    public static EventDraft Tried(NodeId node) => Draft(EventKinds.CodeTried, new CodeTried { Node = node.ToString() });

    public static EventDraft Enrolled(NodeId node, IEnumerable<ChildCertificate> issued) =>
        Draft(EventKinds.ChildEnrolled, new ChildEnrolled { Node = node.ToString(), Certificates = { issued.Select(ToIssued) } });

    public static EventDraft Renewed(NodeId node, IEnumerable<ChildCertificate> issued) =>
        Draft(EventKinds.ChildRenewed, new ChildRenewed { Node = node.ToString(), Certificates = { issued.Select(ToIssued) } });

    public static EventDraft Shown(NodeId node, string serial, Instant overlapEnds) => Draft(
        EventKinds.CertificateShown, new CertificateShown { Node = node.ToString(), Serial = serial, OverlapEnds = overlapEnds.ToUnixTimeTicks() });

    public static EventDraft Revoked(NodeId node, IEnumerable<string> serials, string reason) =>
        Draft(EventKinds.ChildRevoked, new ChildRevoked { Node = node.ToString(), Serials = { serials }, Reason = reason });

    public static EventDraft Retired(NodeId node, string reason) => Draft(EventKinds.ChildRetired, new ChildRetired { Node = node.ToString(), Reason = reason });

    public static ChildCertificate ToCertificate(Issued issued) => new(
        (CertificateKind)issued.Kind, issued.Serial, issued.KeyMark, issued.Certificate.ToByteArray(), Instant.FromUnixTimeTicks(issued.NotBefore), Instant.FromUnixTimeTicks(issued.NotAfter));

    public static PlaceImage ToImage(Place place)
    {
        var image = new PlaceImage
        {
            Node = place.Node.ToString(),
            Divisions = { place.Divisions.Select(d => d.ToString()) },
            Authority = place.Authority,
            RetiredFor = place.RetiredFor,
        };
        if (place.Opening is { } opening)
        {
            image.Opening = new OpeningImage
            {
                Divisions = { opening.Divisions.Select(d => d.ToString()) },
                Authority = opening.Authority,
                AskedBy = opening.AskedBy,
                AskedAt = opening.AskedAt.ToUnixTimeTicks(),
                ApprovedBy = opening.ApprovedBy,
                CodeHash = opening.CodeHash is { } hash ? ByteString.CopyFrom(hash.ToBytes()) : ByteString.Empty,
                WrongTries = opening.WrongTries,
                Used = opening.Used,
            };
            if (opening.ExpiresAt is { } expires)
            {
                image.Opening.ExpiresAt = expires.ToUnixTimeTicks();
            }
        }

        if (place.EnrolledAt is { } enrolled)
        {
            image.EnrolledAt = enrolled.ToUnixTimeTicks();
        }

        if (place.RetiredAt is { } retired)
        {
            image.RetiredAt = retired.ToUnixTimeTicks();
        }

        image.Certificates.AddRange(place.Certificates.Select(ToImage));
        return image;
    }

    public static Place ToPlace(PlaceImage image) => new(NodeId.Parse(image.Node))
    {
        Divisions = [.. image.Divisions.Select(DivisionCode.Parse)],
        Authority = image.Authority,
        Opening = image.Opening is not { } opening ? null : new Opening([.. opening.Divisions.Select(DivisionCode.Parse)], opening.Authority, opening.AskedBy, Instant.FromUnixTimeTicks(opening.AskedAt))
        {
            ApprovedBy = opening.ApprovedBy,
            CodeHash = opening.CodeHash.IsEmpty ? null : Hash256.FromBytes(opening.CodeHash.Span),
            ExpiresAt = opening.HasExpiresAt ? Instant.FromUnixTimeTicks(opening.ExpiresAt) : null,
            WrongTries = opening.WrongTries,
            Used = opening.Used,
        },
        Certificates =
        [
            .. image.Certificates.Select(c => ToCertificate(c.Issued) with
            {
                RevokedAt = c.HasRevokedAt ? Instant.FromUnixTimeTicks(c.RevokedAt) : null,
                RevokedFor = c.RevokedFor,
                TakenUntil = c.HasTakenUntil ? Instant.FromUnixTimeTicks(c.TakenUntil) : null,
            }),
        ],
        EnrolledAt = image.HasEnrolledAt ? Instant.FromUnixTimeTicks(image.EnrolledAt) : null,
        RetiredAt = image.HasRetiredAt ? Instant.FromUnixTimeTicks(image.RetiredAt) : null,
        RetiredFor = image.RetiredFor,
    };

    private static CertificateImage ToImage(ChildCertificate certificate)
    {
        var image = new CertificateImage { Issued = ToIssued(certificate), RevokedFor = certificate.RevokedFor };
        if (certificate.RevokedAt is { } revoked)
        {
            image.RevokedAt = revoked.ToUnixTimeTicks();
        }

        if (certificate.TakenUntil is { } until)
        {
            image.TakenUntil = until.ToUnixTimeTicks();
        }

        return image;
    }

    private static Issued ToIssued(ChildCertificate certificate) => new()
    {
        Kind = (int)certificate.Kind,
        Serial = certificate.Serial,
        KeyMark = certificate.KeyMark,
        Certificate = ByteString.CopyFrom(certificate.Der.Span),
        NotBefore = certificate.NotBefore.ToUnixTimeTicks(),
        NotAfter = certificate.NotAfter.ToUnixTimeTicks(),
    };

    private static EventDraft Draft(ushort kind, IMessage payload) => new(kind, Schema, payload.ToByteArray());
}
