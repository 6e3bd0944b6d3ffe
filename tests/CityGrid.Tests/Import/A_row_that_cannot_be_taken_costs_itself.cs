using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.Hosting;
using CityGrid.Node.Intake;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using CityGrid.Tests.Cases;
using CityGrid.Tests.Crashes;
using Google.Protobuf;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Import;

/// <summary>Item 16 for the rows of another system: each bad one is told by its place in the request with what is wrong, and all others are taken.</summary>
public sealed class A_row_that_cannot_be_taken_costs_itself
{
    private CityOnADisk _city = null!;
    private RowIntake _intake = null!;

    private static IEnumerable<TestCaseData> Rows =>
    [
        Bad("TYPE_UNKNOWN", row => row.Type = "no code!"),
        Bad("TYPE_UNKNOWN", row => row.Type = "77777"),
        Bad("DIVISION_UNKNOWN", row => row.Division = "a b"),
        Bad("DIVISION_UNKNOWN", row => row.Division = "NOWHERE"),
        Bad("DIVISION_UNKNOWN", row => row.Division = "140900"),
        Bad("SOURCE_BAD", row => row.Source = "a b"),
        Bad("SOURCE_BAD", row => row.Source = "all"),
        Bad("EXTERNAL_ID_BAD", row => row.ExternalId = string.Empty),
        Bad("EXTERNAL_ID_BAD", row => row.ExternalId = new string('9', 201)),
        Bad("TIME_BAD", row => row.ReportedAt = 0),
        Bad("TIME_BAD", row => row.ZeroTimes.Add(5)),
        Bad("TIME_BAD", row => row.ReportedAt = long.MaxValue),
        Bad("TIME_BAD", row => row.ReportedAt = long.MinValue),
        Bad("TIME_BAD", row => row.ClosedAt = long.MaxValue),
        Bad("TIME_BAD", row => row.VoidedAt = long.MinValue),
        Bad("TIME_BAD", row => row.DueAt = long.MaxValue),
        Bad("TIME_BAD", row => row.UpdatedAt = long.MaxValue),
        Bad("CONTENT_HASH_BAD", row => row.ContentHash = ByteString.CopyFrom(1, 2, 3)),
        Bad("TEXT_TOO_LONG", row => row.Personal = new Personal { ReporterName = new string('n', 201) }),
        Bad("TEXT_TOO_LONG", row => row.Personal = new Personal { Address = new string('a', 501) }),
        Bad("TEXT_TOO_LONG", row => row.Personal = new Personal { FreeText = new string('t', 20_001) }),
        Bad("POINT_BAD", row => row.Personal = new Personal { LatitudeE7 = 999_999_999 }),
        Bad("OCCURRED_IN_FUTURE", row => row.ReportedAt = City.At(2027, 1, 1).ToUnixTimeMilliseconds()),
        Bad("IMPORT_INCONSISTENT", row => row.ClosedAt = row.ReportedAt - 1000),
        Bad("IMPORT_INCONSISTENT", row => row.ClosedAt = row.VoidedAt = row.ReportedAt + 1000),
        Bad("IMPORT_NOT_NEWER", row => (row.ExternalId, row.ContentHash) = ("before", HashOf("other"))),
    ];

    [SetUp]
    public async Task BeginAsync()
    {
        _city = new CityOnADisk(new ModelDisk(), new SeededEntropy(5), new VirtualTime(new DateTimeOffset(2026, 11, 2, 1, 0, 0, TimeSpan.Zero)), JournalFaults.None);
        _city.Core.Sequencer.Start();
        _intake = new RowIntake(_city.Core.Desk, _city.Core.Sequencer, TimeProvider.System);
        await TakeAsync(Row("before"));
    }

    [TearDown]
    public void End()
    {
        _intake.Dispose();
        _city.Dispose();
    }

