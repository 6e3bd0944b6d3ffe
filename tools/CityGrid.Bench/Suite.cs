using System.Globalization;
using System.Runtime.InteropServices;
using CityGrid.Cli.Network;
using CityGrid.Hub.Cells;
using CityGrid.Hub.Seams;
using CityGrid.Node.Configuration;
using CityGrid.Protocol.Names;

namespace CityGrid.Bench;

/// <summary>All measures in turn. With the name of a part, that part alone; with a path, the report is written there.</summary>
internal sealed class Suite(string? report, string? only)
{
    private const int Rounds = 7;

    private readonly List<Outcome> _outcomes = [];
    private readonly string _folder = Directory.CreateTempSubdirectory("citygrid-bench-").FullName;

    /// <summary>0, or 1 where a figure is below its gate.</summary>
    public async Task<int> RunAsync()
    {
        try
        {
            Part("cells", MeasureCells);
            Part("reports", MeasureReports);
            Part("replay", MeasureReplay);
            Part("parent", MeasureParent);
            Part("reconnect", MeasureReconnect);
            Part("postgres", MeasureBesidePostgres);
            Part("server", MeasureServer);
            Part("import", MeasureImport);
            Part("million", MeasureMillion);
        }
        finally
        {
            Directory.Delete(_folder, recursive: true);
        }

        var machine = string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessorCount} cores, {RuntimeInformation.OSArchitecture}, .NET {Environment.Version}");
        var text = Report.Markdown(_outcomes, machine, TimeProvider.System.GetUtcNow());
        Console.WriteLine(text);
        if (report is not null)
        {
            await File.WriteAllTextAsync(report, text);
        }

