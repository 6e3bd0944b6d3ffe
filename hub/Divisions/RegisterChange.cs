using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Hub.Divisions;

/// <summary>What happens to a division on a day: null in <paramref name="Before"/> where it begins, in <paramref name="After"/> where it ends.</summary>
public sealed record DivisionChange(DivisionCode Code, LocalDate Day, Division? Before, Division? After)
{
    /// <summary>True where the figures of all its earlier days stand elsewhere from then on, by the tree of the day (H4).</summary>
    public bool IsMove => Before?.Parent != After?.Parent || After is null;
}

/// <summary>Why a new register may not take the place of the one in use.</summary>
public enum RegisterFaultKind
{
    /// <summary>The codes in <see cref="RegisterFault.Others"/> are not in the new one. A code stays for ever; it can only end.</summary>
    Gone,

    /// <summary>The code is told anew from <see cref="RegisterFault.Day"/> on, which is not after today: figures are out, and every node must have the register by then.</summary>
    ToldAnew,

    /// <summary>The code has ended and went into the one in <see cref="RegisterFault.Others"/>; another successor would place its figures elsewhere.</summary>
    SuccessorToldAnew,

    /// <summary>The code ends, and the codes in <see cref="RegisterFault.Others"/> still hang below it on <see cref="RegisterFault.Day"/>.</summary>
    LeavesOthers,
}

/// <summary>One reason, and what it is about.</summary>
/// <param name="Kind">Which it is.</param>
/// <param name="Code">The division; null for <see cref="RegisterFaultKind.Gone"/>, which names them all.</param>
/// <param name="Day">From which day on; null where that does not matter, or from the beginning.</param>
/// <param name="Others">The codes that go with it, with spaces between them.</param>
public sealed record RegisterFault(RegisterFaultKind Kind, DivisionCode? Code, LocalDate? Day, string Others);

/// <summary>A new register held against the one in use: what happens, and what must not.</summary>
/// <param name="Changes">What the new one does from the day on and the one in use does not, in order of day and code.</param>
/// <param name="Faults">Why it may not take the place of the one in use; none where it may.</param>
public sealed record RegisterChange(IReadOnlyList<DivisionChange> Changes, IReadOnlyList<RegisterFault> Faults)
{
    /// <summary>
    /// Judges a register that is to be loaded on <paramref name="today"/> (clauses H1 to H3). It may not tell the past anew, for figures are out; nor lose a code, for cells name it; nor end
    /// what others still hang below, or what nobody takes over unsaid.
    /// </summary>
    public static RegisterChange Of(DivisionRegister present, DivisionRegister next, LocalDate today)
    {
        var faults = new List<RegisterFault>();
        var codes = present.All.Concat(next.All).Select(d => d.Code).Distinct().Order().ToArray();
        var kept = next.All.Select(d => d.Code).ToHashSet();
        var days = present.Changes.Concat(next.Changes).Append(today).Append(LocalDate.MinIsoValue).Distinct().Order().ToArray();
        foreach (var code in codes)
        {
            if (kept.Contains(code) && days.Where(day => day <= today).FirstOrDefault(day => !Same(RowOn(present, code, day), RowOn(next, code, day)), LocalDate.MaxIsoValue) is var told && told <= today)
            {
                faults.Add(new RegisterFault(RegisterFaultKind.ToldAnew, code, told == LocalDate.MinIsoValue ? null : told, string.Empty));
            }
        }

        foreach (var code in codes.Where(code => SuccessorOf(present, code) is { } ended && ended.ValidTo < today && SuccessorOf(next, code)?.Successor != ended.Successor))
        {
            faults.Add(new RegisterFault(RegisterFaultKind.SuccessorToldAnew, code, null, SuccessorOf(present, code)!.Successor!.Value.ToString()));
        }

        var gone = codes.Where(code => !kept.Contains(code)).ToArray();
        if (gone.Length > 0)
        {
            faults.Insert(0, new RegisterFault(RegisterFaultKind.Gone, null, null, string.Join(' ', gone)));
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
                        faults.Add(new RegisterFault(RegisterFaultKind.LeavesOthers, code, day, string.Join(' ', left)));
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
}
