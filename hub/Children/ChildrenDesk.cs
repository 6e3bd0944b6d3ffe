using System.Collections.Immutable;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Hub.Children;

/// <summary>How many people open a place.</summary>
public enum ApprovalRule
{
    /// <summary>Whoever opens it has the code at once.</summary>
    One,

    /// <summary>Another person than the one who asked approves it, and has the code.</summary>
    Two,
}

/// <summary>How a node takes children in: those that lie below it on any of the register's days, so that a place can be opened before the day on which its child comes (H2).</summary>
public sealed record ChildrenSettings(NodeId Node, DivisionCode Division, DivisionRegister Register)
{
    public ApprovalRule Approval { get; init; } = ApprovalRule.Two;

    /// <summary>How long a code may be used.</summary>
    public Duration CodeLife { get; init; } = Duration.FromDays(3);

    /// <summary>How long a child's certificates hold.</summary>
    public Duration CertificateLife { get; init; } = Duration.FromDays(397);

    /// <summary>How long a renewed certificate is taken beside the newer one once that was shown: copies of the child's files may still be in use.</summary>
    public Duration Overlap { get; init; } = Duration.FromDays(7);
}

/// <summary>What came of a step with a place: how it stands, and the code where one was made; or why nothing changed.</summary>
public sealed record PlaceAnswer(Place? Place, EnrolmentCode? Code, Refusal? Refusal);

/// <summary>The certificates that a child was given, now or before, with those between them and the root (DER, nearest first); or why it has none.</summary>
public sealed record IssueAnswer(IReadOnlyList<ChildCertificate> Certificates, IReadOnlyList<ReadOnlyMemory<byte>> Between, Refusal? Refusal);

/// <summary>
/// The desk where children are taken in, renewed and let go (clauses E3 to E7). Each step is one record of the journal; people's steps answer when it is durable.
/// </summary>
/// <param name="settings">How children are taken in.</param>
/// <param name="fold">The register of children.</param>
/// <param name="authority">This node's authority, as it is in office: a renewal puts another in its place.</param>
/// <param name="entropy">For codes and serials.</param>
public sealed class ChildrenDesk(ChildrenSettings settings, ChildrenFold fold, Func<CertificateAuthority> authority, IEntropy entropy)
{
    /// <summary>A place may name so many divisions: a province's development zones and the like.</summary>
    public const int DivisionsMax = 64;

    /// <summary>Newer certificates than this many are not given before older ones have ended: a child that asks in a loop fills no journal.</summary>
    public const int CertificatesMax = 8;

    public ChildrenFold Fold => fold;

    public CertificateAuthority Authority => authority();

    /// <summary>The admission by this desk's register.</summary>
    public Admission Admission { get; } = new(fold, settings.Register, () => authority().Mark) { Overlap = settings.Overlap };

    /// <summary>
    /// Opens a place. <paramref name="replaces"/> says that the child is enrolled and gets new keys: what it has now is taken until the code is used. Opening again makes an
    /// earlier code void.
    /// </summary>
    public Command<PlaceAnswer> Open(NodeId node, IReadOnlyList<DivisionCode> divisions, bool issues, bool replaces, string actor) =>
        new OpenPlace(this, node, [.. divisions.Distinct()], issues, replaces) { Actor = actor };

    /// <summary>The second person's word (<see cref="ApprovalRule.Two"/>).</summary>
    public Command<PlaceAnswer> Approve(NodeId node, string actor) => new ApprovePlace(this, node) { Actor = actor };

    /// <summary>Makes certificates of a child void: the one named, or all for null.</summary>
    public Command<PlaceAnswer> Revoke(NodeId node, string? serial, string reason, string actor) => new RevokeCertificates(this, node, serial, reason) { Actor = actor };

    /// <summary>The child reports no more; its figures stay. Opening its place anew brings it back.</summary>
    public Command<PlaceAnswer> Retire(NodeId node, string reason, string actor) => new RetireChild(this, node, reason) { Actor = actor };

