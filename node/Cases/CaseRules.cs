using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Divisions;
using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Node.Cases;

/// <summary>What decisions of one place rest on. Immutable; made anew when catalogue, calendar or register change.</summary>
public sealed record CaseRules
{
    /// <summary>The division that this node keeps cases for.</summary>
    public required DivisionCode Place { get; init; }

    public required DivisionRegister Divisions { get; init; }

    /// <summary>Every version of the catalogue that is known here.</summary>
    public required CatalogueShelf Catalogue { get; init; }

    public required WorkCalendar Calendar { get; init; }

    /// <summary>延期: at most two a case.</summary>
    public int ExtensionsMax { get; init; } = 2;

    /// <summary>挂账: once a case.</summary>
    public int SuspensionsMax { get; init; } = 1;

    /// <summary>挂账: at most one year at a time.</summary>
    public int SuspensionYearsMax { get; init; } = 1;

    /// <summary>How far a device's clock may run ahead of this node's.</summary>
    public Duration SkewMax { get; init; } = Duration.FromMinutes(5);

    /// <summary>Multiples of its limit that a case may run past its deadline before it is noticed again, ascending.</summary>
    public IReadOnlyList<int> OverdueSteps { get; init; } = [2];

    /// <summary>More steps than this are a loop in some client: a state keeps 40 B for each request, so 40 kB at most.</summary>
    public int StepsMax { get; init; } = 1000;

    /// <summary>A state keeps every place that the case counted in; nobody moves a case so often.</summary>
    public int MovesMax { get; init; } = 100;

    /// <summary>Where a case without a division counts: <c>&lt;place&gt;-NONE</c>.</summary>
    public DivisionCode Nowhere => DivisionCode.Parse(Place + DivisionRegister.UnknownSuffix);

    public StatDay DayOf(Instant instant) => StatDay.Of(instant, Calendar.Zone);

    /// <summary>True where cases of this division may be kept here on the day: by the register, never by a prefix.</summary>
    public bool Keeps(DivisionCode division, Instant now) =>
        division == Place || division == Nowhere || (Divisions.At(DayOf(now)) is var register && register.Contains(division) && register.IsAtOrBelow(division, Place));

    /// <summary>The version under which what is reported on a day is filed.</summary>
    public TypeCatalogue InForce(StatDay day) => Catalogue.At(day, Place, Divisions);
}
