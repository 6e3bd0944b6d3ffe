using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Reception.V1;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using CityGrid.Tests.Identity;
using Google.Protobuf;
using NUnit.Framework;

namespace CityGrid.Tests.Reception;

/// <summary>Clauses A2 to A4, INV-28: what a signed head must speak of, and what comes of one that does not.</summary>
public sealed class A_child_signs_what_it_sends
{
    private Signers _signers = null!;
    private ISignatures _key = null!;
    private Parent _parent = null!;
    private Child _child = null!;

    [SetUp]
    public void Meet()
    {
        _signers = new Signers(Parent.Noon);
        _key = _signers.Of("wuhan");
        _parent = new Parent("hubei", "42", Registers.Tempting);
        _parent.Notary = new ChildNotary(_signers.Of("hubei"), _parent.Settings.Node, new Incarnation(9), new VirtualClock(new VirtualTime(Parent.Noon.ToDateTimeOffset())));
        _child = new Child("wuhan", "4201");
    }

    [TearDown]
    public void Release() => _signers.Dispose();

    [Test]
    public void What_it_signed_is_kept_with_the_effect_and_its_signer_once()
    {
        Join(_key);
        var request = Signed(_child.Cut(0, 5, [_child.Cell(3, 1)]));
        Assert.That(_parent.Take(_child.Peer, request).Receipt.Accepted, Is.EqualTo(1));
        Assert.That(_parent.Take(_child.Peer, Signed(_child.Raise(0, 6, _child.Escalation(6, 1)))).Receipt.Accepted, Is.EqualTo(1));
        Join(_key);

        var signers = _parent.Events.Where(e => e.Kind == EventKinds.SignerShown).Select(e => SignerShown.Parser.ParseFrom(e.Payload.Span)).ToList();
        Assert.That(signers.Single().Certificates, Is.EqualTo(_key.Own!.Signer.Certificates));
        var cells = CellsReceived.Parser.ParseFrom(_parent.Events.Single(e => e.Kind == EventKinds.CellsReceived).Payload.Span);
        var head = SignedHead.Parser.ParseFrom(cells.SignedHead);
        Assert.That(head, Is.EqualTo(request.SignedHead));
        Assert.That(head.PartHash.ToByteArray(), Is.EqualTo(Hash256.Of(cells.Part.Span).ToBytes()), "the part as it is kept is the part that was signed");
        Assert.That(_parent.Events.Count(e => e.Kind == EventKinds.EscalationsReceived && !EscalationsReceived.Parser.ParseFrom(e.Payload.Span).SignedHead.IsEmpty), Is.EqualTo(1));
    }

    [Test]
    public void Its_signer_is_still_known_after_a_snapshot()
    {
        Join(_key);
        using var image = new MemoryStream();
        _parent.Reception.Save(image);
        image.Position = 0;
        var again = new ReceptionFold(new Hub.Cells.CellFold());
        again.Load(image);
        Assert.That(again.Child(_child.Node)!.Signer, Is.EqualTo(_key.Own!.Signer.Fingerprint));
    }

    [Test]
    public void A_new_key_is_taken_and_noted_and_the_old_one_is_not_any_more()
    {
        Join(_key);
        var renewed = _signers.Of("wuhan");
        Join(renewed);
        Assert.That(_parent.Events.Count(e => e.Kind == EventKinds.SignerShown), Is.EqualTo(2));
        Refused(Signed(_child.Cut(0, 5, [])), "another signer");
        Join(renewed);
        Assert.That(_parent.Take(_child.Peer, Signed(_child.Cut(0, 5, []), renewed)).Receipt, Is.Not.Null);
    }

    [Test]
    public void A_part_without_a_head_or_with_a_wrong_one_changes_nothing()
    {
        var part = (Func<ConnectRequest>)(() => _child.Cut(0, 5, [_child.Cell(3, 1)]));
        Join(_key);
        Refused(part(), "no signed head");
        Wrong(part, head => head.Node = "beijing", "another node");
        Wrong(part, head => head.Receiver = "hunan", "another receiver");
        Wrong(part, head => head.Epoch++, "another stream");
        Wrong(part, head => head.EpochNonce++, "another stream");
        Wrong(part, head => head.Incarnation = ByteString.CopyFrom(new Incarnation(2).ToBytes()), "another stream");
        Wrong(part, head => head.Incarnation = ByteString.Empty, "another stream");
        Wrong(part, head => head.Lane = Lane.Escalations, "lane Escalations");
        Wrong(part, head => head.Lsn = 4, "position 4");
        Wrong(part, head => head.ChainHash = _child.MarkAt(4).HashBytes(), "position 5");
        Wrong(part, head => head.PartHash = ByteString.CopyFrom(new byte[32]), "another part");
        Wrong(part, head => head.PartHash = ByteString.Empty, "another part");
        Wrong(part, head => head.Algorithm = SignatureAlgorithm.Unspecified, "another signer");
        Wrong(part, head => head.Signer = ByteString.Empty, "another signer");
    }

