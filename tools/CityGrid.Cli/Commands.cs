using System.CommandLine;
using System.CommandLine.Help;
using System.Globalization;
using CityGrid.Cli.Enrolment;
using CityGrid.Cli.Journey;
using CityGrid.Cli.Mappings;
using CityGrid.Cli.Network;
using CityGrid.Cli.Simulation;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.Checks;
using CityGrid.Node.Configuration;
using CityGrid.Node.Enrolment;
using CityGrid.Node.Intake.Import;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Grpc.Core;
using Spectre.Console;

namespace CityGrid.Cli;

/// <summary>The command tree of <c>citygrid</c>. A command that was refused says why on standard error and ends with 1; a command line that cannot be used, with 2.</summary>
internal static class Commands
{
    /// <summary>The commands, described in the language chosen (<see cref="Texts"/>) before they are made.</summary>
    public static RootCommand Root()
    {
        var language = new Option<string>("--lang") { Description = Texts.Get("OptionLang"), Recursive = true, Arity = ArgumentArity.ExactlyOne };
        language.CompletionSources.Add("zh", "en");
        language.Validators.Add(result =>
        {
            // A word that is an option of its own would be taken for the language, and the option be lost.
            if (result.Tokens is not [{ Value: "zh" or "en" }])
            {
                result.AddError(Texts.Get("LangBad", string.Join(' ', result.Tokens)));
            }
        });
        if (Console.IsOutputRedirected)
        {
            // A file has no width; tables that wrap in it cannot be read.
            AnsiConsole.Profile.Width = 160;
        }

        var root = new RootCommand(Texts.Get("RootDescription")) { language };
        foreach (var option in root.Options)
        {
            option.Description = option switch
            {
                HelpOption => Texts.Get("OptionHelp"),
                VersionOption => Texts.Get("OptionVersion"),
                _ => option.Description,
            };
        }

        root.Subcommands.Add(DemoCommand());
        root.Subcommands.Add(DemoTreeCommand());
        root.Subcommands.Add(ImportCommand());
        root.Subcommands.Add(ViewCommand());
        root.Subcommands.Add(StatusCommand());
        root.Subcommands.Add(OrderCommand.Create());
        root.Subcommands.Add(CatalogueCommand.Create());
        root.Subcommands.Add(LiveCommand.Pull());
        root.Subcommands.Add(LinkCommand.Create());
        root.Subcommands.Add(BundleCommand.Create());
        root.Subcommands.Add(RegisterCommand.Create());
        root.Subcommands.Add(ReconcileCommand.Create());
        root.Subcommands.Add(WhyCommand.Create());
        root.Subcommands.Add(JournalCommand());
        root.Subcommands.Add(AuditCommand());
        root.Subcommands.Add(BackupCommands.Backup());
        root.Subcommands.Add(BackupCommands.Restore());
        root.Subcommands.Add(ReinstateCommand.Create());
        root.Subcommands.Add(RebuildCommand.Create());
        root.Subcommands.Add(SimulateCommand.Create());
        root.Subcommands.Add(ChildrenCommands.Root());
        root.Subcommands.Add(ChildrenCommands.Children());
        root.Subcommands.Add(EnrolCommand.Create());
        return root;
    }

    private static Option<TreeShape> ShapeOption() => new("--shape")
    {
        Description = Texts.Get("OptionShape"),
        DefaultValueFactory = _ => new TreeShape(2, 3),
        CustomParser = result =>
        {
            if (TreeShape.TryParse(result.Tokens.Count == 1 ? result.Tokens[0].Value : string.Empty, out var shape))
            {
                return shape;
            }

            result.AddError(Texts.Get("ShapeBad"));
            return default;
        },
    };

    private static Command DemoCommand()
    {
        var shape = ShapeOption();
        var seed = new Option<ulong>("--seed") { Description = Texts.Get("OptionSeedCases"), DefaultValueFactory = _ => 1 };
        var data = new Option<DirectoryInfo?>("--data") { Description = Texts.Get("OptionData") };
        var once = new Option<bool>("--once") { Description = Texts.Get("OptionOnce") };
        var folder = new Option<string?>("--dir") { Description = Texts.Get("OptionDir") };
        var command = new Command("demo", Texts.Get("CommandDemo")) { shape, seed, data, once, folder };
        command.SetAction(async (parsed, stop) =>
        {
            var real = parsed.GetValue(data);
            if (real is { Exists: false })
            {
                return Fail(Texts.Get("DataMissing", real.FullName), 2);
            }

            if (real is not null && !TreePlans.RealFiles(real.FullName).Any())
            {
                return Fail(Texts.Get("DataNone", real.FullName, string.Join(", ", ShippedMapping.All.Select(m => m.FilePrefix))), 2);
            }

            var kept = parsed.GetValue(folder);
            if (kept is not null && NotEmpty(kept))
            {
                return Fail(Texts.Get("NotEmpty", kept), 2);
            }

            var options = new DemoOptions(parsed.GetValue(shape), parsed.GetValue(seed), real?.FullName, parsed.GetValue(once), kept);
            return await Guarded(() => new Demo(options, AnsiConsole.Console).RunAsync(stop), namesNode: false);
        });
        return command;
    }