    /// <summary>Whoever has the code takes the place.</summary>
    public Command<IssueAnswer> Enrol(NodeId node, DivisionCode division, ReadOnlyMemory<byte> secret, IReadOnlyList<KeyRequest> requests) =>
        new TakePlace(this, node, division, secret, requests) { Actor = $"node/{node}" };

    /// <summary>A child asks for newer certificates over its link.</summary>
    public Command<IssueAnswer> Renew(IPeerIdentity peer, IReadOnlyList<KeyRequest> requests) => new RenewCertificates(this, peer, requests) { Actor = $"node/{peer.Node}" };

    /// <summary>One child, one step at a time: the same thing that frames of its link touch.</summary>
    private abstract class ChildCommand<TAnswer>(NodeId node) : Command<TAnswer>
    {
        public NodeId Node => node;

        public override IReadOnlyCollection<Touched> Touches => [Touched.By("child", node.ToString())];
    }

    private sealed class OpenPlace(ChildrenDesk desk, NodeId node, ImmutableArray<DivisionCode> divisions, bool issues, bool replaces) : ChildCommand<PlaceAnswer>(node)
    {
        private readonly byte[] _secret = EnrolmentCode.NewSecret(desk._entropy);

        public override Decision<PlaceAnswer> Decide(Instant now)
        {
            if (Fault(now) is { } refusal)
            {
                return Decision<PlaceAnswer>.Nothing(new PlaceAnswer(desk.Fold.Find(Node), null, refusal));
            }

            var opened = ChildrenEvents.Opened(Node, divisions, issues);
            return desk._settings.Approval == ApprovalRule.Two
                ? Decision<PlaceAnswer>.Of(new RecordDraft(Actor, [opened]), _ => new PlaceAnswer(desk.Fold.Find(Node), null, null))
                : Decision<PlaceAnswer>.Of(new RecordDraft(Actor, [opened, desk.Approved(Node, _secret, now)]), _ => new PlaceAnswer(desk.Fold.Find(Node), desk.CodeOf(_secret), null));
        }

        private Refusal? Fault(Instant now)
        {
            var (settings, place) = (desk._settings, desk.Fold.Find(Node));
            if (Node == settings.Node)
            {
                return new Refusal("PLACE_OF_ITSELF", $"{Node} is this node; a node is not its own child.", "node");
            }

            if (divisions.Length is 0 or > DivisionsMax)
            {
                return new Refusal("PLACE_WITHOUT_DIVISION", $"A place names 1 to {DivisionsMax} divisions; {divisions.Length} were named.", "divisions");
            }

            foreach (var division in divisions)
            {
                if (!settings.Register.Contains(division))
                {
                    return new Refusal("UNKNOWN_DIVISION", $"{division} is not in the register of {settings.Node}. Correct the code, or load a register that has it.", "divisions");
                }

                if (division == settings.Division || !settings.Register.HasBeenAtOrBelow(division, settings.Division))
                {
                    return new Refusal("PLACE_OUTSIDE", $"{division} does not lie below {settings.Division}, for which {settings.Node} answers.", "divisions");
                }
            }

            if (issues && desk.Authority.DepthLeft == 0)
            {
                return new Refusal("AUTHORITY_TOO_DEEP", $"The authority of {settings.Node} may issue no further authorities; open the place without one.", "authority");
            }

            var enrolled = place?.StateAt(now) == PlaceState.Enrolled;
            return enrolled && !replaces ? new Refusal("PLACE_TAKEN", $"{Node} is enrolled. To give it new keys, replace it; to end it, retire it.", "node")
                : !enrolled && replaces && place is null ? new Refusal("CHILD_UNKNOWN", $"{Node} is not in the register of children; open a place for it.", "node")
                : null;
        }
    }