    [Test]
    public void A_forged_signature_changes_nothing()
    {
        Join(_key);
        var forged = Signed(_child.Cut(0, 5, []));
        forged.SignedHead.SignedAt++;
        Refused(forged, "SIGNATURE_WRONG");
        Join(_key);
        var another = Signed(_child.Cut(0, 5, []));
        another.SignedHead.Signature = ByteString.CopyFrom(_signers.Of("wuhan").Own!.Sign(Statements.BytesOf(another.SignedHead)));
        Refused(another, "SIGNATURE_WRONG");
        Join(_key);
        var none = Signed(_child.Cut(0, 5, []));
        none.SignedHead.Signature = ByteString.Empty;
        Refused(none, "SIGNATURE_WRONG");
    }

    [Test]
    public void A_head_of_another_part_or_lane_is_no_head_of_this_one()
    {
        Join(_key);
        var first = Signed(_child.Cut(0, 5, [_child.Cell(3, 1)]));
        var second = _child.Cut(0, 5, [_child.Cell(3, 2)]);
        second.SignedHead = first.SignedHead;
        Refused(second, "another part");
        Join(_key);
        var escalations = _child.Raise(0, 5);
        escalations.SignedHead = first.SignedHead;
        Refused(escalations, "lane Cells");
        Join(_key);
        var alarms = Signed(_child.Raise(0, 5));
        alarms.Escalations.Lane = Lane.Alarms;
        Refused(alarms, "lane Escalations");
    }

    [Test]
    public void A_signature_that_is_wrong_quarantines_nobody()
    {
        Join(_key);
        Assert.That(_parent.Take(_child.Peer, Signed(_child.Cut(0, 5, []))).Receipt, Is.Not.Null);
        var forged = _child.Cut(5, 7, [], twist: part => part.CutFromChainHash = _child.MarkAt(6).HashBytes());
        Refused(forged, "no signed head");
        Assert.That(_parent.Reception.Child(_child.Node)!.Quarantine, Is.Null);
    }

    [Test]
    public void A_signer_of_another_node_or_authority_or_out_of_its_time_is_not_let_in()
    {
        using var others = new Signers(Parent.Noon, seed: 5);
        Assert.Multiple(() =>
        {
            HelloRefused(_signers.Of("beijing").Own!.Signer, "signer's certificate is that of beijing");
            HelloRefused(others.Of("wuhan").Own!.Signer, "SIGNER_UNTRUSTED");
            HelloRefused(_key.Own!.Signer with { Certificates = [ByteString.CopyFromUtf8("x")] }, "SIGNER_MALFORMED");
        });
        Assert.That(_parent.Events, Is.Empty, "no epoch is granted to it");
    }

    [Test]
    public void A_certificate_that_ends_while_the_connection_stands_ends_what_is_taken_from_it()
    {
        var time = new VirtualTime(Parent.Noon.ToDateTimeOffset());
        _parent.Notary = new ChildNotary(_signers.Of("hubei"), _parent.Settings.Node, new Incarnation(9), new VirtualClock(time));
        Join(_key);
        time.Run(TimeSpan.FromDays(400));
        Refused(Signed(_child.Cut(0, 5, [])), "SIGNER_OUT_OF_TIME");
    }

    [Test]
    public void Who_has_signed_before_signs_or_is_not_let_in()
    {
        Join(_key);
        _parent.HangUp(_child.Node);
        var bare = _parent.Take(_child.Peer, _child.Hello(hello => hello.ProtocolMax = 2));
        Assert.That(bare.Refusal.Code, Is.EqualTo(LinkRefusalCode.Signature));
        Assert.That(_parent.Take(_child.Peer, _child.Hello()).Welcome.Protocol, Is.EqualTo(1), "an older program has no signatures, and is taken where the policy does");
    }

    [Test]
    public void Who_never_signed_is_taken_and_what_nobody_could_check_is_not_kept()
    {
        _parent.HangUp(_child.Node);
        Assert.That(Joined(_parent.Take(_child.Peer, _child.Hello(hello => hello.ProtocolMax = 2))).Protocol, Is.EqualTo(2));
        Assert.That(_parent.Take(_child.Peer, Signed(_child.Cut(0, 5, []))).Receipt, Is.Not.Null);
        var cells = CellsReceived.Parser.ParseFrom(_parent.Events.Single(e => e.Kind == EventKinds.CellsReceived).Payload.Span);
        Assert.That(cells.SignedHead.IsEmpty);
    }

