using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using NodaTime;

namespace CityGrid.Hub.Views;

/// <summary>
/// How much a figure can be trusted: of which origins the register expects any, who was heard of, who is missing, who is late. Zero, missing,
/// late, final and not applicable (nothing is expected) are five different things; so is what an origin does not tell of.
/// </summary>
/// <param name="Expected">How many origins the register expects.</param>
/// <param name="Missing">Those of them that were never heard of, in order of code.</param>
/// <param name="Late">Those heard of, expected or not, that are not complete through the last day.</param>
/// <param name="AsOf">The oldest statement of those that count; null where there is none.</param>
/// <param name="CompleteSince">The position here at which the last of them was first complete through the last day; null where one is not, or does not tell of all that is asked.</param>
public sealed record ViewCoverage(int Expected, IReadOnlyList<DivisionCode> Missing, IReadOnlyList<DivisionCode> Late, Instant? AsOf, Lsn? CompleteSince)
{
    /// <summary>Those heard of that do not tell of all types asked for, with what they tell of (L17).</summary>
    public IReadOnlyList<(DivisionCode Division, Matters Matters)> ToldInPart { get; init; } = [];

    public int Heard => Expected - Missing.Count;

    /// <param name="expected">The origins that the register expects among those asked for.</param>
    /// <param name="heard">The newest statements of all origins asked for that are known here.</param>
    /// <param name="lastDay">The last day asked for.</param>
    /// <param name="types">The types, or large classes, asked for; none for all.</param>
    /// <param name="completeSince">When an origin was first complete through a day, as far as that is known here; a node knows it of itself by the clock.</param>
    public static ViewCoverage Of(
        IReadOnlyList<DivisionCode> expected, IReadOnlyList<OriginWatermark> heard, StatDay lastDay, IReadOnlyList<Protocol.Names.TypeCode> types, Func<NodeId, StatDay, Lsn?> completeSince)
    {
        // An origin that was replaced by another node for the same place speaks no more; the newest statement counts.
        var byDivision = new SortedDictionary<DivisionCode, OriginWatermark>();
        foreach (var statement in heard)
        {
            if (!byDivision.TryGetValue(statement.Division, out var other) || (statement.AsOf, statement.Lsn.Value).CompareTo((other.AsOf, other.Lsn.Value)) > 0)
            {
                byDivision[statement.Division] = statement;
            }
        }

        var missing = expected.Where(code => !byDivision.ContainsKey(code)).ToArray();
        var late = byDivision.Values.Where(w => w.CompleteThrough < lastDay).Select(w => w.Division).ToArray();
        var inPart = byDivision.Values.Where(w => !w.Matters.IsAll && (types.Count == 0 || !types.All(w.Matters.Covers))).Select(w => (w.Division, w.Matters)).ToArray();
        Lsn? since = null;
        if (missing.Length + late.Length + inPart.Length == 0)
        {
            since = new Lsn(byDivision.Values.Max(w => completeSince(w.Origin, lastDay)?.Value) ?? 0);
        }

        return new ViewCoverage(expected.Count, missing, late, byDivision.Count == 0 ? null : byDivision.Values.Min(w => w.AsOf), since) { ToldInPart = inPart };
    }

    /// <summary>
    /// Final once everything is complete and <paramref name="closesAt"/> has passed; restated where a value of the period became another after
    /// both: later than the closing by the recorded time, and behind the completion in the journal. <paramref name="lastChange"/> is the newest change
    /// to a value of the period, null where there is none.
    /// </summary>
    public ViewState StateAt(Instant now, Instant closesAt, (Lsn Local, Instant RecordedAt)? lastChange) =>
        CompleteSince is not { } since || now < closesAt ? ViewState.Provisional
        : lastChange is { } change && change.Local > since && change.RecordedAt > closesAt ? ViewState.Restated
        : ViewState.Final;
}
