using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.Cases;
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

/// <summary>
/// What becomes of the people in the rows of another system as those rows come again: the case shows whom its source names now, the same row writes
/// nothing, and whoever was erased stays so.
/// </summary>
public sealed class A_row_that_comes_again
{
    private CityOnADisk _city = null!;
    private RowIntake _intake = null!;
    private CasesGrpcService _calls = null!;

    [SetUp]
    public void Begin()
    {
        _city = new CityOnADisk(new ModelDisk(), new SeededEntropy(5), new VirtualTime(new DateTimeOffset(2026, 11, 2, 1, 0, 0, TimeSpan.Zero)), JournalFaults.None);
        _intake = new RowIntake(_city.Core.Desk, _city.Core.Sequencer, TimeProvider.System);
        _calls = new CasesGrpcService(_city.Core.Desk, _city.Core.Lists, _city.Core.Readers, _intake);
        _city.Core.Sequencer.Start();
    }

    [TearDown]
    public void End()
    {
        _intake.Dispose();
        _city.Dispose();
    }

    [Test]
    public async Task With_another_reporter_and_another_district_shows_that_reporter()
    {
        await TakeAsync(Row("王小明", hour: 1));
        var changed = Row("李娜", hour: 2);
        changed.Division = "140821";
        changed.ContentHash = HashOf("moved");
        Assert.That((await TakeAsync(changed)).Corrected, Is.EqualTo(1));
        Assert.That((await PersonalAsync()).ReporterName, Is.EqualTo("李娜"));
    }

    [Test]
    public async Task With_another_reporter_alone_is_a_correction()
    {
        await TakeAsync(Row("王小明", hour: 1));
        Assert.That((await TakeAsync(Row("李娜", hour: 2))).Corrected, Is.EqualTo(1));
        Assert.That((await PersonalAsync()).ReporterName, Is.EqualTo("李娜"));
    }

    [Test]
    public async Task With_another_reporter_and_nothing_that_says_it_is_newer_is_an_error()
    {
        await TakeAsync(Row("王小明", hour: 1));
        Assert.That((await TakeAsync(Row("李娜", hour: 1))).Faults.Single().Code, Is.EqualTo(CaseRefusals.ImportNotNewer));
        Assert.That((await PersonalAsync()).ReporterName, Is.EqualTo("王小明"));
    }

    [Test]
    public async Task With_less_of_the_reporter_shows_less()
    {
        var first = Row("王小明", hour: 1);
        first.Personal.Contact = "13900000000";
        await TakeAsync(first);
        await TakeAsync(Row("王小明", hour: 2));
        Assert.That((await PersonalAsync()).Contact, Is.Empty, "the source has no number any more");

        var none = Row("王小明", hour: 3);
        none.Personal = null;
        Assert.That((await TakeAsync(none)).Corrected, Is.EqualTo(1));
        Assert.That((await PersonalAsync()).ReporterName, Is.Empty, "nor a name");
    }

    [Test]
    public async Task Unchanged_takes_no_key_and_writes_nothing()
    {
        await TakeAsync(Row("王小明", hour: 1));
        var (head, slots) = (_city.Core.Sequencer.Applied, SlotNow());
        for (var i = 0; i < 3; i++)
        {
            Assert.That((await TakeAsync(Row("王小明", hour: 1))).Unchanged, Is.EqualTo(1));
        }

        Assert.That(_city.Core.Sequencer.Applied, Is.EqualTo(head));
        Assert.That(SlotNow(), Is.EqualTo(slots + 1), "the look itself takes one");
    }

    [Test]
    public async Task Twice_in_one_request_is_one_case_of_whoever_came_last()
    {
        var answer = await TakeAsync(Row("王小明", hour: 1), Row("王小明", hour: 1), Row("李娜", hour: 2));
        Assert.That((answer.Created, answer.Unchanged, answer.Corrected, answer.Faults.Count), Is.EqualTo((1, 1, 1, 0)));
        Assert.That((await PersonalAsync()).ReporterName, Is.EqualTo("李娜"));
    }

    [TestCase(1, false)]
    [TestCase(2, false)]
    [TestCase(2, true)]
    public async Task Brings_nobody_back_who_was_erased(int hour, bool otherwise)
    {
        await TakeAsync(Row("王小明", hour: 1));
        var erased = await _city.Core.Desk.SubmitAsync(new Node.Cases.EraseReporter { Case = _city.Core.Book.Open.Keys.Single(), Actor = "officer-7", Reason = "reporter_request" });
        Assert.That(erased.Refusal, Is.Null);
        var slots = SlotNow();
        var again = Row("王小明", hour);
        if (otherwise)
        {
            (again.Division, again.ContentHash) = ("140821", HashOf("moved"));
        }

        for (var i = 0; i < 2; i++)
        {
            var answer = await TakeAsync(again);
            Assert.That((answer.Corrected, answer.Unchanged, answer.Faults.Count), Is.EqualTo((otherwise && i == 0 ? 1 : 0, otherwise && i == 0 ? 0 : 1, 0)));
        }

        var shown = await ShownAsync();
        Assert.That((shown.Erased, shown.Personal.ReporterName), Is.EqualTo((true, string.Empty)));
        Assert.That(shown.Case.Division, Is.EqualTo(otherwise ? "140821" : "140802"), "the case itself follows its source");
        Assert.That(SlotNow(), Is.EqualTo(slots + 1), "nothing of the person was sealed again");
    }

