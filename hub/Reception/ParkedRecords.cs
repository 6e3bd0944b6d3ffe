using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception.V1;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;

namespace CityGrid.Hub.Reception;

/// <summary>
/// Records that were kept aside, judged again (L10). Their content stands in the journal, in the event that brought them. The child may speak then of
/// what it was welcomed for: its own division and all below it.
/// </summary>
internal static class ParkedRecords
{
    /// <summary>What can be settled now of the child's records; null for nothing.</summary>
    public static ParkedSettled? Settle(ChildRow row, IEnumerable<SetAside> aside, IRecordJudge judge, Func<Lsn, JournalRecord?> readAt)
    {
        var result = new ParkedSettled { Child = row.Node.ToString() };
        var cells = new CellsPart();
        var escalations = new EscalationsPart();
        foreach (var group in aside.Where(a => a.Child == row.Node).GroupBy(a => a.Event))
        {
            foreach (var journalEvent in readAt(group.Key)?.Events.Where(e => e.Lsn == group.Key) ?? [])
            {
                switch (ReceptionEvents.Read(journalEvent))
                {
                    case CellsTaken taken:
                        SettleCells(row, taken, group, judge, result, cells);
                        break;
                    case EscalationsTaken taken:
                        SettleEscalations(row, taken, group, judge, result, escalations);
                        break;
                    default:
                        break;
                }
            }
        }

        result.Cells = cells.Cells.Count > 0 ? cells.ToByteString() : ByteString.Empty;
        result.Escalations = escalations.Escalations.Count + escalations.Receipts.Count > 0 ? escalations.ToByteString() : ByteString.Empty;
        return result.Settled.Count > 0 ? result : null;
    }

    private static void SettleCells(ChildRow row, CellsTaken taken, IEnumerable<SetAside> aside, IRecordJudge judge, ParkedSettled result, CellsPart into)
    {
        foreach (var parked in aside)
        {
            if (parked.Verdict.Index >= taken.Part.Cells.Count)
            {
                // A statement, and what it says to be complete, which its origin makes anew with every push: the next one is judged when it comes.
                Note(result, parked, RecordOutcome.Unchanged);
                continue;
            }

            var alone = new CellsPart { CutTo = taken.Part.CutTo };
            alone.Symbols.AddRange(taken.Part.Symbols);
            alone.Cells.Add(taken.Part.Cells[parked.Verdict.Index]);
            var outcome = OutcomeOf(judge.Judge(SessionOf(row), row, new Welcomed(row), alone));
            Note(result, parked, outcome);
            if (outcome == RecordOutcome.Accepted)
            {
                into.Cells.Add(Carried(alone, into));
            }
        }
    }

    private static void SettleEscalations(ChildRow row, EscalationsTaken taken, IEnumerable<SetAside> aside, IRecordJudge judge, ParkedSettled result, EscalationsPart into)
    {
        foreach (var parked in aside)
        {
            var alone = new EscalationsPart();
            if (parked.Verdict.Index < taken.Part.Escalations.Count)
            {
                alone.Escalations.Add(taken.Part.Escalations[parked.Verdict.Index]);
            }
            else
            {
                // The receipt alone: whether its order is believed was for those to look at who saw it come, and an order that is known needs it no more.
                var receipt = taken.Part.Receipts[parked.Verdict.Index - taken.Part.Escalations.Count].Clone();
                (receipt.Order, receipt.Signature) = (ByteString.Empty, null);
                alone.Receipts.Add(receipt);
            }

            var outcome = OutcomeOf(judge.Judge(SessionOf(row), row, new Welcomed(row), alone));
            Note(result, parked, outcome);
            if (outcome == RecordOutcome.Accepted)
            {
                into.MergeFrom(alone);
            }
        }
    }

    private static RecordOutcome OutcomeOf(Judgement judgement) =>
        judgement.Fork is not null ? RecordOutcome.Refused
        : judgement.Named.Count > 0 ? judgement.Named[0].Outcome
        : judgement.Accepted > 0 ? RecordOutcome.Accepted
        : RecordOutcome.Unchanged;

    private static void Note(ParkedSettled result, SetAside parked, RecordOutcome outcome)
    {
        if (outcome != RecordOutcome.Parked)
        {
            result.Settled.Add(new SettledRecord { Lsn = parked.Event.Value, Index = parked.Verdict.Index, Outcome = (int)outcome });
        }
    }

    /// <summary>The part's one cell with its names in the other part's symbols.</summary>
    private static Cell Carried(CellsPart from, CellsPart to)
    {
        var cell = from.Cells[0].Clone();
        cell.Origin = Number(cell.Origin);
        cell.Catalogue = Number(cell.Catalogue);
        cell.Code = Number(cell.Code);
        cell.Division = Number(cell.Division);
        cell.Source = Number(cell.Source);
        return cell;

        int Number(int symbol)
        {
            var at = to.Symbols.IndexOf(from.Symbols[symbol]);
            if (at < 0)
            {
                at = to.Symbols.Count;
                to.Symbols.Add(from.Symbols[symbol]);
            }

            return at;
        }
    }

    private static LinkSession SessionOf(ChildRow row) => new(row.Node, row.Incarnation, row.Epoch);

    private sealed class Welcomed(ChildRow row) : IPeerIdentity
    {
        public NodeId Node => row.Node;

        public IReadOnlyList<DivisionCode> Divisions => [row.Division];
    }
}
