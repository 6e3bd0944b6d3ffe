using CityGrid.Hub.Cells;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;
using CityGrid.Tests.Wire;
using CsCheck;

namespace CityGrid.Tests.Cells;

/// <summary>Makes cells for the tests of this folder.</summary>
internal static class CellWorld
{
    public static readonly CatalogueVersion Catalogue = CatalogueVersion.Parse("gb47678-2026");

    /// <summary>Cells as honest origins send them: one revision of a key has one content, now and then zero; few keys, so that they meet.</summary>
    public static readonly Gen<CellRow> HonestRow = Gen.Select(CellGen.Key, Gen.Int[1, 2], Gen.Int[1, 5], (key, epoch, lsn) => Row(key, epoch, lsn));

    public static CellKey Key(string origin = "suzhou", Grain? grain = null, string code = "01001", string division = "320508", int day = 20_000, string source = "all") =>
        new(NodeId.Parse(origin), grain ?? Grain.National, new(Catalogue, TypeKind.Matter, Protocol.Names.TypeCode.Parse(code)), DivisionCode.Parse(division), new(day),
            SourceCode.Parse(source));

    /// <summary>The one content of this key at this revision.</summary>
    public static CellRow Row(CellKey key, long epoch, long lsn)
    {
        var draft = new CellDraft();
        if ((lsn + key.Day.Number) % 4 != 0)
        {
            draft.Add(Counter.Reported.Id, (lsn * 7) + epoch + key.Day.Number % 5);
            draft.Add(Counter.CohortClosed.Id, lsn);
            draft.Add(200, key.Day.Number % 3);
            draft.AddDuration(Histogram.ReportToClose.Id, 60 * lsn * lsn * epoch, lsn);
        }

        return new(key, new(epoch, lsn), draft.ToBytes());
    }

    public static byte[] Value(params (Counter Counter, long Value)[] counters)
    {
        var draft = new CellDraft();
        foreach (var (counter, value) in counters)
        {
            draft.Add(counter.Id, value);
        }

        return draft.ToBytes();
    }

    public static CellFold Merged(IEnumerable<CellRow> rows)
    {
        var fold = new CellFold();
        var local = 0L;
        foreach (var row in rows)
        {
            fold.Merge(row.Key, row.Revision, row.Value.Span, new(++local));
        }

        return fold;
    }

    /// <summary>Everything held, for comparing: keys, revisions and bytes in the canonical order, digests in no part.</summary>
    public static IReadOnlyList<string> Content(CellFold fold) =>
        [.. fold.ChangedSince(Lsn.Zero, fold.NewestChange).OrderBy(r => r.Key).Select(r => $"{r.Key} {r.Revision} {Convert.ToHexString(r.Value.Span)}")];
}
