using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using NUnit.Framework;

namespace CityGrid.Tests.Reception;

/// <summary>Clauses L4 to L6, L8 and L10; INV-7, INV-8, INV-16.</summary>
public sealed class A_cut_comes_in_parts
{
    private Parent _parent = null!;
    private Child _child = null!;

    [SetUp]
    public void Join()
    {
        _parent = new Parent("hubei", "42", Registers.Tempting);
        _child = new Child("wuhan", "4201");
        _child.Join(_parent);
    }

    [Test]
    public void The_cursor_moves_with_the_last_one()
    {
        var first = Take(_child.Cut(0, 9, [_child.Cell(3, 1, day: 1)], 1, 3)).Receipt;
        var second = Take(_child.Cut(0, 9, [_child.Cell(4, 1, day: 2)], 2, 3)).Receipt;
        var third = Take(_child.Cut(0, 9, [_child.Cell(5, 1, day: 3)], 3, 3)).Receipt;
        Assert.That(new[] { first, second, third }.Select(r => (r.Position.Lsn, r.Accepted)), Is.EqualTo(new[] { (0L, 1), (0L, 1), (9L, 1) }));
        Assert.That(third.Position.ChainHash, Is.EqualTo(_child.MarkAt(9).HashBytes()));
        Assert.That(_parent.Cells.Count, Is.EqualTo(3));
    }

    [Test]
    public void One_out_of_turn_is_a_gap_and_has_no_effect()
    {
        Take(_child.Cut(0, 9, [_child.Cell(3, 1, day: 1)], 1, 3));
        var head = _parent.Head;
        var refusal = Take(_child.Cut(0, 9, [_child.Cell(5, 1, day: 3)], 3, 3)).Refusal;
        Assert.That((refusal.Code, refusal.Position.Lsn, _parent.Head), Is.EqualTo((LinkRefusalCode.Gap, 0L, head)));
        Assert.That(Take(_child.Cut(0, 9, [_child.Cell(4, 1, day: 2)], 2, 3)).Receipt, Is.Not.Null, "A gap does not end the conversation.");
    }

    [Test]
    public void One_that_starts_past_the_cursor_is_a_gap()
    {
        var refusal = Take(_child.Cut(4, 9, [_child.Cell(5, 1)])).Refusal;
        Assert.That((refusal.Code, refusal.Position.Lsn, _parent.Cells.Count), Is.EqualTo((LinkRefusalCode.Gap, 0L, 0L)));
    }

    [Test]
    public void One_that_comes_again_changes_nothing()
    {
        var part = _child.Cut(0, 9, [_child.Cell(3, 1)], 1, 2);
        Take(part);
        var head = _parent.Head;
        Assert.That(Take(part).Receipt.Unchanged, Is.EqualTo(1));
        Take(_child.Cut(0, 9, [], 2, 2));
        Assert.That(Take(part).Receipt.Position.Lsn, Is.EqualTo(9), "What was applied has a receipt with the cursor.");
        Assert.That(_parent.Head, Is.EqualTo(new Lsn(head.Value + 1)));
    }

    [Test]
    public void A_newer_cut_from_the_same_cursor_takes_the_place_of_one_that_was_not_finished()
    {
        Take(_child.Cut(0, 8, [_child.Cell(3, 1)], 1, 2));
        var receipt = Take(_child.Cut(0, 9, [_child.Cell(9, 2)])).Receipt;
        Assert.That((receipt.Position.Lsn, receipt.Accepted), Is.EqualTo((9L, 1)));
        Assert.That(Take(_child.Cut(0, 8, [], 2, 2)).Receipt.Position.Lsn, Is.EqualTo(9), "The rest of the old one comes late.");
    }

    /// <summary>
    /// The line broke after the first part. Meanwhile a cell changed and left the range, or the parts became smaller: the range, its end and the number of parts are as
    /// before, but the first part holds a cell that it did not hold.
    /// </summary>
    [Test]
    public void Read_again_and_divided_otherwise_it_begins_anew()
    {
        Take(_child.Cut(0, 9, [_child.Cell(3, 1, day: 1)], 1, 2));
        Take(_child.Cut(0, 9, [_child.Cell(4, 1, day: 2)], 1, 2, p => p.Reading = 2));
        var late = Take(_child.Cut(0, 9, [_child.Cell(5, 1, day: 3)], 2, 2)).Refusal;
        Assert.That(late.Code, Is.EqualTo(LinkRefusalCode.Gap), "of the first reading");
        Assert.That(Take(_child.Cut(0, 9, [_child.Cell(5, 1, day: 3)], 2, 2, p => p.Reading = 2)).Receipt.Position.Lsn, Is.EqualTo(9));
        Assert.That(_parent.Cells.Count, Is.EqualTo(3));
    }