    private sealed class ApprovePlace(ChildrenDesk desk, NodeId node) : ChildCommand<PlaceAnswer>(node)
    {
        private readonly byte[] _secret = EnrolmentCode.NewSecret(desk._entropy);

        public override Decision<PlaceAnswer> Decide(Instant now)
        {
            var place = desk.Fold.Find(Node);
            var refusal = place?.Opening is not { Used: false, CodeHash: null } opening
                    ? new Refusal("PLACE_NOT_ASKED", $"No place of {Node} waits for approval. Open one first.", "node")
                : opening.AskedBy == Actor
                    ? new Refusal("APPROVER_IS_ASKER", $"{Actor} asked for this place; another person approves it.", "node")
                : null;
            return refusal is not null
                ? Decision<PlaceAnswer>.Nothing(new PlaceAnswer(place, null, refusal))
                : Decision<PlaceAnswer>.Of(new RecordDraft(Actor, [desk.Approved(Node, _secret, now)]), _ => new PlaceAnswer(desk.Fold.Find(Node), desk.CodeOf(_secret), null));
        }
    }

    private sealed class RevokeCertificates(ChildrenDesk desk, NodeId node, string? serial, string reason) : ChildCommand<PlaceAnswer>(node)
    {
        public override Decision<PlaceAnswer> Decide(Instant now)
        {
            var place = desk.Fold.Find(Node);
            var live = place?.Certificates.Where(c => c.RevokedAt is null && (serial is null || c.Serial == serial)).Select(c => c.Serial).ToArray() ?? [];
            var refusal = place is null ? Unknown(Node)
                : live.Length == 0 ? new Refusal("CERTIFICATE_UNKNOWN", $"{Node} has no {(serial is null ? "certificate" : $"certificate {serial}")} that could be revoked.", "serial")
                : null;
            return refusal is not null
                ? Decision<PlaceAnswer>.Nothing(new PlaceAnswer(place, null, refusal))
                : Decision<PlaceAnswer>.Of(new RecordDraft(Actor, [ChildrenEvents.Revoked(Node, live, reason)]), _ => new PlaceAnswer(desk.Fold.Find(Node), null, null));
        }
    }

    private sealed class RetireChild(ChildrenDesk desk, NodeId node, string reason) : ChildCommand<PlaceAnswer>(node)
    {
        public override Decision<PlaceAnswer> Decide(Instant now)
        {
            var place = desk.Fold.Find(Node);
            if (place is null || (place.RetiredAt is not null && place.Opening is null))
            {
                return Decision<PlaceAnswer>.Nothing(new PlaceAnswer(place, null, place is null ? Unknown(Node) : null));
            }

            var live = place.Certificates.Where(c => c.RevokedAt is null).Select(c => c.Serial).ToArray();
            EventDraft[] events = [.. live.Length == 0 ? [] : new[] { ChildrenEvents.Revoked(Node, live, reason) }, ChildrenEvents.Retired(Node, reason)];
            return Decision<PlaceAnswer>.Of(new RecordDraft(Actor, events), _ => new PlaceAnswer(desk.Fold.Find(Node), null, null));
        }
    }

    private sealed class TakePlace(ChildrenDesk desk, NodeId node, DivisionCode division, ReadOnlyMemory<byte> secret, IReadOnlyList<KeyRequest> requests) : ChildCommand<IssueAnswer>(node)
    {
        // One authority for all that the answer brings.
        private readonly CertificateAuthority _authority = desk.Authority;
        private readonly byte[][] _serials = [.. requests.Select(_ => CertificateAuthority.SerialFrom(desk._entropy))];

