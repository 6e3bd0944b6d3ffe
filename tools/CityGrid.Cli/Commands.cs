using System.CommandLine;
using System.Globalization;
using CityGrid.Cli.Mappings;
using CityGrid.Cli.Network;
using CityGrid.Cli.Simulation;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.Checks;
using CityGrid.Node.Intake.Import;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using Grpc.Core;
using Spectre.Console;

namespace CityGrid.Cli;

/// <summary>The command tree of <c>citygrid</c>. A command that was refused says why on standard error and ends with 1; a command line that cannot be used, with 2.</summary>
internal static class Commands
{
    private static readonly Option<string?> Language = new("--lang") { Description = "Language of the output: zh or en; by default that of the locale", Recursive = true };

    public static RootCommand Root()
    {
        Language.CompletionSources.Add("zh", "en");
        Language.Arity = ArgumentArity.ExactlyOne;
        Language.Validators.Add(result =>
        {
            // A word that is an option of its own would be taken for the language, and the option be lost.
            if (result.Tokens is not [{ Value: "zh" or "en" }])
            {
                result.AddError($"--lang is zh or en, and not {string.Join(' ', result.Tokens)}.");
            }
        });
        if (Console.IsOutputRedirected)
        {
            // A file has no width; tables that wrap in it cannot be read.
            AnsiConsole.Profile.Width = 160;
        }

        var root = new RootCommand("CityGrid: a federated data network for running cities (一网统管)") { Language };
        root.Subcommands.Add(DemoCommand());
        root.Subcommands.Add(DemoTreeCommand());
        root.Subcommands.Add(ImportCommand());
        root.Subcommands.Add(ViewCommand());
        root.Subcommands.Add(StatusCommand());
        root.Subcommands.Add(JournalCommand());
        root.Subcommands.Add(AuditCommand());
        root.Subcommands.Add(SimulateCommand.Create(Language));
        return root;
    }

    private static Option<TreeShape> ShapeOption() => new("--shape")
    {
        Description = "Ministries x provinces each x cities each, such as 1x2x3",
        DefaultValueFactory = _ => new TreeShape(2, 3),
        CustomParser = result =>
        {
            if (TreeShape.TryParse(result.Tokens.Count == 1 ? result.Tokens[0].Value : string.Empty, out var shape))
            {
                return shape;
            }

            result.AddError("--shape is 1xPxC with 1 to 10 provinces and 1 to 20 cities each, such as 1x2x3.");
            return default;
        },
    };

    private static Command DemoCommand()
    {
        var shape = ShapeOption();
        var seed = new Option<ulong>("--seed") { Description = "Seed of the generated cases", DefaultValueFactory = _ => 1 };
        var data = new Option<DirectoryInfo?>("--data") { Description = "Folder of the real case files; builds the tree of their five cities" };
        var once = new Option<bool>("--once") { Description = "End instead of running until Ctrl-C" };
        var folder = new Option<string?>("--dir") { Description = "Keep the tree in this folder; it must be empty or missing" };
        var command = new Command("demo", "Writes, starts, loads and shows a whole network on this machine") { shape, seed, data, once, folder };
        command.SetAction(async (parsed, stop) =>
        {
            Texts.Choose(parsed.GetValue(Language));
            var real = parsed.GetValue(data);
            if (real is { Exists: false })
            {
                return Fail($"--data: there is no folder {real.FullName}.", 2);
            }

            if (real is not null && !TreePlans.RealFiles(real.FullName).Any())
            {
                return Fail($"--data: {real.FullName} has no file that a mapping of the tool is for; their names begin with {string.Join(", ", ShippedMapping.All.Select(m => m.FilePrefix))}.", 2);
            }

            var kept = parsed.GetValue(folder);
            if (kept is not null && NotEmpty(kept))
            {
                return Fail($"--dir: {kept} is not empty; nothing was written. Name another folder.", 2);
            }

            var options = new DemoOptions(parsed.GetValue(shape), parsed.GetValue(seed), real?.FullName, parsed.GetValue(once), kept);
            return await Guarded(() => new Demo(options, AnsiConsole.Console).RunAsync(stop));
        });
        return command;
    }