    [Test]
    public void Where_the_sender_does_not_say_which_reading_it_is_the_first_part_begins_anew()
    {
        Take(_child.Cut(0, 9, [_child.Cell(3, 1, day: 1)], 1, 2, p => p.Reading = 0));
        Take(_child.Cut(0, 9, [_child.Cell(4, 1, day: 2)], 1, 2, p => p.Reading = 0));
        Take(_child.Cut(0, 9, [_child.Cell(5, 1, day: 3)], 2, 2, p => p.Reading = 0));
        Assert.That(_parent.Cells.Count, Is.EqualTo(3));
        Assert.That(_parent.Reception.Child(_child.Node)!.Cells.Mark.Lsn, Is.EqualTo(new Lsn(9)));
    }

    [Test]
    public void An_empty_one_moves_the_cursor_and_says_that_the_child_lives()
    {
        _parent.Now += NodaTime.Duration.FromHours(1);
        var receipt = Take(_child.Cut(0, 9, [], 1, 1, p => CellsPartCodec.Write(p, [], [_child.Statement(9)], []))).Receipt;
        Assert.That((receipt.Position.Lsn, receipt.Accepted), Is.EqualTo((9L, 0)));
        Assert.That(_parent.Reception.Child(_child.Node)!.LastHeard, Is.EqualTo(_parent.Now));
        Assert.That(_parent.Reception.Watermarks.Single().Lsn, Is.EqualTo(new Lsn(9)));
    }

    [Test]
    public void Another_chain_at_its_start_is_a_fork()
    {
        Take(_child.Cut(0, 5, [_child.Cell(3, 1)]));
        _child.History = "another";
        var refusal = Take(_child.Cut(5, 9, [_child.Cell(7, 1)])).Refusal;
        Assert.That(refusal.Code, Is.EqualTo(LinkRefusalCode.Fork));
        Assert.That(_parent.Reception.Child(_child.Node)!.Quarantine, Is.Not.Null);
        Assert.That(_parent.Cells.Count, Is.EqualTo(1));
    }

    [Test]
    public void Two_contents_at_one_revision_of_its_own_cell_are_a_fork()
    {
        Take(_child.Cut(0, 5, [_child.Cell(3, 1)]));
        Assert.That(Take(_child.Cut(5, 9, [_child.Cell(3, 2)])).Refusal.Code, Is.EqualTo(LinkRefusalCode.Fork));
    }

    /// <summary>
    /// INV-21: one of two clones sent a part of its cut and was cut off, and the other, which has come further, stands at the same cursor. What the first one's part brought is in no history of
    /// the other's, so that it must not go on as if it were.
    /// </summary>
    [Test]
    public void Where_another_history_had_begun_one_it_is_a_fork()
    {
        BeginAndBreakOff();
        (_child.History, _child.SharedTo, _child.Head) = ("another", 5, 12);
        Assert.That(Proving().CellsHeard.Lsn, Is.EqualTo(9));

        Assert.That(Take(_child.Cut(5, 12, [_child.Cell(8, 1)], twist: Shows(9))).Refusal.Code, Is.EqualTo(LinkRefusalCode.Fork));
        Assert.That(_parent.Reception.Child(_child.Node)!.Quarantine, Is.Not.Null);
        Assert.That(_parent.Reception.Child(_child.Node)!.Cells.Mark.Lsn, Is.EqualTo(new Lsn(5)));
    }

    [Test]
    public void Where_its_own_history_had_begun_one_it_shows_so_and_is_taken()
    {
        BeginAndBreakOff();
        _child.Head = 12;
        Proving();
        Assert.That(Take(_child.Cut(5, 12, [_child.Cell(8, 1)], twist: Shows(9))).Receipt.Position.Lsn, Is.EqualTo(12));
        Assert.That(Proving().CellsHeard, Is.Null, "all that was heard is applied");
    }

