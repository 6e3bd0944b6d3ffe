using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using CityGrid.Tests.Identity;
using Google.Protobuf;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Link;

/// <summary>Clauses A2 and A4 at the child: what it signs, and that it keeps no countersignature which does not speak of exactly the part that it sent.</summary>
public sealed class What_a_parent_countersigns_is_checked
{
    private static readonly Instant Noon = Instant.FromUtc(2026, 11, 24, 4, 0);
    private static readonly StreamMark End = new(new Lsn(5), Hash256.Of([5]));

    private Signers _signers = null!;
    private ISignatures _parent = null!;
    private ISignatures _own = null!;
    private ParentNotary _notary = null!;
    private SenderState _state = null!;
    private CellsPart _part = null!;

    [SetUp]
    public void Send()
    {
        _signers = new Signers(Noon);
        (_own, _parent) = (_signers.Of("wuhan"), _signers.Of("hubei"));
        _notary = new ParentNotary(_own, new VirtualClock(new VirtualTime(Noon.ToDateTimeOffset())));
        _part = new CellsPart { CutTo = 5, CutChainHash = End.HashBytes(), Part = 1, Parts = 1 };
        var cut = new Cut(Lane.Cells, StreamMark.Start, End, true, [new CutPart(End, _part, null)]);
        var state = new SenderState(new SenderSettings(NodeId.Parse("wuhan"), DivisionCode.Parse("4201")), new Incarnation(1), new Epoch(2, 77)) { Speaks = 2, Phase = SenderPhase.Open };
        _state = state.With(state.Cells with { Cut = cut, Sent = 1, Phase = LanePhase.Sending }) with { UnderWay = [new Outstanding(9, Lane.Cells, 0, 10, Noon)] };
        Assert.That(_notary.Meet(new Welcome { Node = "hubei", Signer = { _parent.Own!.Signer.Certificates } }, out _), Is.Not.Null);
    }

    [TearDown]
    public void Release() => _signers.Dispose();

    [Test]
    public void The_right_one_is_believed() => Assert.That(Checked(Said()), Is.Null);

    [Test]
    public void None_is_nothing_to_tell()
    {
        Assert.That(_notary.Check(new ConnectResponse { Number = 9 }, _state, out var refusal), Is.Null);
        Assert.That(refusal, Is.Null);
    }

    [Test]
    public void Any_other_is_told_and_not_kept()
    {
        var twists = new (Action<Countersignature> Twist, string Why)[]
        {
            (said => said.Node = "hunan", "another signer"),
            (said => said.Signer = ByteString.Empty, "another signer"),
            (said => said.Algorithm = default, "another signer"),
            (said => said.Child = "beijing", "another stream"),
            (said => said.ChildEpoch++, "another stream"),
            (said => said.ChildEpochNonce++, "another stream"),
            (said => said.ChildIncarnation = ByteString.CopyFrom(new Incarnation(3).ToBytes()), "another stream"),
            (said => said.Lane = Lane.Alarms, "another stream"),
            (said => said.ChildLsn++, "another part"),
            (said => said.ChildChainHash = ByteString.CopyFrom(new byte[32]), "another part"),
            (said => said.PartHash = ByteString.CopyFrom(new byte[32]), "another part"),
            (said => said.Lsn = 0, "no position"),
            (said => said.ChainHash = ByteString.Empty, "no position"),
            (said => said.Incarnation = ByteString.Empty, "no position"),
        };
        Assert.Multiple(() =>
        {
            foreach (var (twist, why) in twists)
            {
                Assert.That(Checked(Said(twist)), Does.Contain(why));
            }

            var forged = Said();
            forged.SignedAt++;
            Assert.That(Checked(forged), Does.Contain("not one of the signer's key"));
        });
    }

    [Test]
    public void From_a_parent_that_has_shown_no_signer_or_that_of_another_none_is_believed()
    {
        _notary.Meet(new Welcome { Node = "hubei" }, out var none);
        Assert.That(none, Is.Null);
        Assert.That(Checked(Said()), Does.Contain("shown no signer"));
        Assert.That(_notary.Meet(new Welcome { Node = "hunan", Signer = { _parent.Own!.Signer.Certificates } }, out var another), Is.Null);
        Assert.That(another?.Code, Is.EqualTo("SIGNER_OF_ANOTHER"));
        using var others = new Signers(Noon, seed: 3);
        Assert.That(_notary.Meet(new Welcome { Node = "hubei", Signer = { others.Of("hubei").Own!.Signer.Certificates } }, out var foreign), Is.Null);
        Assert.That(foreign?.Code, Is.EqualTo("SIGNER_UNTRUSTED"));
    }

    [Test]
    public void What_is_sent_is_signed_only_where_the_welcome_chose_it()
    {
        var request = new ConnectRequest { Number = 9, Cells = _part };
        _notary.Sign(new ConnectRequest { Number = 8, Hello = new Hello() }, _state);
        _notary.Sign(request, _state with { Speaks = 1 });
        Assert.That(request.SignedHead, Is.Null);
        _notary.Sign(request, _state);
        var head = request.SignedHead;
        Assert.Multiple(() =>
        {
            Assert.That((head.Node, head.Receiver, head.Lane, head.Lsn, head.Epoch), Is.EqualTo(("wuhan", "hubei", Lane.Cells, 5L, 2L)));
            Assert.That(head.PartHash.ToByteArray(), Is.EqualTo(Hash256.Of(_part.ToByteArray()).ToBytes()));
            Assert.That(Hub.Identity.SignerCertificate.Verify(_own.Own!.Signer, Statements.BytesOf(head), head.Signature.Span), Is.True);
        });
    }

    private string? Checked(Countersignature said)
    {
        var kept = _notary.Check(new ConnectResponse { Number = 9, Countersignature = said }, _state, out var refusal);
        Assert.That(kept is null, Is.EqualTo(refusal is not null));
        return refusal?.Message;
    }

    private Countersignature Said(Action<Countersignature>? twist = null)
    {
        var said = new Countersignature
        {
            Node = "hubei",
            Incarnation = ByteString.CopyFrom(new Incarnation(8).ToBytes()),
            Lsn = 40,
            ChainHash = ByteString.CopyFrom(Hash256.Of([4]).ToBytes()),
            Child = "wuhan",
            ChildIncarnation = ByteString.CopyFrom(new Incarnation(1).ToBytes()),
            ChildEpoch = 2,
            ChildEpochNonce = 77,
            Lane = Lane.Cells,
            ChildLsn = 5,
            ChildChainHash = End.HashBytes(),
            PartHash = ByteString.CopyFrom(Statements.HashOf(_part).ToBytes()),
            Algorithm = _parent.Own!.Signer.Algorithm,
            Signer = ByteString.CopyFrom(_parent.Own.Signer.Fingerprint.ToBytes()),
        };
        twist?.Invoke(said);
        said.Signature = ByteString.CopyFrom(_parent.Own!.Sign(Statements.BytesOf(said)));
        return said;
    }
}