        public override Decision<IssueAnswer> Decide(Instant now)
        {
            var place = desk.Fold.Find(Node);
            if (place?.Opening is not { CodeHash: { } hash } opening)
            {
                return Refused(WrongCode);
            }

            if (opening.IsClosed)
            {
                return Refused(new Refusal("CODE_CLOSED", $"The place of {Node} was closed after {Opening.WrongTriesMax} wrong codes. Ask the parent to open it anew."));
            }

            if (!EnrolmentCode.Fits(secret.Span, hash))
            {
                return opening.Used ? Refused(WrongCode)
                    : Decision<IssueAnswer>.Of(new RecordDraft(Actor, [ChildrenEvents.Tried(Node)]), _ => new IssueAnswer([], [], WrongCode));
            }

            if (desk.Read(requests, opening.Authority, out var keys) is { } fault)
            {
                return Refused(fault);
            }

            if (opening.Used)
            {
                // The answer was lost on its way: the same keys have the same certificates again.
                var given = keys.Select(key => place.Certificates.FirstOrDefault(c => c.Kind == key.Kind && c.KeyMark == CertificateAuthority.MarkOf(key.Key) && c.RevokedAt is null)).ToArray();
                return given.Any(c => c is null || !_authority.Issued(c.Der))
                    ? Refused(new Refusal("CODE_USED", $"The code of {Node} was used, with other keys, for certificates that are revoked, or under an authority that was renewed since. Ask the parent to replace it."))
                    : Decision<IssueAnswer>.Nothing(new IssueAnswer(given!, _authority.Between, null));
            }

            if (now >= opening.ExpiresAt)
            {
                return Refused(new Refusal("CODE_EXPIRED", $"The code of {Node} could be used until {opening.ExpiresAt}. Ask the parent to open the place anew."));
            }

            if (!opening.Divisions.Any(d => desk._settings.Register.HasBeenAtOrBelow(division, d)))
            {
                return Refused(new Refusal("PLACE_OUTSIDE", $"{Node} says that it answers for {division}; its place is for {string.Join(", ", opening.Divisions)}. Mend one of the two.", "division"));
            }

            var issued = desk.Issue(_authority, Node, opening.Divisions, keys, _serials, now);
            var before = place.Certificates.Where(c => c.RevokedAt is null).Select(c => c.Serial).ToArray();
            EventDraft[] events =
            [
                .. before.Length == 0 ? [] : new[] { ChildrenEvents.Revoked(Node, before, "Replaced.") },
                ChildrenEvents.Enrolled(Node, issued),
            ];
            Failpoint.Hit("place.take.before");
            return Decision<IssueAnswer>.Of(new RecordDraft(Actor, events), _ => Taken(issued));
        }

        private IssueAnswer Taken(IReadOnlyList<ChildCertificate> issued)
        {
            Failpoint.Hit("place.take.after");
            return new IssueAnswer(issued, _authority.Between, null);
        }

        private Refusal WrongCode => new("CODE_REFUSED", $"There is no open place of {Node} with this code. Check the node's name and the code.");
    }

    private sealed class RenewCertificates(ChildrenDesk desk, IPeerIdentity peer, IReadOnlyList<KeyRequest> requests) : ChildCommand<IssueAnswer>(peer.Node)
    {
        // One authority for all that the answer brings.
        private readonly CertificateAuthority _authority = desk.Authority;
        private readonly byte[][] _serials = [.. requests.Select(_ => CertificateAuthority.SerialFrom(desk._entropy))];

        public override Decision<IssueAnswer> Decide(Instant now)
        {
            if (desk.Admission.Admit(peer, now, out var denial) is null)
            {
                return Refused(denial!);
            }

            var place = desk.Fold.Find(Node)!;
            if (desk.Read(requests, place.Authority, out var keys) is { } fault)
            {
                return Refused(fault);
            }

            var known = keys.Select(key => place.Certificates.FirstOrDefault(c => c.Kind == key.Kind && c.KeyMark == CertificateAuthority.MarkOf(key.Key) && c.IsTakenAt(now))).ToArray();
            if (known.All(c => c is { TakenUntil: null } && c.Serial != peer.Mark!.Serial && _authority.Issued(c.Der)))
            {
                return Decision<IssueAnswer>.Nothing(new IssueAnswer(known!, _authority.Between, null));
            }

            if (place.Certificates.Count(c => c.Kind == CertificateKind.Link && c.IsTakenAt(now)) >= CertificatesMax)
            {
                return Refused(new Refusal("RENEWED_TOO_OFTEN", $"{Node} has {CertificatesMax} certificates that are taken; ask again when one has ended."));
            }

            var issued = desk.Issue(_authority, Node, place.Divisions, keys, _serials, now);
            return Decision<IssueAnswer>.Of(new RecordDraft(Actor, [ChildrenEvents.Renewed(Node, issued)]), _ => new IssueAnswer(issued, _authority.Between, null));
        }
    }