    /// <summary>Two connections of one name: what the one began came after the other's welcome.</summary>
    [Test]
    public void Where_one_had_begun_that_it_does_not_show_to_be_its_own_it_is_a_gap_that_says_what_to_show()
    {
        BeginAndBreakOff();
        _child.Head = 12;
        Proving();
        var head = _parent.Head;
        var refusal = Take(_child.Cut(5, 12, [_child.Cell(8, 1)])).Refusal;
        Assert.That((refusal.Code, refusal.Position.Lsn, refusal.CellsHeard.Lsn, _parent.Head), Is.EqualTo((LinkRefusalCode.Gap, 5L, 9L, head)));
        Assert.That(Take(_child.Cut(5, 12, [_child.Cell(8, 1)], twist: Shows(8))).Refusal.Code, Is.EqualTo(LinkRefusalCode.Gap), "not where it was asked");
        Assert.That(Take(_child.Cut(5, 9, [_child.Cell(8, 1)])).Receipt.Position.Lsn, Is.EqualTo(9), "A cut that ends there shows it by its end.");
    }

    [Test]
    public void Of_a_program_that_shows_nothing_nothing_is_asked()
    {
        BeginAndBreakOff();
        _child.Head = 12;
        Assert.That(_child.Join(_parent).CellsHeard, Is.Null);
        Assert.That(Take(_child.Cut(5, 12, [_child.Cell(8, 1)])).Receipt.Position.Lsn, Is.EqualTo(12));
    }

    /// <summary>Another reading may stop short of where an earlier one would have ended, and its parts may have brought what stands behind that.</summary>
    [Test]
    public void What_was_begun_further_on_is_not_forgotten_for_a_shorter_one()
    {
        BeginAndBreakOff();
        _child.Head = 12;
        Proving();
        Assert.That(Take(_child.Cut(5, 7, [_child.Cell(6, 1)], twist: Shows(9))).Receipt.Position.Lsn, Is.EqualTo(7));
        Assert.That(_parent.FromImages().Reception.Child(_child.Node), Is.EqualTo(_parent.Reception.Child(_child.Node)).Using<ChildRow>((a, b) => a.Cells == b.Cells));

        (_child.History, _child.SharedTo) = ("another", 7);
        Assert.That(Proving().CellsHeard.Lsn, Is.EqualTo(9));
        Assert.That(Take(_child.Cut(7, 12, [_child.Cell(8, 1)], twist: Shows(9))).Refusal.Code, Is.EqualTo(LinkRefusalCode.Fork));
    }

    /// <summary>
    /// INV-21: one of two clones had come further as it read its cut, and left out what had changed by then; the cut was applied whole, up to where both are one. The other never tells what was
    /// left out, for it stands at the same cursor and there it did not change.
    /// </summary>
    [TestCase(1)]
    [TestCase(2)]
    public void A_cut_is_of_the_history_up_to_where_it_was_read(int parts)
    {
        for (var part = 1; part <= parts; part++)
        {
            Take(_child.Cut(0, 5, [_child.Cell(3, 1, day: part)], part, parts, part == 1 ? ReadAt(9) : null));
        }

        Assert.That(_parent.Reception.Child(_child.Node)!.Cells.Mark.Lsn, Is.EqualTo(new Lsn(5)));
        Assert.That(_parent.FromImages().Reception.Child(_child.Node), Is.EqualTo(_parent.Reception.Child(_child.Node)).Using<ChildRow>((a, b) => a.Cells == b.Cells));
        _child.Head = 8;
        _parent.HangUp(_child.Node);
        Assert.That(_parent.Take(_child.Peer, _child.Hello()).Refusal.Code, Is.EqualTo(LinkRefusalCode.EpochRegression), "one that has not come so far");

        (_child.History, _child.SharedTo, _child.Head) = ("another", 5, 12);
        Assert.That(Proving().CellsHeard.Lsn, Is.EqualTo(9));
        Assert.That(Take(_child.Cut(5, 12, [_child.Cell(8, 1)], twist: Shows(9))).Refusal.Code, Is.EqualTo(LinkRefusalCode.Fork));
        Assert.That(_parent.Reception.Child(_child.Node)!.Quarantine, Is.Not.Null);
    }

