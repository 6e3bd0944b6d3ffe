using CityGrid.Hub.Children;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Reception;
using NUnit.Framework;

namespace CityGrid.Tests.Children;

/// <summary>Clause E3: who opens a place, what for, and with whose approval; decided over the real fold.</summary>
public sealed class A_place_is_opened_by_people
{
    private static readonly NodeId Wuhan = NodeId.Parse("wuhan");
    private readonly SeededEntropy _entropy = new(40);
    private CertificateAuthority _authority = null!;
    private ChildrenFold _fold = null!;
    private long _lsn;

    [SetUp]
    public void Authority()
    {
        var (root, key) = CertificateAuthority.NewRoot(NodeId.Parse("hubei"), [DivisionCode.Parse("42")], Parent.Noon.ToDateTimeOffset(), _entropy);
        _authority = CertificateAuthority.Open(root, key, root);
        (_fold, _lsn) = (new ChildrenFold(), 0);
    }

    [TearDown]
    public void Release() => _authority.Dispose();

    [Test]
    public void With_two_approvals_the_second_is_another_persons_and_only_then_is_there_a_code()
    {
        var desk = Desk(ApprovalRule.Two);
        var asked = Do(desk.Open(Wuhan, [DivisionCode.Parse("4201")], false, false, "li"));
        Assert.That(asked.Code, Is.Null);
        Assert.That(asked.Place!.StateAt(Parent.Noon), Is.EqualTo(PlaceState.Asked));
        Assert.That(Do(desk.Approve(Wuhan, "li")).Refusal?.Code, Is.EqualTo("APPROVER_IS_ASKER"));

        var approved = Do(desk.Approve(Wuhan, "wang"));

        Assert.Multiple(() =>
        {
            Assert.That(approved.Code?.Parent, Is.EqualTo(NodeId.Parse("hubei")));
            Assert.That(EnrolmentCode.TryParse(approved.Code!.ToString(), out var read) && read!.ToString() == approved.Code.ToString(), Is.True);
            Assert.That(approved.Place!.StateAt(Parent.Noon), Is.EqualTo(PlaceState.Open));
            Assert.That((approved.Place.Opening!.AskedBy, approved.Place.Opening.ApprovedBy), Is.EqualTo(("li", "wang")));
            Assert.That(Do(desk.Approve(Wuhan, "zhao")).Refusal?.Code, Is.EqualTo("PLACE_NOT_ASKED"), "once approved it has its code");
        });
    }

    [Test]
    public void With_one_the_code_is_there_at_once_and_opening_again_makes_it_void()
    {
        var desk = Desk(ApprovalRule.One);
        var first = Do(desk.Open(Wuhan, [DivisionCode.Parse("4201")], false, false, "li")).Code!;
        var second = Do(desk.Open(Wuhan, [DivisionCode.Parse("4201")], false, false, "li")).Code!;

        Assert.That(Enrol(desk, first).Refusal?.Code, Is.EqualTo("CODE_REFUSED"));
        Assert.That(Enrol(desk, second).Refusal, Is.Null);
    }

    [TestCase("43", "PLACE_OUTSIDE", TestName = "Not_for_a_sibling")]
    [TestCase("CN", "PLACE_OUTSIDE", TestName = "Not_for_what_lies_above")]
    [TestCase("42", "PLACE_OUTSIDE", TestName = "Not_for_the_parents_own")]
    [TestCase("420-X", "PLACE_OUTSIDE", TestName = "Not_for_what_only_begins_alike")]
    [TestCase("99", "UNKNOWN_DIVISION", TestName = "Not_for_what_the_register_does_not_have")]
    public void For_divisions_below_alone(string division, string code)
    {
        var answer = Do(Desk(ApprovalRule.One).Open(Wuhan, [DivisionCode.Parse("4201"), DivisionCode.Parse(division)], false, false, "li"));

        Assert.That(answer.Refusal?.Code, Is.EqualTo(code));
        Assert.That(_fold.Find(Wuhan), Is.Null, "nothing is half-applied");
    }

    [Test]
    public void An_enrolled_child_is_replaced_and_its_old_certificates_end_when_the_new_ones_come()
    {
        var desk = Desk(ApprovalRule.One);
        var old = Enrol(desk, Do(desk.Open(Wuhan, [DivisionCode.Parse("4201")], false, false, "li")).Code!).Certificates[0];
        Assert.That(Do(desk.Open(Wuhan, [DivisionCode.Parse("4201")], false, false, "li")).Refusal?.Code, Is.EqualTo("PLACE_TAKEN"));

        var code = Do(desk.Open(Wuhan, [DivisionCode.Parse("4201")], false, replaces: true, "li")).Code!;
        Assert.That(Admitted(desk, old), Is.Null, "the child reports on until the code is used");
        var @new = Enrol(desk, code).Certificates[0];

        Assert.That(Admitted(desk, old), Is.EqualTo("CERTIFICATE_REVOKED"));
        Assert.That(Admitted(desk, @new), Is.Null);
    }

