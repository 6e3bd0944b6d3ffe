using System.Globalization;
using CityGrid.Hub.Escalations;
using CityGrid.Node.Cases;
using CityGrid.Node.Intake;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;

namespace CityGrid.Node.Journey;

/// <summary>How a case went through this node: its events and the cells they changed, and its escalations with their hops. Nothing of it is personal.</summary>
public sealed class CaseJourney(NodeCore core, DivisionCode division, CellJourney cells)
{
    public WhyCaseResponse Tell(CaseId id)
    {
        var answer = new WhyCaseResponse { Node = core.Node.ToString(), NodeDivision = division.ToString() };
        if (core.Desk.Find(id) is { } state)
        {
            answer.Held = true;
            answer.Stage = state.Stage.Word();
            AddEvents(answer, core.Book.History(state.LastLsn));
        }
        else
        {
            answer.Unknown.Add(new NotKnown { Code = "CASE_ELSEWHERE", Message = "The case was not taken in here: cases stay at home. What follows is what its origin escalated." });
        }

        answer.Escalations.AddRange(Escalations(id));
        return answer;
    }

    private void AddEvents(WhyCaseResponse answer, IReadOnlyList<CaseEntry> history)
    {
        var shares = Contributions.Of(history, core.Node, division).ToLookup(s => s.Entry.Stamp.Lsn, s => s.Change.Key);
        var counted = new SortedSet<CellKey>();
        foreach (var entry in history)
        {
            answer.Events.Add(new CaseEventStep
            {
                Lsn = entry.Stamp.Lsn.Value,
                Event = entry.Event.GetType().Name,
                OccurredAt = RequestReads.Iso(entry.Event.OccurredAt),
                RecordedAt = RequestReads.Iso(entry.Stamp.RecordedAt),
                Cells = { shares[entry.Stamp.Lsn].Select(key => CellNaming.TextOf(key)) },
            });
            counted.UnionWith(shares[entry.Stamp.Lsn]);
        }

        answer.Cells.AddRange(counted.Select(key => cells.Tell(key, withEvents: false)));
        if (cells.Upward(history[^1].Stamp.Lsn, Lane.Cells, goesUp: true) is { } upward)
        {
            answer.CellsUpward = upward;
        }
    }

    private IEnumerable<EscalationJourney> Escalations(CaseId id)
    {
        var records = core.Sequencer.Read(() => core.Escalations.ChangedSince(Lsn.Zero, core.Sequencer.Applied).Where(r => IsOf(r, id)).ToArray());
        foreach (var record in records)
        {
            var lane = !core.Reach.GoesUp(record) ? Lane.Unspecified : EscalationReach.IsAlarm(record) && core.Uplink?.Standing.State is { } state && state.Carries(state.Alarms) ? Lane.Alarms : Lane.Escalations;
            var journey = new EscalationJourney
            {
                Id = record.Id.ToString("x32", CultureInfo.InvariantCulture),
                Origin = record.Content.Origin,
                Version = record.Content.Version,
                Grade = record.Content.Grade.ToString(),
                LocalLsn = record.Local.Value,
                Via = record.Via?.ToString() ?? string.Empty,
                Lane = lane == Lane.Unspecified ? string.Empty : lane.ToString().ToLowerInvariant(),
                Hops = { record.Hops.Select(h => new HopStep { Node = h.Node.ToString(), ReceivedAt = RequestReads.Iso(h.ReceivedAt) }) },
            };
            if (cells.Upward(record.Local, lane, lane != Lane.Unspecified) is { } upward)
            {
                journey.Upward = upward;
            }

            yield return journey;
        }
    }

    private static bool IsOf(EscalationRecord record, CaseId id) =>
        record.Content.Subject.Length == 16 && System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(record.Content.Subject.Span) == id.Value;
}
