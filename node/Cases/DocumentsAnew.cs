using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Protocol.Names;

namespace CityGrid.Node.Cases;

/// <summary>The documents of ended cases, made from the journal alone where the view store lacks or doubts them.</summary>
internal sealed class DocumentsAnew(IJournal journal, CaseBook book)
{
    private readonly Lock _filling = new();

    /// <summary>
    /// Makes the documents of a shelf again that the store lacks, from the journal. Where the disk has no room for views the gap stays: lists say that
    /// they are building, and reading by id is exact all the same.
    /// </summary>
    /// <param name="projector">Whose gap it is; one that is filled already is passed over.</param>
    /// <param name="gap">What is lacking.</param>
    /// <param name="head">How far the journal is applied.</param>
    public void Fill(Projector projector, ShelfGap gap, Func<Lsn> head)
    {
        lock (_filling)
        {
            if (!projector.Gaps.Contains(gap))
            {
                return;
            }

            try
            {
                Failpoint.Hit("view.fill.before");
                var upTo = head();
                projector.Fill(gap, Of(gap, upTo), upTo);
                Failpoint.Hit("view.fill.after");
            }
            catch (ViewStoreFullException)
            {
                // It is tried again as soon as there may be room (NodeCore.FillGaps).
            }
        }
    }

    /// <summary>Those of a shelf that changed in a gap, as they stand at <paramref name="head"/>, in order of id.</summary>
    public IEnumerable<ViewDocument> Of(ShelfGap gap, Lsn head)
    {
        var last = new Dictionary<CaseId, Lsn>();
        foreach (var record in journal.ReadFrom(gap.From))
        {
            foreach (var journalEvent in record.Events.Where(e => e.Lsn <= head))
            {
                if (CaseEventCodec.Decode(journalEvent) is { } entry && CaseDesk.ShelfOf(entry.Event.Case) == gap.Shelf)
                {
                    last[entry.Event.Case] = journalEvent.Lsn;
                }
            }
        }

        return last.OrderBy(l => l.Key).Select(l => CaseDocuments.After(book.History(l.Value))).OfType<ViewDocument>();
    }

    /// <summary>A case's document as it stood at a position; one that is not the case's own is looked for backwards by reading. Null where there was none.</summary>
    public ViewDocument? At(UInt128 id, Lsn lsn)
    {
        var wanted = new CaseId(id);
        var at = journal.ReadAt(lsn) is { } record && CaseEventCodec.Decode(record.Events[(int)(lsn.Value - record.First.Value)])?.Event.Case == wanted
            ? lsn
            : LastEventOf(wanted, lsn);
        return at == Lsn.Zero ? null : CaseDocuments.After(book.History(at));
    }

    private Lsn LastEventOf(CaseId id, Lsn upTo)
    {
        var last = Lsn.Zero;
        foreach (var journalEvent in journal.ReadFrom(Lsn.Zero).TakeWhile(r => r.First <= upTo).SelectMany(r => r.Events))
        {
            if (journalEvent.Lsn <= upTo && CaseEventCodec.Decode(journalEvent)?.Event.Case == id)
            {
                last = journalEvent.Lsn;
            }
        }

        return last;
    }
}
