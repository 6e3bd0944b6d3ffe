using System.CommandLine;
using CityGrid.Cli.Network;
using CityGrid.Node.V1;
using Spectre.Console;

namespace CityGrid.Cli;

/// <summary><c>citygrid link list|parked|redrive</c>: how the links of a node stand, and what is kept aside on them (L10, O1).</summary>
internal static class LinkCommand
{
    /// <param name="options">The node and token options, fresh for each command.</param>
    /// <param name="guarded">Runs a call and tells what was refused.</param>
    public static Command Create(Func<(Option<string> Node, Option<FileInfo?> Token)> options, Func<ParseResult, Option<string>, Option<FileInfo?>, Func<NodeClient, Task<int>>, Task<int>> guarded) =>
        new("link", Texts.Get("CommandLink")) { List(options, guarded), Parked(options, guarded), Redrive(options, guarded) };

    private static Command List(Func<(Option<string> Node, Option<FileInfo?> Token)> options, Func<ParseResult, Option<string>, Option<FileInfo?>, Func<NodeClient, Task<int>>, Task<int>> guarded)
    {
        var (node, token) = options();
        var command = new Command("list", Texts.Get("CommandLinkList")) { node, token };
        command.SetAction((parsed, stop) => guarded(parsed, node, token, async client =>
        {
            var answer = await client.Links.ListLinksAsync(new ListLinksRequest(), client.Options.WithCancellationToken(stop));
            var table = TableOf("ColumnNode", "ColumnDirection", "ColumnState", "ColumnProgress", "ColumnPending", "ColumnOldest", "ColumnDrain", "ColumnParked", "ColumnSkew", "ColumnError");
            foreach (var link in answer.Links)
            {
                table.AddRow(
                    link.Node, Texts.Get(!link.Up ? "LinkDown" : link.Sector ? "LinkUpSector" : "LinkUp"), Texts.Get(WordOf(link)), link.LastProgress,
                    link.Up ? $"{link.PendingCells} + {link.PendingRecords}" : string.Empty, link.Up ? $"{link.OldestUnsentSeconds} s" : string.Empty, link.Up ? $"{link.DrainSeconds} s" : string.Empty,
                    $"{link.Parked}", link.Up ? $"{link.ClockSkewMs} ms" : string.Empty, Markup.Escape(link.Quarantine.Length > 0 ? link.Quarantine : link.LastError));
            }

            AnsiConsole.Write(table);
            AnsiConsole.WriteLine(Texts.Get("LinkHeadroom", answer.CertificateEnds, answer.DiskFreeBytes / (1 << 20)));
            return answer.Links.All(link => link is { State: LinkState.Progressing, Quarantine.Length: 0 }) ? 0 : 1;
        }));
        return command;
    }

    private static Command Parked(Func<(Option<string> Node, Option<FileInfo?> Token)> options, Func<ParseResult, Option<string>, Option<FileInfo?>, Func<NodeClient, Task<int>>, Task<int>> guarded)
    {
        var (node, token) = options();
        var command = new Command("parked", Texts.Get("CommandLinkParked")) { node, token };
        command.SetAction((parsed, stop) => guarded(parsed, node, token, async client =>
        {
            var answer = await client.Links.ListParkedAsync(new ListParkedRequest(), client.Options.WithCancellationToken(stop));
            var table = TableOf("ColumnNode", "ColumnLane", "ColumnOutcome", "ColumnCode", "ColumnPosition", "ColumnText");
            foreach (var parked in answer.Parked)
            {
                table.AddRow(parked.Parent.Length == 0 ? parked.Node : $"{parked.Parent} ← {parked.Node}", parked.Lane, parked.Outcome, parked.Code, $"{parked.Lsn}/{parked.Index}", Markup.Escape(parked.Message));
            }

            AnsiConsole.Write(table);
            foreach (var child in answer.Unlisted)
            {
                AnsiConsole.WriteLine(Texts.Get("LinkUnlisted", child));
            }

            return 0;
        }));
        return command;
    }

    private static Command Redrive(Func<(Option<string> Node, Option<FileInfo?> Token)> options, Func<ParseResult, Option<string>, Option<FileInfo?>, Func<NodeClient, Task<int>>, Task<int>> guarded)
    {
        var (node, token) = options();
        var child = new Argument<string>("CHILD") { Description = Texts.Get("ArgumentChild") };
        var again = new Option<bool>("--send-again") { Description = Texts.Get("OptionSendAgain") };
        var command = new Command("redrive", Texts.Get("CommandLinkRedrive")) { child, node, token, again };
        command.SetAction((parsed, stop) => guarded(parsed, node, token, async client =>
        {
            var answer = await client.Links.RedriveAsync(
                new RedriveRequest { Child = parsed.GetRequiredValue(child), SendAgain = parsed.GetValue(again) }, client.Options.WithCancellationToken(stop));
            AnsiConsole.WriteLine(Texts.Get("LinkRedriven", answer.Settled, answer.StillParked));
            return 0;
        }));
        return command;
    }

    private static string WordOf(LinkView link) => link switch
    {
        { Quarantine.Length: > 0 } => "LinkQuarantined",
        { State: LinkState.Progressing } => "LinkProgressing",
        { State: LinkState.Stalled } => "LinkStalled",
        _ => "LinkNever",
    };

    private static Table TableOf(params string[] columns)
    {
        var table = new Table().Border(TableBorder.Simple);
        foreach (var column in columns)
        {
            table.AddColumn(Texts.Get(column));
        }

        return table;
    }
}
