using CityGrid.Hub.Cells;
using CityGrid.Hub.Escalations;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using Google.Protobuf;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Reception;

/// <summary>
/// Clause L13, INV-29: two provinces each have a node named city-1, or one of them lies. Whoever speaks second is kept aside, whatever it brings, and nothing of it is lost; a person at the receiver
/// gives the name to a division, and then all of the right one counts, nothing of the other does, and that stays so.
/// </summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class One_name_has_one_home
{
    private static readonly NodeId Name = NodeId.Parse("city-1");
    private static readonly DivisionCode Wuhan = DivisionCode.Parse("4201"), Changsha = DivisionCode.Parse("4301");

    private static readonly StatDay Complete = StatDay.Of(new LocalDate(2026, 11, 23));

    private readonly Parent _ministry = new("ministry", "CN", Registers.Tempting);
    private readonly Province _hubei = new("hubei", "42", Wuhan, 7, epoch: 2);
    private readonly Province _hunan = new("hunan", "43", Changsha, 5, epoch: 900);

    [SetUp]
    public void Hunan_speaks_first()
    {
        _hubei.Child.Join(_ministry);
        _hunan.Child.Join(_ministry);
        Assert.That(_hunan.Says(_ministry).Records, Is.Empty);
        Assert.That(_ministry.Finality.CompleteSince(Name, Complete), Is.EqualTo(_ministry.Head));
    }

    [Test]
    public void Whoever_speaks_second_is_kept_aside_whatever_it_brings()
    {
        var cells = _hubei.Says(_ministry);
        var records = _hubei.Tells(_ministry);

        Assert.That(cells.Records.Concat(records.Records).Select(r => (r.Outcome, r.Code)), Is.EqualTo(Enumerable.Repeat((RecordOutcome.Parked, RecordJudge.NameTaken), 5)), "cell, statement, complete set, escalation, receipt");
        Assert.That((cells.ParkedInAll, records.Parked), Is.EqualTo((0, 2)), "of the door's own count another test");
        Assert.That(cells.Records[0].Message, Is.EqualTo(
            "city-1 is held for 4301, as hunan brought it; hubei has it at 4201. One name has two places, or one of them speaks in the other's name. "
            + "Find out whose it is and say so: citygrid link name city-1 DIVISION. The other needs a name of its own."));
        Assert.That(_ministry.Reception.Parked.Select(aside => (aside.Child, aside.Verdict.Code)).Distinct(), Is.EqualTo(new[] { (_hubei.Child.Node, RecordJudge.NameTaken) }));
        Assert.That((Held(Wuhan), Held(Changsha), _ministry.Redrive(_hubei.Child.Node)), Is.EqualTo((0, 5, 2)), "its statement and complete set come again by themselves");
        Assert.That(_ministry.Reception.ParkedOf(_hubei.Child.Node), Is.EqualTo(3));
    }

    [Test]
    public void Given_to_the_second_all_of_it_counts_and_nothing_of_the_first()
    {
        _hubei.Says(_ministry);
        _hubei.Tells(_ministry);
        Assert.That(_ministry.GiveName(Name, Wuhan), Is.EqualTo(NameOutcome.Given));
        Assert.That((Held(Changsha), _ministry.Reception.Origin(Name)), Is.EqualTo((0, (OriginRow?)null)));
        Assert.That(_ministry.Finality.CompleteSince(Name, Complete), Is.Null, "no day of the right one is complete by the word of the other");
        Assert.That((_ministry.Reception.Parked.Count, _ministry.Reception.Child(_hubei.Child.Node)!.Alarms.Mark.IsStart), Is.EqualTo((0, true)), "receipts come again, for only so do they bring their orders");
        _hubei.BeginsAnew();
        Assert.That(_hubei.Tells(_ministry).Records, Is.Empty);
        Assert.That((_ministry.Escalations.Find(1)?.Content.Division, _ministry.Orders.Find(9)?.State, _ministry.Orders.Find(9)?.Order?.Target), Is.EqualTo(("4201", OrderState.Delivered, Wuhan)));

        Assert.That(_hubei.Says(_ministry).Records, Is.Empty);
        Assert.That(_ministry.Finality.CompleteSince(Name, Complete), Is.EqualTo(_ministry.Head));
        var row = _ministry.Reception.Origin(Name)!;
        Assert.That((row.Watermark.Division, row.Via, row.CompleteEpoch, _ministry.Reception.DigestAgrees(Name)), Is.EqualTo((Wuhan, _hubei.Child.Node, 2L, (bool?)null)));
        Assert.That(_ministry.Cells.DigestOf(Name, Grain.National), Is.EqualTo(row.Watermark.Digest), "bit for bit what the city says of itself, though another of its name was there, years ahead");

        Refuses(_hunan);
        Assert.That((Held(Wuhan), Held(Changsha)), Is.EqualTo((7, 0)));
    }

    [Test]
    public void Given_to_the_first_the_second_is_refused()
    {
        _hubei.Says(_ministry);
        _hubei.Tells(_ministry);
        Assert.That(_ministry.GiveName(Name, Changsha), Is.EqualTo(NameOutcome.Given));
        _ministry.Redrive(_hubei.Child.Node);
        Assert.That((_ministry.Reception.Parked.Count, Held(Wuhan), Held(Changsha), _ministry.Reception.RefusedInAll), Is.EqualTo((0, 0, 5, 3L)));
        Refuses(_hubei);
        Assert.That(_hunan.Says(_ministry).Records, Is.Empty);
        Assert.That(_ministry.GiveName(Name, Changsha), Is.EqualTo(NameOutcome.HadIt));
    }

    [Test]
    public void A_person_may_be_wrong_once()
    {
        _hubei.Says(_ministry);
        _ministry.GiveName(Name, Wuhan);
        _ministry.Redrive(_hubei.Child.Node);
        _hubei.Says(_ministry);
        Refuses(_hunan);

        Assert.That(_ministry.GiveName(Name, Changsha), Is.EqualTo(NameOutcome.Given));
        Assert.That((Held(Wuhan), _ministry.Reception.Child(_hunan.Child.Node)!.Cells.Mark.IsStart), Is.EqualTo((0, true)), "what was refused meanwhile is asked for again");
        _hunan.BeginsAnew();
        Assert.That(_hunan.Says(_ministry).Records, Is.Empty);
        Assert.That((Held(Wuhan), Held(Changsha)), Is.EqualTo((0, 5)), "the very revisions that were let go of");
        Assert.That(_ministry.Cells.DigestOf(Name, Grain.National), Is.EqualTo(_ministry.Reception.Origin(Name)!.Watermark.Digest));
    }

    [TestCase(false)]
    [TestCase(true)]
    public void It_stays_given_after_a_start(bool fromImage)
    {
        _hubei.Says(_ministry);
        _ministry.GiveName(Name, Wuhan);
        _ministry.Redrive(_hubei.Child.Node);
        _hubei.Says(_ministry);

        var again = fromImage ? _ministry.FromImages() : _ministry.Replayed();
        Assert.That(again.Reception.GivenTo(Name), Is.EqualTo(Wuhan));
        Assert.That(again.Cells.DigestOf(Name, Grain.National), Is.EqualTo(_ministry.Cells.DigestOf(Name, Grain.National)));
        Assert.That(again.Cells.ChangedSince(Lsn.Zero, again.Head).Select(row => (row.Key, row.Revision)), Is.EqualTo(_ministry.Cells.ChangedSince(Lsn.Zero, _ministry.Head).Select(row => (row.Key, row.Revision))));
        _hunan.Child.Join(again);
        Refuses(_hunan, again);
    }

    /// <summary>INV-27: a person's word, that of a place among the children, and what a snapshot keeps of them.</summary>
    [Test]
    public void What_is_kept_of_it_keeps_its_bytes()
    {
        _ministry.GiveName(Name, Wuhan);
        var given = _ministry.Events.Single(e => e.Kind == EventKinds.NameGiven);
        Assert.That((given.Kind, Convert.ToHexStringLower(given.Payload.Span)), Is.EqualTo(((ushort)15, "0a06636974792d311204343230311a04343330312a0568756e616e")));

        var fold = new ReceptionFold(new CellFold());
        fold.Load(new MemoryStream(Convert.FromHexString("3a00420e0a06636974792d311204343230314a090a0568756e616e1014")));
        Assert.That((fold.GivenTo(Name), fold.LetGoOf(_hunan.Child.Node)), Is.EqualTo((Wuhan, 20L)));
        using var image = new MemoryStream();
        fold.Save(image);
        Assert.That(Convert.ToHexStringLower(image.ToArray()), Is.EqualTo("3a00420e0a06636974792d311204343230314a090a0568756e616e1014"));
        fold.Apply(given with { Payload = Convert.FromHexString("0a06636974792d31120231312001") });
        Assert.That(fold.GivenTo(Name), Is.Null, "a child bears it now");
    }

    /// <summary>An image of a program that did not know the event would have forgotten it, and counts still what was let go of.</summary>
    [Test]
    public void An_image_of_an_older_program_is_made_anew() =>
        Assert.That((_ministry.Reception.Version, _ministry.Cells.Version, _ministry.Finality.Version), Is.EqualTo((4, 3, 2)));

    [Test]
    public void What_is_let_go_of_goes_no_further_up_and_is_no_difference_there()
    {
        _hubei.Says(_ministry);
        _ministry.GiveName(Name, Wuhan);
        _ministry.Redrive(_hubei.Child.Node);
        _hubei.Says(_ministry);

        var cut = Reader(_ministry).Cells(StreamMark.Start, Parent.MarkAt(_ministry.Head), Parent.MarkAt, [Grain.National], true, 100_000, null).Parts.Single().Cells!;
        Assert.That(PartRecords.CellsOf(cut).Cells.Select(cell => cell.Row.Key.Division), Is.EqualTo(new[] { Wuhan }));
        Assert.That(cut.Watermarks.Select(w => (w.Origin, w.Division)), Is.EqualTo(new[] { ("city-1", "4201") }));
        Assert.That(_ministry.Cells.CountChanged(Lsn.Zero, _ministry.Head), Is.EqualTo(1));

        // Its relay has the ranges compared that night: what the ministry holds of the name is what Hubei's city has.
        Assert.That(_hubei.StatesRanges(_ministry), Is.Empty);
        Assert.That(_ministry.Reception.Ranges.Of(_hubei.Child.Node).Scopes.Values.Select(scope => scope.State), Is.EqualTo(new[] { RangeState.Equal }));
    }

    /// <summary>A tier above heard the first as well, by the same child, and has a word of its own to say.</summary>
    [Test]
    public void The_tier_above_has_its_own_person()
    {
        var above = new Parent("world", "CN", Registers.Tempting) { Settings = new ReceiverSettings(NodeId.Parse("union"), DivisionCode.Parse("CN"), Registers.Tempting) };
        var china = new Child("center", "42", "42", "43") { Epoch = default };
        china.Join(above);
        Assert.That(above.Take(china.Peer, china.Cut(0, 1, [_hunan.Cell], twist: _hunan.Speak)).Receipt.Records, Is.Empty);

        Assert.That(above.Take(china.Peer, china.Cut(1, 2, [_hubei.Cell], twist: _hubei.Speak)).Receipt.Records.Select(r => r.Code), Is.EqualTo(Enumerable.Repeat(RecordJudge.NameTaken, 3)), "it may speak of both");
        Assert.That(above.GiveName(Name, Wuhan), Is.EqualTo(NameOutcome.Given));
        Assert.That(above.Redrive(china.Node), Is.EqualTo(3));
        Assert.That(above.Take(china.Peer, china.Cut(2, 3, [_hubei.Cell], twist: _hubei.Speak)).Receipt.Records, Is.Empty);
        Assert.That(above.Cells.DigestOf(Name, Grain.National), Is.EqualTo(above.Reception.Origin(Name)!.Watermark.Digest));
    }

    [Test]
    public void Cells_that_came_before_any_statement_hold_the_name_too()
    {
        var ministry = new Parent("ministry", "CN", Registers.Tempting);
        _hunan.BeginsAnew();
        _hunan.Child.Join(ministry);
        _hubei.Child.Join(ministry);
        ministry.Take(_hunan.Child.Peer, _hunan.Child.Cut(0, 1, [_hunan.Cell]));
        Assert.That(_hubei.Says(ministry).Records.Select(r => (r.Code, r.Message.Contains("by the cells that came first", StringComparison.Ordinal))), Is.EqualTo(Enumerable.Repeat((RecordJudge.NameTaken, true), 3)));
        Assert.That(ministry.GiveName(Name, Wuhan), Is.EqualTo(NameOutcome.Given));
        ministry.Redrive(_hubei.Child.Node);
        Assert.That((Held(Wuhan, ministry), Held(Changsha, ministry)), Is.EqualTo((7, 0)));
    }

    /// <summary>
    /// The tier below took cells in the name of a node that it had not heard of, let go of them when that came, and sends no word of that.
    /// </summary>
    [TestCase(false)]
    [TestCase(true)]
    public void What_came_without_a_statement_and_lies_elsewhere_goes_when_it_comes(bool together)
    {
        var ministry = new Parent("ministry", "CN", Registers.Tempting);
        var hunan = _hunan.Child;
        var elsewhere = DivisionCode.Parse("42011");

        // Newer than anything that the true one comes to, so that its complete set does not end it.
        var others = hunan.Cell(9, 4, elsewhere.ToString(), "city-1", grain: Grain.National) with { Revision = new Revision(1000, 999_999) };
        ministry.Door(hunan.Peer, hunan.Hello());
        if (!together)
        {
            Assert.That(ministry.Door(hunan.Peer, hunan.Cut(0, 1, [others])).Receipt.Accepted, Is.EqualTo(1));
            Assert.That(ministry.Door(hunan.Peer, hunan.Cut(1, 2, [_hunan.Cell])).Receipt.Accepted, Is.EqualTo(1), "an origin has cells of several districts before it says where it is");
        }

        Assert.That(ministry.Door(hunan.Peer, hunan.Cut(together ? 0 : 2, 3, together ? [others, _hunan.Cell] : [], twist: _hunan.Speak)).Receipt.Records, Is.Empty);
        Assert.That((Held(Changsha, ministry), Held(elsewhere, ministry)), Is.EqualTo((5, 0)));
        Assert.That(ministry.Cells.DigestOf(Name, Grain.National), Is.EqualTo(ministry.Reception.Origin(Name)!.Watermark.Digest));
        Assert.That((ministry.Reception.LetGoOf(hunan.Node), ministry.Reception.GivenTo(Name)), Is.EqualTo((1L, (DivisionCode?)null)), "it weighs on who brought it");
        Assert.That(ministry.Finality.CompleteSince(Name, Complete), Is.Not.Null, "its days are its own");
        Assert.That(ministry.Door(hunan.Peer, hunan.Cut(3, 4, [others])).Receipt.Records.Select(r => r.Code), Is.EqualTo(new[] { RecordJudge.NameTaken }), "from here on whoever else has the name is kept aside");

        var again = ministry.Replayed();
        Assert.That((Held(Changsha, again), Held(elsewhere, again), again.Reception.LetGoOf(hunan.Node)), Is.EqualTo((5, 0, 1L)));
    }

    /// <summary>A person's word is not for the node itself to narrow.</summary>
    [Test]
    public void What_a_person_has_said_holds_whatever_is_stated_afterwards()
    {
        var ministry = new Parent("ministry", "CN", Registers.Tempting);
        _hubei.BeginsAnew();
        ministry.Door(_hubei.Child.Peer, _hubei.Child.Hello());
        Assert.That(ministry.GiveName(Name, DivisionCode.Parse("42")), Is.EqualTo(NameOutcome.Given));
        var beside = _hubei.Child.Cell(2, 4, "429004", "city-1", grain: Grain.National) with { Revision = new Revision(2, 2) };
        Assert.That(ministry.Door(_hubei.Child.Peer, _hubei.Child.Cut(0, 1, [beside])).Receipt.Records, Is.Empty);
        Assert.That(ministry.Door(_hubei.Child.Peer, _hubei.Child.Cut(1, 2, [], twist: _hubei.Speak)).Receipt.Records, Is.Empty);
        Assert.That(Held(DivisionCode.Parse("429004"), ministry), Is.EqualTo(4));
    }

    [Test]
    public void Nobody_else_bears_the_name_of_a_child_once_it_is_there()
    {
        // Hunan spoke of city-1 before it said its first hello to the ministry, and of an epoch that city-1 will not come to.
        var city = new Child("city-1", "11");
        var decision = new ReceptionDesk(_ministry.Settings, _ministry.Reception, _ministry.Cells, _ministry.Escalations, () => Epoch.NotGranted).Receive(city.Peer, null, city.Hello(), 5);
        Assert.That(decision.Touches, Does.Contain(Touched.By("origin", "city-1")));
        foreach (var draft in decision.Decide(Parent.Noon).Records.SelectMany(record => record.Events))
        {
            _ministry.Apply(draft);
        }

        Assert.That((Held(Changsha), _ministry.Reception.Origin(Name), _ministry.Reception.GivenTo(Name)), Is.EqualTo((0, (OriginRow?)null, (DivisionCode?)null)));
        city.Join(_ministry);
        Assert.That(_ministry.Take(city.Peer, city.Cut(0, 1, [city.Cell(1, 3)], twist: p => CellsPartCodec.Write(p, [], [city.Statement(1)], [city.Node]))).Receipt.Accepted, Is.EqualTo(1));
        Assert.That(Held(city.Division), Is.EqualTo(3), "it is not taken for one of an earlier life");
        Refuses(_hunan);
        Assert.That(_ministry.GiveName(Name, Changsha), Is.EqualTo(NameOutcome.Borne));
    }

    /// <summary>A program that did not free the name at the hello took all that the child said for what an earlier life had said.</summary>
    [Test]
    public void A_child_whose_name_was_taken_under_an_older_program_gets_it_back_by_a_person()
    {
        var city = new Child("city-1", "11");
        city.Join(_ministry);
        _ministry.Take(city.Peer, city.Cut(0, 1, [city.Cell(1, 3)]));
        Assert.That((Held(city.Division), Held(Changsha)), Is.EqualTo((0, 5)), "as an older program left it");

        Assert.That(_ministry.GiveName(Name, city.Division), Is.EqualTo(NameOutcome.Given));
        Assert.That((Held(Changsha), _ministry.Reception.GivenTo(Name), _ministry.Reception.Child(city.Node)!.Cells.Mark.IsStart), Is.EqualTo((0, (DivisionCode?)null, true)));
        Assert.That(_ministry.Take(city.Peer, city.Cut(0, 1, [city.Cell(1, 3)])).Receipt.Accepted, Is.EqualTo(1));
        Assert.That((Held(city.Division), _ministry.GiveName(Name, city.Division)), Is.EqualTo((3, NameOutcome.HadIt)));
    }

    [Test]
    public void A_name_is_given_to_a_place_below()
    {
        var hubei = new Parent("hubei", "42", Registers.Tempting) { Settings = new ReceiverSettings(NodeId.Parse("hubei"), DivisionCode.Parse("42"), Registers.Tempting) { Parent = NodeId.Parse("ministry") } };
        Assert.That(
            new[] { "99", "42", "4301", "CN" }.Select(code => hubei.GiveName(Name, DivisionCode.Parse(code))),
            Is.EqualTo(new[] { NameOutcome.DivisionUnknown, NameOutcome.DivisionOutside, NameOutcome.DivisionOutside, NameOutcome.DivisionOutside }));
        Assert.That(new[] { "hubei", "ministry" }.Select(name => hubei.GiveName(NodeId.Parse(name), Wuhan)), Is.All.EqualTo(NameOutcome.Borne));
        Assert.That(hubei.Head, Is.EqualTo(Lsn.Zero));
    }

    /// <summary>H2: the same division by another child is the same place.</summary>
    [Test]
    public void A_place_that_moves_keeps_its_name()
    {
        var central = new Province("central", "43", Changsha, 6, epoch: 901);
        central.Child.Join(_ministry);
        Assert.That(central.Says(_ministry).Records, Is.Empty);
        Assert.That((Held(Changsha), _ministry.Reception.Origin(Name)!.Via), Is.EqualTo((6, central.Child.Node)));
    }

    /// <summary>L9: an id is its first origin's, and that is a node at its place.</summary>
    [Test]
    public void Whoever_bears_the_name_has_not_the_escalations_with_it()
    {
        var ministry = new Parent("ministry", "CN", Registers.Tempting);
        _hubei.Child.Join(ministry);
        _hunan.Child.Join(ministry);
        _hunan.BeginsAnew();
        Assert.That(_hubei.Tells(ministry).Accepted, Is.EqualTo(2));
        _hunan.Says(ministry);
        var answer = ministry.Take(_hunan.Child.Peer, _hunan.Child.Raise(0, 3, _hunan.Escalation(2, 1, version: 2))).Receipt;
        Assert.That(answer.Records.Select(r => r.Code), Is.EqualTo(new[] { RecordJudge.Conflict }));
    }

    /// <summary>Of a child that has more aside than is listed everything is asked for again, in the record that gives the name.</summary>
    [Test]
    public void More_than_are_listed_are_asked_for_again()
    {
        var rows = Enumerable.Range(0, ReceptionFold.ParkedMax + 1).Select(day => _hubei.Child.Cell(1, 1, "4201", "city-1", day, Grain.National)).ToArray();
        _ministry.Take(_hubei.Child.Peer, _hubei.Child.Cut(0, 1, rows[..^1]));
        _ministry.Take(_hubei.Child.Peer, _hubei.Child.Cut(1, 2, rows[^1..]));
        Assert.That(_ministry.Reception.HasUnlisted(_hubei.Child.Node));
        _ministry.GiveName(Name, Wuhan);
        Assert.That(
            (_ministry.Reception.HasUnlisted(_hubei.Child.Node), _ministry.Reception.Parked.Count, _ministry.Reception.Child(_hubei.Child.Node)!.Cells.Mark.IsStart, _ministry.Reception.Child(_hunan.Child.Node)!.Cells.Mark.IsStart),
            Is.EqualTo((false, 0, true, false)));
    }

    private static CutReader Reader(Parent parent) => new(
        parent.Settings.Node, parent.Cells, parent.Reception, parent.Escalations, new EscalationReach(GradeTier.Ministry, _ => false), parent.Orders, _ => true);

    private int Held(DivisionCode division, Parent? at = null)
    {
        var sum = new CellSum();
        (at ?? _ministry).Cells.Visit(
            new CellFilter(Grain.National, new StatDay(0), new StatDay(30_000)) { Divisions = code => code == division }, (in CellKey _, Lsn _, ReadOnlySpan<byte> value) => sum.Add(value));
        (at ?? _ministry).Cells.Visit(
            new CellFilter(Grain.Detail, new StatDay(0), new StatDay(30_000)) { Divisions = code => code == division }, (in CellKey _, Lsn _, ReadOnlySpan<byte> value) => sum.Add(value));
        return (int)sum[Counter.Reported];
    }

    private void Refuses(Province province, Parent? at = null)
    {
        var ministry = at ?? _ministry;
        province.BeginsAnew(ministry);
        var refused = province.Says(ministry).Records.Concat(province.Tells(ministry).Records);
        Assert.That(refused.Select(r => (r.Outcome, r.Code)).Where(r => r.Code != RecordJudge.Malformed), Is.EqualTo(Enumerable.Repeat((RecordOutcome.Refused, RecordJudge.PermissionDenied), 4)));
    }

    /// <summary>A province that relays a node named city-1, with what that has: a cell, what it says of itself, an escalation, and what became of an order.</summary>
    private sealed class Province(string node, string division, DivisionCode city, int reported, long epoch)
    {
        private long _cells, _records;

        public Child Child { get; } = new(node, division);

        public CellRow Cell => Child.Cell(3, reported, city.ToString(), "city-1", grain: Grain.National) with { Revision = new Revision(epoch, 3) };

        public void Speak(CellsPart part)
        {
            var word = Child.Statement(3) with { Origin = Name, Division = city, Epoch = new Epoch(epoch, 1), Incarnation = new Incarnation((UInt128)epoch), Digest = Truth().DigestOf(Name, Grain.National) };
            CellsPartCodec.Write(part, [], [word], [Name]);
        }

        public Receipt Says(Parent parent) => parent.Take(Child.Peer, Child.Cut(_cells, ++_cells, [Cell], twist: Speak)).Receipt;

        public Receipt Tells(Parent parent)
        {
            var order = new Order { Id = OrderId.ToBytes(9), Issuer = "ministry", IssuerDivision = "CN", TargetDivision = city.ToString(), Kind = OrderKind.Assign };
            var receipt = new OrderReceipt { Order = order.Id, Issuer = order.Issuer, Node = "city-1", Division = city.ToString(), Step = 1, State = OrderState.Delivered };
            var (from, to) = (_records, _records += 2);
            var frame = Child.Raise(from, to, Escalation(from + 1, 1));
            frame.Escalations.Lane = Lane.Alarms;
            frame.Escalations.Receipts.Add(new OrderReceiptEnvelope { Lsn = to, Receipt = receipt.ToByteString(), Order = order.ToByteString() });
            return parent.Take(Child.Peer, frame).Receipt;
        }

        public EscalationEnvelope Escalation(long lsn, byte id, int version = 1) => Child.Escalation(lsn, id, version, e => (e.Origin, e.Division) = ("city-1", city.ToString()));

        public IEnumerable<RangeAnswer> StatesRanges(Parent parent)
        {
            var truth = Truth();
            var statement = new RangeStatement(new RangeScope(Name, Grain.National), truth.GrainDigestOf(Name, Grain.National), truth.MonthDigestsOf(Name, Grain.National));
            return parent.Take(Child.Peer, Child.Cut(_cells, ++_cells, [], twist: part =>
            {
                Speak(part);
                part.CompleteOrigins.Clear();
                RangeStatements.Write(part, [statement]);
            })).Receipt.Ranges;
        }

        /// <summary>Where the receiver's cursors are at the start.</summary>
        public void BeginsAnew() => (_cells, _records) = (0, 0);

        public void BeginsAnew(Parent parent)
        {
            var row = parent.Reception.Child(Child.Node)!;
            (_cells, _records) = (row.Cells.Mark.Lsn.Value, row.Alarms.Mark.Lsn.Value);
        }

        private CellFold Truth()
        {
            var truth = new CellFold();
            truth.Merge(Cell.Key, Cell.Revision, Cell.Value.Span, new Lsn(1));
            return truth;
        }
    }
}
