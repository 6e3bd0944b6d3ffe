using CityGrid.Protocol.Names;
using NodaTime;
using NodaTime.Text;

namespace CityGrid.Hub.Divisions;

/// <summary>What happens to a division on a day: null in <paramref name="Before"/> where it begins, in <paramref name="After"/> where it ends.</summary>
public sealed record DivisionChange(DivisionCode Code, LocalDate Day, Division? Before, Division? After)
{
    /// <summary>True where the figures of all its earlier days stand elsewhere from then on, by the tree of the day (H4).</summary>
    public bool IsMove => Before?.Parent != After?.Parent || After is null;
}

/// <summary>A new register held against the one in use: what happens, and what must not.</summary>
/// <param name="Changes">What the new one does from the day on and the one in use does not, in order of day and code.</param>
/// <param name="Faults">Why it may not take the place of the one in use; none where it may.</param>
public sealed record RegisterChange(IReadOnlyList<DivisionChange> Changes, IReadOnlyList<string> Faults)
{
    private const int ListedMax = 20;

    /// <summary>
    /// Judges a register that is to be loaded on <paramref name="today"/> (clauses H1 to H3). It may not tell the past anew, for figures are out; nor lose a code, for cells name it; nor end
    /// what others still hang below, or what nobody takes over unsaid.
    /// </summary>
    public static RegisterChange Of(DivisionRegister present, DivisionRegister next, LocalDate today)
    {
        var faults = new List<string>();
        var codes = present.All.Concat(next.All).Select(d => d.Code).Distinct().Order().ToArray();
        var kept = next.All.Select(d => d.Code).ToHashSet();
        var days = present.Changes.Concat(next.Changes).Append(today).Append(LocalDate.MinIsoValue).Distinct().Order().ToArray();
        foreach (var code in codes)
        {
            if (kept.Contains(code) && days.Where(day => day <= today).FirstOrDefault(day => !Same(RowOn(present, code, day), RowOn(next, code, day)), LocalDate.MaxIsoValue) is var told && told <= today)
            {
                faults.Add($"{code} is told anew from {(told == LocalDate.MinIsoValue ? "the beginning" : Text(told))} on; a change begins tomorrow ({Text(today.PlusDays(1))}) or later, for every node must have the register by then.");
            }
        }

        foreach (var code in codes.Where(code => SuccessorOf(present, code) is { } ended && ended.ValidTo < today && SuccessorOf(next, code)?.Successor != ended.Successor))
        {
            faults.Add($"{code} ended and went into {SuccessorOf(present, code)!.Successor}; the new register tells that anew, and its figures would stand elsewhere. Leave its successor as it is.");
        }

        var gone = codes.Where(code => !kept.Contains(code)).ToArray();
        if (gone.Length > 0)
        {
            faults.Insert(0, $"Gone: {string.Join(", ", gone.Take(ListedMax))}{(gone.Length > ListedMax ? $" and {gone.Length - ListedMax} more" : "")}. A code stays for ever; end it: give its last row valid_to, and what it went into as successor.");
        }

        var changes = new List<DivisionChange>();
        foreach (var day in days.Where(day => day > today))
        {
            foreach (var code in codes)
            {
                var (before, after) = (RowOn(next, code, day.PlusDays(-1)), RowOn(next, code, day));
                if (!Same(before, after) && (!Same(RowOn(present, code, day.PlusDays(-1)), before) || !Same(RowOn(present, code, day), after)))
                {
                    changes.Add(new DivisionChange(code, day, before, after));
                }

                if (!Same(before, after) && after is null)
                {
                    var left = next.All.Where(d => d.Parent == code && d.IsInForce(day)).Select(d => d.Code.ToString()).ToArray();
                    if (left.Length > 0 && before!.Successor is null)
                    {
                        faults.Add($"{code} ends, and on {Text(day)} {string.Join(", ", left)} still hang below it. Give each of them a row from that day on, or name the successor of {code}.");
                    }
                }
            }
        }

        return new RegisterChange(changes, faults);
    }

    private static Division? RowOn(DivisionRegister register, DivisionCode code, LocalDate day) => register.At(day).Find(code) is { } row && row.IsInForce(day) ? row : null;

    /// <summary>The last row of a code where it names what it went into.</summary>
    private static Division? SuccessorOf(DivisionRegister register, DivisionCode code) => register.All.LastOrDefault(row => row.Code == code && row.Successor is not null);

    /// <summary>What counts for figures and authority; names may be mended at any time.</summary>
    private static bool Same(Division? a, Division? b) => a?.Parent == b?.Parent && a?.Kind == b?.Kind && (a is null) == (b is null);

    private static string Text(LocalDate day) => LocalDatePattern.Iso.Format(day);
}
