using CityGrid.Hub.Journal;
using CityGrid.Node.Tally;
using CityGrid.Protocol.Names;

namespace CityGrid.Node.Cases;

/// <summary>An event of a case as it was read, and where the record alone tells it, what the case was before, what the event counts and what becomes of the case.</summary>
internal sealed class StepAhead(CaseEntry entry)
{
    private Contribution[] _counted = [];

    public CaseEntry Entry { get; } = entry;

    public CaseState? Before { get; private set; }

    public ReadOnlySpan<Contribution> Counted => _counted;

    public CaseState? After { get; private set; }

    public void Take(CaseState? before, Span<Contribution> room)
    {
        Before = before;
        _counted = Counting.Of(before, Entry.Event, room).ToArray();
        After = CaseFold.Apply(before, Entry.Event, Entry.Stamp, _counted);
    }
}

/// <summary>The whole life of a case in one record: its beginning and its end, as most rows of another system bring them. It is folded as one change.</summary>
internal sealed class LifeAhead : WholeRecord
{
    /// <summary>What stands in the place of the beginning.</summary>
    public static readonly object ComesWithItsEnd = new();

    private readonly CaseBook _book;
    private readonly Contribution[] _counted;

    private LifeAhead(CaseBook book, JournalRecord record, StepAhead beginning, CaseEntry ended, Contribution[] counted)
        : base(book, record)
    {
        (_book, _counted) = (book, counted);
        var first = beginning.After!;
        (Id, Spot, Source) = (first.Id, new Spot(first.Type, first.Division), first.Source);
        (Begun, Ended) = (NotedOf.Beginning(beginning.Entry.Event), NotedOf.Change(first, ended.Event));
    }

    public CaseId Id { get; }

    public Spot Spot { get; }

    public SourceCode Source { get; }

    /// <summary>What the book keeps of the beginning and of the end, whatever they do to the case.</summary>
    public NotedOf Begun { get; }

    public NotedOf Ended { get; }

    /// <summary>What both events count, the days in the order of the end's.</summary>
    public ReadOnlySpan<Contribution> Counted => _counted;

    /// <summary>
    /// Null where the second event is not the end of the case that the first began, or where it leaves a cell alone that the first changed: that cell would seem
    /// changed by the end.
    /// </summary>
    public static LifeAhead? Of(CaseBook book, JournalRecord record, StepAhead beginning, CaseEntry ended, Span<Contribution> room)
    {
        if (beginning.After is not { } first || ended.Event is not (Closed or Voided) || first.Id != ended.Event.Case || first.LastLsn != ended.PreviousLsn)
        {
            return null;
        }

        var counted = Counting.Of(first, ended.Event, room);
        foreach (ref readonly var one in beginning.Counted)
        {
            if (!CaseTally.IsAmong(counted, one.DayNumber))
            {
                return null;
            }
        }

        return new LifeAhead(book, record, beginning, ended, [.. counted, .. beginning.Counted]);
    }

    public override void Apply() => _book.Apply(this);
}

/// <summary>What the book keeps of an event whatever it does to its case.</summary>
/// <param name="Request">The request whose key is kept for ever; null where there is none such.</param>
/// <param name="RowSlot">Of a row of another system, the slot that its personal part is sealed under.</param>
/// <param name="Slot">The slot that anything of it is sealed under; 0 for none.</param>
internal readonly record struct NotedOf(RequestDigest? Request, long RowSlot, long Slot)
{
    public static NotedOf Beginning(CaseEvent happened) => Of(happened, isKeyKept: true);

    /// <summary>An import's request names the row, whose newer content replaces the older under the same key.</summary>
    public static NotedOf Change(CaseState before, CaseEvent happened) => Of(happened, isKeyKept: before.Import is not null);

    private static NotedOf Of(CaseEvent happened, bool isKeyKept)
    {
        var slot = happened.Sealed?.Slot ?? 0;
        return new NotedOf(isKeyKept ? happened.Request : null, happened is Imported or ImportRenewed ? slot : 0, slot);
    }
}
