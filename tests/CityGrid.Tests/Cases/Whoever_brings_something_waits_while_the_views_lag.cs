using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.Cases;
using CityGrid.Node.Hosting;
using CityGrid.Node.Intake;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using CityGrid.Tests.Crashes;
using NUnit.Framework;

namespace CityGrid.Tests.Cases;

/// <summary>Intake slows down before anything has to be let go of: what was brought is durable, and its answer is kept back for a moment.</summary>
public sealed class Whoever_brings_something_waits_while_the_views_lag
{
    private VirtualTime _time = null!;
    private CityOnADisk _city = null!;
    private RowIntake _intake = null!;
    private CasesGrpcService _calls = null!;
    private int _requests;

    [SetUp]
    public void Begin()
    {
        _time = new VirtualTime(new DateTimeOffset(2026, 11, 2, 1, 0, 0, TimeSpan.Zero));
        _city = new CityOnADisk(new ModelDisk(), new SeededEntropy(5), _time, JournalFaults.None, viewLag: 5);
        _intake = new RowIntake(_city.Core.Desk, _city.Core.Sequencer, new VirtualClock(_time));
        _calls = new CasesGrpcService(_city.Core.Desk, _city.Core.Lists, _city.Core.Readers, _intake);
        _requests = 0;
    }

    [TearDown]
    public void End()
    {
        _intake.Dispose();
        _city.Dispose();
    }

    [Test]
    public async Task For_a_new_case_and_for_a_step()
    {
        var reported = await TakenAsync(ReportAsync());
        EndOneBesideTheViews();
        for (var i = 0; i < 5; i++)
        {
            _city.Core.Desk.Submit(new ReportCase(City.Cover, City.North, City.Hotline) { Case = _city.Core.Desk.Mint(), Actor = "desk-1" }, _ => { });
        }

        while (_city.Core.Sequencer.Pump())
        {
        }

        Assert.That(_city.Core.Desk.ShouldSlow, Is.True);
        await IsKeptBackAsync(ReportAsync());
        await IsKeptBackAsync(_calls.Take(
            new TakeRequest { CaseId = reported.Step.CaseId, RequestKey = "step", CheckBeforeFiling = new Node.V1.CheckBeforeFiling { Passed = true } }, new CallBy("desk-1", Role.Operator)));

        while (_city.Core.Projector.PumpOnce())
        {
        }

        _ = await TakenAsync(ReportAsync());
    }

    private async Task IsKeptBackAsync(Task answer)
    {
        Assert.That(_time.IsIdle, Is.True);
        var head = _city.Core.Sequencer.Applied;
        while (_city.Core.Sequencer.Pump())
        {
        }

        SpinWait.SpinUntil(() => answer.IsCompleted || !_time.IsIdle);
        Assert.That(_city.Core.Sequencer.Applied, Is.GreaterThan(head), "what was brought is durable");
        _time.Run(TimeSpan.FromMilliseconds(49));
        Assert.That(answer.IsCompleted, Is.False);
        _time.Run(TimeSpan.FromMilliseconds(1));
        await answer;
    }

    private async Task<T> TakenAsync<T>(Task<T> answer)
    {
        while (_city.Core.Sequencer.Pump())
        {
        }

        return await answer;
    }

    /// <summary>A case that ended and waits for the view store, which nobody pumps.</summary>
    private void EndOneBesideTheViews()
    {
        _city.Core.Desk.Submit(
            new ImportCase(City.Cover, City.North, City.Hotline, "old", "1")
            {
                Case = _city.Core.Desk.Mint(),
                Actor = "import",
                ReportedAt = City.At(2026, 11, 1),
                ClosedAt = City.At(2026, 11, 1),
                ContentHash = Hash256.Of([1]),
            },
            _ => { });
        while (_city.Core.Sequencer.Pump())
        {
        }
    }

    private Task<ReportResponse> ReportAsync() =>
        _calls.Report(new ReportRequest { RequestKey = $"r-{++_requests}", Type = "01001", Division = "140802", Source = "hotline" }, new CallBy("desk-1", Role.Operator));
}
