using CityGrid.Hub.Divisions;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using NodaTime;

namespace CityGrid.Hub.Views;

/// <summary>
/// How much a figure can be trusted: of which origins the register expects any, who was heard of, who is missing, who is late, and whether the period
/// is provisional, final, or restated. Zero, missing, late and final are four different things.
/// </summary>
public sealed record ViewCoverage(IReadOnlyList<DivisionCode> Expected, IReadOnlyList<DivisionCode> Missing, IReadOnlyList<DivisionCode> Late, Instant? AsOf, ViewState State)
{
    /// <param name="asked">What the query covers.</param>
    /// <param name="heard">The newest statement of every origin known here.</param>
    /// <param name="lastChangedAt">When a cell of the period was last changed here; null for never.</param>
    public static ViewCoverage Of(CoverageQuestion asked, IReadOnlyList<OriginWatermark> heard, Instant? lastChangedAt)
    {
        var byDivision = heard.GroupBy(w => w.Division).ToDictionary(g => g.Key, g => g.MaxBy(w => (w.Epoch.Number, w.Lsn))!);
        var expected = asked.Register.OriginsBelow(asked.Place).Where(d => asked.Concerns(d.Code)).Select(d => d.Code).ToArray();
        var missing = expected.Where(code => !byDivision.ContainsKey(code)).ToArray();
        var counted = expected.Where(byDivision.ContainsKey).Select(code => byDivision[code]).ToArray();
        var lastDay = asked.To.Plus(-1);
        var late = counted.Where(w => w.CompleteThrough < lastDay).Select(w => w.Division).Order().ToArray();
        return new ViewCoverage(expected, missing, late, counted.Length == 0 ? null : counted.Min(w => w.AsOf), StateOf(asked, missing.Length + late.Length == 0 && expected.Length > 0, lastChangedAt));
    }

    private static ViewState StateOf(CoverageQuestion asked, bool complete, Instant? lastChangedAt)
    {
        var finalAt = asked.To.StartsAt(asked.Zone) + asked.ClosingDelay;
        return !complete || asked.Now < finalAt ? ViewState.Provisional
            : lastChangedAt > finalAt ? ViewState.Restated
            : ViewState.Final;
    }
}

/// <summary>What coverage is asked of: the place and its register, the end of the period, and now.</summary>
public sealed record CoverageQuestion(DivisionRegister Register, DivisionCode Place, DateTimeZone Zone, Duration ClosingDelay, StatDay To, Instant Now, Func<DivisionCode, bool> Concerns);
