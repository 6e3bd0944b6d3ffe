using System.CommandLine;
using CityGrid.Hub.Seams;
using CityGrid.Node.Configuration;
using CityGrid.Node.Enrolment;
using CityGrid.Node.V1;
using Spectre.Console;

namespace CityGrid.Cli.Enrolment;

/// <summary><c>citygrid children</c>: the register of children of a node, for its administrators; and <c>citygrid root</c>, by which a network begins.</summary>
internal static class ChildrenCommands
{
    public static Command Children()
    {
        var command = new Command("children", Texts.Get("CommandChildren"));
        command.Subcommands.Add(List());
        command.Subcommands.Add(Open("open", Texts.Get("CommandChildrenOpen"), replaces: false));
        command.Subcommands.Add(Open("replace", Texts.Get("CommandChildrenReplace"), replaces: true));
        command.Subcommands.Add(Approve());
        command.Subcommands.Add(Revoke());
        command.Subcommands.Add(Retire());
        return command;
    }

    public static Command Root()
    {
        var config = new Option<string>("--config") { Description = Texts.Get("OptionConfig"), Required = true };
        var command = new Command("root", Texts.Get("CommandRoot")) { config };
        command.SetAction(parsed => Commands.Guarded(() =>
        {
            var configuration = ConfigurationFile.LoadUnenrolled(parsed.GetRequiredValue(config));
            RootCeremony.Hold(configuration, TimeProvider.System, new SystemEntropy());
            AnsiConsole.WriteLine(Texts.Get("RootMade", configuration.Node, configuration.Children!.AuthorityFile, configuration.Children.AuthorityKeyFile));
            return Task.FromResult(0);
        }));
        return command;
    }

    private static Command List()
    {
        var node = new NodeCall();
        var command = new Command("list", Texts.Get("CommandChildrenList"));
        node.AddTo(command);
        command.SetAction((parsed, stop) => node.RunAsync(parsed, async client =>
        {
            var answer = await client.Children.ListChildrenAsync(new ListChildrenRequest(), client.Options.WithCancellationToken(stop));
            var table = new Table().AddColumns(Texts.Get("ColumnNode"), Texts.Get("ColumnState"), Texts.Get("ColumnDivisions"), Texts.Get("ColumnConnected"), Texts.Get("ColumnSerial"), Texts.Get("ColumnUntil"));
            foreach (var child in answer.Children)
            {
                var newest = child.Certificates.LastOrDefault(c => c.Kind == "link" && c.RevokedAt.Length == 0);
                table.AddRow(new[]
                {
                    child.Node, child.State, string.Join(", ", child.Divisions), child.Connected ? Texts.Get("Yes") : Texts.Get("No"),
                    newest?.Serial ?? "-", newest is null ? "-" : $"{newest.NotAfter} {newest.Warning}".TrimEnd(),
                }.Select(Markup.Escape).ToArray());
            }

            AnsiConsole.Write(table);
            return 0;
        }));
        return command;
    }

    private static Command Open(string name, string description, bool replaces)
    {
        var (child, node) = (ChildArgument(), new NodeCall());
        var divisions = new Option<string[]>("--division") { Description = Texts.Get("OptionDivisions"), Required = true, AllowMultipleArgumentsPerToken = true };
        var authority = new Option<bool>("--authority") { Description = Texts.Get("OptionAuthority") };
        var command = new Command(name, description) { child, divisions, authority };
        node.AddTo(command);
        command.SetAction((parsed, stop) => node.RunAsync(parsed, async client =>
        {
            var request = new OpenPlaceRequest { Node = parsed.GetRequiredValue(child), Authority = parsed.GetValue(authority), Replaces = replaces };
            request.Divisions.AddRange(parsed.GetRequiredValue(divisions));
            var answer = await client.Children.OpenPlaceAsync(request, client.Options.WithCancellationToken(stop));
            if (answer.Code.Length == 0)
            {
                AnsiConsole.WriteLine(Texts.Get("PlaceAsked", answer.Place.Node));
            }
            else
            {
                Show(answer.Place, answer.Code);
            }

            return 0;
        }));
        return command;
    }

    private static Command Approve()
    {
        var (child, node) = (ChildArgument(), new NodeCall());
        var command = new Command("approve", Texts.Get("CommandChildrenApprove")) { child };
        node.AddTo(command);
        command.SetAction((parsed, stop) => node.RunAsync(parsed, async client =>
        {
            var answer = await client.Children.ApprovePlaceAsync(new ApprovePlaceRequest { Node = parsed.GetRequiredValue(child) }, client.Options.WithCancellationToken(stop));
            Show(answer.Place, answer.Code);
            return 0;
        }));
        return command;
    }

    private static Command Revoke()
    {
        var (child, node, reason) = (ChildArgument(), new NodeCall(), ReasonOption());
        var serial = new Option<string>("--serial") { Description = Texts.Get("OptionSerial"), DefaultValueFactory = _ => string.Empty };
        var command = new Command("revoke", Texts.Get("CommandChildrenRevoke")) { child, serial, reason };
        node.AddTo(command);
        command.SetAction((parsed, stop) => node.RunAsync(parsed, async client =>
        {
            var request = new RevokeChildRequest { Node = parsed.GetRequiredValue(child), Serial = parsed.GetRequiredValue(serial), Reason = parsed.GetRequiredValue(reason) };
            var answer = await client.Children.RevokeChildAsync(request, client.Options.WithCancellationToken(stop));
            AnsiConsole.WriteLine(Texts.Get("ChildStands", answer.Place.Node, answer.Place.State));
            return 0;
        }));
        return command;
    }

    private static Command Retire()
    {
        var (child, node, reason) = (ChildArgument(), new NodeCall(), ReasonOption());
        var command = new Command("retire", Texts.Get("CommandChildrenRetire")) { child, reason };
        node.AddTo(command);
        command.SetAction((parsed, stop) => node.RunAsync(parsed, async client =>
        {
            var request = new RetireChildRequest { Node = parsed.GetRequiredValue(child), Reason = parsed.GetRequiredValue(reason) };
            var answer = await client.Children.RetireChildAsync(request, client.Options.WithCancellationToken(stop));
            AnsiConsole.WriteLine(Texts.Get("ChildStands", answer.Place.Node, answer.Place.State));
            return 0;
        }));
        return command;
    }

    /// <summary>The code stands on a line of its own on standard output, so that a program can take it from there.</summary>
    private static void Show(ChildPlace place, string code)
    {
        Console.Error.WriteLine(Texts.Get("PlaceOpen", place.Node, place.ExpiresAt));
        Console.Out.WriteLine(code);
    }

    private static Argument<string> ChildArgument() => new("CHILD") { Description = Texts.Get("ArgumentChild") };

    private static Option<string> ReasonOption() => new("--reason") { Description = Texts.Get("OptionReason"), Required = true };
}
