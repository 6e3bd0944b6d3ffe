using System.CommandLine;
using System.Globalization;
using System.Text;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.V1;
using Spectre.Console;

namespace CityGrid.Cli;

/// <summary><c>citygrid catalogue publish|list|show</c>: versions of the catalogue for a place and all below it (clauses K1 to K6).</summary>
internal static class CatalogueCommand
{
    public static Command Create() =>
        new("catalogue", Texts.Get("CommandCatalogue"))
        {
            Publish(),
            List(),
            ShowVersion(),
        };

    private static Command Publish()
    {
        var node = new NodeCall();
        var version = new Option<string>("--version") { Description = Texts.Get("OptionCatalogueVersion"), Required = true };
        var from = new Option<string>("--from") { Description = Texts.Get("OptionCatalogueFrom"), Required = true };
        var file = new Option<FileInfo>("--file") { Description = Texts.Get("OptionCatalogueFile"), Required = true };
        file.AcceptExistingOnly();
        var title = new Option<string>("--title") { Description = Texts.Get("OptionCatalogueTitle"), DefaultValueFactory = _ => string.Empty };
        var key = new Option<string?>("--key") { Description = Texts.Get("OptionCatalogueKey") };
        var command = new Command("publish", Texts.Get("CommandCataloguePublish")) { version, from, file, title, key };
        node.AddTo(command);
        command.SetAction((parsed, stop) => node.RunAsync(parsed, async client =>
        {
            if (await RowsOfAsync(parsed.GetRequiredValue(file), stop) is not { } rows)
            {
                Console.Error.WriteLine(Texts.Get("CatalogueNotUtf8", parsed.GetRequiredValue(file).Name));
                return 1;
            }

            var answer = await client.Catalogue.PublishPackageAsync(new PublishPackageRequest
            {
                RequestKey = parsed.GetValue(key) ?? OrderId.Shown(new SystemEntropy().NextUInt128()),
                Version = parsed.GetRequiredValue(version),
                EffectiveFrom = parsed.GetRequiredValue(from),
                Title = parsed.GetRequiredValue(title),
                Rows = rows,
            }, client.Options.WithCancellationToken(stop));
            Show([answer.Package]);
            return 0;
        }));
        return command;
    }

    /// <summary>The text of a file; null for one that is not UTF-8, of which characters would be lost for ever.</summary>
    private static async Task<string?> RowsOfAsync(FileInfo file, CancellationToken stop)
    {
        try
        {
            return await File.ReadAllTextAsync(file.FullName, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true), stop);
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }

    private static Command List()
    {
        var node = new NodeCall();
        var command = new Command("list", Texts.Get("CommandCatalogueList"));
        node.AddTo(command);
        command.SetAction((parsed, stop) => node.RunAsync(parsed, async client =>
        {
            var answer = await client.Catalogue.ListPackagesAsync(new ListPackagesRequest(), client.Options.WithCancellationToken(stop));
            Show(answer.Packages);
            if (answer.Children.Count > 0)
            {
                Show(answer.Children);
            }

            return 0;
        }));
        return command;
    }

    private static Command ShowVersion()
    {
        var node = new NodeCall();
        var version = new Argument<string>("VERSION") { Description = Texts.Get("OptionCatalogueVersion") };
        var command = new Command("show", Texts.Get("CommandCatalogueShow")) { version };
        node.AddTo(command);
        command.SetAction((parsed, stop) => node.RunAsync(parsed, async client =>
        {
            var answer = await client.Catalogue.GetPackageAsync(new GetPackageRequest { Version = parsed.GetRequiredValue(version) }, client.Options.WithCancellationToken(stop));

            // Rows go into a file or another program as they are.
            Console.Out.Write(answer.Rows);
            return 0;
        }));
        return command;
    }

    private static void Show(IReadOnlyCollection<PackageView> packages)
    {
        var table = TableOf("ColumnVersion", "ColumnIssuer", "ColumnNumber", "ColumnInForceFrom", "ColumnTypes", "ColumnState", "ColumnTitle");
        foreach (var package in packages)
        {
            var state = package.Code.Length > 0 ? $"{Texts.Get("CatalogueRefused")} ({package.Code})" : package.InForce ? Texts.Get("CatalogueInForce") : Texts.Get("CatalogueKnown");
            table.AddRow(
                package.Version.Length == 0 ? "-" : Markup.Escape(package.Version), package.Issuer.Length == 0 ? Texts.Get("CatalogueBuiltIn") : package.Issuer, package.Number == 0 ? "-" : package.Number.ToString(CultureInfo.InvariantCulture),
                package.EffectiveFrom.Length == 0 ? "-" : package.EffectiveFrom, package.TypeCount.ToString(CultureInfo.InvariantCulture), Markup.Escape(state), Markup.Escape(package.Title));
        }

        AnsiConsole.Write(table);
    }

    private static void Show(IReadOnlyCollection<PackageChildView> children)
    {
        var table = TableOf("ColumnChild", "ColumnHas", "ColumnTold", "ColumnBehind", "ColumnRefused");
        foreach (var child in children)
        {
            table.AddRow(
                child.Node,
                child.Heads.Count == 0 ? "-" : Markup.Escape(string.Join(", ", child.Heads.Select(head => $"{(head.Version.Length > 0 ? head.Version : "?")} ({head.Issuer}/{head.Number})"))),
                child.ToldAt.Length == 0 ? "-" : child.ToldAt,
                child.Behind == 0 ? "-" : child.Behind.ToString(CultureInfo.InvariantCulture),
                child.Refused.Count == 0 ? "-" : Markup.Escape(string.Join(", ", child.Refused.Select(refused => $"{refused.Issuer}/{refused.Number} {refused.Code}"))));
        }

        AnsiConsole.Write(table);
    }

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
