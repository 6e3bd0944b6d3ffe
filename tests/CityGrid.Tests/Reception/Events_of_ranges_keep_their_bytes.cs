using CityGrid.Hub.Cells;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Reception;

/// <summary>INV-27: what a comparison and a repair left in the journal, and what a snapshot keeps of them. Lines of the golden file are appended, never changed.</summary>
public sealed class Events_of_ranges_keep_their_bytes
{
    private static readonly Instant At = Instant.FromUtc(2026, 11, 24, 4, 0);
    private static readonly RangeScope Scope = new(NodeId.Parse("wuhan"), Grain.National);

    private static readonly CellsTaken Compared = new(NodeId.Parse("wuhan"), new Incarnation(1), new Epoch(1, 7), new CellsPart { CutTo = 9 }, [])
    {
        Findings = [new Finding(Scope with { Grain = Grain.Detail }, null, RangeState.Equal), new Finding(Scope, null, RangeState.Differs), new Finding(Scope, 24_322, RangeState.Differs), new Finding(Scope, 24_321, RangeState.Persists, 4)],
    };

    private static string GoldenFile => Path.Combine(Machine.Repository, "tests", "CityGrid.Tests", "Reception", "ranges.golden.txt");

    [Test]
    public void Each_is_written_as_ever() => Assert.That(Lines(), Is.EqualTo(File.ReadAllLines(GoldenFile)));

    [Test]
    public void Each_line_is_read_as_what_it_was()
    {
        var golden = File.ReadAllLines(GoldenFile).Select(line => line.Split(' ')).ToArray();
        Assert.That(RangeEvents.ReadCompared(Event(EventKinds.RangesCompared, 1, golden[0][1])).Findings, Is.EqualTo(Compared.Findings));
        Assert.That(
            RangeEvents.ReadRepaired(Event(EventKinds.RangeRepaired, 2, golden[1][1])),
            Is.EqualTo((NodeId.Parse("wuhan"), new RangeStretch(new RangeKey(Scope, 24_322), true, false), new RepairCounts(1, 2, 3, 4))));
        var fold = new ReceptionFold(new CellFold());
        fold.Load(new MemoryStream(Convert.FromHexString(golden[2][1])));
        var row = fold.Ranges.Of(NodeId.Parse("wuhan"));
        Assert.That((row.FoundInAll, row.CellsInAll, row.Open.Count, row.Persisting, row.ComparedAt, row.ComparedLsn), Is.EqualTo((2L, 6L, 2, 1, At, new Lsn(1))));
        Assert.That(row.Open[new RangeKey(Scope, 24_322)], Is.EqualTo(new DifferingRange(new RangeKey(Scope, 24_322), RangeState.Differs, At, new Lsn(1), new RepairCounts(1, 2, 3, 4), false, null)));
    }

    private static IEnumerable<string> Lines()
    {
        var part = new CellsPart { CutTo = 9 };
        RangeStatements.Write(part, new RangeStretch(new RangeKey(Scope, 24_322), true, false));
        var compared = RangeEvents.Beside(Compared).Single();
        var repaired = RangeEvents.Beside(Compared with { Part = part, Findings = [], Repair = new RepairCounts(1, 2, 3, 4) }).Single();
        yield return $"compared {Convert.ToHexStringLower(compared.Payload.Span)}";
        yield return $"repaired {Convert.ToHexStringLower(repaired.Payload.Span)}";
        var fold = new ReceptionFold(new CellFold());
        fold.Apply(Event(compared.Kind, 1, Convert.ToHexStringLower(compared.Payload.Span)));
        fold.Apply(Event(repaired.Kind, 2, Convert.ToHexStringLower(repaired.Payload.Span)));
        var image = new MemoryStream();
        fold.Save(image);
        yield return $"reception-image {Convert.ToHexStringLower(image.ToArray())}";
    }

    private static JournalEvent Event(ushort kind, long lsn, string hex) => new(new Lsn(lsn), new Lsn(lsn), new Lsn(lsn), At, "test", kind, 1, Convert.FromHexString(hex));
}