    [Test]
    public void A_retired_child_is_no_child_until_its_place_is_opened_and_taken_again()
    {
        var desk = Desk(ApprovalRule.One);
        var old = Enrol(desk, Do(desk.Open(Wuhan, [DivisionCode.Parse("4201")], false, false, "li")).Code!).Certificates[0];
        Assert.That(Do(desk.Retire(Wuhan, "merged", "li")).Place!.StateAt(Parent.Noon), Is.EqualTo(PlaceState.Retired));
        Assert.That(Admitted(desk, old), Is.EqualTo("CHILD_RETIRED"));
        Assert.That(Do(desk.Retire(Wuhan, "merged", "li")).Refusal, Is.Null, "twice is once");

        var @new = Enrol(desk, Do(desk.Open(Wuhan, [DivisionCode.Parse("4201")], false, false, "li")).Code!).Certificates[0];

        Assert.That(Admitted(desk, old), Is.EqualTo("CERTIFICATE_REVOKED"));
        Assert.That(Admitted(desk, @new), Is.Null);
    }

    [Test]
    public void The_register_is_the_same_from_its_image_as_from_its_events()
    {
        var desk = Desk(ApprovalRule.Two);
        Do(desk.Open(Wuhan, [DivisionCode.Parse("4201"), DivisionCode.Parse("420111")], true, false, "li"));
        Enrol(desk, Do(desk.Approve(Wuhan, "wang")).Code!);
        Do(desk.Revoke(Wuhan, null, "lost", "li"));
        Do(desk.Open(NodeId.Parse("xiantao"), [DivisionCode.Parse("429004")], false, false, "li"));
        Do(desk.Open(NodeId.Parse("gone"), [DivisionCode.Parse("429004")], false, false, "li"));
        Do(desk.Retire(NodeId.Parse("gone"), "never came", "li"));

        var again = new ChildrenFold();
        again.Load(new MemoryStream(Image(_fold)));

        Assert.That(Image(again), Is.EqualTo(Image(_fold)));
        Assert.That(again.Places.Select(p => (p.Node, p.StateAt(Parent.Noon))), Is.EqualTo(_fold.Places.Select(p => (p.Node, p.StateAt(Parent.Noon)))));
    }

    private ChildrenDesk Desk(ApprovalRule rule) =>
        new(new ChildrenSettings(NodeId.Parse("hubei"), DivisionCode.Parse("42"), Registers.Tempting) { Approval = rule }, _fold, () => _authority, _entropy);

    private IssueAnswer Enrol(ChildrenDesk desk, EnrolmentCode code)
    {
        using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        return Do(desk.Enrol(Wuhan, DivisionCode.Parse("4201"), code.Secret, [new KeyRequest { Kind = CertificateKind.Link, Request = Google.Protobuf.ByteString.CopyFrom(CertificateAuthority.AskFor(Wuhan, key)) }]));
    }

    /// <summary>The code of the refusal, or null for one that is let in.</summary>
    private string? Admitted(ChildrenDesk desk, ChildCertificate certificate)
    {
        var peer = new CertifiedPeer(Wuhan, [DivisionCode.Parse("4201")], new PeerMark(certificate.Serial, desk.Authority.Mark, certificate.NotAfter.ToDateTimeOffset()));
        desk.Admission.Admit(peer, Parent.Noon, out var refusal);
        return refusal?.Code;
    }

    private TAnswer Do<TAnswer>(Command<TAnswer> command)
    {
        var decision = command.Decide(Parent.Noon);
        var ranges = new List<LsnRange>();
        foreach (var record in decision.Records)
        {
            var (first, last) = (new Lsn(_lsn + 1), new Lsn(_lsn + record.Events.Count));
            foreach (var draft in record.Events)
            {
                _fold.Apply(new JournalEvent(new Lsn(++_lsn), first, last, Parent.Noon, record.Actor, draft.Kind, draft.Schema, draft.Payload));
            }

            ranges.Add(new LsnRange(first, last, Parent.Noon));
        }

        return decision.Answer(ranges);
    }

    private static byte[] Image(ChildrenFold fold)
    {
        using var image = new MemoryStream();
        fold.Save(image);
        return image.ToArray();
    }
}

/// <summary>A peer with a certificate behind it.</summary>
internal sealed record CertifiedPeer(NodeId Node, IReadOnlyList<DivisionCode> Divisions, PeerMark? Mark) : IPeerIdentity;
