using System.Globalization;
using System.Text;
using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Cli.Generate;

/// <summary>What to generate. The same plan gives the same cases on every machine.</summary>
public sealed record GeneratorPlan
{
    public required DivisionCode City { get; init; }

    /// <summary>Knows the city; its districts are those directly below it.</summary>
    public required DivisionRegister Register { get; init; }

    public required TypeCatalogue Catalogue { get; init; }

    /// <summary>The place's hours and zone: desks work in them, and deadlines run by them.</summary>
    public required WorkCalendar Calendar { get; init; }

    public required ulong Seed { get; init; }

    public required LocalDate FirstDay { get; init; }

    public required int Days { get; init; }

    /// <summary>On a working day; other days have about two thirds.</summary>
    public required int CasesPerDay { get; init; }

    /// <summary>Nothing happens after it: cases that would go on stay as they are then.</summary>
    public required Instant Until { get; init; }
}

/// <summary>
/// Plausible cases for demonstrations. Few types and districts have most of the cases; most are handled in time, some late, some never; some are void,
/// returned, reworked, extended, suspended, moved, corrected or reopened; a few are emergencies. Every life is one that the case machine allows.
/// </summary>
public sealed class CaseGenerator
{
    private static readonly (string Word, int Share)[] Sources = [("inspector", 44), ("hotline", 26), ("web", 12), ("video", 10), ("ai", 5), ("media", 3)];

    // Reports an hour of the day, in thousandths: few at night, a peak in the morning and one after lunch.
    private static readonly int[] Hours = [8, 5, 4, 3, 4, 10, 22, 48, 86, 98, 92, 76, 48, 52, 78, 82, 74, 60, 46, 36, 28, 20, 12, 8];

    private readonly GeneratorPlan _plan;
    private readonly IReadOnlyList<string> _districts;
    private readonly IReadOnlyList<CatalogueType> _types;

    /// <summary>Throws <see cref="ArgumentException"/> where the register does not know the city.</summary>
    public CaseGenerator(GeneratorPlan plan)
    {
        if (!plan.Register.Contains(plan.City))
        {
            throw new ArgumentException($"The register does not know {plan.City}.", nameof(plan));
        }

        _plan = plan;
        var districts = plan.Register.ChildrenOf(plan.City).Where(d => d.Kind is not (DivisionKind.Placeholder or DivisionKind.Unknown)).Select(d => d.Code.ToString());
        _districts = Shuffled(districts.DefaultIfEmpty(plan.City.ToString()), "districts");
        _types = Shuffled(plan.Catalogue.All.Where(t => t.Key != plan.Catalogue.Other), "types");
    }

    /// <summary>The cases in order of report.</summary>
    public IEnumerable<ScriptedCase> Cases()
    {
        for (var i = 0; i < _plan.Days; i++)
        {
            var day = _plan.FirstDay.PlusDays(i);
            var dice = DiceOf(LocalDateText(day));
            var usual = _plan.Calendar.IsWorkday(day) ? _plan.CasesPerDay : _plan.CasesPerDay * 2 / 3;
            var count = usual * (80 + dice.Below(41)) / 100;
            var times = Enumerable.Range(0, count).Select(_ => ReportTime(day, dice)).Order().ToList();
            for (var n = 0; n < times.Count && times[n] <= _plan.Until; n++)
            {
                yield return Case($"generated-{_plan.Seed}-{_plan.City}-{LocalDateText(day)}-{n}", times[n]);
            }
        }
    }

    /// <summary>Everything that happens in the cases, in order of time; a null step is the report.</summary>
    public IEnumerable<(Instant At, ScriptedCase Case, ScriptedStep? Step)> Happenings() => Cases()
        .SelectMany(c => c.Steps.Select(s => (s.At, c, (ScriptedStep?)s)).Prepend((c.ReportedAt, c, null)))
        .OrderBy(h => h.Item1);

    private ScriptedCase Case(string key, Instant reportedAt)
    {
        var dice = DiceOf(key);
        var type = _types[dice.Skewed(_types.Count)];
        var division = dice.Percent(3) ? string.Empty : _districts[dice.Skewed(_districts.Count)];
        var grade = Grade(dice);
        var steps = new ScriptedLife(key, reportedAt, type, dice, _plan, _districts, _types).Write();
        var number = 1 + dice.Below(9_999);
        var reporter = new ScriptedReporter(
            $"测试市民 Sample Resident {number}", $"000-0000-{number:0000}", $"样例路 Sample Road {1 + dice.Below(400)}", $"生成的演示数据 Generated for demonstration: {type.NameZh} {type.NameEn}");
        var summary = grade is null ? null : $"生成的演示数据 Generated: {type.NameZh} {type.NameEn}";
        return new ScriptedCase(
            key, type.Key.Code.ToString(), division, dice.OneOf(Sources), grade, summary, reporter, reportedAt, [.. steps.TakeWhile(s => s.At <= _plan.Until)]);
    }

    /// <summary>About one case in 70 is an emergency, the graver the rarer.</summary>
    private static string? Grade(Dice dice) => dice.Below(1000) switch
    {
        0 => "ESPECIALLY_SERIOUS",
        1 or 2 => "SERIOUS",
        < 6 => "LARGER",
        < 14 => "GENERAL",
        _ => null,
    };

    private Instant ReportTime(LocalDate day, Dice dice)
    {
        var hour = dice.Weighted(Hours);
        var local = day.At(new LocalTime(hour, dice.Below(60), dice.Below(60)));
        return _plan.Calendar.Zone.AtLeniently(local).ToInstant();
    }

    private List<T> Shuffled<T>(IEnumerable<T> items, string what)
    {
        var list = items.ToList();
        var dice = DiceOf(what);
        for (var i = list.Count - 1; i > 0; i--)
        {
            var j = dice.Below(i + 1);
            (list[i], list[j]) = (list[j], list[i]);
        }

        return list;
    }

    /// <summary>Dice of their own for every case, so that a change of one leaves the others as they are.</summary>
    private Dice DiceOf(string what)
    {
        var hash = Hash256.Of(Encoding.UTF8.GetBytes($"{_plan.Seed}/{_plan.City}/{what}"));
        return new Dice(new SeededEntropy((ulong)(hash.High >> 64)));
    }

    private static string LocalDateText(LocalDate day) => day.ToString("uuuu-MM-dd", CultureInfo.InvariantCulture);
}
