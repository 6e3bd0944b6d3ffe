namespace CityGrid.Hub.Catalogue;

/// <summary>
/// What a disposal limit is counted in. Two tables of one city write the same limit in two ways, so the unit is declared by the catalogue and
/// never guessed from a word. Numbers are stored and never reused.
/// </summary>
public enum LimitUnit : byte
{
    /// <summary>紧急工作时: an hour of the clock, through nights, weekends and holidays.</summary>
    UrgentHour = 1,

    /// <summary>紧急工作日: 24 hours of the clock, through weekends and holidays.</summary>
    UrgentDay = 2,

    /// <summary>自然日: 24 hours of the clock.</summary>
    NaturalDay = 3,

    /// <summary>工作时: an hour of working time.</summary>
    WorkHour = 4,

    /// <summary>工作日: 8 hours of working time.</summary>
    WorkDay = 5,
}

/// <summary>A disposal limit (处置时限): how many of which unit.</summary>
public readonly record struct Limit(int Count, LimitUnit Unit)
{
    /// <summary>Ten years of days: past that a limit is a slip of the hand.</summary>
    public const int CountMax = 3660;

    private const long HourSeconds = 3600;

    /// <summary>True where the clock of this limit runs only in working time.</summary>
    public bool IsWorkingTime => Unit is LimitUnit.WorkHour or LimitUnit.WorkDay;

    /// <summary>True for the units that the standard calls urgent (紧急).</summary>
    public bool IsUrgent => Unit is LimitUnit.UrgentHour or LimitUnit.UrgentDay;

    /// <summary>The limit in seconds of its own clock: of working time, or of all time.</summary>
    public long Seconds => Count * Unit switch
    {
        LimitUnit.UrgentHour or LimitUnit.WorkHour => HourSeconds,
        LimitUnit.WorkDay => 8 * HourSeconds,
        LimitUnit.UrgentDay or LimitUnit.NaturalDay => 24 * HourSeconds,
        _ => throw new InvalidOperationException($"A limit without a unit ({(int)Unit}) has no length."),
    };

    /// <summary>
    /// Reads a limit as the catalogue file writes it: a whole number and <c>u</c> urgent hours, <c>U</c> urgent days, <c>n</c> natural days,
    /// <c>h</c> working hours or <c>d</c> working days.
    /// </summary>
    public static bool TryParse(string? text, out Limit limit)
    {
        limit = default;
        if (string.IsNullOrEmpty(text)
            || !int.TryParse(text.AsSpan(0, text.Length - 1), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var count)
            || count is < 1 or > CountMax)
        {
            return false;
        }

        LimitUnit? unit = text[^1] switch
        {
            'u' => LimitUnit.UrgentHour,
            'U' => LimitUnit.UrgentDay,
            'n' => LimitUnit.NaturalDay,
            'h' => LimitUnit.WorkHour,
            'd' => LimitUnit.WorkDay,
            _ => null,
        };
        limit = unit is { } known ? new Limit(count, known) : default;
        return unit is not null;
    }

    /// <summary>The form that <see cref="TryParse"/> reads.</summary>
    public override string ToString()
    {
        var letter = Unit switch
        {
            LimitUnit.UrgentHour => 'u',
            LimitUnit.UrgentDay => 'U',
            LimitUnit.NaturalDay => 'n',
            LimitUnit.WorkHour => 'h',
            LimitUnit.WorkDay => 'd',
            _ => '?',
        };
        return string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Count}{letter}");
    }
}
