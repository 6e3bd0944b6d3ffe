using CityGrid.Cli;
using CityGrid.Cli.Network;
using CityGrid.Hub.Load;
using CityGrid.Hub.Seams;
using CityGrid.Node.Intake;
using CityGrid.Node.Intake.Import;
using CityGrid.Tests.Hosting;
using CityGrid.Tests.Import;
using NUnit.Framework;

namespace CityGrid.Tests.Cli;

/// <summary>What <c>citygrid import</c> does with a node that is busy, with the file of faults, and with cases that run on.</summary>
[NonParallelizable]
public sealed class An_import_is_sent_from_the_command_line
{
    private readonly VirtualTime _time = new(new DateTimeOffset(2026, 11, 2, 1, 0, 0, TimeSpan.Zero));
    private string _folder = null!;
    private WholeNode _node = null!;
    private double _pressure;

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        _node = await WholeNode.StartAsync("\"callsPerUser\": 1000000", new PressureGauge(() => new Pressure(0, _pressure, 0), new VirtualClock(_time)));
        _folder = Directory.CreateTempSubdirectory("citygrid-import-").FullName;
        File.WriteAllText(Path.Combine(_folder, "mapping.json"), Given.MappingJson(m =>
        {
            m["city"] = "330100";
            m["columns"]!["due"] = "status";
        }));
        File.WriteAllText(Path.Combine(_folder, "token"), NodeFolder.OperatorToken);
    }

    [OneTimeTearDown]
    public async Task EndAsync()
    {
        await _node.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Test]
    public async Task A_node_that_has_too_much_to_do_is_left_alone_for_as_long_as_it_says()
    {
        SetPressure(1);
        var rows = string.Concat(Enumerable.Range(0, RowIntake.RowsOfBulk).Select(i => $"busy-{i},2026-01-02 03:04:05,,99000,,\n"));
        var (time, told) = (new VirtualTime(DateTimeOffset.UnixEpoch), new TaskCompletionSource<TimeSpan>(TaskCreationOptions.RunContinuationsAsynchronously));
        using var client = new NodeClient(_node.Addresses.Grpc, NodeFolder.OperatorToken);
        var mapping = ImportMapping.Read(File.ReadAllText(Path.Combine(_folder, "mapping.json"))).Mapping!;
        var importing = new ImportRun(client, mapping, "busy", new VirtualClock(time)) { Waits = pause => told.TrySetResult(pause) }
            .RunAsync(Written(rows), null, null, CancellationToken.None);
        await Task.WhenAny(told.Task, importing);
        Assert.That(importing.IsCompleted, Is.False);
        Assert.That(await told.Task, Is.EqualTo(Shedding.PauseOf(CallKind.BulkImport)));

        SetPressure(0);
        while (!importing.IsCompleted)
        {
            time.Run(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        var result = await importing;
        Assert.That((result.Created, result.Faults), Is.EqualTo((RowIntake.RowsOfBulk, 0)));
    }

    [Test]
    public async Task A_file_without_faults_leaves_none_behind_and_needs_no_room_for_them()
    {
        var file = Written("sound-1,2026-01-02 03:04:05,,99000,,\n");
        File.WriteAllText(file + ".errors.csv", "of another run");
        Assert.That(await ImportAsync(file), Is.Zero);
        Assert.That(File.Exists(file + ".errors.csv"), Is.False);
        Assert.That(await ImportAsync(file, "--errors", "/nowhere/errors.csv"), Is.Zero);
    }

    [Test]
    public async Task A_file_with_faults_says_where_they_are()
    {
        var file = Written("sound-2,2026-01-02 03:04:05,,99000,,\nfaulty,,,99000,,\n");
        Assert.That(await ImportAsync(file), Is.EqualTo(1));
        Assert.That(File.ReadAllText(file + ".errors.csv"), Does.Contain("REPORTED_MISSING"));
        Assert.That(await ImportAsync(file, "--errors", "/nowhere/errors.csv"), Is.EqualTo(2));
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task Cases_run_on_where_it_is_said_that_they_are_live(bool live)
    {
        var file = Written($"live-{live},2026-11-01 03:04:05,,99000,,2199-01-01 00:00:00\n");
        Assert.That(await ImportAsync(file, live ? ["--live"] : []), Is.Zero);
        var state = _node.Core.Sequencer.Read(() => _node.Core.Book.Open.Values.Single(state => state.Import!.ExternalId == $"live-{live}"));
        Assert.That((state.Import!.Live, state.Deadline is not null), Is.EqualTo((live, live)));
    }

    [Test]
    public async Task A_case_that_is_as_old_as_the_clock_itself_comes_in_as_that()
    {
        Assert.That(await ImportAsync(Written("epoch,1969-12-31 19:00:00,,99000,,\nended,1969-12-31 18:00:00,1969-12-31 19:00:00,99000,,\n")), Is.Zero);
        var open = _node.Core.Sequencer.Read(() => _node.Core.Book.Open.Values.Where(state => state.Import!.ExternalId is "epoch" or "ended").ToArray());
        Assert.That(open.Single().ReportedAt, Is.EqualTo(NodaTime.NodaConstants.UnixEpoch));
    }

    private void SetPressure(double share)
    {
        _pressure = share;
        _time.Run(TimeSpan.FromSeconds(1));
    }

    private string Written(string rows)
    {
        var file = Path.Combine(_folder, $"{TestContext.CurrentContext.Test.ID}.csv");
        File.WriteAllText(file, Given.Header + rows);
        return file;
    }

    private Task<int> ImportAsync(string file, params string[] more) => Commands.Root()
        .Parse(["import", file, "--mapping", Path.Combine(_folder, "mapping.json"), "--node", _node.Addresses.Grpc, "--token-file", Path.Combine(_folder, "token"), .. more])
        .InvokeAsync();
}
