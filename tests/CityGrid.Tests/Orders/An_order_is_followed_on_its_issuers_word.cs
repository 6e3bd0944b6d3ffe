using CityGrid.Hub.Identity;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Identity;
using CityGrid.Tests.Reception;
using Google.Protobuf;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Orders;

/// <summary>Clause A7 for orders, INV-13, INV-14: what becomes of an order by what its signature is worth, with real certificates in three tiers.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class An_order_is_followed_on_its_issuers_word : IDisposable
{
    private static readonly Instant Noon = Parent.Noon;
    private static readonly Incarnation ParentsJournal = new(77);
    private static readonly OrderPlace Wuhan = new(NodeId.Parse("wuhan"), DivisionCode.Parse("4201"), Registers.Tempting);
    private static readonly OrderPlace Hubei = new(NodeId.Parse("hubei"), DivisionCode.Parse("42"), Registers.Tempting);

    private readonly Issuers _network = new(Noon);
    private readonly VirtualTime _time = new(Noon.ToDateTimeOffset());
    private static readonly Incarnation Own = new(5);

    private OrderFold _fold = new(NodeId.Parse("wuhan"));
    private readonly ISignatures _ministry;
    private SignaturePolicy _policy = SignaturePolicy.Accepted;
    private long _lsn;

    public An_order_is_followed_on_its_issuers_word() => _ministry = _network.Signer(_network.Ministry, "ministry", ["CN"]);

    public void Dispose() => _network.Dispose();

    [Test]
    public void One_that_its_issuer_signed_is_delivered_and_says_so([Values] SignaturePolicy policy)
    {
        _policy = policy;
        Assert.That(Receive(Signed(1)), Is.EqualTo(new[] { (1, OrderState.Delivered, string.Empty) }));
        Assert.That(_fold.Find(1)!.Order!.Signature, Is.EqualTo(Signed(1).Signature));
        var view = new OrderList(Wuhan, _fold, Sequencer(), new VirtualClock(_time)).Show(1);
        Assert.That((view.Signature.Signer, view.Signature.Fingerprint, view.Signature.SignedAt), Is.EqualTo(("ministry", _ministry.Own!.Signer.Fingerprint.ToString(), "2026-11-24T04:00:00Z")));
    }

    [Test]
    public void An_unsigned_one_is_taken_where_policy_allows_from_an_issuer_that_never_signed()
    {
        Assert.That(Receive(Unsigned(1), Unsigned(2)).Select(r => r.State), Is.All.EqualTo(OrderState.Delivered));
        Assert.That(_fold.Find(1)!.Order!.Signature, Is.Null);
        Assert.That(Receive(Signed(3), Unsigned(4)), Is.EqualTo(new[] { (3, OrderState.Delivered, string.Empty), (4, OrderState.Rejected, IssuerWord.Unsigned) }), "it has signed in the same part");
        Assert.That(Receive(Unsigned(5)), Is.EqualTo(new[] { (5, OrderState.Rejected, IssuerWord.Unsigned) }), "it has signed before");
        Assert.That(Receive(Unsigned(6, order => order.Issuer = "beijing")), Is.EqualTo(new[] { (6, OrderState.Delivered, string.Empty) }), "another issuer, who never has");
    }

    [Test]
    public void An_unsigned_one_ends_where_signatures_are_required_and_its_issuer_hears_why()
    {
        _policy = SignaturePolicy.Required;
        Assert.That(Receive(Unsigned(1)), Is.EqualTo(new[] { (1, OrderState.Rejected, IssuerWord.Unsigned) }));
        var receipt = _fold.Find(1)!.Receipts.Single();
        Assert.That((receipt.Via, receipt.Content.Issuer, _fold.Find(1)!.HasEnded), Is.EqualTo(((NodeId?)null, "ministry", true)));
        Assert.That(Receive(Signed(1)), Is.Empty, "it has its one end");
    }

    [Test]
    public void A_wrong_signature_is_never_taken([Values] SignaturePolicy policy)
    {
        _policy = policy;
        var (changed, other, outside, again) = (Signed(1), Signed(2), Signed(3), Signed(4));
        changed.Order = OrderOf(1, order => order.Text = "something else").ToByteString();
        other.Signature = Word(_network.Signer(_network.Hubei, "hubei", ["42"]), other.Order);
        outside.Signature = Word(_network.Signer(_network.Hubei, "ministry", ["CN"]), outside.Order);
        again.Order = OrderOf(5).ToByteString();
        Assert.That(Receive(changed, other, outside, again), Is.EqualTo(new[]
        {
            (1, OrderState.Rejected, IssuerWord.Wrong), (2, OrderState.Rejected, IssuerWord.OfAnother), (3, OrderState.Rejected, IssuerWord.Outside), (5, OrderState.Rejected, IssuerWord.Wrong),
        }));
        Assert.That(_fold.Orders.Select(order => order.Signature), Is.All.Null);
        Assert.That(_fold.HasSigned("ministry", "CN"), Is.False, "a signature that is not its own says nothing of the ministry");
    }

    [Test]
    public void A_relay_rejects_it_likewise_and_sends_it_no_further()
    {
        var changed = Signed(1);
        changed.Order = OrderOf(1, order => order.Text = "something else").ToByteString();
        Assert.That(ReceiveAt(Hubei, changed, Signed(2)), Is.EqualTo(new[] { (1, OrderState.Rejected, IssuerWord.Wrong) }));
        var journal = new MemoryJournal(new SeededEntropy(1));
        for (var i = 0; i < _lsn; i++)
        {
            journal.Append([new RecordDraft("test", [OrderFold.IssuedEvent(OrderOf(9).ToByteString())])], Noon);
        }

        var part = new OrderReader(_fold, () => Registers.Tempting, journal, () => Epoch.NotGranted, isRoot: true).Read(DivisionCode.Parse("4201"), StreamMark.Start, journal.Head.Lsn, false)!;
        Assert.That(part.Orders.Select(envelope => (OrderId.Of(Order.Parser.ParseFrom(envelope.Order).Id), envelope.Signature)), Is.EqualTo(new[] { ((UInt128)2, Signed(2).Signature) }), "the other goes on untouched");
    }

    [Test]
    public void A_cancellation_is_an_order_and_of_its_issuer_alone()
    {
        Receive(Signed(1), Signed(2));
        var forged = Signed(3, Cancel(1));
        forged.Signature = Word(_network.Signer(_network.Hubei, "ministry", ["42"]), forged.Order);
        // A signer of the ministry's name that speaks for Hubei, for which its authority may let it.
        var namesake = Signed(4, order =>
        {
            Cancel(1)(order);
            order.IssuerDivision = "42";
        });
        namesake.Signature = Word(_network.Signer(_network.Hubei, "ministry", ["42"]), namesake.Order);
        Assert.That(Receive(forged, namesake, Signed(5, Cancel(2))), Is.EqualTo(new[]
        {
            (3, OrderState.Rejected, IssuerWord.Outside), (4, OrderState.Rejected, OrderJudge.NothingToCancel), (2, OrderState.Cancelled, string.Empty), (5, OrderState.Answered, string.Empty),
        }));
    }

    [Test]
    public void Where_it_is_acted_on_first_its_signer_must_hold_now_and_elsewhere_when_it_signed()
    {
        var brief = _network.Signer(_network.Ministry, "ministry", ["CN"], TimeSpan.FromDays(10));
        var envelopes = new[] { Envelope(1, brief), Envelope(2, brief) };
        envelopes[1].Receipts.Add(OrderJudge.Of(Wuhan, OrderOf(2), 1, OrderState.Answered, Noon).ToByteString());
        _time.Run(TimeSpan.FromDays(20));
        Assert.That(ReceiveAt(Hubei, envelopes[0].Clone()), Is.Empty, "a relay passes it on");
        Assert.That(_fold.Find(1)!.Order!.Signature, Is.Not.Null);
        var (city, fold) = (NotaryAt(Wuhan), new OrderFold(Wuhan.Node));
        var part = Part(envelopes);
        Assert.That(Doubts(), Is.EqualTo(new[] { (0, IssuerWord.OutOfTime) }), "and one that was acted on by an earlier life is learned again");
        var last = Part();
        last.ReachesHead = true;
        Apply(fold, OrderFold.ReceivedEvent(last, NodeId.Parse("hubei"), Wuhan.Node, Own, []));
        Assert.That(Doubts(), Is.EqualTo(new[] { (0, IssuerWord.OutOfTime), (1, IssuerWord.OutOfTime) }), "but who has heard all is told nothing again, whatever receipts its parent puts to it");

        (int, string)[] Doubts() => [.. OrderJudge.Unbelieved(_policy, fold, Own, part, city.Look(part)).Select(doubt => (doubt.Key, doubt.Value.Code))];
    }

    [Test]
    public void One_that_ended_for_its_signature_stays_ended_whatever_is_told_of_it([Values] SignaturePolicy policy, [Values] bool afterALoad)
    {
        _policy = policy;
        var forged = Signed(1);
        forged.Order = OrderOf(1, order => order.Text = "something else").ToByteString();
        Assert.That(Receive(forged), Is.EqualTo(new[] { (1, OrderState.Rejected, IssuerWord.Wrong) }));
        _fold = afterALoad ? Reloaded(_fold) : _fold;
        foreach (var state in new[] { OrderState.Delivered, OrderState.Answered })
        {
            var again = forged.Clone();
            again.Receipts.Add(OrderJudge.Of(Wuhan, OrderOf(1), 2, state, Noon).ToByteString());
            var part = Part(again);
            Assert.That(OrderJudge.Unbelieved(_policy, _fold, Own, part, NotaryAt(Wuhan).Look(part)).Keys, Is.EqualTo(new[] { 0 }), "what is known was not believed");
            Assert.That(Receive(again), Is.Empty);
            Assert.That((_fold.Find(1)!.State, _fold.Find(1)!.Receipts.Count), Is.EqualTo((OrderState.Rejected, 1)));
        }
    }

    [Test]
    public void Nothing_stands_after_an_end_and_there_is_no_second_one()
    {
        Receive(Signed(1), Signed(2));
        Tell(1, 3, OrderState.Answered);
        Tell(1, 4, OrderState.Delivered);
        Tell(1, 5, OrderState.Rejected);
        Tell(1, 2, OrderState.Cancelled);
        Tell(1, 2, OrderState.Signed);
        Tell(2, 3, OrderState.Signed);
        Tell(2, 2, OrderState.Rejected);
        Assert.That(_fold.Find(1)!.Receipts.Select(r => (r.Content.Step, r.Content.State)), Is.EqualTo(new[] { (1, OrderState.Delivered), (2, OrderState.Signed), (3, OrderState.Answered) }));
        Assert.That(_fold.Find(2)!.Receipts.Select(r => r.Content.State), Is.EqualTo(new[] { OrderState.Delivered, OrderState.Signed }));
        Assert.That(_fold.ReceiptsSince(Lsn.Zero, new Lsn(_lsn)).Count(), Is.EqualTo(5), "and what does not count goes no further up");

        void Tell(int id, int step, OrderState state) => Apply(_fold, OrderFold.ReceiptedEvent(OrderJudge.Of(Wuhan, OrderOf(id), step, state, Noon)));
    }

    [Test]
    public void A_namesake_is_shown_as_what_it_speaks_for_and_says_nothing_of_who_bears_its_name()
    {
        Assert.That(Receive(Namesake(1)), Is.EqualTo(new[] { (1, OrderState.Delivered, string.Empty) }), "its authority may let it");
        var view = new OrderList(Wuhan, _fold, Sequencer(), new VirtualClock(_time)).Show(1);
        Assert.That((view.Issuer, view.IssuerDivision, view.Signature.Signer, string.Join(' ', view.Signature.Divisions)), Is.EqualTo(("ministry", "42", "ministry", "42")));
        Assert.That(Receive(Unsigned(2)), Is.EqualTo(new[] { (2, OrderState.Delivered, string.Empty) }), "the ministry has never signed");
        Assert.That(Receive(Namesake(3), Unsigned(4)).Select(r => r.State), Is.All.EqualTo(OrderState.Delivered), "nor in the same part");
        Assert.That(Receive(Unsigned(5, order => order.IssuerDivision = "42")), Is.EqualTo(new[] { (5, OrderState.Rejected, IssuerWord.Unsigned) }));

        OrderEnvelope Namesake(int id)
        {
            var envelope = Unsigned(id, order => order.IssuerDivision = "42");
            envelope.Signature = Word(_network.Signer(_network.Hubei, "ministry", ["42"]), envelope.Order);
            return envelope;
        }
    }

    [Test]
    public void A_signature_that_nobody_looked_at_is_none()
    {
        var (late, empty) = (Signed(1), Unsigned(2));
        late.Signature.SignedAt = long.MaxValue;
        empty.Signature = new IssuerSignature();
        Apply(_fold, OrderFold.ReceivedEvent(Part(late, empty), NodeId.Parse("hubei"), Wuhan.Node, Own));
        Assert.That(_fold.Orders.Select(order => order.Signature), Is.EqualTo(new IssuerSignature?[] { null, null }));
        Assert.That(_fold.HasSigned("ministry", "CN"), Is.False);
        Assert.That(Reloaded(_fold).Orders.Select(order => order.Signature), Is.EqualTo(_fold.Orders.Select(order => order.Signature)));
    }

    [Test]
    public void A_time_that_is_none_is_shown_as_nothing_and_the_list_stands()
    {
        var odd = Signed(1, order => (order.IssuedAt, order.AnswerBy, order.ExpiresAt) = (long.MaxValue, long.MinValue, long.MaxValue));
        odd.Signature.SignedAt = long.MaxValue;
        Apply(_fold, OrderFold.ReceivedEvent(Part(odd, Signed(2)), NodeId.Parse("hubei"), Wuhan.Node, Own, []));
        var receipt = OrderJudge.Of(Wuhan, OrderOf(1), 1, OrderState.Delivered, Noon);
        receipt.At = long.MaxValue;
        Apply(_fold, OrderFold.ReceiptedEvent(receipt));
        var list = new OrderList(Wuhan, _fold, Sequencer(), new VirtualClock(_time)).List(new ListOrdersRequest(), out _)!;
        Assert.That(list.Orders.Select(view => (view.OrderId[^1], view.Signature.SignedAt)), Is.EqualTo(new[] { ('2', "2026-11-24T04:00:00Z"), ('1', string.Empty) }));
        Assert.That(new[] { list.Orders[1].IssuedAt, list.Orders[1].AnswerBy, list.Orders[1].ExpiresAt, list.Orders[1].Receipts.Single().At }, Is.All.Empty);
    }

    [Test]
    public void What_is_refused_for_its_form_is_not_looked_at_and_what_comes_twice_once()
    {
        var counted = new CountedSignatures(_network.Judge);
        var notary = new OrderNotary(counted, Wuhan, SignaturePolicy.Accepted, new VirtualClock(_time));
        Assert.That(notary.Look(Part([.. Enumerable.Repeat(Signed(1), OrderJudge.OrdersMax + 1)])), Is.Empty);
        var misshapen = Signed(1);
        misshapen.Receipts.Add(Enumerable.Repeat(OrderJudge.Of(Wuhan, OrderOf(1), 1, OrderState.Delivered, Noon).ToByteString(), OrderJudge.ReceiptsMax + 1));
        notary.Look(Part(misshapen));
        var above = new ChildNotary(counted, Hubei.Node, Own, new VirtualClock(_time)) { Orders = notary };
        above.Look(null, Told(ReceiverSettings.EscalationsMax + 1));
        Assert.That(counted.Judged, Is.Zero);
        Assert.That(above.Look(null, Told(3)).Orders, Is.EqualTo(new Refusal?[] { null, null, null }));
        Assert.That(counted.Judged, Is.EqualTo(1));

        ConnectRequest Told(int count)
        {
            var (hash, part) = (new Hash256(1, 9).ToBytes(), new EscalationsPart { From = 0, To = 9, Lane = Lane.Alarms });
            (part.FromChainHash, part.ChainHash) = (StreamMark.Start.HashBytes(), ByteString.CopyFrom(hash));
            part.Receipts.AddRange(Enumerable.Range(0, count).Select(_ => new OrderReceiptEnvelope
            {
                Lsn = 3,
                Receipt = OrderJudge.Of(Wuhan, OrderOf(1), 1, OrderState.Delivered, Noon).ToByteString(),
                Order = Signed(1).Order,
                Signature = Signed(1).Signature,
            }));
            return new ConnectRequest { Escalations = part };
        }
    }

    [Test]
    public void One_that_is_not_believed_and_told_to_be_decided_on_is_left_out_whole()
    {
        var forged = Signed(1);
        forged.Order = OrderOf(1, order => order.Text = "something else").ToByteString();
        forged.Receipts.Add(OrderJudge.Of(Wuhan, OrderOf(1), 1, OrderState.Delivered, Noon).ToByteString());
        Assert.That(Receive(forged), Is.Empty);
        Assert.That(_fold.Find(1), Is.Null, "neither an order that could be stepped nor what is told of it");
        Assert.That(Receive(Signed(1)), Is.EqualTo(new[] { (1, OrderState.Delivered, string.Empty) }));
    }

    [Test]
    public void What_was_believed_before_is_not_judged_again_when_the_policy_is_tightened()
    {
        Receive(Unsigned(1));
        _policy = SignaturePolicy.Required;
        var told = Unsigned(1);
        told.Receipts.Add(OrderJudge.Of(Wuhan, OrderOf(1), 2, OrderState.Answered, Noon).ToByteString());
        Receive(told);
        Assert.That(_fold.Find(1)!.State, Is.EqualTo(OrderState.Answered), "what an earlier life decided is learned again, and no second end is made");
    }

    [Test]
    public void The_issuer_signs_and_the_same_request_has_the_same_signature()
    {
        var fold = new OrderFold(NodeId.Parse("ministry"));
        var desk = DeskOf(fold, _ministry);
        var issued = Issue(desk, fold, "k-1");
        Assert.That(issued.Refusal, Is.Null);
        var order = fold.Orders.Single();
        Assert.That(IssuerWord.Judge(_network.Judge, Registers.Tempting, new Issued(IssuerWord.Order, NodeId.Parse("ministry"), DivisionCode.Parse("CN"), ByteString.CopyFrom(order.Bytes.Span)), order.Signature, Noon, out _), Is.Not.Null);
        _time.Run(TimeSpan.FromMinutes(1));
        Assert.That(Issue(desk, fold, "k-1"), Is.EqualTo(issued with { Repeated = true }));
        Assert.That(fold.Orders.Single(), Is.SameAs(order));
        Assert.That(Reloaded(fold).Orders.Single().Signature, Is.EqualTo(order.Signature));
        Assert.That(Reloaded(fold).HasSigned("ministry", "CN"), Is.True);
    }

    [Test]
    public void A_node_without_a_key_issues_unsigned()
    {
        var fold = new OrderFold(NodeId.Parse("ministry"));
        Assert.That(Issue(DeskOf(fold, _network.Judge), fold, "k-1").Refusal, Is.Null);
        Assert.That(fold.Orders.Single().Signature, Is.Null);
        Assert.That(fold.HasSigned("ministry", "CN"), Is.False);
    }

    [Test]
    public void A_node_that_must_sign_and_cannot_issues_nothing()
    {
        var fold = new OrderFold(NodeId.Parse("ministry"));
        Assert.That(Issue(DeskOf(fold, _network.Judge, SignaturePolicy.Required), fold, "k-1").Refusal?.Code, Is.EqualTo(IssuerWord.Unsigned), "required, and it has no key");
        Assert.That(fold.Orders, Is.Empty);
        var issued = Issue(DeskOf(fold, _ministry), fold, "k-1");
        Assert.That(issued.Refusal, Is.Null);
        var without = DeskOf(fold, _network.Judge);
        Assert.That(Issue(without, fold, "k-2").Refusal?.Code, Is.EqualTo(IssuerWord.Unsigned), "it has signed, and its key was taken out");
        Assert.That(Issue(without, fold, "k-1"), Is.EqualTo(issued with { Repeated = true }));
        Assert.That(fold.Orders, Has.Count.EqualTo(1));
    }

    [Test]
    public void One_of_which_only_receipts_are_left_is_not_issued_as_another()
    {
        var earlier = new OrderFold(NodeId.Parse("ministry"));
        Issue(DeskOf(earlier, _network.Judge), earlier, "k-1");
        var later = new OrderFold(NodeId.Parse("ministry"));
        Apply(later, OrderFold.ReceiptedEvent(OrderJudge.Of(Wuhan, earlier.Orders.Single().Content, 1, OrderState.Delivered, Noon)));
        Assert.That(Issue(DeskOf(later, _network.Judge), later, "k-1").Refusal?.Code, Is.EqualTo(OrderDesk.Uncertain));
        Assert.That(later.Orders, Is.Empty);
        Assert.That(Issue(DeskOf(later, _network.Judge), later, "k-2").Refusal, Is.Null);
    }

    [TestCase("43", 0, IssuerWord.Outside)]
    [TestCase("CN", 100, IssuerWord.OutOfTime)]
    public void What_nobody_would_believe_is_not_issued(string division, int days, string code)
    {
        var fold = new OrderFold(NodeId.Parse("ministry"));
        var desk = DeskOf(fold, _network.Signer(_network.Ministry, "ministry", [division]));
        _time.Run(TimeSpan.FromDays(days));
        Assert.That(Issue(desk, fold, "k-1").Refusal?.Code, Is.EqualTo(code));
        Assert.That(fold.Orders, Is.Empty);
    }

    private (int Id, OrderState State, string Code)[] Receive(params OrderEnvelope[] envelopes) => ReceiveAt(Wuhan, envelopes);

    /// <summary>As the desk does: looked at, judged, and one record of it.</summary>
    private (int Id, OrderState State, string Code)[] ReceiveAt(OrderPlace place, params OrderEnvelope[] envelopes)
    {
        var part = Part(envelopes);
        var unbelieved = OrderJudge.Unbelieved(_policy, _fold, Own, part, NotaryAt(place).Look(part));
        var receipts = OrderJudge.Receipts(place, _fold, part, Noon, unbelieved);
        Apply(_fold, OrderFold.ReceivedEvent(part, NodeId.Parse("hubei"), place.Node, Own, unbelieved.Keys));
        foreach (var receipt in receipts)
        {
            Apply(_fold, OrderFold.ReceiptedEvent(receipt));
        }

        return [.. receipts.Select(r => ((int)OrderId.Of(r.Order), r.State, r.Code))];
    }

    private OrderNotary NotaryAt(OrderPlace place) => new(_network.Judge, place, _policy, new VirtualClock(_time));

    private OrderDesk DeskOf(OrderFold fold, ISignatures signatures, SignaturePolicy policy = SignaturePolicy.Accepted)
    {
        var place = new OrderPlace(NodeId.Parse("ministry"), DivisionCode.Parse("CN"), Registers.Tempting);
        return new OrderDesk(place, fold, new MemoryJournal(new SeededEntropy(2)), new OrderNotary(signatures, place, policy, new VirtualClock(_time)));
    }

    private OrderAnswer Issue(OrderDesk desk, OrderFold fold, string key)
    {
        var decision = desk.Issue(new OrderWish(key, DivisionCode.Parse("4201"), OrderKind.Assign, UInt128.Zero, "report", null, null), "head").Decide(Noon);
        foreach (var draft in decision.Records.SelectMany(record => record.Events))
        {
            Apply(fold, draft);
        }

        return decision.Answer([.. decision.Records.Select(_ => new LsnRange(new Lsn(_lsn), new Lsn(_lsn), Noon))]);
    }

    private static OrderFold Reloaded(OrderFold fold)
    {
        var image = new MemoryStream();
        fold.Save(image);
        image.Position = 0;
        var loaded = new OrderFold(NodeId.Parse("ministry"));
        loaded.Load(image);
        return loaded;
    }

    private Sequencer Sequencer() => new(new MemoryJournal(new SeededEntropy(3)), [], new VirtualClock(_time));

    private void Apply(OrderFold fold, EventDraft draft) => fold.Apply(new JournalEvent(new Lsn(++_lsn), new Lsn(_lsn), new Lsn(_lsn), Noon, "desk", draft.Kind, draft.Schema, draft.Payload));

    private readonly Dictionary<ByteString, IssuerSignature> _words = [];

    /// <summary>An order of the ministry's as it leaves it; the same one has the same signature.</summary>
    private OrderEnvelope Signed(int id, Action<Order>? twist = null)
    {
        var bytes = OrderOf(id, twist).ToByteString();
        if (!_words.TryGetValue(bytes, out var word))
        {
            _words.Add(bytes, word = Word(_ministry, bytes));
        }

        return new OrderEnvelope { Lsn = 1, Order = bytes, Signature = word.Clone() };
    }

    private OrderEnvelope Envelope(int id, ISignatures signatures) => new() { Lsn = 1, Order = OrderOf(id).ToByteString(), Signature = Word(signatures, OrderOf(id).ToByteString()) };

    private static OrderEnvelope Unsigned(int id, Action<Order>? twist = null) => new() { Lsn = 1, Order = OrderOf(id, twist).ToByteString() };

    private static IssuerSignature Word(ISignatures signatures, ByteString bytes) =>
        IssuerWord.Sign(signatures, new Issued(IssuerWord.Order, NodeId.Parse("ministry"), DivisionCode.Parse("CN"), bytes), Noon)!;

    private static Action<Order> Cancel(int subject) => order => (order.Kind, order.Subject) = (OrderKind.Cancel, OrderId.ToBytes((UInt128)subject));

    private static Order OrderOf(int id, Action<Order>? twist = null) => Made.OrderOf(id, Noon, twist);

    private static OrdersPart Part(params OrderEnvelope[] envelopes)
    {
        var part = new OrdersPart
        {
            From = StreamMark.Start.ToPosition(Lane.Orders, ParentsJournal, Epoch.NotGranted),
            To = new StreamMark(new Lsn(10), new Hash256(1, 10)).ToPosition(Lane.Orders, ParentsJournal, Epoch.NotGranted),
        };
        part.Orders.AddRange(envelopes);
        return part;
    }

    private sealed class CountedSignatures(ISignatures judge) : ISignatures
    {
        public int Judged { get; private set; }

        public OwnSigner? Own => judge.Own;

        public Signer? Judge(IReadOnlyList<ByteString> certificates, Instant now, out Refusal? refusal)
        {
            Judged++;
            return judge.Judge(certificates, now, out refusal);
        }

        public bool Verify(Signer signer, ReadOnlySpan<byte> statement, ReadOnlySpan<byte> signature) => judge.Verify(signer, statement, signature);
    }
}
