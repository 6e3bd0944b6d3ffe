namespace CityGrid.Node.Cases;

/// <summary>上报: how a case begins.</summary>
internal static class CaseBeginning
{
    public static CaseOutcome Report(Draft draft, ReportCase report)
    {
        draft.OccurredAt = report.OccurredAt is { } told ? CaseDecisions.WholeMilliseconds(told) : draft.Now;
        if ((CaseDecisions.ReasonFault(draft)
            ?? CaseDecisions.TimeFault(draft, draft.OccurredAt)
            ?? CaseDecisions.TypeFault(draft, report.Type, draft.OccurredAt)
            ?? CaseDecisions.DivisionFault(draft, report.Division)
            ?? CaseDecisions.SummaryFault(draft, report.Summary)
            ?? SourceFault(draft, report.Source)) is { } fault)
        {
            return fault;
        }

        if (report.ExpectedVersion is { } expected and not 0)
        {
            return draft.Refuse(CaseRefusals.VersionConflict, $"A case that begins is at version 0, not {expected}.");
        }

        var division = report.Division ?? draft.Rules.Nowhere;
        draft.Add(new Reported(
            draft.CatalogueOf(draft.OccurredAt).KeyOf(SharedNames.Type(report.Type.ToString())),
            SharedNames.Division(division.ToString()),
            SharedNames.Source(report.Source.ToString()),
            report.Grade,
            Blank(report.Summary)));
        return draft.Done();
    }

    /// <summary>Nothing to say is said by leaving it out.</summary>
    public static string? Blank(string? text) => string.IsNullOrWhiteSpace(text) ? null : text;

    /// <summary>The source <c>all</c> is what a grain says that does not tell sources apart.</summary>
    public static CaseOutcome? SourceFault(Draft draft, Protocol.Names.SourceCode source) =>
        source.IsNone || source.ToString() == "all"
            ? draft.Refuse(CaseRefusals.SourceBad, "A case needs a source such as inspector, hotline or web; 'all' is none.")
            : null;
}
