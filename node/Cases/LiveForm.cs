using System.Buffers.Binary;
using CityGrid.Hub.Catalogue;
using CityGrid.Node.Stored;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using static CityGrid.Node.Cases.CaseEventCodec;
using Body = CityGrid.Node.Stored.StoredCaseEvent.BodyOneofCase;

namespace CityGrid.Node.Cases;

/// <summary>Stored messages into events. What is no name throws <see cref="FormatException"/>.</summary>
internal static class LiveForm
{
    public static CaseEvent Of(StoredCaseEvent s)
    {
        var happened = BodyOf(s);
        happened.Case = CaseId.FromBytes(s.CaseId.Span);
        happened.OccurredAt = At(s.OccurredAt);
        happened.Day = new StatDay(s.Day);
        happened.Request = RequestOf(s);
        happened.Reason = s.Reason.Length == 0 ? null : SharedNames.Word(s.Reason);
        happened.Sealed = s.Sealed is { } part ? new SealedPart(part.Slot, part.Box.Memory) : null;
        return happened;
    }

    private static RequestDigest? RequestOf(StoredCaseEvent s) =>
        s.RequestHash.Length == 16 ? new RequestDigest(BinaryPrimitives.ReadUInt128BigEndian(s.RequestHash.Span), s.RequestContent)
        : s.RequestHash.Length != 0 ? throw new FormatException($"The hash of a request key has 16 bytes, and this one has {s.RequestHash.Length}.")
        : s.RequestKey.Length != 0 ? new RequestDigest(RequestMark.HashOf(s.RequestKey), s.RequestContent)
        : null;

    private static CaseEvent BodyOf(StoredCaseEvent s) => s.BodyCase switch
    {
        Body.Reported => new Reported(
            Type(s.Reported.Type), SharedNames.Division(s.Reported.Division), SharedNames.Source(s.Reported.Source), (EmergencyGrade)s.Reported.Grade, Text(s.Reported.Summary)),
        Body.PreFilingChecked => new PreFilingChecked(s.PreFilingChecked.Passed),
        Body.Filed => new Filed(
            Type(s.Filed.Type), s.Filed.Row, Limit(s.Filed.Limit), s.Filed.LimitIsDefault, At(s.Filed.Deadline), s.Filed.ElapsedSeconds),
        Body.Dispatched => new Dispatched(SharedNames.Word(s.Dispatched.Unit)),
        Body.HandlingFinished => new HandlingFinished(
            s.HandlingFinished.HasInTime ? s.HandlingFinished.InTime : null, s.HandlingFinished.ElapsedSeconds, s.HandlingFinished.WorkedSeconds),
        Body.PreClosingChecked => new PreClosingChecked(s.PreClosingChecked.Passed),
        Body.Closed => new Closed(s.Closed.HasInTime ? s.Closed.InTime : null, s.Closed.ElapsedSeconds, s.Closed.WorkedSeconds),
        Body.Voided => new Voided(),
        Body.Returned => new Returned(SharedNames.Word(s.Returned.Unit)),
        Body.Reworked => new Reworked(),
        Body.Extended => new Extended(At(s.Extended.Deadline)),
        Body.Suspended => new Suspended(At(s.Suspended.Until), s.Suspended.HasRemainingMs ? s.Suspended.RemainingMs : null),
        Body.Resumed => new Resumed(
            s.Resumed.ByItself,
            s.Resumed.HasDeadline ? At(s.Resumed.Deadline) : null,
            s.Resumed.HasNextStepAt ? At(s.Resumed.NextStepAt) : null,
            s.Resumed.SuspendedWorkedSeconds),
        Body.Reopened => new Reopened(),
        Body.Corrected => Corrected(s.Corrected),
        Body.Moved => new Moved(Type(s.Moved.Type), SharedNames.Division(s.Moved.Division)),
        Body.DeadlinePassed => new DeadlinePassed(At(s.DeadlinePassed.Deadline), s.DeadlinePassed.HasNextStepAt ? At(s.DeadlinePassed.NextStepAt) : null),
        Body.DeadlineWithdrawn => new DeadlineWithdrawn(),
        Body.OverdueReached => new OverdueReached(s.OverdueReached.Multiple, s.OverdueReached.HasNextStepAt ? At(s.OverdueReached.NextStepAt) : null),
        Body.Escalated => new Escalated(
            BinaryPrimitives.ReadUInt128BigEndian(s.Escalated.Id.Span),
            s.Escalated.Version,
            SharedNames.Word(s.Escalated.Rule),
            (EmergencyGrade)s.Escalated.Grade,
            (EscalationTier)s.Escalated.Tier,
            (EscalationState)s.Escalated.State,
            At(s.Escalated.RaisedAt)),
        Body.ReporterErased => new ReporterErased([.. s.ReporterErased.Slots]),
        Body.Imported => Imported(s.Imported),
        Body.ImportRenewed => new ImportRenewed(
            Hash256.FromBytes(s.ImportRenewed.ContentHash.Span),
            s.ImportRenewed.HasDueAt ? At(s.ImportRenewed.DueAt) : null,
            s.ImportRenewed.HasUpdatedAt ? At(s.ImportRenewed.UpdatedAt) : null),
        Body.CalledBack => new CalledBack(s.CalledBack.Solved, s.CalledBack.HasSatisfied ? s.CalledBack.Satisfied : null),
        Body.DeadlineMoved => new DeadlineMoved(
            At(s.DeadlineMoved.Deadline),
            s.DeadlineMoved.HasNextStepAt ? At(s.DeadlineMoved.NextStepAt) : null,
            s.DeadlineMoved.HasRemainingMs ? s.DeadlineMoved.RemainingMs : null),
        _ => throw new FormatException($"A case event with an unknown body ({s.BodyCase})."),
    };

    private static Corrected Corrected(StoredCorrected c) => new()
    {
        Type = c.Type is { } type ? Type(type) : null,
        Division = c.Division.Length == 0 ? null : SharedNames.Division(c.Division),
        Limit = c.HasDeadline
            ? new NewLimit(
                c.Row, Limit(c.Limit), c.LimitIsDefault, At(c.Deadline), c.HasNextStepAt ? At(c.NextStepAt) : null, c.HasRemainingMs ? c.RemainingMs : null)
            : null,
        Reported = c.HasReportedAt ? new CorrectedTime(At(c.ReportedAt), new StatDay(c.ReportedDay)) : null,
        Ended = c.HasEndedAt ? new CorrectedTime(At(c.EndedAt), new StatDay(c.EndedDay)) : null,
        InTime = c.HasInTime ? c.InTime : null,
        ElapsedSeconds = c.ElapsedSeconds,
    };

    private static Imported Imported(StoredImported i) => new(
        Type(i.Type), SharedNames.Division(i.Division), SharedNames.Source(i.Source), SharedNames.Word(i.System), i.ExternalId, Hash256.FromBytes(i.ContentHash.Span))
    {
        DueAt = i.HasDueAt ? At(i.DueAt) : null,
        UpdatedAt = i.HasUpdatedAt ? At(i.UpdatedAt) : null,
        Live = i.Live,
        Grade = (EmergencyGrade)i.Grade,
        Summary = Text(i.Summary),
    };

    internal static TypeKey Type(StoredType? type) =>
        type is null ? throw new FormatException("A case has a type.") : new(SharedNames.Version(type.Catalogue), (TypeKind)type.Kind, SharedNames.Type(type.Code));

    internal static Limit Limit(StoredLimit? limit) => limit is null ? default : new(limit.Count, (LimitUnit)limit.Unit);

    internal static string? Text(string text) => text.Length == 0 ? null : text;
}
