using CityGrid.Cli.Simulation;
using CityGrid.Hub.Bundles;
using CityGrid.Hub.Load;
using CityGrid.Node.Cases;
using CityGrid.Node.Hosting;
using CityGrid.Node.Intake;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NUnit.Framework;
using ImportRow = CityGrid.Node.V1.ImportRow;
using ImportRowsRequest = CityGrid.Node.V1.ImportRowsRequest;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Simulation;

/// <summary>INV-25, INV-19: near the end of its disk a node refuses what is new and does all else, and nobody has to do anything once there is room.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class A_full_disk_takes_nothing_new
{
    private const int Reserve = 1 << 20;

    private readonly SmallTree _tree = new();
    private int _requests;

    [Test]
    public void A_city_sends_up_what_waits_and_counts_its_deadlines_meanwhile()
    {
        Restart(_tree.City);
        _tree.Run(TimeSpan.FromMinutes(2));
        _tree.Province.Crash(powerCut: false);
        var first = _tree.Report(_tree.City, 6, SmallTree.Cover, 1, EmergencyGrade.Serious)[0];
        _tree.Work(_tree.City, first, CaseStage.Filed);
        var (known, deadline) = (_tree.City.Core!.Journal.Head.Lsn, _tree.City.Core.Desk.Find(first)!.Filing!.Deadline);

        Leave(_tree.City, Reserve / 2);
        Assert.That(Report(_tree.City)?.Code, Is.EqualTo(DiskRoom.Full));
        Assert.That(Step(_tree.City, new VoidCase { Case = first, Actor = "desk", Reason = "test" })?.Code, Is.EqualTo(DiskRoom.Full), "nor a step");
        Assert.That(_tree.City.Core.Journal.Head.Lsn, Is.EqualTo(known), "what is refused writes nothing");
        Assert.That(Step(_tree.City, new EraseReporter { Case = first, Actor = "officer", Reason = "reporter_request" })?.Code, Is.Not.EqualTo(DiskRoom.Full), "a person is forgotten all the same");

        _tree.Province.Start();
        _tree.Run(TimeSpan.FromHours(3));
        Assert.That(deadline, Is.Not.Null);
        Assert.That(_tree.City.Core.Desk.Find(first)!.Escalations, Is.Not.Empty, "time goes on");
        Assert.That(SmallTree.View(_tree.Ministry, "city", "reported"), Is.EqualTo(new[] { $"{_tree.City.Place.Division} 6" }), "what waited has gone up");
        Assert.That(_tree.City.Core.Sequencer.StoppedBy, Is.Null);

        // A little more than is kept is not enough to begin again; a quarter more is.
        Leave(_tree.City, Reserve + 1000);
        Assert.That(Report(_tree.City)?.Code, Is.EqualTo(DiskRoom.Full));
        Leave(_tree.City, Reserve * 2);
        Assert.That(Report(_tree.City), Is.Null);
        _tree.Run(TimeSpan.FromHours(1));
        _tree.Check();
    }

    [Test]
    public void A_parent_takes_no_cells_and_every_alarm_by_the_line_and_by_files([Values] bool isShort)
    {
        Restart(_tree.Province);
        _tree.Run(TimeSpan.FromMinutes(2));
        _tree.Report(_tree.City, 1, SmallTree.Cover, 1, EmergencyGrade.Serious);
        _tree.Report(_tree.City, 3, SmallTree.Refuse, 1);
        var (content, _) = _tree.City.Core!.Bundles!.Make();

        // The line carries nothing from here on: what comes, comes by the file.
        _tree.City.Crash(powerCut: false);
        Leave(_tree.Province, isShort ? Reserve / 2 : 2 * Reserve);
        var core = _tree.Province.Core!;
        var cells = content.Requests.First(request => request.Cells is not null);
        var alarms = content.Requests.First(request => request.Escalations is not null);
        Assert.That((core.Door.Shed(cells)?.Code, core.Door.Shed(alarms)), Is.EqualTo((isShort ? DiskRoom.Full : null, (Refusal?)null)));

        var before = core.Cells.DigestOf(_tree.City.Place.Node, Grain.National);
        Assert.That(core.Escalations.Count, Is.Zero);
        BundleAnswer? answer = null;
        core.BundleDoor.Take(_tree.City.Identity, content, told => answer = told);
        _tree.Run(TimeSpan.FromSeconds(1));
        Assert.That(answer!.Content.Responses.Any(response => response.Refusal?.Code == LinkRefusalCode.Busy), Is.EqualTo(isShort));
        Assert.That(core.Escalations.Count, Is.Not.Zero, "an alarm is taken, however short the disk");
        Assert.That(core.Cells.DigestOf(_tree.City.Place.Node, Grain.National) == before, Is.EqualTo(isShort), "and cells only where there is room");
    }

    [Test]
    public async Task An_import_is_not_taken_at_all_and_no_row_is_blamed()
    {
        Restart(_tree.City);
        Leave(_tree.City, Reserve / 2);
        var core = _tree.City.Core!;
        using var intake = new RowIntake(core.Desk, core.Sequencer, TimeProvider.System, core.Pressure, core.Room);
        var rows = new ImportRowsRequest { System = "old" };
        rows.Rows.Add(new ImportRow { ExternalId = "1", Type = SmallTree.Refuse });
        var refused = await Assert.ThrowsAsync<RefusedException>(() => intake.TakeAsync(rows, "desk", CancellationToken.None));
        Assert.That(refused!.Refusal.Code, Is.EqualTo(DiskRoom.Full));
    }

    [Test]
    public void Nothing_is_kept_where_no_reserve_is_wished_for()
    {
        Leave(_tree.City, 60_000);
        Assert.That(Report(_tree.City), Is.Null);
    }

    private void Restart(SimulatedNode node)
    {
        node.Crash(powerCut: false);
        node.DiskReserve = Reserve;
        node.Start();
    }

    private void Leave(SimulatedNode node, int free)
    {
        node.Disk.SizeLimit = long.MaxValue;
        node.Disk.SizeLimit = node.Disk.Files.Sum(file => (long)node.Disk.Bytes(file).Length) + free;

        // It is measured ten times a second.
        _tree.Run(TimeSpan.FromSeconds(1));
    }

    private Refusal? Report(SimulatedNode city) =>
        Step(city, new ReportCase(TypeCode.Parse(SmallTree.Refuse), _tree.District(city, 1), SourceCode.Parse("hotline")) { Case = city.Core!.Desk.Mint(), Actor = "desk" });

    private Refusal? Step(SimulatedNode city, CaseCommand command)
    {
        CaseAnswer? told = null;
        city.Core!.Desk.Submit(command with { Request = new RequestMark($"d-{++_requests}", (ulong)_requests) }, answer => told = answer);
        city.Pump();
        return told!.Refusal;
    }
}