    [TestCaseSource(nameof(Rows))]
    public async Task And_no_other(string code, Action<ImportRow> spoil)
    {
        var before = _city.Core.Sequencer.Applied;
        var bad = Row("bad");
        spoil(bad);
        var answer = await TakeAsync(Row("first"), bad, Row("last"));
        Assert.Multiple(() =>
        {
            Assert.That(answer.Faults.Select(fault => (fault.Index, fault.Code)), Is.EqualTo(new[] { (1, code) }));
            Assert.That(answer.Faults.Select(fault => fault.Message), Has.All.Length.GreaterThan(10));
            Assert.That((answer.Created, answer.Corrected, answer.Unchanged), Is.EqualTo((2, 0, 0)));
            Assert.That(_city.Core.Sequencer.Applied.Value, Is.EqualTo(before.Value + 2), "one event for each row that was taken");
            Assert.That(_city.StoppedBy, Is.Null);
        });
    }

    [Test]
    public async Task What_the_reader_of_files_lets_pass_is_taken()
    {
        var row = Row(new string('9', 200));
        row.Personal = new Personal { ReporterName = new string('n', 200), Contact = new string('c', 200), Address = new string('a', 500), FreeText = new string('t', 20_000) };
        Assert.That((await TakeAsync(row)).Created, Is.EqualTo(1));
    }

    [Test]
    public async Task A_case_may_be_as_old_as_the_clock_itself()
    {
        var row = Row("epoch");
        row.ReportedAt = 0;
        row.ZeroTimes.Add(ImportRow.ReportedAtFieldNumber);
        var ended = Row("ended");
        (ended.ReportedAt, ended.ClosedAt) = (-1000, 0);
        ended.ZeroTimes.Add(ImportRow.ClosedAtFieldNumber);
        Assert.That((await TakeAsync(row, ended)).Created, Is.EqualTo(2));
        Assert.That(_city.Core.Book.Open.Values.Single(state => state.Import!.ExternalId == "epoch").ReportedAt, Is.EqualTo(NodaConstants.UnixEpoch));
        Assert.That(_city.Core.Book.Open.Values.Select(state => state.Import!.ExternalId), Is.EquivalentTo(new[] { "before", "epoch" }), "the other closed as it began");
    }

    [Test]
    public async Task Zero_is_no_time_of_a_case_of_our_day()
    {
        var row = Row("open");
        (row.ClosedAt, row.VoidedAt, row.DueAt, row.UpdatedAt) = (0, 0, 0, 0);
        Assert.That((await TakeAsync(row)).Created, Is.EqualTo(1));
        var state = _city.Core.Book.Open.Values.Single(state => state.Import!.ExternalId == "open");
        Assert.That((state.Import!.DueAt, state.Import.UpdatedAt), Is.EqualTo(((Instant?)null, (Instant?)null)));
    }

    [TestCase("", 1, "SYSTEM_BAD")]
    [TestCase("a system whose name is longer than the sixty-four characters allowed", 1, "SYSTEM_BAD")]
    [TestCase("old", RowIntake.RowsMax + 1, "TOO_MANY_ROWS")]
    public async Task A_request_that_cannot_be_taken_leaves_all_of_them(string system, int rows, string code)
    {
        var before = _city.Core.Sequencer.Applied;
        var request = new ImportRowsRequest { System = system };
        request.Rows.AddRange(Enumerable.Range(0, rows).Select(i => Row($"row-{i}")));
        var refused = await Assert.ThrowsAsync<RefusedException>(() => _intake.TakeAsync(request, "import", CancellationToken.None));
        Assert.That(refused!.Refusal.Code, Is.EqualTo(code));
        Assert.That(_city.Core.Sequencer.Applied, Is.EqualTo(before));
    }

    private Task<ImportRowsResponse> TakeAsync(params ImportRow[] rows)
    {
        var request = new ImportRowsRequest { System = "old" };
        request.Rows.AddRange(rows);
        return _intake.TakeAsync(request, "import", CancellationToken.None);
    }

    private static ImportRow Row(string id) => new()
    {
        ExternalId = id,
        Type = "01001",
        Division = "140802",
        Source = "hotline",
        ReportedAt = City.At(2026, 11, 1, 8).ToUnixTimeMilliseconds(),
        ContentHash = HashOf(id),
    };

    private static ByteString HashOf(string text) => ByteString.CopyFrom(Hash256.Of(System.Text.Encoding.UTF8.GetBytes(text)).ToBytes());

    private static TestCaseData Bad(string code, Action<ImportRow> spoil) => new TestCaseData(code, spoil).SetArgDisplayNames(code);
}
