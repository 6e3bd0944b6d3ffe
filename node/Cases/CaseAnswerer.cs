using CityGrid.Hub.Divisions;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reach;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Node.Cases;

/// <summary>
/// Tells a tier above how a case stands (clause P6). What is personal of it is sealed and stays so; who took a step, the words for a reason and the unit are
/// left out too.
/// </summary>
public sealed class CaseAnswerer(CaseDesk desk, DivisionCode own, Func<DivisionRegister> register) : IAnswerer
{
    /// <summary>Steps told of one case: the last ones. A case has about ten.</summary>
    public const int StepsMax = 500;

    public ReachReply Answer(ByteString request, DivisionCode target)
    {
        CaseId id;
        try
        {
            id = new CaseId(OrderId.Of(CaseAsked.Parser.ParseFrom(request).Case));
        }
        catch (InvalidProtocolBufferException)
        {
            return ReachReply.No(new Refusal(ReachCodes.Malformed, "The request is no CaseAsked.", "request"));
        }

        return desk.Find(id) is { } state && (target == own || register().IsAtOrBelow(state.Division, target))
            ? ReachReply.Of(SummaryOf(state), state.LastLsn)
            : ReachReply.No(new Refusal(CaseRefusals.CaseUnknown, $"There is no case with this id in {target}.", "case_id"));
    }

    private CaseSummary SummaryOf(CaseState state)
    {
        var summary = new CaseSummary
        {
            CaseId = state.Id.ToString(),
            Version = state.Version,
            Stage = state.Stage.Word(),
            IsSuspended = state.IsSuspended,
            IsOverdue = state.IsOverdue,
            Catalogue = state.Type.Version.ToString(),
            TypeKind = (int)state.Type.Kind,
            TypeCode = state.Type.Code.ToString(),
            Division = state.Division.ToString(),
            Grade = state.Grade,
            ReportedAt = Seconds(state.ReportedAt),
            FiledAt = Seconds(state.Filing?.FiledAt),
            HandledAt = Seconds(state.Filing?.HandledAt),
            EndedAt = Seconds(state.End?.At),
            Deadline = Seconds(state.Deadline),
        };
        summary.Steps.AddRange(desk.Book.History(state.LastLsn).TakeLast(StepsMax).Select(entry => new CaseSummaryStep
        {
            Event = entry.Event.GetType().Name,
            OccurredAt = Seconds(entry.Event.OccurredAt),
            RecordedAt = Seconds(entry.Stamp.RecordedAt),
        }));
        return summary;
    }

    private static long Seconds(Instant? at) => at?.ToUnixTimeSeconds() ?? 0;
}