    private static Command DemoTreeCommand()
    {
        var shape = ShapeOption();
        var folder = new Argument<string>("DIR") { Description = Texts.Get("ArgumentDir") };
        var seed = new Option<ulong>("--seed") { Description = Texts.Get("OptionSeedPlaces"), DefaultValueFactory = _ => 1 };
        var command = new Command("demo-tree", Texts.Get("CommandDemoTree")) { folder, shape, seed };
        command.SetAction(async parsed => await Guarded(() =>
        {
            var path = parsed.GetRequiredValue(folder);
            if (NotEmpty(path))
            {
                return Task.FromResult(Fail(Texts.Get("NotEmpty", path), 2));
            }

            var plan = TreePlans.Generated(parsed.GetValue(shape), parsed.GetValue(seed));
            AnsiConsole.WriteLine(Texts.Get("DemoWriting", plan.Places.Count, path));
            TreeWriter.Write(path, plan, TimeProvider.System.GetUtcNow(), new SystemEntropy());
            return Task.FromResult(0);
        }));
        return command;
    }

    private static bool NotEmpty(string folder) => Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any();

    private static Command ImportCommand()
    {
        var file = new Argument<FileInfo?>("FILE") { Description = Texts.Get("ArgumentFile"), Arity = ArgumentArity.ZeroOrOne };
        var mapping = new Option<string?>("--mapping") { Description = Texts.Get("OptionMapping") };
        var errors = new Option<string?>("--errors") { Description = Texts.Get("OptionErrors") };
        var live = new Option<bool>("--live") { Description = Texts.Get("OptionImportLive") };
        var schema = new Option<bool>("--print-schema") { Description = Texts.Get("OptionSchema") };
        var districts = new Option<bool>("--print-districts") { Description = Texts.Get("OptionDistricts") };
        var node = new NodeCall(NodeCall.Desk, required: false);
        var command = new Command("import", Texts.Get("CommandImport")) { file, mapping, errors, live, schema, districts };
        node.AddTo(command);
        command.SetAction(async (parsed, stop) =>
        {
            if (parsed.GetValue(schema))
            {
                Console.Out.WriteLine(ImportMapping.Schema);
                return 0;
            }

            var url = node.AddressIn(parsed);
            if (parsed.GetValue(file) is not { } input || parsed.GetValue(mapping) is not { } name || (url is null && !parsed.GetValue(districts)))
            {
                return Fail(Texts.Get("ImportWants"), 2);
            }

            if (!input.Exists)
            {
                return Fail(Texts.Get("FileMissing", input.FullName), 2);
            }

            var json = ShippedMapping.Find(name)?.Json ?? (File.Exists(name) ? await File.ReadAllTextAsync(name, stop) : null);
            if (json is null)
            {
                return Fail(Texts.Get("MappingMissing", name, string.Join(", ", ShippedMapping.All.Select(m => m.Name))), 2);
            }

            var reading = ImportMapping.Read(json);
            if (reading.Mapping is not { } map)
            {
                return Fail(string.Join(Environment.NewLine, reading.Faults.Select(fault => fault with { Message = Texts.Refusal(fault.Code, fault.Message) })), 2);
            }

            await using (var first = input.OpenRead())
            {
                if (ImportReader.Check(first, map) is { } damage)
                {
                    return Fail(Texts.Get("ImportDamaged", input.Name, $"{damage.Message} {damage.Remedy}"), 1);
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
                using var client = node.Open(parsed);
                var at = await client.Views.GetStatusAsync(new GetStatusRequest(), client.Options.WithCancellationToken(stop));
                if (at.Division != map.City.ToString())
                {
                    return Fail(Texts.Get("ImportElsewhere", map.City, url!, at.Node, at.Division), 2);
                }

                var errorPath = parsed.GetValue(errors) ?? input.FullName + ".errors.csv";
                if (File.Exists(errorPath))
                {
                    // It tells of another run.
                    OnErrorFile(() =>
                    {
                        File.Delete(errorPath);
                        return errorPath;
                    });
                }

                var run = new ImportRun(client, map, map.System ?? Path.GetFileNameWithoutExtension(name), TimeProvider.System)
                {
                    Live = parsed.GetValue(live),
                    Waits = pause => Console.Error.WriteLine(Texts.Get("ImportWaits", (int)pause.TotalSeconds)),
                };
                using var errorFile = new ErrorFile(() => OnErrorFile(() => new StreamWriter(errorPath)), Texts.Refusal);
                var result = await ImportProgress.RunAsync(run, input.FullName, errorFile, stop);
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

    private static T OnErrorFile<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception closed) when (closed is IOException or UnauthorizedAccessException)
        {
            throw new IOException(Texts.Get("ErrorFileClosed", closed.Message), closed);
        }
    }

    private static Command ViewCommand()
    {
        var node = new NodeCall();
        var by = new Option<string>("--by") { Description = Texts.Get("OptionBy"), DefaultValueFactory = _ => string.Empty };
        var where = new Option<string[]>("--where") { Description = Texts.Get("OptionWhere"), DefaultValueFactory = _ => [] };
        var from = new Option<string>("--from") { Description = Texts.Get("OptionFrom"), DefaultValueFactory = _ => string.Empty };
        var to = new Option<string>("--to") { Description = Texts.Get("OptionTo"), DefaultValueFactory = _ => string.Empty };
        var measures = new Option<string>("--measures") { Description = Texts.Get("OptionMeasures"), DefaultValueFactory = _ => "reported,closed" };
        var hierarchy = new Option<string>("--hierarchy") { Description = Texts.Get("OptionHierarchy"), DefaultValueFactory = _ => string.Empty };
        var json = new Option<bool>("--json") { Description = Texts.Get("OptionJson") };
        var live = new LiveOptions();
        var command = new Command("view", Texts.Get("CommandView")) { by, where, from, to, measures, hierarchy, json };
        node.AddTo(command);
        live.AddTo(command);
        var folder = DataOption();
        command.Subcommands.Add(VerifyCommand(Texts.Get("VerifyView"), folder, parsed => ViewCheck.Verify(parsed.GetRequiredValue(folder))));
        command.SetAction(async (parsed, stop) => await Guarded(async () =>
        {
            var request = new QueryRequest { From = parsed.GetRequiredValue(from), To = parsed.GetRequiredValue(to), Hierarchy = parsed.GetRequiredValue(hierarchy) };
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
                    return Fail(Texts.Get("WhereBad", condition), 2);
                }

                target.Add(value);
            }

            using var client = node.Open(parsed);
            if (live.Of(parsed, out var misplaced) is { } asked)
            {
                return await LiveCommand.ViewAsync(client, asked, request, parsed.GetValue(json), stop);
            }

            if (misplaced)
            {
                return Fail(Texts.Get("LiveOnly"), 2);
            }

            var response = await client.Views.QueryAsync(request, client.Options.WithCancellationToken(stop));
            if (parsed.GetValue(json))
            {
                Console.Out.WriteLine(JsonText.Of(response));
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
        var node = new NodeCall();
        var command = new Command("status", Texts.Get("CommandStatus"));
        node.AddTo(command);
        command.SetAction((parsed, stop) => node.RunAsync(parsed, async client =>
        {
            var status = await client.Views.GetStatusAsync(new GetStatusRequest(), client.Options.WithCancellationToken(stop));
            Console.Out.WriteLine(JsonText.Of(status, indented: true));
            return 0;
        }));
        return command;
    }

    private static Argument<string> DataOption() => new("DIR") { Description = Texts.Get("ArgumentData") };

    private static Command VerifyCommand(string description, Argument<string> folder, Func<ParseResult, CheckVerdict> check)
    {
        var verify = new Command("verify", Texts.Get("VerifyCodes", description)) { folder };
        verify.SetAction(parsed =>
        {
            var verdict = check(parsed);
            Console.Out.WriteLine(Texts.Verdict(verdict));
            return verdict.ExitCode;
        });
        return verify;
    }

    private static Command JournalCommand()
    {
        var folder = DataOption();
        return new Command("journal", Texts.Get("CommandJournal"))
        {
            VerifyCommand(Texts.Get("VerifyJournal"), folder, parsed => Existing(parsed.GetRequiredValue(folder)) is { } missing
                ? missing
                : CheckVerdict.Of(JournalVerifier.Verify(PosixDisk.At(parsed.GetRequiredValue(folder))))),
        };
    }

    private static Command AuditCommand()
    {
        var folder = DataOption();
        var anchors = new Option<string?>("--anchors") { Description = Texts.Get("OptionAnchors") };
        var authority = new Option<string?>("--authority") { Description = Texts.Get("OptionSignersAuthority") };
        var verify = VerifyCommand(Texts.Get("VerifyAudit"), folder, parsed =>
            Existing(parsed.GetRequiredValue(folder)) ?? (parsed.GetValue(anchors) is { } above ? Existing(above) : null)
            ?? AuditCheck.Verify(parsed.GetRequiredValue(folder), parsed.GetValue(anchors), parsed.GetValue(authority)));
        verify.Options.Add(anchors);
        verify.Options.Add(authority);
        return new Command("audit", Texts.Get("CommandAudit")) { verify, ProveCommand(authority) };
    }

    private static Command ProveCommand(Option<string?> authority)
    {
        var folder = DataOption();
        var node = new Option<NodeId>("--node")
        {
            Description = Texts.Get("OptionProveNode"),
            Required = true,
            CustomParser = result =>
            {
                var text = result.Tokens.Count == 1 ? result.Tokens[0].Value : string.Empty;
                if (!NodeId.TryParse(text, out var read))
                {
                    result.AddError(Texts.Get("NoNodeName", text));
                }

                return read;
            },
        };
        var lsn = new Option<long>("--lsn") { Description = Texts.Get("OptionProveLsn"), DefaultValueFactory = _ => 1 };
        var prove = new Command("prove", Texts.Get("ProveAudit")) { folder, node, lsn, authority };
        prove.SetAction(parsed =>
        {
            var verdict = Existing(parsed.GetRequiredValue(folder));
            var proof = verdict is not null
                ? null
                : AuditProof.Make(parsed.GetRequiredValue(folder), parsed.GetRequiredValue(node), new Lsn(Math.Max(parsed.GetValue(lsn), 0)), parsed.GetValue(authority), out verdict);
            Console.Out.WriteLine(proof ?? Texts.Verdict(verdict!));
            return verdict?.ExitCode ?? CheckVerdict.SoundCode;
        });
        return prove;
    }

    private static CheckVerdict? Existing(string folder) => Directory.Exists(folder) ? null : CheckVerdict.CannotDecide(Texts.Get("FolderMissing", folder));

    private static IEnumerable<string> Words(string text) => text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    internal static async Task<int> Guarded(Func<Task<int>> work, bool namesNode = true)
    {
        try
        {
            return await work();
        }
        catch (RpcException refused) when (namesNode && IsUnreachable(refused))
        {
            return Fail(Said(refused), 1);
        }
        catch (EnrolmentRefusedException refused)
        {
            return Fail($"{refused.Refusal.Code}: {Texts.Refusal(refused.Refusal.Code, refused.Refusal.Message)}", 1);
        }
        catch (ConfigurationException faults)
        {
            return Fail(faults.Message, 2);
        }
        catch (RpcException refused)
        {
            return Fail(DetailOf(refused), 1);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return Fail(failure.Message, 2);
        }
    }

    /// <summary>A call's failure in words.</summary>
    internal static string Said(RpcException failure) => IsUnreachable(failure) ? Unreachable(failure) : DetailOf(failure);

    private static string DetailOf(RpcException failure) => failure.Status.Detail.Length > 0 ? failure.Status.Detail : failure.StatusCode.ToString();

    private static bool IsUnreachable(RpcException failure) => failure.Status.DebugException is HttpRequestException or IOException or System.Net.Sockets.SocketException;

    /// <summary>What most often keeps a call from reaching a node: none is there, or it is the port of the JSON calls.</summary>
    private static string Unreachable(RpcException failure)
    {
        for (var cause = failure.Status.DebugException; cause is not null; cause = cause.InnerException)
        {
            if (cause is System.Net.Sockets.SocketException refused)
            {
                return Texts.Get("NothingAnswers", refused.Message);
            }
        }

        return Texts.Get("NotGrpc");
    }

    internal static int Fail(string message, int code)
    {
        Console.Error.WriteLine(message);
        return code;
    }

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