    private static Decision<IssueAnswer> Refused(Refusal refusal) => Decision<IssueAnswer>.Nothing(new IssueAnswer([], [], refusal));

    private static Refusal Unknown(NodeId node) => new("CHILD_UNKNOWN", $"{node} is not in the register of children; citygrid children list shows those that are.", "node");

    private readonly ChildrenSettings _settings = settings;
    private readonly IEntropy _entropy = entropy;

    private EventDraft Approved(NodeId node, byte[] secret, Instant now) => ChildrenEvents.Approved(node, EnrolmentCode.HashOf(secret), now + _settings.CodeLife);

    private EnrolmentCode CodeOf(byte[] secret) => new(_settings.Node, secret, Hash256.Of(Authority.Root.Span));

    /// <summary>The keys of a child's requests: for connections and for signatures, and for an authority where its place allows one.</summary>
    private Refusal? Read(IReadOnlyList<KeyRequest> requests, bool authority, out List<(CertificateKind Kind, System.Security.Cryptography.X509Certificates.PublicKey Key)> keys)
    {
        keys = [];
        foreach (var request in requests)
        {
            if (request.Kind is not (CertificateKind.Link or CertificateKind.Signer or CertificateKind.Authority) || keys.Any(k => k.Kind == request.Kind))
            {
                return new Refusal("MALFORMED", "A child asks for one certificate of each kind: link, signer and, where its place allows one, authority.", "requests");
            }

            if (CertificateAuthority.KeyOf(request.Request.Span) is not { } key)
            {
                return new Refusal("KEY_REFUSED", $"The request for a {request.Kind} certificate is no PKCS #10 request that a key of ECDSA over P-256 signed.", "requests");
            }

            keys.Add((request.Kind, key));
        }

        var marks = keys.Select(k => CertificateAuthority.MarkOf(k.Key)).Distinct().Count();
        return keys.All(k => k.Kind != CertificateKind.Link) ? new Refusal("MALFORMED", "The request for a certificate for connections is missing.", "requests")
            : marks < keys.Count ? new Refusal("KEY_REFUSED", "Each certificate has a key of its own: who takes the key of a running connection must not be able to sign or to issue with it.", "requests")
            : keys.Any(k => k.Kind == CertificateKind.Authority) && !authority ? new Refusal("AUTHORITY_NOT_ALLOWED", "The place was opened without an authority over children of its own.", "requests")
            : null;
    }

    private ImmutableArray<ChildCertificate> Issue(
        CertificateAuthority authority, NodeId node, IReadOnlyList<DivisionCode> divisions, IReadOnlyList<(CertificateKind Kind, System.Security.Cryptography.X509Certificates.PublicKey Key)> keys, byte[][] serials, Instant now)
    {
        var (at, life) = (now.ToDateTimeOffset(), _settings.CertificateLife.ToTimeSpan());
        return
        [
            .. keys.Select((key, i) => authority.Issue(key.Kind, node, divisions, key.Key, at, life, serials[i]))
                .Select(c => new ChildCertificate(c.Kind, c.Serial, c.KeyMark, c.Der, Instant.FromDateTimeOffset(c.NotBefore), Instant.FromDateTimeOffset(c.NotAfter))),
        ];
    }
}
