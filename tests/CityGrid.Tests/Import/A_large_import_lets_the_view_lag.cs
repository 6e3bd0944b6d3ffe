using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.Intake;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using CityGrid.Tests.Cases;
using CityGrid.Tests.Crashes;
using Google.Protobuf;
using NUnit.Framework;

namespace CityGrid.Tests.Import;

/// <summary>Requests of many rows are an import's: while they come the view may lag, and lists say so; when they have stopped it catches up.</summary>
public sealed class A_large_import_lets_the_view_lag
{
    private VirtualTime _time = null!;
    private CityOnADisk _city = null!;
    private RowIntake _intake = null!;

    [SetUp]
    public void Begin()
    {
        _time = new VirtualTime(new DateTimeOffset(2026, 11, 2, 1, 0, 0, TimeSpan.Zero));
        _city = new CityOnADisk(new ModelDisk(), new SeededEntropy(5), _time, JournalFaults.None);
        _intake = new RowIntake(_city.Core.Desk, _city.Core.Sequencer, new VirtualClock(_time));
    }

    [TearDown]
    public void End()
    {
        _intake.Dispose();
        _city.Dispose();
    }

    [Test]
    public async Task Until_a_pause_after_the_last_request()
    {
        await TakeAsync(0, RowIntake.RowsOfBulk);
        Assert.That(_city.Core.Projector.PumpOnce(), Is.False, "the cores are the import's");
        Assert.That(_city.Core.Projector.Status.Building, Is.True);
        _time.Run(TimeSpan.FromMilliseconds(900));
        await TakeAsync(RowIntake.RowsOfBulk, RowIntake.RowsOfBulk);
        _time.Run(TimeSpan.FromMilliseconds(900));
        Assert.That(_city.Core.Projector.PumpOnce(), Is.False, "the next request came in time");

        _time.Run(TimeSpan.FromMilliseconds(200));
        while (_city.Core.Projector.PumpOnce())
        {
        }

        Assert.That(_city.Core.Projector.Status.Building, Is.False);
        Assert.That(_city.Core.Projector.Status.Lag, Is.Zero);
    }

    [Test]
    public async Task And_a_few_rows_do_not()
    {
        await TakeAsync(0, RowIntake.RowsOfBulk - 1);
        Assert.That(_city.Core.Projector.Status.Building, Is.False);
        Assert.That(_city.Core.Projector.PumpOnce(), Is.True);
    }

    private async Task TakeAsync(int first, int count)
    {
        var request = new ImportRowsRequest { System = "old" };
        request.Rows.AddRange(Enumerable.Range(first, count).Select(i => new ImportRow
        {
            ExternalId = $"row-{i}",
            Type = "01001",
            Division = "140802",
            Source = "hotline",
            ReportedAt = City.At(2026, 11, 1, 8).ToUnixTimeMilliseconds(),
            ClosedAt = City.At(2026, 11, 1, 9).ToUnixTimeMilliseconds(),
            ContentHash = ByteString.CopyFrom(Hash256.Of(BitConverter.GetBytes(i)).ToBytes()),
        }));
        var answer = _intake.TakeAsync(request, "import", CancellationToken.None);
        while (_city.Core.Sequencer.Pump())
        {
        }

        Assert.That((await answer).Created, Is.EqualTo(count));
    }
}
