using System.Globalization;
using CityGrid.Hub.Cells;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Views;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using CsCheck;
using NodaTime;
using NUnit.Framework;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Views;

/// <summary>What one place counted of one type from one source on one day, as plain numbers and durations.</summary>
internal sealed record Fact(string City, string District, string Type, DateOnly Day, string Source, int Reported, int Handled, int[] Overdue, long[] ClosedThatDay, long[] ClosedOfThatDay)
{
    public int BecameOverdue => Overdue[0];

    public int OverdueHandled => Overdue[1];

    public bool IsNothing => Reported + Handled + BecameOverdue + OverdueHandled + ClosedThatDay.Length + ClosedOfThatDay.Length == 0;
}

/// <summary>A small nation: a province with two cities and a county of its own, and a municipality, each with a node; codes that no prefix explains.</summary>
internal static class ViewWorld
{
    public static readonly DivisionCode Nation = DivisionCode.Parse("N");

    public static readonly Dictionary<string, (string Province, string[] Districts)> Cities = new()
    {
        ["AC"] = ("B", ["D1", "D2", "AC-NONE"]),
        ["BC"] = ("B", ["D3", "BC-NONE"]),
        ["CC"] = ("B", ["CC", "CC-NONE"]),
        ["M"] = ("M", ["D4", "D5", "M-NONE"]),
    };

    public static readonly DivisionRegister Register = DivisionRegister.Of(
    [
        Row("N", null, DivisionKind.Nation),
        Row("B", "N", DivisionKind.Province),
        Row("P", "B", DivisionKind.Placeholder),
        Row("Q", "B", DivisionKind.Placeholder),
        Row("AC", "B", DivisionKind.City),
        Row("BC", "B", DivisionKind.City),
        Row("CC", "Q", DivisionKind.DirectCounty),
        Row("M", "N", DivisionKind.Municipality),
        Row("D1", "AC", DivisionKind.County),
        Row("D2", "AC", DivisionKind.County),
        Row("D3", "BC", DivisionKind.County),
        Row("D4", "M", DivisionKind.County),
        Row("D5", "M", DivisionKind.County),
    ]);

    private static readonly Gen<long[]> Durations = Gen.OneOf(
        Gen.Long[60, 400L * 86_400], Gen.Long[60, 100 * 3_600], Gen.OneOf(72 * 3_600L, (72 * 3_600) + 1, (72 * 3_600) - 1)).Array[0, 4];

    // Around a leap day, and around a year that begins within a week.
    private static readonly Gen<DateOnly> Days = Gen.OneOf(Gen.Int[0, 20], Gen.Int[55, 75]).Select(d => new DateOnly(2023, 12, 25).AddDays(d));

    public static readonly Gen<Fact> Fact =
        from city in Gen.OneOf("AC", "BC", "CC", "M")
        from district in Gen.Int[0, 2]
        from type in Gen.OneOf("01001", "01002", "02001", "x1f2e3d4c", "99000")
        from day in Days
        from source in Gen.OneOf("hotline", "web")
        from counts in Gen.Int[0, 3].Array[4]
        from flow in Durations
        from cohort in Durations
        select new Fact(city, Cities[city].Districts[district % Cities[city].Districts.Length], type, day, source, counts[0], counts[1], [counts[2], counts[3]], flow, cohort);

    /// <summary>One case, reported on 2024-02-29.</summary>
    public static Fact Case(string city, string district, string type = "01001", string day = "2024-02-29", string source = "web") =>
        new(city, district, type, DateOnly.Parse(day, CultureInfo.InvariantCulture), source, 1, 0, [0, 0], [], []);

    public static StatDay Today { get; } = Day("2026-11-24");

    public static CatalogueVersion Catalogue { get; } = CatalogueVersion.Parse("gb47678-2026");

    public static StatDay Day(string text) => StatDay.TryParse(text, out var day) ? day : throw new FormatException(text);

    public static TypeKey Type(string code) => new(Catalogue, TypeKind.Matter, TypeCode.Parse(code));

