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
    /// <summary>What is settled together stands in one record of the journal, which has at most twice this; one record by itself came in less.</summary>
    private const int BytesTogether = JournalLimits.RecordBytesMax / 2;

    /// <summary>What can be settled now of the child's records, about <see cref="BytesTogether"/> of them; null for nothing.</summary>
    public static ParkedSettled? Settle(ChildRow row, IEnumerable<SetAside> aside, IRecordJudge judge, Func<Lsn, JournalRecord?> readAt)
    {
        var result = new ParkedSettled { Child = row.Node.ToString() };
        var gathered = new Gathered();
        foreach (var group in aside.Where(a => a.Child == row.Node).GroupBy(a => a.Event))
        {
            if (gathered.Bytes > BytesTogether)
            {
                break;
            }

            foreach (var journalEvent in readAt(group.Key)?.Events.Where(e => e.Lsn == group.Key) ?? [])
            {
                switch (ReceptionEvents.Read(journalEvent))
                {
                    case CellsTaken taken:
                        SettleCells(row, taken, group, judge, result, gathered);
                        break;
                    case EscalationsTaken taken:
                        SettleEscalations(row, taken, group, judge, result, gathered);
                        break;
                    default:
                        break;
                }
            }
        }

        result.Cells = gathered.Cells.Cells.Count > 0 ? gathered.Cells.ToByteString() : ByteString.Empty;
        result.Escalations = gathered.Escalations.Escalations.Count + gathered.Escalations.Receipts.Count > 0 ? gathered.Escalations.ToByteString() : ByteString.Empty;
        return result.Settled.Count > 0 ? result : null;
    }

    private static void SettleCells(ChildRow row, CellsTaken taken, IEnumerable<SetAside> aside, IRecordJudge judge, ParkedSettled result, Gathered into)
    {
        foreach (var parked in aside.TakeWhile(_ => into.Bytes <= BytesTogether))
        {
            if (parked.Verdict.Index >= taken.Part.Cells.Count)
            {
                // A statement, and what it says to be complete, which its origin makes anew with every push: the next one is judged when it comes.
                Note(result, parked, RecordOutcome.Unchanged);
                continue;
            }

            // With its own names alone: a part may have as many as it has cells.
            var alone = new CellsPart { CutTo = taken.Part.CutTo };
            alone.Cells.Add(Carried(taken.Part.Cells[parked.Verdict.Index], taken.Part.Symbols, name =>
            {
                alone.Symbols.Add(name);
                return alone.Symbols.Count - 1;
            }));
            var outcome = OutcomeOf(judge.Judge(SessionOf(row), row, new Welcomed(row), alone));
            Note(result, parked, outcome);
            if (outcome == RecordOutcome.Accepted)
            {
                into.Add(alone);
            }
        }
    }

    private static void SettleEscalations(ChildRow row, EscalationsTaken taken, IEnumerable<SetAside> aside, IRecordJudge judge, ParkedSettled result, Gathered into)
    {
        foreach (var parked in aside.TakeWhile(_ => into.Bytes <= BytesTogether))
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
                into.Add(alone);
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

    /// <summary>A cell with its names, which stand in one list of symbols, as numbers of another.</summary>
    private static Cell Carried(Cell from, IReadOnlyList<string> names, Func<string, int> numberOf)
    {
        var cell = from.Clone();
        cell.Origin = numberOf(names[cell.Origin]);
        cell.Catalogue = numberOf(names[cell.Catalogue]);
        cell.Code = numberOf(names[cell.Code]);
        cell.Division = numberOf(names[cell.Division]);
        cell.Source = numberOf(names[cell.Source]);
        return cell;
    }

    /// <summary>What is settled together, and about how many bytes it is.</summary>
    private sealed class Gathered
    {
        private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal);

        public CellsPart Cells { get; } = new();

        public EscalationsPart Escalations { get; } = new();

        public long Bytes { get; private set; }

        public void Add(CellsPart alone)
        {
            Cells.Cells.Add(Carried(alone.Cells[0], alone.Symbols, NumberOf));
            Bytes += Cells.Cells[^1].CalculateSize();
        }

        public void Add(EscalationsPart alone)
        {
            Escalations.MergeFrom(alone);
            Bytes += alone.CalculateSize();
        }

        private int NumberOf(string name)
        {
            if (!_numbers.TryGetValue(name, out var number))
            {
                number = Cells.Symbols.Count;
                Cells.Symbols.Add(name);
                _numbers.Add(name, number);
                Bytes += name.Length * 3L;
            }

            return number;
        }
    }

    private static LinkSession SessionOf(ChildRow row) => new(row.Node, row.Incarnation, row.Epoch);

    private sealed class Welcomed(ChildRow row) : IPeerIdentity
    {
        public NodeId Node => row.Node;

        public IReadOnlyList<DivisionCode> Divisions => [row.Division];
    }
}