    [Test]
    public async Task Unchanged_since_an_earlier_version_took_it_in_writes_nothing()
    {
        await TakeAsEarlierAsync("王小明", sealedFor: null);
        var (head, slots) = (_city.Core.Sequencer.Applied, SlotNow());
        Assert.That((await TakeAsync(Row("王小明", hour: 1))).Unchanged, Is.EqualTo(1));
        Assert.That((_city.Core.Sequencer.Applied, SlotNow()), Is.EqualTo((head, slots + 1)));
    }

    [Test]
    public async Task With_another_reporter_than_an_earlier_version_took_in_is_a_correction()
    {
        await TakeAsEarlierAsync("王小明", sealedFor: null);
        Assert.That((await TakeAsync(Row("李娜", hour: 1))).Faults.Single().Code, Is.EqualTo(CaseRefusals.ImportNotNewer));
        Assert.That((await TakeAsync(Row("李娜", hour: 2))).Corrected, Is.EqualTo(1));
        Assert.That((await PersonalAsync()).ReporterName, Is.EqualTo("李娜"));
    }

    /// <summary>Earlier versions sealed a person of a row that came again for a case that never was.</summary>
    [Test]
    public async Task Brings_back_a_person_that_an_earlier_version_lost()
    {
        await TakeAsEarlierAsync("王小明", sealedFor: _city.Core.Desk.Mint());
        Assert.That((await TakeAsync(Row("王小明", hour: 1))).Corrected, Is.EqualTo(1));
        Assert.That((await PersonalAsync()).ReporterName, Is.EqualTo("王小明"));
        Assert.That((await TakeAsync(Row("王小明", hour: 1))).Unchanged, Is.EqualTo(1), "once");
    }

    [Test]
    public async Task Refused_takes_no_key_either()
    {
        await TakeAsync(Row("王小明", hour: 2));
        var slots = SlotNow();
        Assert.That((await TakeAsync(Row("李娜", hour: 1))).Faults, Has.Count.EqualTo(1));
        Assert.That(SlotNow(), Is.EqualTo(slots + 1));
    }

    [Test]
    public async Task Leaves_a_digest_that_tells_nothing_once_the_person_is_erased()
    {
        var row = Row("王小明", hour: 1);
        await TakeAsync(row);
        var kept = _city.Core.Book.Keys.Find(RequestMark.OfRow("old", "101").KeyHash)!.Value;
        var person = new Node.Stored.PersonalPart { ReporterName = "王小明" };
        var content = Hash256.FromBytes(row.ContentHash.Span);
        Assert.That(_city.Core.Desk.IsAsBrought(kept, content, person), Is.True);
        Assert.That(kept.Slot, Is.GreaterThan(CaseDesk.OwnSlot));
        Assert.That(_city.Core.Desk.IsAsBrought(kept with { Slot = CaseDesk.OwnSlot }, content, person), Is.False);

        await _city.Core.Desk.SubmitAsync(new Node.Cases.EraseReporter { Case = kept.Case, Actor = "officer-7", Reason = "reporter_request" });
        Assert.That(_city.Core.Desk.IsAsBrought(kept, content, person), Is.False, "nobody can try names against it");
    }

    /// <summary>A row as earlier versions took it in: its digest was of what is not personal alone, under the node's own key.</summary>
    private async Task TakeAsEarlierAsync(string reporter, CaseId? sealedFor)
    {
        var desk = _city.Core.Desk;
        var (id, row) = (desk.Mint(), Row(reporter, hour: 1));
        var answer = await desk.SubmitAsync(new ImportCase(City.Cover, City.North, City.Hotline, "old", "101")
        {
            Case = id,
            Actor = "import",
            Request = RequestMark.OfRow("old", "101") with { Content = desk.Digest.Of(row.ContentHash.Span) },
            ReportedAt = Instant.FromUnixTimeMilliseconds(row.ReportedAt),
            UpdatedAt = Instant.FromUnixTimeMilliseconds(row.UpdatedAt),
            ContentHash = Hash256.FromBytes(row.ContentHash.Span),
            Sealed = desk.Seal(sealedFor ?? id, new Node.Stored.PersonalPart { ReporterName = reporter }),
        });
        Assert.That(answer.Created, Is.True);
    }

    private long SlotNow() => _city.Personal(_city.Core.Desk.Mint(), "nobody")!.Slot;

    private async Task<Personal> PersonalAsync() => (await ShownAsync()).Personal;

    private Task<GetResponse> ShownAsync() =>
        _calls.Get(new GetRequest { CaseId = _city.Core.Book.Open.Keys.Single().ToString(), Personal = true }, new CallBy("officer-7", Role.Operator));

    private Task<ImportRowsResponse> TakeAsync(params ImportRow[] rows)
    {
        var request = new ImportRowsRequest { System = "old" };
        request.Rows.AddRange(rows);
        return _intake.TakeAsync(request, "import", CancellationToken.None);
    }

    private static ImportRow Row(string reporter, int hour) => new()
    {
        ExternalId = "101",
        Type = "01001",
        Division = "140802",
        Source = "hotline",
        ReportedAt = City.At(2026, 11, 1, 0, 30).ToUnixTimeMilliseconds(),
        UpdatedAt = City.At(2026, 11, 1, hour).ToUnixTimeMilliseconds(),
        ContentHash = HashOf("content"),
        Personal = new Personal { ReporterName = reporter },
    };

    private static ByteString HashOf(string text) => ByteString.CopyFrom(Hash256.Of(System.Text.Encoding.UTF8.GetBytes(text)).ToBytes());
}
