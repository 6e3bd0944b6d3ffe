using System.CommandLine;
using CityGrid.Cli.Network;
using CityGrid.Protocol.V1;
using NodaTime;
using NodaTime.Text;
using Spectre.Console;

namespace CityGrid.Cli;

/// <summary>What <c>citygrid view</c> takes to ask the places below instead of the node's own figures.</summary>
internal sealed class LiveOptions
{
    private readonly Option<bool> _live = new("--live") { Description = Texts.Get("OptionLive") };
    private readonly Option<string?> _at = new("--at") { Description = Texts.Get("OptionLiveAt") };
    private readonly Option<bool> _each = new("--each") { Description = Texts.Get("OptionLiveEach") };
    private readonly Option<int?> _wait = LiveCommand.WaitOption();

    public void AddTo(Command command)
    {
        foreach (var option in new Option[] { _live, _at, _each, _wait })
        {
            command.Options.Add(option);
        }
    }

    /// <summary>Null where nothing is to be asked live; <paramref name="misplaced"/> where an option stands that then means nothing.</summary>
    public PullViewRequest? Of(ParseResult parsed, out bool misplaced)
    {
        var (at, each, wait) = (parsed.GetValue(_at) ?? string.Empty, parsed.GetValue(_each), parsed.GetValue(_wait));
        misplaced = !parsed.GetValue(_live) && (at.Length > 0 || each || wait is not null);
        return parsed.GetValue(_live) ? new PullViewRequest { TargetDivision = at, AllBelow = each, WaitMs = LiveCommand.Milliseconds(wait) } : null;
    }
}

/// <summary>
/// <c>citygrid view --live</c> and <c>citygrid pull</c>: places below are asked now (clauses P1 to P7). What is missing stands below what came, and the exit
/// code is 3 then.
/// </summary>
internal static class LiveCommand
{
    /// <summary>Something that was asked for is not in the answer.</summary>
    private const int PartialCode = 3;

    private const int SecondsMax = 30;

    public static Option<int?> WaitOption()
    {
        var wait = new Option<int?>("--wait") { Description = Texts.Get("OptionLiveWait") };
        wait.Validators.Add(result =>
        {
            if (result.Tokens is not [{ Value: var text }] || !int.TryParse(text, out var seconds) || seconds is < 1 or > SecondsMax)
            {
                result.AddError(Texts.Get("OptionLiveWait"));
            }
        });
        return wait;
    }

    public static int Milliseconds(int? seconds) => (seconds ?? 0) * 1000;

    public static async Task<int> ViewAsync(NodeClient client, PullViewRequest asked, QueryRequest query, bool json, CancellationToken stop)
    {
        asked.Query = query;
        var response = await client.Reach.PullViewAsync(asked, client.Options.WithCancellationToken(stop));
        if (json)
        {
            Console.Out.WriteLine(JsonText.Of(response));
            return CodeOf(response.Partial);
        }

        foreach (var place in response.Places)
        {
            if (Show(place.Place) && place.View is { } view)
            {
                AnsiConsole.Write(ViewTable.Slice(view, query.By, query.Measures));
                AnsiConsole.WriteLine(ViewTable.Coverage(view));
            }
        }

        Show(response.Missing);
        var answered = response.Places.Count(place => place.View is not null);
        AnsiConsole.WriteLine(response.Partial
            ? Texts.Get("LivePartial", answered, response.Missing.Sum(one => Math.Max(one.Origins, 1)) + response.Places.Count - answered)
            : Texts.Get("LiveWhole", answered));
        return CodeOf(response.Partial);
    }

    public static Command Pull() =>
        new("pull", Texts.Get("CommandPull"))
        {
            Pull("case", "CommandPullCase", "ArgumentPullCase", needsPlace: true, (request, id) => request.CaseId = id),
            Pull("escalation", "CommandPullEscalation", "ArgumentPullEscalation", needsPlace: false, (request, id) => request.EscalationId = id),
        };