    [Test]
    public void Its_own_history_goes_on_from_there()
    {
        Take(_child.Cut(0, 5, [_child.Cell(3, 1)], twist: ReadAt(9)));
        _child.Head = 12;
        Proving();
        Assert.That(Take(_child.Cut(5, 7, [_child.Cell(6, 1, day: 2)])).Refusal.CellsHeard.Lsn, Is.EqualTo(9), "what to show");
        Assert.That(Take(_child.Cut(5, 7, [_child.Cell(6, 1, day: 2)], twist: ReadAt(9))).Receipt.Position.Lsn, Is.EqualTo(7), "Read there once more, it shows it by that.");
        Assert.That(Take(_child.Cut(7, 8, [_child.Cell(8, 1, day: 3)], twist: p => { Shows(9)(p); ReadAt(11)(p); })).Receipt.Position.Lsn, Is.EqualTo(8));
        Assert.That(Take(_child.Cut(8, 12, [_child.Cell(12, 1, day: 4)], twist: Shows(9))).Refusal.CellsHeard.Lsn, Is.EqualTo(11));
        Assert.That(Take(_child.Cut(8, 12, [_child.Cell(12, 1, day: 4)], twist: Shows(11))).Receipt.Position.Lsn, Is.EqualTo(12));
        Assert.That(Proving().CellsHeard, Is.Null);
    }

    [Test]
    public void Another_chain_where_one_was_read_is_a_fork()
    {
        Take(_child.Cut(0, 5, [_child.Cell(3, 1)], twist: ReadAt(9)));
        (_child.History, _child.SharedTo) = ("another", 5);
        Assert.That(Take(_child.Cut(5, 7, [_child.Cell(6, 1, day: 2)], twist: ReadAt(9))).Refusal?.Code, Is.EqualTo(LinkRefusalCode.Fork));
    }

    /// <summary>Whatever part is missing, whoever sends is told what to show when it reads again.</summary>
    [Test]
    public void A_gap_names_what_was_heard()
    {
        BeginAndBreakOff();
        _child.Head = 12;
        Proving();
        Assert.That(Take(_child.Cut(5, 9, [_child.Cell(8, 1)], 2, 3, p => p.Reading = 7)).Refusal.CellsHeard.Lsn, Is.EqualTo(9));
        Assert.That(Take(_child.Cut(9, 12, [_child.Cell(10, 1)])).Refusal.CellsHeard.Lsn, Is.EqualTo(9));
    }

    [TestCase(5, 32)]
    [TestCase(9, 31)]
    [TestCase(9, 0)]
    [TestCase(-1, 32)]
    public void One_that_was_read_where_no_position_past_its_end_is_is_malformed(long lsn, int hash)
    {
        var request = _child.Cut(0, 5, [], twist: p => (p.ReadLsn, p.ReadChainHash) = (lsn, Google.Protobuf.ByteString.CopyFrom(new byte[hash])));
        Assert.That(Take(request).Refusal?.Code, Is.EqualTo(LinkRefusalCode.Malformed));
    }

    /// <summary>A cut of repairs, of which the first part came.</summary>
    [Test]
    public void One_that_ends_where_it_starts_leaves_nothing_to_show()
    {
        Take(_child.Cut(0, 5, [_child.Cell(3, 1)]));
        Take(_child.Cut(5, 5, [_child.Cell(3, 1)], 1, 2));
        _child.Head = 12;
        Assert.That(Proving().CellsHeard, Is.Null);
        Assert.That(Take(_child.Cut(5, 12, [_child.Cell(8, 1)])).Receipt.Position.Lsn, Is.EqualTo(12));
    }

    [Test]
    public void What_was_heard_is_not_unsaid_by_asking_for_everything_again()
    {
        BeginAndBreakOff();
        _parent.Rewind(_child.Node);
        _child.Head = 8;
        _parent.HangUp(_child.Node);
        Assert.That(_parent.Take(_child.Peer, _child.Hello()).Refusal.Code, Is.EqualTo(LinkRefusalCode.EpochRegression));
        _child.Head = 12;
        Assert.That(Proving().CellsHeard.Lsn, Is.EqualTo(9));
        Assert.That(Take(_child.Cut(0, 12, [_child.Cell(8, 1)], twist: Shows(9))).Receipt.Position.Lsn, Is.EqualTo(12));
    }

