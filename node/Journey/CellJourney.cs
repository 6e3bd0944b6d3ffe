using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Node.Intake;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;

namespace CityGrid.Node.Journey;

/// <summary>How a figure came to be what it is here: revision, position, way, statement of its origin, and at its origin the events that it is made of.</summary>
public sealed class CellJourney(NodeCore core, DivisionCode division)
{
    /// <summary>Events of a cell that an answer lists; it tells how many there are.</summary>
    public const int ContributionsMax = 200;

    private readonly Edges _edges = new(core);

    /// <summary>The cell that is asked for; null with the refusal.</summary>
    public CellKey? Read(WhyCellRequest request, out Refusal? refusal)
    {
        Refusal? no = null;
        var key = core.Sequencer.Read(() => CellNaming.Read(request, PlaceOf, core.Desk.Rules.Catalogue, out no));
        refusal = no;
        return key;
    }

    /// <param name="key">The cell.</param>
    /// <param name="withEvents">Also which events it is made of, where it is this node's own: a reading of the journal.</param>
    public WhyCellResponse Tell(CellKey key, bool withEvents)
    {
        var (answer, value, head) = core.Sequencer.Read(() => (AsItStands(key, out var held), held, core.Sequencer.Applied));
        if (answer.Held)
        {
            AddRecord(answer, key.Origin == core.Node);
        }

        AddRanges(answer, key);
        if (key.Origin == core.Node && withEvents)
        {
            AddEvents(answer, key, value, head);
        }

        AddUnknown(answer, key);
        return answer;
    }

    /// <summary>How far up a position of this node's cells has come, by its territorial parent; null for a root.</summary>
    public UpwardStanding? Upward(Lsn local, Lane lane, bool goesUp)
    {
        if (core.Parents.Where(p => p.Kind == ParentKind.Territorial).Select(p => (NodeId?)p.Node).FirstOrDefault() is not { } above)
        {
            return null;
        }

        var receipt = core.Sequencer.Read(() => core.UplinkFold.Territorial.ReceiptOf(lane, core.Journal.Incarnation));
        return new UpwardStanding
        {
            Parent = above.ToString(),
            GoesUp = goesUp,
            ConfirmedLsn = receipt.Mark.Lsn.Value,
            ConfirmedAt = RequestReads.Iso(receipt.KeptAt),
            Confirmed = goesUp && local <= receipt.Mark.Lsn && local > Lsn.Zero,
        };
    }

    private DivisionCode? PlaceOf(NodeId origin) => origin == core.Node ? division : core.Cells.PlaceOf(origin) ?? core.Reception.Origin(origin)?.Watermark.Division;

    /// <summary>Under the sequencer's lock.</summary>
    private WhyCellResponse AsItStands(CellKey key, out ReadOnlyMemory<byte> value)
    {
        var answer = new WhyCellResponse { Node = core.Node.ToString(), NodeDivision = division.ToString(), Cell = CellNaming.TextOf(key) };
        value = CellCodec.Zero.ToArray();
        if (core.Cells.Find(key) is { } cell)
        {
            value = cell.Value;
            answer.Held = true;
            (answer.Epoch, answer.Lsn, answer.LocalLsn) = (cell.Revision.Epoch, cell.Revision.Lsn, cell.Local.Value);
            answer.Figures.AddRange(FiguresOf(value.Span));
        }

        if (core.Reception.Origin(key.Origin) is { } row)
        {
            var newer = core.Cells.Find(key) is { } held && held.Revision.CompareTo(new Revision(row.Watermark.Epoch.Number, row.Watermark.Lsn.Value)) > 0;
            answer.Word = new OriginWord
            {
                Epoch = row.Watermark.Epoch.Number,
                Lsn = row.Watermark.Lsn.Value,
                AsOf = RequestReads.Iso(row.Watermark.AsOf),
                CompleteThrough = row.Watermark.CompleteThrough.ToString(),
                Via = row.Via.ToString(),
                LocalLsn = row.Local.Value,
                Digest = core.Cells.DigestOf(key.Origin, Grain.National) == row.Watermark.Digest ? WordDigest.Agrees
                    : newer || core.Reception.Child(row.Via) is { Cells.Cut: not null } ? WordDigest.NotNow : WordDigest.Differs,
            };
        }

        return answer;
    }

