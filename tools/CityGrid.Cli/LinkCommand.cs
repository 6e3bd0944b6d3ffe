using System.CommandLine;
using CityGrid.Node.V1;
using Spectre.Console;

namespace CityGrid.Cli;

/// <summary><c>citygrid link list|push|grant|parked|redrive|name</c>: how the links of a node stand, and what is kept aside on them (L10, L13, O1).</summary>
internal static class LinkCommand
{
    public static Command Create() =>
        new("link", Texts.Get("CommandLink")) { List(), Push(), Grant(), Parked(), Redrive(), Name() };

    private static Command List()
    {
        var node = new NodeCall();
        var command = new Command("list", Texts.Get("CommandLinkList"));
        node.AddTo(command);
        command.SetAction((parsed, stop) => node.RunAsync(parsed, async client =>
        {
            var answer = await client.Links.ListLinksAsync(new ListLinksRequest(), client.Options.WithCancellationToken(stop));
            var table = TableOf("ColumnNode", "ColumnDirection", "ColumnState", "ColumnProgress", "ColumnPending", "ColumnOldest", "ColumnDrain", "ColumnParked", "ColumnSkew", "ColumnCertificateEnds", "ColumnMatters", "ColumnError");
            foreach (var link in answer.Links)
            {
                table.AddRow(
                    link.Node, Texts.Get(!link.Up ? "LinkDown" : link.Sector ? "LinkUpSector" : "LinkUp"), Texts.Get(WordOf(link)), link.LastProgress,
                    link.Up ? $"{link.PendingCells} + {link.PendingRecords}" : $"{link.PendingRecords}", $"{link.OldestUnsentSeconds} s", $"{link.DrainSeconds} s",
                    $"{link.Parked}", $"{link.ClockSkewMs} ms", link.CertificateEnds,
                    link.Matters.Count == 0 ? Texts.Get("MattersAll") : ViewTable.Matters(link.Matters), Markup.Escape(link.Quarantine.Length > 0 ? link.Quarantine : link.LastError));
            }

            AnsiConsole.Write(table);
            AnsiConsole.WriteLine(Texts.Get("LinkHeadroom", answer.CertificateEnds, answer.DiskFreeBytes / (1 << 20)));
            return answer.Links.All(link => link is { State: LinkState.Progressing, Quarantine.Length: 0 }) ? 0 : 1;
        }));
        return command;
    }

    private static Command Push()
    {
        var node = new NodeCall();
        var command = new Command("push", Texts.Get("CommandLinkPush"));
        node.AddTo(command);
        command.SetAction((parsed, stop) => node.RunAsync(parsed, async client =>
        {
            var answer = await client.Links.PushAsync(new PushRequest(), client.Options.WithCancellationToken(stop));
            AnsiConsole.WriteLine(Texts.Get("LinkPushed", string.Join(", ", answer.Parents)));
            return 0;
        }));
        return command;
    }

    private static Command Grant()
    {
        var node = new NodeCall();
        var child = new Argument<string>("CHILD") { Description = Texts.Get("ArgumentGrantChild") };
        var directory = new Argument<string>("DIRECTORY") { Description = Texts.Get("ArgumentGrantDirectory") };
        var command = new Command("grant", Texts.Get("CommandLinkGrant")) { child, directory };
        node.AddTo(command);
        command.SetAction((parsed, stop) => node.RunAsync(parsed, async client =>
        {
            var request = new GrantRequest { Child = parsed.GetRequiredValue(child), Directory = parsed.GetRequiredValue(directory) };
            var answer = await client.Links.GrantAsync(request, client.Options.WithCancellationToken(stop));
            AnsiConsole.WriteLine(Texts.Get(answer.Granted ? "LinkGranted" : "LinkHadGrant", request.Child, request.Directory));
            return 0;
        }));
        return command;
    }

    private static Command Parked()
    {
        var node = new NodeCall();
        var command = new Command("parked", Texts.Get("CommandLinkParked"));
        node.AddTo(command);
        command.SetAction((parsed, stop) => node.RunAsync(parsed, async client =>
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

    private static Command Redrive()
    {
        var node = new NodeCall();
        var child = new Argument<string>("CHILD") { Description = Texts.Get("ArgumentChild") };
        var again = new Option<bool>("--send-again") { Description = Texts.Get("OptionSendAgain") };
        var command = new Command("redrive", Texts.Get("CommandLinkRedrive")) { child, again };
        node.AddTo(command);
        command.SetAction((parsed, stop) => node.RunAsync(parsed, async client =>
        {
            var answer = await client.Links.RedriveAsync(
                new RedriveRequest { Child = parsed.GetRequiredValue(child), SendAgain = parsed.GetValue(again) }, client.Options.WithCancellationToken(stop));
            AnsiConsole.WriteLine(Texts.Get("LinkRedriven", answer.Settled, answer.StillParked));
            return 0;
        }));
        return command;
    }

    private static Command Name()
    {
        var node = new NodeCall();
        var name = new Argument<string>("NAME") { Description = Texts.Get("ArgumentName") };
        var division = new Argument<string>("DIVISION") { Description = Texts.Get("ArgumentNameDivision") };
        var command = new Command("name", Texts.Get("CommandLinkName")) { name, division };
        node.AddTo(command);
        command.SetAction((parsed, stop) => node.RunAsync(parsed, async client =>
        {
            var request = new GiveNameRequest { Name = parsed.GetRequiredValue(name), Division = parsed.GetRequiredValue(division) };
            var answer = await client.Links.GiveNameAsync(request, client.Options.WithCancellationToken(stop));
            AnsiConsole.WriteLine(Texts.Get(answer.Given ? "LinkNameGiven" : "LinkNameHad", request.Name, request.Division));
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