    /// <summary>The cells of these facts as their origins emit them: at both grains, or at the national one only, as a node two tiers up holds them.</summary>
    public static CellFold Held(IEnumerable<Fact> facts, Func<string, bool> withDetail)
    {
        var cells = new SortedDictionary<CellKey, CellDraft>();
        foreach (var fact in facts)
        {
            Count(cells, Key(fact, Grain.National), fact);
            if (withDetail(fact.City))
            {
                Count(cells, Key(fact, Grain.Detail), fact);
            }
        }

        var fold = new CellFold();
        long local = 0;
        foreach (var (key, draft) in cells)
        {
            fold.Merge(key, new Revision(1, 1), draft.ToBytes(), new Lsn(++local));
        }

        return fold;
    }

    public static ViewQuery Query(QueryRequest request, string place = "N") =>
        ViewQuery.Read(request, Register, DivisionCode.Parse(place), Today, out var refusal) ?? throw new InvalidOperationException(refusal!.ToString());

    public static Refusal Refused(QueryRequest request, string place = "N")
    {
        Assert.That(ViewQuery.Read(request, Register, DivisionCode.Parse(place), Today, out var refusal), Is.Null);
        return refusal!;
    }

    public static QueryRequest Ask(string by, string measures, string from = "", string to = "") => new()
    {
        By = { by.Split(',', StringSplitOptions.RemoveEmptyEntries) },
        Measures = { measures.Split(',', StringSplitOptions.RemoveEmptyEntries) },
        From = from,
        To = to,
    };

    /// <summary>The rows as text: labels, then name=figure of each measure that is there.</summary>
    public static IReadOnlyList<string> Rows(CellFold cells, QueryRequest request, string place = "N")
    {
        var query = Query(request, place);
        var figures = new ViewEngine(cells, Register, DivisionCode.Parse(place)).Answer(query);
        Assert.That(figures.Refusal, Is.Null);
        return [.. figures.Lines.Select(line => string.Join(' ', line.Labels.Concat(query.Measures.Zip(line.Figures)
            .Where(f => f.Second is not null).Select(f => string.Create(CultureInfo.InvariantCulture, $"{f.First.Name}={f.Second}")))))];
    }

    private static void Count(SortedDictionary<CellKey, CellDraft> cells, CellKey key, Fact fact)
    {
        if (!cells.TryGetValue(key, out var draft))
        {
            cells.Add(key, draft = new CellDraft());
        }

        draft.Add(Counter.Reported.Id, fact.Reported);
        draft.Add(Counter.Handled.Id, fact.Handled);
        draft.Add(Counter.BecameOverdue.Id, fact.BecameOverdue);
        draft.Add(Counter.OverdueHandled.Id, fact.OverdueHandled);
        draft.Add(Counter.Closed.Id, fact.ClosedThatDay.Length);
        draft.Add(Counter.ClosedSeconds.Id, fact.ClosedThatDay.Sum());
        draft.Add(Counter.CohortClosed.Id, fact.ClosedOfThatDay.Length);
        draft.Add(Counter.CohortClosedSeconds.Id, fact.ClosedOfThatDay.Sum());
        foreach (var seconds in fact.ClosedThatDay)
        {
            draft.AddDuration(Histogram.ReportToCloseFlow.Id, seconds, 1);
        }

        foreach (var seconds in fact.ClosedOfThatDay)
        {
            draft.AddDuration(Histogram.ReportToClose.Id, seconds, 1);
        }
    }

    private static CellKey Key(Fact fact, Grain grain) => new(
        NodeId.Parse("node-" + fact.City.ToLowerInvariant()), grain, Type(fact.Type), DivisionCode.Parse(grain == Grain.Detail ? fact.District : fact.City),
        StatDay.Of(new LocalDate(fact.Day.Year, fact.Day.Month, fact.Day.Day)), SourceCode.Parse(grain == Grain.Detail ? fact.Source : "all"));

    private static Division Row(string code, string? parent, DivisionKind kind) =>
        new(DivisionCode.Parse(code), parent is null ? null : DivisionCode.Parse(parent), code, code, kind, null, null);
}