    /// <summary>The end of the cut under way is known as well as the furthest, of programs that show nothing too.</summary>
    [TestCase(false)]
    [TestCase(true)]
    public void Another_chain_at_the_end_of_a_shorter_one_is_a_fork(bool atHello)
    {
        BeginAndBreakOff();
        Take(_child.Cut(5, 7, [_child.Cell(6, 1)], 1, 2));
        (_child.History, _child.SharedTo, _child.Head) = ("another", 5, 12);
        _parent.HangUp(_child.Node);
        var hello = _child.Hello(h => h.Positions.AddRange(atHello ? [_child.MarkAt(7).ToPosition(Lane.Cells, _child.Incarnation, _child.Epoch)] : []));
        var heard = Take(hello);
        var refusal = atHello ? heard.Refusal : Take(_child.Cut(5, 7, [_child.Cell(7, 1, day: 3)], 1, 2)).Refusal;
        Assert.That(refusal?.Code, Is.EqualTo(LinkRefusalCode.Fork));
    }

    [TestCase(4, 32)]
    [TestCase(5, 32)]
    [TestCase(9, 31)]
    [TestCase(9, 0)]
    [TestCase(-1, 32)]
    public void One_that_shows_what_is_no_position_past_its_start_is_malformed(long lsn, int hash)
    {
        BeginAndBreakOff();
        var request = _child.Cut(5, 12, [], twist: p => (p.HeardLsn, p.HeardChainHash) = (lsn, Google.Protobuf.ByteString.CopyFrom(new byte[hash])));
        Assert.That(Take(request).Refusal?.Code, Is.EqualTo(LinkRefusalCode.Malformed));
    }

    [TestCase(-1, 5, 1, 1)]
    [TestCase(5, 4, 1, 1)]
    [TestCase(0, 5, 0, 1)]
    [TestCase(0, 5, 2, 1)]
    [TestCase(0, 5, 1, 0)]
    [TestCase(0, 5, 1, int.MaxValue)]
    public void One_without_shape_is_malformed(long from, long to, int part, int parts)
    {
        var head = _parent.Head;
        var request = _child.Cut(0, 5, [_child.Cell(3, 1)], 1, 1, p => (p.CutFrom, p.CutTo, p.Part, p.Parts) = (from, to, part, parts));
        Assert.That((Take(request).Refusal?.Code, _parent.Head), Is.EqualTo((LinkRefusalCode.Malformed, head)));
    }

    [Test]
    public void One_without_a_hash_or_with_too_much_in_it_is_malformed()
    {
        foreach (var twist in new Action<CellsPart>[]
        {
            p => p.CutChainHash = Google.Protobuf.ByteString.Empty,
            p => p.CutChainHash = Google.Protobuf.ByteString.CopyFrom(new byte[31]),
            p => p.Symbols.AddRange(Enumerable.Repeat("x", ReceiverSettings.SymbolsMax + 1)),
            p => p.Cells.AddRange(Enumerable.Repeat(new Cell(), ReceiverSettings.CellsMax + 1)),
            p =>
            {
                p.Cells.AddRange(Enumerable.Repeat(new Cell(), ReceiverSettings.CellsMax / 2));
                p.Watermarks.AddRange(Enumerable.Repeat(new Watermark(), (ReceiverSettings.CellsMax / 2) + 1));
            },
            p => { p.Parts = 2; p.Watermarks.Add(new Watermark()); },
        })
        {
            var parent = new Parent("hubei", "42", Registers.Tempting);
            var child = new Child("wuhan", "4201");
            child.Join(parent);
            var head = parent.Head;
            Assert.That((parent.Take(child.Peer, child.Cut(0, 5, [], 1, 1, twist)).Refusal?.Code, parent.Head), Is.EqualTo((LinkRefusalCode.Malformed, head)));
        }
    }

    /// <summary>Applied up to 5, and of a cut to 9 a first part of two.</summary>
    private void BeginAndBreakOff()
    {
        Take(_child.Cut(0, 5, [_child.Cell(3, 1)]));
        Take(_child.Cut(5, 9, [_child.Cell(7, 1, day: 2)], 1, 2));
    }

    /// <summary>A new connection of a program that shows its chain where it is asked.</summary>
    private Welcome Proving() => _child.Join(_parent, hello => hello.ProvesHeard = true);

    private Action<CellsPart> Shows(long lsn) => part => (part.HeardLsn, part.HeardChainHash) = (lsn, _child.MarkAt(lsn).HashBytes());

    private Action<CellsPart> ReadAt(long lsn) => part => (part.ReadLsn, part.ReadChainHash) = (lsn, _child.MarkAt(lsn).HashBytes());

    private ConnectResponse Take(ConnectRequest request) => _parent.Take(_child.Peer, request);
}
