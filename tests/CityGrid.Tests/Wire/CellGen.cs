using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;
using CsCheck;

namespace CityGrid.Tests.Wire;

/// <summary>Generators of cells: few names, so that keys meet; any values that the canonical form can hold.</summary>
internal static class CellGen
{
    public static readonly Gen<long> Nonzero = Gen.OneOf(Gen.Long[1, 5], Gen.Long[-5, -1], Gen.Long).Where(value => value != 0);

    public static readonly Gen<CellValue> Value = Gen.Select(
        Gen.Dictionary(Gen.OneOf(Gen.UShort[1, 40], Gen.UShort[1, ushort.MaxValue]), Nonzero)[0, 12],
        Gen.Dictionary(Gen.UShort[1, 5], Gen.Dictionary(Gen.UShort[0, 800], Nonzero)[1, 6])[0, 3],
        (counters, histograms) => new CellValue(
            counters.OrderBy(c => c.Key).Select(c => new CounterCount(c.Key, c.Value)).ToList(),
            histograms.OrderBy(h => h.Key).Select(h => new HistogramCounts(
                h.Key, h.Value.OrderBy(b => b.Key).Select(b => new BucketCount(b.Key, b.Value)).ToList())).ToList()));

    public static readonly Gen<CellKey> Key = Gen.Select(
        Gen.OneOf("boston", "suzhou", "x"),
        Gen.OneOf(Grain.Detail, Grain.National),
        Gen.OneOf("01001", "01002", "99000"),
        Gen.OneOf("320508", "320509"),
        Gen.Int[16_400, 16_470],
        Gen.OneOf("all", "web"),
        (origin, grain, code, division, day, source) => new CellKey(
            NodeId.Parse(origin), grain, new(CatalogueVersion.Parse("gb47678-2026"), TypeKind.Matter, Protocol.Names.TypeCode.Parse(code)),
            DivisionCode.Parse(division), new StatDay(day), SourceCode.Parse(source)));
}
