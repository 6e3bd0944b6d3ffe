using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using NUnit.Framework;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Reception;

/// <summary>Clause L17 as the receiver finds it: what is held of other types becomes zero with the revision of the choice, and nothing late brings it back.</summary>
public sealed class A_child_tells_of_some_matters
{
    private Parent _gas = null!;
    private Child _city = null!;

    [SetUp]
    public void Join()
    {
        _gas = new Parent("hubei", "42", Registers.Tempting);
        _city = new Child("wuhan", "4201");
        Assert.That(_city.Join(_gas).ReadsMatters, "It says that it reads of them.");
        Send(0, 5, Statement(5), Cell("01001", 3, 10), Cell("06010", 4, 20), Cell("x0a1b2c3d", 5, 30));
    }

    [Test]
    public void What_it_tells_of_no_more_becomes_zero_at_the_position_of_the_choice()
    {
        Send(5, 8, Statement(8, since: 7, "01"));
        Assert.That(Held(), Is.EqualTo(new[] { "01001 1/3 10", "06010 1/7 0", "x0a1b2c3d 1/7 0" }));
    }

    [Test]
    public void A_cell_of_before_the_choice_that_comes_late_changes_nothing()
    {
        Send(5, 8, Statement(8, since: 7, "01"));
        var receipt = Send(8, 9, null, Cell("06010", 6, 99), Cell("06011", 6, 5));
        Assert.That((receipt.Accepted, receipt.Unchanged, receipt.Records.Count), Is.EqualTo((0, 2, 0)));
        Assert.That(Held(), Is.EqualTo(new[] { "01001 1/3 10", "06010 1/7 0", "x0a1b2c3d 1/7 0" }));
    }

    [Test]
    public void What_comes_in_by_a_later_choice_lies_above_it()
    {
        Send(5, 8, Statement(8, since: 7, "01"));
        Send(8, 12, Statement(12, since: 10, "01", "06"), Cell("06010", 10, 20));
        Assert.That(Held(), Is.EqualTo(new[] { "01001 1/3 10", "06010 1/10 20", "x0a1b2c3d 1/7 0" }));
        Send(12, 16, Statement(16, since: 14, "06"));
        Assert.That(Held(), Is.EqualTo(new[] { "01001 1/14 0", "06010 1/10 20", "x0a1b2c3d 1/7 0" }));
        Send(16, 20, Statement(20), Cell("01001", 18, 11), Cell("x0a1b2c3d", 18, 30));
        Assert.That(Held(), Is.EqualTo(new[] { "01001 1/18 11", "06010 1/10 20", "x0a1b2c3d 1/18 30" }));
    }

    [Test]
    public void The_same_choice_said_again_costs_nothing()
    {
        Send(5, 8, Statement(8, since: 7, "01"));
        var newest = _gas.Cells.NewestChange;
        Send(8, 9, Statement(9, since: 7, "01"));
        Assert.That(_gas.Cells.NewestChange, Is.EqualTo(newest));
    }

    [Test]
    public void A_choice_that_is_none_is_refused_and_changes_nothing()
    {
        var before = Held();
        foreach (var twist in new Action<Watermark>[] { w => w.Matters.Add("06*"), w => w.MattersSince = 0, w => w.MattersSince = 99 })
        {
            var receipt = Send(5, 8, Statement(8, since: 7, "01"), twist);
            Assert.That(receipt.Records.Select(r => (r.Outcome, r.Code)), Is.EqualTo(new[] { (RecordOutcome.Refused, "WATERMARK_MALFORMED") }));
            Assert.That(Held(), Is.EqualTo(before));
            _gas.Rewind(_city.Node);
            Send(0, 5, null, Cell("01001", 3, 10));
        }
    }

    [Test]
    public void It_says_so_after_a_start_from_a_snapshot_too()
    {
        Send(5, 8, Statement(8, since: 7, "01"));
        using var image = new MemoryStream();
        _gas.Reception.Save(image);
        image.Position = 0;
        _gas.Reception.Load(image);
        Assert.That(_gas.Reception.Origin(_city.Node)!.Watermark.Matters.ToString(), Is.EqualTo("01"));
        Assert.That(_gas.Reception.IsOfAnEarlierLife(Cell("06010", 6, 1)));
        Assert.That(_gas.Reception.IsOfAnEarlierLife(Cell("01001", 6, 1)), Is.False);
    }

    private OriginWatermark Statement(long lsn, long since = 0, params string[] matters) =>
        _city.Statement(lsn) with { Matters = Matters.Of(matters)!, MattersSince = new Lsn(since) };

    private CellRow Cell(string code, long lsn, long reported)
    {
        var row = _city.Cell(lsn, reported, grain: Grain.National);
        return row with { Key = row.Key with { Type = row.Key.Type with { Code = TypeCode.Parse(code) } } };
    }

    private Receipt Send(long from, long to, OriginWatermark? stated, params CellRow[] cells) => Send(from, to, stated, _ => { }, cells);

    private Receipt Send(long from, long to, OriginWatermark? stated, Action<Watermark> twist, params CellRow[] cells)
    {
        var answer = _gas.Take(_city.Peer, _city.Cut(from, to, cells, twist: part =>
        {
            if (stated is not null)
            {
                part.Watermarks.Add(CellsPartCodec.Write(stated));
                twist(part.Watermarks[0]);
            }
        }));
        return answer.Receipt ?? throw new InvalidOperationException(answer.ToString());
    }

    private string[] Held() =>
    [
        .. _gas.Cells.ChangedSince(Lsn.Zero, _gas.Head).OrderBy(row => row.Key)
            .Select(row => $"{row.Key.Type.Code} {row.Revision.Epoch}/{row.Revision.Lsn} {CellCodec.Decode(row.Value.Span, out _)!.Counters.SingleOrDefault().Value}"),
    ];
}