    /// <summary>The record in which this revision came.</summary>
    private void AddRecord(WhyCellResponse answer, bool isOwn)
    {
        var local = new Lsn(answer.LocalLsn);
        if (core.Journal.ReadAt(local) is not { } record)
        {
            answer.Unknown.Add(new NotKnown { Code = "RECORD_GONE", Message = $"The record at {local} is not in the journal any more." });
            return;
        }

        var journalEvent = record.Events.First(e => e.Lsn == local);
        answer.RecordedAt = RequestReads.Iso(record.RecordedAt);
        answer.Came = journalEvent.Kind switch
        {
            EventKinds.CellsReceived => Arrival.Received,
            EventKinds.ParkedSettled => Arrival.Settled,
            EventKinds.EpochTaken => Arrival.Stamped,
            _ when isOwn => Arrival.Counted,
            _ => Arrival.Unspecified,
        };
        if (journalEvent.Kind == EventKinds.CellsReceived && ReceptionEvents.Read(journalEvent) is CellsTaken taken)
        {
            answer.Via = taken.Child.ToString();
            answer.CutTo = taken.Part.CutTo;
            answer.Came = taken.Part.Repair is null ? answer.Came : Arrival.Repaired;
        }
    }

    private void AddRanges(WhyCellResponse answer, CellKey key)
    {
        var range = RangeKey.Of(key);
        if (answer.Word is { } word)
        {
            answer.Ranges.Add(_edges.Down(NodeId.Parse(word.Via), range));
        }

        var goesUp = key.Grain != Grain.Detail || key.Origin == core.Node;
        if (goesUp)
        {
            answer.Ranges.AddRange(_edges.Up(range));
        }

        if (Upward(new Lsn(answer.LocalLsn), Lane.Cells, goesUp) is { } upward)
        {
            answer.Upward = upward;
        }
    }

    private void AddEvents(WhyCellResponse answer, CellKey key, ReadOnlyMemory<byte> value, Lsn head)
    {
        var shares = Contributions.To(core.Journal.ReadFrom(Lsn.Zero), head, core.Book.History, key, division);
        var sum = new CellDraft();
        foreach (var share in shares)
        {
            foreach (var counter in share.Change.Counters)
            {
                sum.Add(counter.Counter, counter.Delta);
            }

            foreach (var lasted in share.Change.Durations)
            {
                sum.AddDuration(lasted.Histogram, lasted.Seconds, lasted.Delta);
            }
        }

        answer.ContributionsInAll = shares.Count;
        answer.Explained = sum.ToBytes().AsSpan().SequenceEqual(value.Span);
        answer.Contributions.AddRange(shares.Skip(Math.Max(0, shares.Count - ContributionsMax)).Select(share => new CellContribution
        {
            Lsn = share.Entry.Stamp.Lsn.Value,
            RecordedAt = RequestReads.Iso(share.Entry.Stamp.RecordedAt),
            CaseId = share.Entry.Event.Case.ToString(),
            Event = share.Entry.Event.GetType().Name,
            Changes = { share.Change.Counters.Select(c => new Figure { Name = NameOf(c.Counter), Value = c.Delta }) },
        }));
    }

    private void AddUnknown(WhyCellResponse answer, CellKey key)
    {
        if (key.Origin != core.Node)
        {
            answer.Unknown.Add(new NotKnown { Code = "CASES_STAY_HOME", Message = $"Which cases it is made of is known at {key.Origin} alone: cases stay at home." });
        }

        if (!answer.Held && answer.Word is null && key.Origin != core.Node)
        {
            answer.Unknown.Add(new NotKnown { Code = "ORIGIN_UNHEARD", Message = $"{key.Origin} has said nothing of itself here." });
        }
        else if (!answer.Held && key.Grain == Grain.Detail && answer.Word?.Via != key.Origin.ToString())
        {
            answer.Unknown.Add(new NotKnown { Code = "DETAIL_STAYS_BELOW", Message = "Detail goes no further up than to the origin's parent; ask for the national grain here." });
        }

        if (answer is { Held: true, Upward.GoesUp: true })
        {
            answer.Unknown.Add(new NotKnown { Code = "ABOVE_BY_RECEIPT", Message = $"What {answer.Upward.Parent} holds now it can tell itself; here are its receipts alone." });
        }
    }

    private static IEnumerable<Figure> FiguresOf(ReadOnlySpan<byte> value)
    {
        var read = CellCodec.Decode(value, out _)!;
        return read.Counters.Select(c => new Figure { Name = NameOf(c.Counter), Value = c.Value })
            .Concat(read.Histograms.Select(h => new Figure { Name = Histogram.Find(h.Histogram)?.Name ?? $"histogram_{h.Histogram}", Value = h.Buckets.Sum(b => b.Count) }));
    }

    private static string NameOf(ushort counter) => Counter.Find(counter)?.Name ?? $"counter_{counter}";
}
