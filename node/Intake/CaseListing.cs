using System.Text.RegularExpressions;
using CityGrid.Node.Cases;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;

namespace CityGrid.Node.Intake;

/// <summary>A list request as a query.</summary>
internal static partial class CaseListing
{
    public const int PageMax = 500;

    public static CaseQuery Of(ListRequest request)
    {
        var (open, stage) = StageOf(request.Stage);
        if (request.Month.Length > 0 && !MonthPattern().IsMatch(request.Month))
        {
            throw RequestReads.Bad("MONTH_BAD", "month is yyyy-MM, the month in which the case ids were minted.", "month");
        }

        if (request.PageSize is < 0 or > PageMax)
        {
            throw RequestReads.Bad("PAGE_SIZE_BAD", $"page_size is at most {PageMax}; 0 is 50.", "page_size");
        }

        CaseId after = default;
        if (request.PageToken.Length > 0 && !CaseId.TryParse(request.PageToken, out after))
        {
            throw RequestReads.Bad("PAGE_TOKEN_BAD", "page_token is the next_page_token of an earlier answer.", "page_token");
        }

        return new CaseQuery(
            open,
            stage,
            new TypeKeyFilter(request.Type.Length == 0 ? null : RequestReads.Type(request.Type)),
            RequestReads.DivisionOrNull(request.Division),
            request.OverdueOnly,
            request.Month.Length == 0 ? null : request.Month,
            after.Value,
            request.PageSize == 0 ? 50 : request.PageSize);
    }

    private static (bool Open, CaseStage? Stage) StageOf(string word)
    {
        switch (word)
        {
            case "" or "open":
                return (true, null);
            case "ended":
                return (false, null);
        }

        foreach (var stage in Enum.GetValues<CaseStage>())
        {
            if (stage.Word() == word)
            {
                return (stage.IsOpen(), stage);
            }
        }

        throw RequestReads.Bad("STAGE_BAD", $"stage is open, ended, or one of {string.Join(", ", Enum.GetValues<CaseStage>().Select(s => s.Word()))}.", "stage");
    }

    [GeneratedRegex(@"^\d{4}-(0[1-9]|1[0-2])$")]
    private static partial Regex MonthPattern();
}