        return _outcomes.Any(o => o.BelowGate) ? 1 : 0;
    }

    private void Part(string name, Action measure)
    {
        if (only is null || only == name)
        {
            Console.Error.WriteLine($"measuring: {name}");

            // A million cells that the part before has left are none of this one's.
            GC.Collect();
            GC.WaitForPendingFinalizers();
            GC.Collect();
            measure();
        }
    }

    /// <summary>Keeps an outcome, and tells it at once, for a run takes minutes.</summary>
    private void Keep(Outcome outcome)
    {
        _outcomes.Add(outcome);
        Console.Error.WriteLine($"  {outcome.Goal.Id}: {(outcome.Figure is { } figure ? Figures.Short(figure) : "skipped")} ({outcome.Detail}{outcome.Skipped})");
    }

    private void MeasureCells()
    {
        var large = CellMeasures.RollUpOfThousandChanged(1_000_000);
        var small = CellMeasures.RollUpOfThousandChanged(10_000);
        Keep(Figures.Interleave(Goals.RollUp, Rounds, "s", large, small));
    }

    private void MeasureReports()
    {
        var raw = new PosixDisk(Folder("raw"));
        using (var plain = new BenchNode(Folder("reports-alone"), keepsViews: false))
        {
            // A round takes half a second, and the disk's speed swings from one to the next: so there are more of them. The first are slower, until the code has its last form.
            Figures.Warm(10, () => JournalMeasures.ReportsPerSecond(plain, 400));
            Keep(Figures.Interleave(Goals.Reports, Rounds * 3, "/s", () => JournalMeasures.ReportsPerSecond(plain, 400), () => JournalMeasures.RawAppendsPerSecond(raw, 400)));
        }

        Figures.Warm(4, () => JournalMeasures.SealedAppendsPerSecond(raw, 400));
        Keep(Figures.Interleave(Goals.ReportsBound, Rounds, "/s", () => JournalMeasures.SealedAppendsPerSecond(raw, 400), () => JournalMeasures.RawAppendsPerSecond(raw, 400)));

        var slow = new SlowDisk(raw);
        using (var plain = new BenchNode(Folder("reports-on-a-slow-disk"), keepsViews: false, around: disk => new SlowDisk(disk)))
        {
            Keep(Figures.Interleave(Goals.ReportsOnSlowDisk, Rounds, "/s", () => JournalMeasures.ReportsPerSecond(plain, 100), () => JournalMeasures.RawAppendsPerSecond(slow, 100)));
        }

        using var node = new BenchNode(Folder("reports"));
        Keep(Figures.Interleave(Goals.ReportsWithViews, Rounds, "/s", () => JournalMeasures.ReportsPerSecond(node, 400), () => JournalMeasures.RawAppendsPerSecond(raw, 400)));

        // Lists of ended cases are read from the view store, so there have to be some.
        node.ImportAsync(20_000).GetAwaiter().GetResult();
        var faults = 0;
        double WithReaders()
        {
            var (milliseconds, found) = JournalMeasures.ReportLatency(node, 600, 2);
            faults += found;
            return milliseconds;
        }

        Keep(Figures.Interleave(Goals.Readers, Rounds * 3, "ms", WithReaders, () => JournalMeasures.ReportLatency(node, 600, 0).Milliseconds));
        Keep(new Outcome(Goals.ReaderFaults, faults, faults, faults, "all rounds together"));
    }

    private void MeasureReplay()
    {
        var history = Folder("replay");
        using (var node = new BenchNode(history))
        {
            node.ImportAsync(100_000).GetAwaiter().GetResult();
        }

        var parse = JournalMeasures.ParseAlone(history, out var events);
        Keep(Figures.Interleave(Goals.Replay, Rounds, "events/s", () => events / JournalMeasures.RecoverSeconds(history), () => events / parse()));
    }

    private void MeasureParent()
    {
        var rates = new List<double>();
        for (var round = 0; round < Rounds; round++)
        {
            using var parent = new BenchNode(Folder($"parent-{round}"), (NodeId.Parse("hubei"), DivisionCode.Parse("420000")));
            rates.Add(JournalMeasures.CellsPerSecond(parent, new BenchChild(NodeId.Parse("wuhan"), DivisionCode.Parse("420100")), 400));
        }

        Keep(Figures.Of(Goals.CellsAtParent, rates, "cuts of 1,000 cells, eight under way"));
    }

    private void MeasureReconnect()
    {
        const double Seconds = 4;
        using var parent = new ReconnectMeasures(Folder("reconnect"));
        parent.Quiet(3 * Seconds);
        var rounds = new List<(ParentSpan Quiet, Storm Storm)>();
        for (var round = 0; round < Rounds; round++)
        {
            var quiet = parent.Quiet(Seconds);
            rounds.Add((quiet, parent.CutAll(quiet)));
        }

        double Median(Func<(ParentSpan Quiet, Storm Storm), double> figure) => Figures.Median(rounds.Select(figure));
        string Short(Func<(ParentSpan Quiet, Storm Storm), double> figure) => Figures.Short(Median(figure));
        Keep(Figures.Of(
            Goals.Reconnecting,
            [.. rounds.Select(r => r.Storm.Span.Rate / r.Quiet.Rate)],
            $"{Short(r => r.Storm.Span.Rate)} /s against {Short(r => r.Quiet.Rate)} /s in {Short(r => r.Quiet.PartsASecond)} parts/s"));
        Keep(Figures.Of(
            Goals.ReconnectingCpu,
            [.. rounds.Select(r => r.Storm.Span.CpuAThousand / r.Quiet.CpuAThousand)],
            $"{Short(r => r.Storm.Span.CpuAThousand * 1000)} ms against {Short(r => r.Quiet.CpuAThousand * 1000)} ms a thousand cells"));
        Keep(Figures.Of(Goals.ReconnectingLast, [.. rounds.Select(r => r.Storm.LastBack)], Told(rounds.ConvertAll(r => r.Storm))));
        Keep(Figures.Of(Goals.ReconnectingOne, [.. Enumerable.Range(0, 3).Select(_ => parent.CpuOfOneBack() * 1000)], "the same storm while nobody has anything to report"));
        parent.Quiet(Seconds);
        var restart = parent.RestartParent(parent.Quiet(Seconds));
        Keep(Figures.Of(Goals.ParentRestarted, [restart.LastBack], Told([restart])));

        static string Told(IReadOnlyCollection<Storm> storms) =>
            $"half are back after {Figures.Short(Figures.Median(storms.Select(s => s.HalfBack)))} s; in each storm at most {storms.Max(s => s.Dials)} diallings, {storms.Max(s => s.Handshakes)} handshakes with a hello, {storms.Max(s => s.Refused)} refusals";
    }

    private void MeasureBesidePostgres()
    {
        if (PostgresPeer.Missing is { } reason)
        {
            foreach (var goal in new[] { Goals.Merge, Goals.NationInProcess, Goals.NationOverGrpc, Goals.NationBesideRollUp, Goals.ReportsOverGrpc, Goals.GrpcBound })
            {
                Keep(new Outcome(goal, null, 0, 0, string.Empty, reason));
            }

            return;
        }

        using var peer = PostgresPeer.Start();
        var theirs = new PostgresMeasures(peer);
        theirs.CreateCases();
        theirs.LoadRawCases(1_000_000);
        theirs.LoadCells(CellMeasures.Cities, CellMeasures.Days, CellMeasures.Types);
        Keep(Figures.Interleave(Goals.Merge, Rounds, "s", () => CellMeasures.MergeNation(new CellFold()), theirs.CellsByTypeSeconds));
        var nation = new CellFold();
        CellMeasures.MergeNation(nation);
        Keep(Figures.Interleave(Goals.NationInProcess, Rounds, "s", () => CellMeasures.NationByTypeSeconds(nation), theirs.RawByTypeSeconds));
        using (var views = BenchViews.Start(Folder("nation")))
        {
            Figures.Warm(100, views.NationByTypeSeconds);
            Keep(Figures.Interleave(Goals.NationOverGrpc, Rounds, "s", views.NationByTypeSeconds, theirs.RawByTypeSeconds));
            Keep(Figures.Interleave(Goals.NationBesideRollUp, Rounds, "s", views.NationByTypeSeconds, theirs.CellsByTypeSeconds));
        }

        double Inserts() => theirs.FilingsPerSecondAsync(JournalMeasures.Callers, 300).GetAwaiter().GetResult();
        using (var city = BenchCity.Start(BenchCity.Write(Folder("beside-postgres"))))
        {
            Figures.Warm(4, () => city.ReportsPerSecond(400));
            Keep(Figures.Interleave(Goals.ReportsOverGrpc, Rounds, "/s", () => city.ReportsPerSecond(400), Inserts));
        }

        using var appends = new NothingServer("--serve-appends", Folder("appends"));
        Figures.Warm(2, () => appends.CallsPerSecond(1000));
        Keep(Figures.Interleave(Goals.GrpcBound, Rounds, "/s", () => appends.CallsPerSecond(1000), Inserts));
    }

    private void MeasureServer()
    {
        var node = BenchCity.Write(Folder("server"));
        var (starts, memory) = (new List<double>(), new List<double>());
        for (var round = 0; round < Rounds; round++)
        {
            using var idle = BenchCity.Start(node);
            starts.Add(idle.ReadySeconds);
            memory.Add(idle.Megabytes);
        }

        Keep(Figures.Of(Goals.FirstAnswer, starts, "start of the process to its ready line"));
        Keep(Figures.Of(Goals.IdleMemory, memory, "VmRSS when it serves"));

        using var city = BenchCity.Start(node);
        using var nothing = new NothingServer("--serve-nothing");
        Figures.Warm(4, () => city.ReportsPerSecond(400));
        Figures.Warm(2, () => nothing.CallsPerSecond(1000));
        Keep(Figures.Interleave(Goals.GrpcShare, Rounds, "/s", () => city.ReportsPerSecond(400), () => nothing.CallsPerSecond(1000)));
    }

    private void MeasureImport()
    {
        var cases = Path.GetFullPath(Path.Combine("..", "shared", "data", "cases"));
        var file = Directory.Exists(cases) ? TreePlans.RealFiles(cases).FirstOrDefault(f => f.File.Contains("boston", StringComparison.OrdinalIgnoreCase)) : default;
        if (file.File is null)
        {
            Keep(new Outcome(Goals.ImportRows, null, 0, 0, string.Empty, "there are no real files at ../shared/data/cases"));
            return;
        }

        var rates = new List<double>();
        for (var round = 0; round < 3; round++)
        {
            var tree = TreeWriter.Write(Folder($"import-{round}"), TreePlans.UnitedStates(), TimeProvider.System.GetUtcNow(), new SystemEntropy());
            using var city = BenchCity.Start(tree.Cities.Single(c => c.Division == file.Division));
            using var client = new NodeClient(city.Node.GrpcUrl, city.Node.Tokens["admin"]);
            ImportResult? result = null;
            var seconds = Figures.Seconds(() => result = new ImportRun(client, file.Mapping.Read(), file.Mapping.Name, TimeProvider.System).RunAsync(file.File, null, null, CancellationToken.None).GetAwaiter().GetResult());
            rates.Add(result!.Created / seconds);
        }

        Keep(Figures.Of(Goals.ImportRows, rates, "the tool and the node as two processes"));
    }

    private void MeasureMillion()
    {
        var node = BenchCity.Write(Folder("million"));
        using (var filling = ServerMeasures.StartSelf("--fill", ConfigurationFile.Load(node.Configuration).DataFolder, node.Node, node.Division, "1000000"))
        {
            filling.WaitForExit();
            if (filling.ExitCode != 0)
            {
                throw new InvalidOperationException("Filling a node with a million cases failed.");
            }
        }

        var (starts, memory) = (new List<double>(), new List<double>());
        for (var round = 0; round < 3; round++)
        {
            using var city = BenchCity.Start(node);
            starts.Add(city.ReadySeconds);
            memory.Add(city.Megabytes);
        }

        Keep(Figures.Of(Goals.Restart, starts, "1 M cases, 50,000 of them open"));
        Keep(Figures.Of(Goals.MemoryOfMillion, memory, "VmRSS when it serves again"));
    }

    private string Folder(string name) => Directory.CreateDirectory(Path.Combine(_folder, name)).FullName;
}
