using System.Globalization;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Escalations;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using NodaTime.Text;

namespace CityGrid.Hub.Views;

/// <summary>Lists the escalations known here in their newest version, the newest first. For many threads at once.</summary>
public sealed class EscalationDesk(
    ViewPlace place, Sequencer sequencer, IJournal journal, EscalationFold escalations, Func<IReadOnlyList<OriginWatermark>> watermarks, TimeProvider clock)
{
    public const int PageSize = 50;

    /// <summary>An escalation is about 1 kB: a page stays well below a message's 4 MB.</summary>
    public const int PageSizeMax = 500;

    private DivisionRegister RegisterNow => place.Register.At(StatDay.Of(clock.Now(), place.Zone));

    /// <summary>The page, or why there is none.</summary>
    public ListEscalationsResponse? List(ListEscalationsRequest request, out Refusal? refusal)
    {
        var register = RegisterNow;
        refusal = Judge(request, register, out var division, out var before);
        if (refusal is not null)
        {
            return null;
        }

        var size = request.PageSize == 0 ? PageSize : Math.Min(request.PageSize, PageSizeMax);
        var (page, heard, applied) = sequencer.Read(() => (escalations.Page(before, size, record => Includes(record, register, division, request.State)), watermarks(), sequencer.Applied));
        var asOf = heard.Where(w => division is not { } asked || register.IsAtOrBelow(w.Division, asked)).Select(w => w.AsOf).DefaultIfEmpty(clock.Now()).Min();
        var response = new ListEscalationsResponse
        {
            AsOf = InstantPattern.General.Format(asOf),
            Revision = applied.Value,
            NextPageToken = page.Next?.ToString(CultureInfo.InvariantCulture) ?? string.Empty,
        };
        response.Escalations.AddRange(page.Records.Select(RowOf));
        return response;
    }

    private static Refusal? Judge(ListEscalationsRequest request, DivisionRegister register, out DivisionCode? division, out int? before)
    {
        (division, before) = (null, null);
        if (request.Division.Length > 0)
        {
            if (!DivisionCode.TryParse(request.Division, out var code) || !register.Contains(code))
            {
                return new Refusal("DIVISION_UNKNOWN", $"'{request.Division}' does not stand in this node's register.", "division");
            }

            division = code;
        }

        if (!Enum.IsDefined(request.State))
        {
            var states = string.Join(", ", Enum.GetValues<EscalationState>().Select(s => $"{(int)s} ({s})"));
            return new Refusal("STATE_UNKNOWN", $"{(int)request.State} is no state of an escalation; there are {states}, and 0 asks for all.", "state");
        }

        if (request.PageSize < 0)
        {
            return new Refusal("PAGE_SIZE_BAD", $"A page has 1 to {PageSizeMax} rows, and {PageSize} for 0; {request.PageSize} was asked for.", "page_size");
        }

        if (request.PageToken.Length > 0)
        {
            if (!int.TryParse(request.PageToken, NumberStyles.None, CultureInfo.InvariantCulture, out var token))
            {
                return new Refusal("PAGE_TOKEN_BAD", "The page token is none that this node gave; begin again without one.", "page_token");
            }

            before = token;
        }

        return null;
    }

    /// <summary>What has left this place is its new parent's to list: no later version of it comes here.</summary>
    private bool Includes(EscalationRecord record, DivisionRegister register, DivisionCode? division, EscalationState state) =>
        (state == EscalationState.Unspecified || record.Content.State == state)
        && (DivisionCode.TryParse(record.Content.Division, out var code) && register.Contains(code) ? register.IsAtOrBelow(code, division ?? place.Division) : division is null);

    private EscalationRow RowOf(EscalationRecord record)
    {
        var row = new EscalationRow { Escalation = record.Content };
        row.Hops.AddRange(record.Hops.Select(h => new Hop { Node = h.Node.ToString(), ReceivedAt = h.ReceivedAt.ToUnixTimeMilliseconds() }));
        var recordedAt = record.Hops.Length > 0 ? record.Hops[^1].ReceivedAt : journal.ReadAt(record.Local)?.RecordedAt;
        row.ReceivedAt = recordedAt is { } at ? InstantPattern.General.Format(at) : string.Empty;
        return row;
    }
}