    private static Command DemoTreeCommand()
    {
        var shape = ShapeOption();
        var folder = new Argument<string>("DIR") { Description = "The folder to write; it must be empty or missing" };
        var seed = new Option<ulong>("--seed") { Description = "Which provinces and cities are drawn", DefaultValueFactory = _ => 1 };
        var command = new Command("demo-tree", "Writes authority, certificates, tokens and configuration of a tree, and starts nothing") { folder, shape, seed };
        command.SetAction(async parsed => await Guarded(() =>
        {
            Texts.Choose(parsed.GetValue(Language));
            var path = parsed.GetRequiredValue(folder);
            if (NotEmpty(path))
            {
                return Task.FromResult(Fail($"{path} is not empty; nothing was written. Name another folder.", 2));
            }

            var plan = TreePlans.Generated(parsed.GetValue(shape), parsed.GetValue(seed));
            AnsiConsole.WriteLine(Texts.Get("DemoWriting", plan.Places.Count, path));
            TreeWriter.Write(path, plan, TimeProvider.System.GetUtcNow(), new SystemEntropy());
            return Task.FromResult(0);
        }));
        return command;
    }

    private static bool NotEmpty(string folder) => Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any();

    private static Option<string> NodeOption()
    {
        var node = new Option<string>("--node") { Description = "The node's gRPC address, such as http://127.0.0.1:7081", Required = true };
        node.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && !(Uri.TryCreate(result.Tokens[0].Value, UriKind.Absolute, out var url) && (url.Scheme == Uri.UriSchemeHttp || url.Scheme == Uri.UriSchemeHttps)))
            {
                result.AddError($"--node {result.Tokens[0].Value} is no address; write http://HOST:PORT of the node's gRPC port.");
            }
        });
        return node;
    }

    private static Option<FileInfo?> TokenOption() => new("--token-file") { Description = "A file with one bearer token; by default CITYGRID_TOKEN" };

    private static Command ImportCommand()
    {
        var file = new Argument<FileInfo?>("FILE") { Description = "CSV or NDJSON, also gzipped", Arity = ArgumentArity.ZeroOrOne };
        var mapping = new Option<string?>("--mapping") { Description = "A mapping file, or the name of one that comes with the tool" };
        var errors = new Option<string?>("--errors") { Description = "Where rows that were refused or have dirt are written (CSV); by default FILE.errors.csv" };
        var schema = new Option<bool>("--print-schema") { Description = "Print the JSON Schema of mappings and end" };
        var districts = new Option<bool>("--print-districts") { Description = "Print the register rows of the districts that the file speaks of and end" };
        var (node, token) = (NodeOption(), TokenOption());
        node.Required = false;
        var command = new Command("import", "Brings the cases of another system into a node; the same file again changes nothing") { file, mapping, errors, schema, districts, node, token };
        command.SetAction(async (parsed, stop) =>
        {
            Texts.Choose(parsed.GetValue(Language));
            if (parsed.GetValue(schema))
            {
                Console.Out.WriteLine(ImportMapping.Schema);
                return 0;
            }

            var url = parsed.GetValue(node);
            if (parsed.GetValue(file) is not { } input || parsed.GetValue(mapping) is not { } name || (url is null && !parsed.GetValue(districts)))
            {
                return Fail("import wants FILE, --mapping and --node.", 2);
            }

            if (!input.Exists)
            {
                return Fail($"There is no file {input.FullName}.", 2);
            }

            var json = ShippedMapping.Find(name)?.Json ?? (File.Exists(name) ? await File.ReadAllTextAsync(name, stop) : null);
            if (json is null)
            {
                return Fail($"{name} is neither a file nor a mapping that comes with the tool; those are {string.Join(", ", ShippedMapping.All.Select(m => m.Name))}.", 2);
            }

            var reading = ImportMapping.Read(json);
            if (reading.Mapping is not { } map)
            {
                return Fail(string.Join(Environment.NewLine, reading.Faults), 2);
            }

            await using (var first = input.OpenRead())
            {
                if (ImportReader.Check(first, map) is { } damage)
                {
                    return Fail($"{input.Name}: {damage.Message} {damage.Remedy} Nothing was imported.", 1);
                }
            }

            if (parsed.GetValue(districts))
            {
                await using var whole = input.OpenRead();
                Console.Out.Write(DistrictScan.ToCsv(DistrictScan.Of(whole, map)));
                return 0;
            }

            return await Guarded(async () =>
            {
                using var client = new NodeClient(url!, TokenOf(parsed.GetValue(token)));
                var at = await client.Views.GetStatusAsync(new GetStatusRequest(), client.Options.WithCancellationToken(stop));
                if (at.Division != map.City.ToString())
                {
                    return Fail($"The mapping is for the cases of {map.City}, and at {url} is {at.Node}, the node of {at.Division}: name the node of {map.City}. Nothing was imported.", 2);
                }

                var errorPath = parsed.GetValue(errors) ?? input.FullName + ".errors.csv";
                await using var errorText = new StreamWriter(errorPath);
                var result = await ImportProgress.RunAsync(new ImportRun(client, map, map.System ?? Path.GetFileNameWithoutExtension(name)), input.FullName, new ErrorFile(errorText), stop);
                AnsiConsole.WriteLine(Texts.Get("ImportDone", result.Rows, result.Created, result.Unchanged, result.Corrected, result.Faults, result.Dirt));
                if (result.Faults + result.Dirt > 0)
                {
                    AnsiConsole.WriteLine(Texts.Get("ImportErrors", errorPath));
                }

                return result.Faults > 0 ? 1 : 0;
            });
        });
        return command;
    }

    private static Command ViewCommand()
    {
        var (node, token) = (NodeOption(), TokenOption());
        var by = new Option<string>("--by") { Description = "province, city, division, district, type, class, day, week, month, quarter, year, source; comma-separated", DefaultValueFactory = _ => string.Empty };
        var where = new Option<string[]>("--where") { Description = "division=CODE, type=CODE or source=WORD; may stand several times", DefaultValueFactory = _ => [] };
        var from = new Option<string>("--from") { Description = "First day, yyyy-MM-dd, in", DefaultValueFactory = _ => string.Empty };
        var to = new Option<string>("--to") { Description = "Last day, yyyy-MM-dd, out", DefaultValueFactory = _ => string.Empty };
        var measures = new Option<string>("--measures") { Description = "Counter names, closed_within_72h and its like, open_at, p50 …; comma-separated", DefaultValueFactory = _ => "reported,closed" };
        var json = new Option<bool>("--json") { Description = "Print the answer as JSON" };
        var command = new Command("view", "Any slice of division, type, period and source, with its age and coverage") { node, token, by, where, from, to, measures, json };
        var folder = DataOption();
        command.Subcommands.Add(VerifyCommand("Says whether the views of a node that does not run are what its journal says", folder, parsed => ViewCheck.Verify(parsed.GetRequiredValue(folder))));
        command.SetAction(async (parsed, stop) => await Guarded(async () =>
        {
            Texts.Choose(parsed.GetValue(Language));
            var request = new QueryRequest { From = parsed.GetRequiredValue(from), To = parsed.GetRequiredValue(to) };
            request.By.AddRange(Words(parsed.GetRequiredValue(by)));
            request.Measures.AddRange(Words(parsed.GetRequiredValue(measures)));
            foreach (var condition in parsed.GetRequiredValue(where))
            {
                var (target, value) = condition.Split('=', 2) switch
                {
                    ["division", var v] => (request.Divisions, v),
                    ["type", var v] => (request.Types_, v),
                    ["source", var v] => (request.Sources, v),
                    _ => (null, string.Empty),
                };
                if (target is null)
                {
                    return Fail($"--where {condition}: division=CODE, type=CODE or source=WORD is expected.", 2);
                }

                target.Add(value);
            }

            using var client = new NodeClient(parsed.GetRequiredValue(node), TokenOf(parsed.GetValue(token)));
            var response = await client.Views.QueryAsync(request, client.Options.WithCancellationToken(stop));
            if (parsed.GetValue(json))
            {
                Console.Out.WriteLine(JsonFormatter.Default.Format(response));
                return 0;
            }

            AnsiConsole.Write(ViewTable.Slice(response, request.By, request.Measures));
            AnsiConsole.WriteLine(ViewTable.Coverage(response));
            return 0;
        }));
        return command;
    }

    private static Command StatusCommand()
    {
        var (node, token) = (NodeOption(), TokenOption());
        var command = new Command("status", "How a node, its children and its uplink stand") { node, token };
        command.SetAction(async (parsed, stop) => await Guarded(async () =>
        {
            using var client = new NodeClient(parsed.GetRequiredValue(node), TokenOf(parsed.GetValue(token)));
            var status = await client.Views.GetStatusAsync(new GetStatusRequest(), client.Options.WithCancellationToken(stop));
            Console.Out.WriteLine(new JsonFormatter(JsonFormatter.Settings.Default.WithIndentation()).Format(status));
            return 0;
        }));
        return command;
    }

    private static Argument<string> DataOption() => new("DIR") { Description = "A node's data directory; nothing in it is changed" };

    private static Command VerifyCommand(string description, Argument<string> folder, Func<ParseResult, CheckVerdict> check)
    {
        var verify = new Command("verify", $"{description}: exit code 0 sound, 2 damaged, 3 cannot decide") { folder };
        verify.SetAction(parsed =>
        {
            var verdict = check(parsed);
            Console.Out.WriteLine(verdict.Text);
            return verdict.ExitCode;
        });
        return verify;
    }

    private static Command JournalCommand()
    {
        var folder = DataOption();
        return new Command("journal", "The journal of a node")
        {
            VerifyCommand("Reads every byte and says whether it is sound", folder, parsed => Existing(parsed.GetRequiredValue(folder)) is { } missing
                ? missing
                : CheckVerdict.Of(JournalVerifier.Verify(PosixDisk.At(parsed.GetRequiredValue(folder))))),
        };
    }

    private static Command AuditCommand()
    {
        var folder = DataOption();
        var anchors = new Option<string?>("--anchors") { Description = "The data directory of its parent, which has recorded its chain" };
        var verify = VerifyCommand("Says whether anyone changed, cut or replaced what a node recorded", folder, parsed =>
            Existing(parsed.GetRequiredValue(folder)) ?? (parsed.GetValue(anchors) is { } above ? Existing(above) : null)
            ?? AuditCheck.Verify(parsed.GetRequiredValue(folder), parsed.GetValue(anchors)));
        verify.Options.Add(anchors);
        return new Command("audit", "The record of who did what") { verify };
    }

    private static CheckVerdict? Existing(string folder) => Directory.Exists(folder) ? null : CheckVerdict.CannotDecide($"there is no folder {folder}.");

    private static IEnumerable<string> Words(string text) => text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static string TokenOf(FileInfo? file) =>
        file is { Exists: false } ? throw new IOException($"--token-file: there is no file {file.FullName}; name one that holds a bearer token and nothing else.")
        : file is not null ? File.ReadAllText(file.FullName).Trim()
        : Environment.GetEnvironmentVariable("CITYGRID_TOKEN") is { Length: > 0 } token ? token
        : throw new TokenMissingException();

    private static async Task<int> Guarded(Func<Task<int>> work)
    {
        try
        {
            return await work();
        }
        catch (RpcException refused) when (refused.Status.DebugException is HttpRequestException or IOException or System.Net.Sockets.SocketException)
        {
            return Fail(Unreachable(refused), 1);
        }
        catch (RpcException refused)
        {
            return Fail(refused.Status.Detail.Length > 0 ? refused.Status.Detail : refused.StatusCode.ToString(), 1);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or TokenMissingException)
        {
            return Fail(failure.Message, 2);
        }
    }

    /// <summary>What most often keeps a call from reaching a node: none is there, or it is the port of the JSON calls.</summary>
    private static string Unreachable(RpcException failure)
    {
        for (var cause = failure.Status.DebugException; cause is not null; cause = cause.InnerException)
        {
            if (cause is System.Net.Sockets.SocketException refused)
            {
                return $"Nothing answers at the address of --node ({refused.Message}). Is the node running, and is this its gRPC port (operator.grpcPort)?";
            }
        }

        return "What answers at the address of --node does not speak gRPC: name the node's gRPC port (operator.grpcPort), not that of the JSON calls.";
    }

    private static int Fail(string message, int code)
    {
        Console.Error.WriteLine(message);
        return code;
    }

    private sealed class TokenMissingException() : Exception("No token: name a file with --token-file, or set CITYGRID_TOKEN.");
}

/// <summary>Shows how far an import has come: a bar on a terminal, plain lines elsewhere.</summary>
internal static class ImportProgress
{
    public static async Task<ImportResult> RunAsync(ImportRun run, string path, ErrorFile errors, CancellationToken stop)
    {
        if (Console.IsOutputRedirected)
        {
            var next = 50_000L;
            return await run.RunAsync(path, errors, (rows, share) =>
            {
                if (rows >= next)
                {
                    Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{rows:N0} ({share:P0})"));
                    next += 50_000;
                }
            }, stop);
        }

        return await AnsiConsole.Progress().StartAsync(async context =>
        {
            var task = context.AddTask(Path.GetFileName(path));
            var result = await run.RunAsync(path, errors, (_, share) => task.Value = share * 100, stop);
            task.Value = 100;
            return result;
        });
    }
}