    [Test]
    public void Where_signatures_are_required_nothing_else_is_taken()
    {
        _parent.Settings = _parent.Settings with { Signatures = SignaturePolicy.Required };
        Assert.Multiple(() =>
        {
            Assert.That(_parent.Take(_child.Peer, _child.Hello()).Refusal?.Code, Is.EqualTo(LinkRefusalCode.Signature), "protocol 1");
            Assert.That(_parent.Take(_child.Peer, _child.Hello(hello => hello.ProtocolMax = 2)).Refusal?.Code, Is.EqualTo(LinkRefusalCode.Signature), "no signer");
        });
        Join(_key);
        Assert.That(_parent.Take(_child.Peer, Signed(_child.Cut(0, 5, []))).Receipt, Is.Not.Null);
    }

    [Test]
    public void The_parent_countersigns_what_took_effect_and_nothing_else()
    {
        var welcome = Join(_key);
        var signer = _parent.Notary is null ? null : Hub.Identity.SignerCertificate.Read([.. welcome.Signer], _signers.Roots, Parent.Noon, out _);
        var request = Signed(_child.Cut(0, 5, [_child.Cell(3, 1)]));
        var response = _parent.Take(_child.Peer, request);
        var said = response.Countersignature;
        Assert.Multiple(() =>
        {
            Assert.That(signer!.Node, Is.EqualTo(NodeId.Parse("hubei")));
            Assert.That(Hub.Identity.SignerCertificate.Verify(signer, Statements.BytesOf(said), said.Signature.Span), Is.True);
            Assert.That((said.Child, said.ChildLsn, said.Lane, said.Lsn), Is.EqualTo(("wuhan", 5L, Lane.Cells, _parent.Head.Value)));
            Assert.That(said.PartHash, Is.EqualTo(request.SignedHead.PartHash));
            Assert.That(said.ChainHash, Is.EqualTo(Parent.MarkAt(_parent.Head).HashBytes()));
        });
        Assert.That(_parent.Take(_child.Peer, Signed(_child.Cut(0, 5, [_child.Cell(3, 1)]))).Countersignature, Is.Null, "the part was known and has no effect");
        Assert.That(_parent.Take(_child.Peer, Signed(_child.Cut(6, 7, []))).Countersignature, Is.Null, "a gap");
    }

    [Test]
    public void On_protocol_1_nothing_is_signed_by_anybody()
    {
        _parent.HangUp(_child.Node);
        var welcome = Joined(_parent.Take(_child.Peer, _child.Hello(hello => hello.Signer.Add(_key.Own!.Signer.Certificates))));
        Assert.That(welcome.Signer, Is.Empty);
        var response = _parent.Take(_child.Peer, _child.Cut(0, 5, []));
        Assert.That(response.Receipt, Is.Not.Null);
        Assert.That(response.Countersignature, Is.Null);
    }

    private Welcome Join(ISignatures key)
    {
        _parent.HangUp(_child.Node);
        return Joined(_parent.Take(_child.Peer, _child.Hello(hello =>
        {
            hello.ProtocolMax = 2;
            hello.Signer.Add(key.Own!.Signer.Certificates);
        })));
    }

    private Welcome Joined(ConnectResponse response)
    {
        var welcome = response.Welcome ?? throw new InvalidOperationException($"No welcome: {response.Refusal}");
        _child.Epoch = new Epoch(welcome.ChildEpoch, welcome.ChildEpochNonce);
        return welcome;
    }

    private ConnectRequest Signed(ConnectRequest request, ISignatures? key = null, Action<SignedHead>? twist = null) => _child.Signed(request, (key ?? _key).Own!, Parent.Noon, twist);

    private void Wrong(Func<ConnectRequest> part, Action<SignedHead> twist, string why)
    {
        Join(_key);
        Refused(Signed(part(), twist: twist), why);
    }

    private void Refused(ConnectRequest request, string why)
    {
        var (head, row) = (_parent.Head, _parent.Reception.Child(_child.Node));
        var refusal = _parent.Take(_child.Peer, request).Refusal;
        Assert.That(refusal?.Code, Is.EqualTo(LinkRefusalCode.Signature), why);
        Assert.That(refusal!.Message, Does.Contain(why));
        Assert.That((_parent.Head, _parent.Reception.Child(_child.Node)), Is.EqualTo((head, row)), "nothing is applied");
        Assert.That(_parent.Take(_child.Peer, _child.Cut(0, 5, [])).Refusal?.Code, Is.EqualTo(LinkRefusalCode.NoSession), "the connection is over");
    }

    private void HelloRefused(Signer shown, string why)
    {
        _parent.HangUp(_child.Node);
        var refusal = _parent.Take(_child.Peer, _child.Hello(hello =>
        {
            hello.ProtocolMax = 2;
            hello.Signer.Add(shown.Certificates);
        })).Refusal;
        Assert.That(refusal?.Code, Is.EqualTo(LinkRefusalCode.Signature), why);
        Assert.That(refusal?.Message, Does.Contain(why));
    }
}