    private static Command Pull(
        string name, string description, string argument, bool needsPlace, Action<PullCaseRequest, string> naming)
    {
        var node = new NodeCall();
        var id = new Argument<string>("ID") { Description = Texts.Get(argument) };
        var at = new Option<string?>("--at") { Description = Texts.Get("OptionPullAt"), Required = needsPlace };
        var wait = WaitOption();
        var json = new Option<bool>("--json") { Description = Texts.Get("OptionJson") };
        var command = new Command(name, Texts.Get(description)) { id, at, wait, json };
        node.AddTo(command);
        command.SetAction((parsed, stop) => node.RunAsync(parsed, async client =>
        {
            var request = new PullCaseRequest { TargetDivision = parsed.GetValue(at) ?? string.Empty, WaitMs = Milliseconds(parsed.GetValue(wait)) };
            naming(request, parsed.GetRequiredValue(id));
            var response = await client.Reach.PullCaseAsync(request, client.Options.WithCancellationToken(stop));
            if (parsed.GetValue(json))
            {
                Console.Out.WriteLine(JsonText.Of(response));
                return CodeOf(response.Partial);
            }

            if (response.Place is not null && Show(response.Place) && response.Case is { } summary)
            {
                Show(summary);
            }

            Show(response.Missing);
            return CodeOf(response.Partial);
        }));
        return command;
    }

    private static int CodeOf(bool partial) => partial ? PartialCode : 0;

    /// <summary>Who speaks, and of when; false where it refused.</summary>
    private static bool Show(PlaceAnswered place)
    {
        if (place.Code.Length > 0)
        {
            AnsiConsole.WriteLine(Texts.Get("LiveRefused", place.Division, place.Node, place.Code, place.Message));
            return false;
        }

        AnsiConsole.WriteLine(Texts.Get("LivePlace", place.Division, place.Node, place.At, place.Lsn));
        if (place.Older)
        {
            AnsiConsole.WriteLine(Texts.Get("LiveOlder"));
        }

        return true;
    }

    private static void Show(IEnumerable<PlaceMissing> missing)
    {
        foreach (var one in missing)
        {
            var node = Texts.Get(
                "LiveMissingNode", one.Node.Length > 0 ? one.Node : Texts.Get("LiveNoNode"), one.LastHeard.Length > 0 ? one.LastHeard : Texts.Get("LiveNever"), one.Origins);
            AnsiConsole.WriteLine(Texts.Get("LiveMissing", one.Division, node, one.Code, one.Message));
        }
    }

    private static void Show(CaseSummary summary)
    {
        var standing = summary.Stage + (summary.IsSuspended ? $", {Texts.Get("LiveSuspended")}" : string.Empty) + (summary.IsOverdue ? $", {Texts.Get("LiveOverdue")}" : string.Empty);
        AnsiConsole.WriteLine(summary.CaseId);
        AnsiConsole.WriteLine($"{Texts.Get("LiveStage")}: {standing}");
        AnsiConsole.WriteLine($"{Texts.Get("LiveType")}: {summary.TypeCode} ({summary.Catalogue})");
        AnsiConsole.WriteLine($"{Texts.Get("LiveDivision")}: {summary.Division}");
        AnsiConsole.WriteLine($"{Texts.Get("LiveReported")}: {Iso(summary.ReportedAt)}");
        AnsiConsole.WriteLine($"{Texts.Get("LiveDeadline")}: {Iso(summary.Deadline)}");
        var table = new Table().Border(TableBorder.Simple);
        foreach (var column in new[] { "LiveEvent", "LiveOccurred", "LiveRecorded" })
        {
            table.AddColumn(Texts.Get(column));
        }

        foreach (var step in summary.Steps)
        {
            table.AddRow(Markup.Escape(step.Event), Iso(step.OccurredAt), Iso(step.RecordedAt));
        }

        AnsiConsole.Write(table);
    }

    private static string Iso(long unixSeconds) =>
        unixSeconds is > 0 and < 253_402_300_800 ? InstantPattern.General.Format(Instant.FromUnixTimeSeconds(unixSeconds)) : "–";
}
