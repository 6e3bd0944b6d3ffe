using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using CityGrid.Tests.Cells;
using CsCheck;
using Google.Protobuf;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Wire;

/// <summary>Clauses C1, C7 and C9 as messages.</summary>
public sealed class Cells_travel_in_parts
{
    private static readonly OriginWatermark Mark = new(
        NodeId.Parse("boston"), new Incarnation(7), new Epoch(2, 99), new Lsn(1234), Instant.FromUnixTimeSeconds(1_700_000_000), new StatDay(19_675),
        DivisionCode.Parse("US-MA-BOSTON"), Hash256.Of([1, 2, 3]), "America/New_York");

    [Test]
    public void What_is_read_is_what_was_written() =>
        CellWorld.HonestRow.List[0, 50].Sample(rows =>
        {
            var reading = CellsPartCodec.Read(Sent(rows, [Mark], [NodeId.Parse("boston"), NodeId.Parse("x")]));
            return reading.Fault is null && reading.Refused.Count == 0
                && reading.Cells.Select(c => c.Index).SequenceEqual(Enumerable.Range(0, rows.Count))
                && reading.Cells.Zip(rows).All(pair => pair.First.Row.Key == pair.Second.Key && pair.First.Row.Revision == pair.Second.Revision
                    && pair.First.Row.Value.Span.SequenceEqual(pair.Second.Value.Span))
                && reading.Watermarks.SequenceEqual([Mark])
                && reading.CompleteOrigins.SequenceEqual([NodeId.Parse("boston"), NodeId.Parse("x")]);
        });

    [Test]
    public void A_name_stands_once_in_a_part()
    {
        var part = Sent(Enumerable.Range(20_000, 100).Select(day => CellWorld.Row(CellWorld.Key(day: day), 1, 1)), [], []);
        Assert.That(part.Symbols, Is.EqualTo(new[] { "suzhou", "gb47678-2026", "01001", "320508", "all" }));
    }

    [TestCase("origin")]
    [TestCase("division")]
    [TestCase("type")]
    [TestCase("source")]
    [TestCase("grain")]
    [TestCase("revision")]
    [TestCase("day")]
    public void A_bad_cell_is_refused_by_itself_and_says_where(string what)
    {
        var part = Sent([CellWorld.Row(CellWorld.Key(), 1, 1), CellWorld.Row(CellWorld.Key(day: 20_001), 1, 1)], [], []);
        part.Symbols.Add("not a name!");
        Spoil(part.Cells[0], what, part.Symbols.Count - 1);
        var reading = CellsPartCodec.Read(part);
        Assert.Multiple(() =>
        {
            Assert.That(reading.Fault, Is.Null);
            Assert.That(reading.Cells.Select(c => c.Index), Is.EqualTo(new[] { 1 }));
            Assert.That(reading.Refused.Select(r => (r.Index, r.Refusal.Code)), Is.EqualTo(new[] { (0, "CELL_MALFORMED") }));
            Assert.That(reading.Refused[0].Refusal.Message, Does.Contain(what));
        });
    }

    [Test]
    public void A_bad_watermark_makes_the_part_unreadable()
    {
        Action<Watermark>[] faults =
        [
            w => w.Origin = "NO NODE", w => w.Division = "", w => w.Incarnation = ByteString.Empty, w => w.Epoch = -1, w => w.Lsn = -1,
            w => w.Digest = ByteString.CopyFrom(1, 2), w => w.AsOf = long.MaxValue, w => w.CompleteThrough = int.MinValue, w => w.Zone = "Mars/Olympus",
        ];
        foreach (var fault in faults)
        {
            var part = Sent([CellWorld.Row(CellWorld.Key(), 1, 1)], [Mark], []);
            fault(part.Watermarks[0]);
            var reading = CellsPartCodec.Read(part);
            Assert.That(reading.Fault?.Code, Is.EqualTo("WATERMARK_MALFORMED"));
            Assert.That(reading.Cells, Is.Empty);
        }
    }

    [Test]
    public void An_unknown_complete_origin_makes_the_part_unreadable()
    {
        var part = Sent([], [], []);
        part.CompleteOrigins.Add(3);
        Assert.That(CellsPartCodec.Read(part).Fault?.Code, Is.EqualTo("CELL_MALFORMED"));
    }

    [Test]
    public void No_message_whatever_makes_an_exception() =>
        Gen.Select(Gen.OneOf(Gen.Int, Gen.Int[-1, 4]).Array[9], Gen.Long.Array[6], Gen.OneOf(Gen.String, Gen.OneOf("x", "CN", "Europe/Paris")).Array[0, 4]).Sample((i, l, symbols) =>
        {
            var part = new CellsPart();
            part.Symbols.AddRange(symbols);
            part.CompleteOrigins.Add(i[8]);
            part.Cells.Add(new Cell { Origin = i[0], Grain = i[1], Catalogue = i[2], Kind = i[3], Code = i[4], Division = i[5], Day = i[6], Source = i[7], Epoch = l[0], Lsn = l[1] });
            part.Watermarks.Add(new Watermark
            {
                Origin = symbols.FirstOrDefault(""),
                Division = symbols.ElementAtOrDefault(1) ?? "",
                Zone = symbols.LastOrDefault(""),
                Incarnation = ByteString.CopyFrom(new byte[16]),
                Epoch = l[2],
                Lsn = l[3],
                AsOf = l[4],
                CompleteThrough = i[0],
                Digest = ByteString.CopyFrom(new byte[32]),
            });
            var reading = CellsPartCodec.Read(part);
            part.Watermarks.Clear();
            part.CompleteOrigins.Clear();
            var cellsOnly = CellsPartCodec.Read(part);
            return reading is not null && cellsOnly.Cells.Count + cellsOnly.Refused.Count == 1;
        }, iter: 2_000);

    private static CellsPart Sent(IEnumerable<CellRow> rows, IEnumerable<OriginWatermark> marks, IEnumerable<NodeId> complete)
    {
        var part = new CellsPart();
        CellsPartCodec.Write(part, rows, marks, complete);
        return CellsPart.Parser.ParseFrom(part.ToByteArray());
    }

    private static void Spoil(Cell cell, string what, int badSymbol)
    {
        switch (what)
        {
            case "origin": cell.Origin = badSymbol; break;
            case "division": cell.Division = badSymbol; break;
            case "type": cell.Code = badSymbol; break;
            case "source": cell.Source = -1; break;
            case "grain": cell.Grain = 256; break;
            case "revision": cell.Lsn = 0; break;
            default: cell.Day = int.MaxValue; break;
        }
    }
}
