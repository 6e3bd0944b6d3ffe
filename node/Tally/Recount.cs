using CityGrid.Hub.Cells;
using CityGrid.Hub.Journal;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;

namespace CityGrid.Node.Tally;

/// <summary>
/// The cells of this origin counted anew from whole case histories. It looks at each history from its end and shares no code with the
/// incremental tally but the cell types and the table of counters, so that agreement of the two says something. Not safe for many threads.
/// </summary>
public sealed class Recount(NodeId origin, DivisionCode place)
{
    private readonly Dictionary<CellKey, Cell> _cells = [];

    /// <summary>How many cases were counted.</summary>
    public long Cases { get; private set; }

    /// <summary>
    /// Counts what a journal holds up to and including a position, while others append to it. Each pass reads the journal once and keeps only its
    /// share of the histories in memory (about 1 kB a case).
    /// </summary>
    /// <param name="read">Reads the journal from its start; called once a pass.</param>
    /// <param name="upTo">The position that the incremental cells stand at.</param>
    /// <param name="origin">This node.</param>
    /// <param name="place">The division that it keeps cases for.</param>
    /// <param name="passes">How often to read.</param>
    public static Recount OfJournal(Func<IEnumerable<JournalRecord>> read, Lsn upTo, NodeId origin, DivisionCode place, int passes = 1)
    {
        var recount = new Recount(origin, place);
        for (var pass = 0; pass < passes; pass++)
        {
            var histories = new Dictionary<CaseId, List<CaseEntry>>();
            foreach (var entry in EntriesUpTo(read(), upTo))
            {
                if (unchecked((uint)entry.Event.Case.Value) % (uint)passes == pass)
                {
                    (histories.TryGetValue(entry.Event.Case, out var history) ? history : histories[entry.Event.Case] = []).Add(entry);
                }
            }

            foreach (var history in histories.Values)
            {
                recount.Add(history);
            }
        }

        return recount;
    }

    /// <summary>Counts one case: all its events, in order.</summary>
    public void Add(IReadOnlyList<CaseEntry> history)
    {
        if (history.Count == 0)
        {
            return;
        }

        Cases++;
        new CaseRecount(history, Put, Last).Count();
    }

    /// <summary>The cells with what is in them, each key once and in order. A cell that fell to zero is not among them: the fold keeps such.</summary>
    public IReadOnlyList<CellChange> Cells() =>
    [
        .. _cells.OrderBy(c => c.Key, ByKey).Select(c => new CellChange(
            c.Key,
            [.. c.Value.Counters.OrderBy(n => n.Key).Select(n => new CounterChange(n.Key, n.Value)).Where(n => n.Delta != 0)],
            [.. c.Value.Durations.OrderBy(n => n.Key).Select(n => new DurationChange(n.Key.Histogram, n.Key.Seconds, n.Value))]))
        .Where(c => c.Counters.Count + c.Durations.Count > 0),
    ];

    private static readonly Comparer<CellKey> ByKey = Comparer<CellKey>.Create((a, b) =>
        (a.Grain.Number.CompareTo(b.Grain.Number), a.Type.CompareTo(b.Type), a.Division.CompareTo(b.Division), a.Day.CompareTo(b.Day)) switch
        {
            (not 0 and var byGrain, _, _, _) => byGrain,
            (_, not 0 and var byType, _, _) => byType,
            (_, _, not 0 and var byDivision, _) => byDivision,
            (_, _, _, not 0 and var byDay) => byDay,
            _ => a.Source.CompareTo(b.Source),
        });

    private static readonly SourceCode Everywhere = SourceCode.Parse("all");

    private static IEnumerable<CaseEntry> EntriesUpTo(IEnumerable<JournalRecord> records, Lsn upTo)
    {
        foreach (var record in records)
        {
            foreach (var journalEvent in record.Events)
            {
                if (journalEvent.Lsn > upTo)
                {
                    yield break;
                }

                if (CaseEventCodec.Decode(journalEvent) is { } entry)
                {
                    yield return entry;
                }
            }
        }
    }

    private void Put(Spot spot, SourceCode source, StatDay day, Counter counter, long by)
    {
        foreach (var cell in CellsOf(spot, source, day))
        {
            cell.Counters[counter.Id] = cell.Counters.GetValueOrDefault(counter.Id) + by;
        }
    }

    private void Last(Spot spot, SourceCode source, StatDay day, Histogram histogram, long seconds)
    {
        foreach (var cell in CellsOf(spot, source, day))
        {
            var bar = (histogram.Id, seconds);
            cell.Durations[bar] = cell.Durations.GetValueOrDefault(bar) + 1;
        }
    }

    private Cell[] CellsOf(Spot spot, SourceCode source, StatDay day) =>
    [
        CellOf(new CellKey(origin, Grain.Detail, spot.Type, spot.Division, day, source)),
        CellOf(new CellKey(origin, Grain.National, spot.Type, place, day, Everywhere)),
    ];

    private Cell CellOf(CellKey key)
    {
        if (!_cells.TryGetValue(key, out var cell))
        {
            _cells.Add(key, cell = new Cell([], []));
        }

        return cell;
    }

    private sealed record Cell(Dictionary<ushort, long> Counters, Dictionary<(ushort Histogram, long Seconds), long> Durations);
}
