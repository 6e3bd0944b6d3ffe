using CityGrid.Hub.Cells;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;

namespace CityGrid.Bench;

/// <summary>What the cells cost: merging a nation, a roll-up of what changed, a national view.</summary>
internal static class CellMeasures
{
    public const int Cities = 340;
    public const int Days = 90;
    public const int Types = 150;

    private static readonly CatalogueVersion Version = CatalogueVersion.Parse("gb47678-2026");
    public static readonly SourceCode AllSources = SourceCode.Parse("all");
    public static readonly StatDay FirstDay = new(20_666);

    public static TypeKey TypeOf(int number) =>
        new(Version, TypeKind.Matter, Protocol.Names.TypeCode.Parse($"{6001 + number:D5}"));

    /// <summary>Merges 340 cities × 90 days × 150 types into an empty fold; returns the seconds it took.</summary>
    public static double MergeNation(CellFold cells)
    {
        var values = SampleValues();
        var types = Enumerable.Range(0, Types).Select(TypeOf).ToArray();
        return Figures.Seconds(() =>
        {
            for (var city = 0; city < Cities; city++)
            {
                var origin = NodeId.Parse($"city-{city:D3}");
                var division = DivisionCode.Parse($"{110_000 + (city * 100)}");
                for (var day = 0; day < Days; day++)
                {
                    for (var type = 0; type < Types; type++)
                    {
                        var key = new CellKey(origin, Grain.National, types[type], division, FirstDay.Plus(day), AllSources);
                        cells.Merge(key, new Revision(1, (day * Types) + type + 1), values[(city + day + type) % values.Length], new Lsn(city + 1));
                    }
                }
            }
        });
    }

    /// <summary>Seconds of the counters of the nation by type over all days, from the sums: the mean of so many questions.</summary>
    public static double NationByTypeSeconds(CellFold cells) => Figures.MeanSeconds(Figures.Questions, () =>
    {
        long reported = 0;
        foreach (var type in cells.NationTypes)
        {
            var sum = new CellSum(withHistograms: false);
            cells.SumNation(type, FirstDay, FirstDay.Plus(Days), sum);
            reported += sum[Counter.Reported];
        }

        if (reported == 0)
        {
            throw new InvalidOperationException("The nation reported nothing: the measure is wrong.");
        }
    });

    /// <summary>A city's fold with the cells of so many stored cases, and then the seconds to read a cut of 1,000 changed cells.</summary>
    public static Func<double> RollUpOfThousandChanged(int storedCases)
    {
        var cells = new CellFold();
        var random = new SeededEntropy(1);
        var origin = NodeId.Parse("city-001");
        long lsn = 0;
        void Add()
        {
            lsn++;
            var key = new CellKey(
                origin, Grain.Detail, TypeOf(random.Below(Types)), DivisionCode.Parse($"{110_101 + random.Below(16)}"), FirstDay.Plus(random.Below(365)), SourceCode.Parse("hotline"));
            cells.Add(new CellChange(key, [new CounterChange(Counter.Reported.Id, 1)], []), new Revision(1, lsn), new Lsn(lsn));
        }

        for (var i = 0; i < storedCases; i++)
        {
            Add();
        }

        return () =>
        {
            var from = new Lsn(lsn);
            for (var i = 0; i < 1000; i++)
            {
                Add();
            }

            return Figures.Seconds(() =>
            {
                var cut = cells.Cut(from, new Lsn(lsn), 10_000);
                if (cut.Cells.Count is 0 or > 1000)
                {
                    throw new InvalidOperationException($"A cut of 1,000 changes has {cut.Cells.Count} cells: the measure is wrong.");
                }
            });
        };
    }

    /// <summary>Values as a city's day and type have them: a handful of counters, a few buckets.</summary>
    public static byte[][] SampleValues()
    {
        var random = new SeededEntropy(7);
        return [.. Enumerable.Range(0, 512).Select(_ =>
        {
            var draft = new CellDraft();
            var reported = 1 + random.Below(12);
            var closed = random.Below(reported + 1);
            draft.Add(Counter.Reported.Id, reported);
            draft.Add(Counter.Filed.Id, reported);
            draft.Add(Counter.Dispatched.Id, reported);
            draft.Add(Counter.Handled.Id, closed);
            draft.Add(Counter.HandledInTime.Id, closed);
            draft.Add(Counter.Closed.Id, closed);
            draft.Add(Counter.CohortClosed.Id, closed);
            for (var i = 0; i < closed; i++)
            {
                var seconds = 600 + random.Below(400_000);
                draft.AddDuration(Histogram.ReportToClose.Id, seconds, 1);
                draft.AddDuration(Histogram.ReportToCloseFlow.Id, seconds, 1);
            }

            var bytes = new byte[draft.BytesBound];
            return bytes[..draft.WriteTo(bytes)];
        })];
    }
}
