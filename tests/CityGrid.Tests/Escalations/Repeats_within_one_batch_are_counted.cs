using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.Cases;
using CityGrid.Node.Stored;
using CityGrid.Protocol.Names;
using CityGrid.Tests.Cases;
using CityGrid.Tests.Crashes;
using Google.Protobuf;
using NodaTime;
using NUnit.Framework;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Escalations;

/// <summary>
/// Many calls about one place come at once, and the writer takes them as one batch: the rule counts those decided before in the batch, whose cells are
/// not there yet, and counts none of them twice.
/// </summary>
public sealed class Repeats_within_one_batch_are_counted
{
    private VirtualTime _time = null!;
    private CityOnADisk _city = null!;

    /// <summary>For each report, in the order in which it was decided, whether it raised an escalation.</summary>
    private List<bool> _raised = null!;

    [SetUp]
    public void Begin()
    {
        _time = new VirtualTime(new DateTimeOffset(2026, 11, 2, 1, 0, 0, TimeSpan.Zero));
        _city = new CityOnADisk(new ModelDisk(), new SeededEntropy(5), _time, JournalFaults.None);
        _raised = [];
    }

    [TearDown]
    public void End() => _city.Dispose();

    [TestCase(20)]
    [TestCase(45)]
    [TestCase(100)]
    public void All_in_one_batch(int reports)
    {
        Report(reports);
        Assert.That(Batches(), Is.EqualTo(1));
        Assert.That(Which(), Is.EqualTo(EveryTwentieth(reports)));
    }

    [Test]
    public void Spread_over_batches_in_any_way()
    {
        foreach (var reports in new[] { 7, 1, 11, 1, 25, 14, 1 })
        {
            Report(reports);
            Assert.That(Batches(), Is.EqualTo(1));
        }

        Assert.That(Which(), Is.EqualTo(EveryTwentieth(60)));
    }

    [Test]
    public void Of_another_type_or_place_is_another_count()
    {
        for (var i = 0; i < 19; i++)
        {
            Report(1);
            Report(1, type: City.Refuse);
            Report(1, division: City.South);
        }

        Report(1);
        Assert.That(Batches(), Is.EqualTo(1));
        Assert.That(Which(), Is.EqualTo(new[] { 57 }));
    }

    [Test]
    public void One_that_had_no_room_and_is_decided_again_counts_once()
    {
        // Six find room behind it, the seventh is decided and put back.
        _city.Core.Sequencer.Submit(new ManyRecords(JournalLimits.BatchRecordsMax - 6) { Actor = "test" }, _ => { });
        Report(19);
        Assert.That(Batches(), Is.EqualTo(2));
        Assert.That(Which(), Is.Empty);
        Report(1);
        Batches();
        Assert.That(Which(), Is.EqualTo(new[] { 19 }));
    }

    [Test]
    public void Batches_that_append_nothing_leave_nothing_behind()
    {
        Report(18);
        Batches();
        for (var i = 0; i < 3; i++)
        {
            Report(2, type: TypeCode.Parse("77777"));
            Batches();
        }

        Report(1);
        Batches();
        Assert.That(Which(), Is.Empty);
        Report(1);
        Batches();
        Assert.That(Which(), Has.Length.EqualTo(1));
    }

    [Test]
    public void History_in_the_batch_counts_and_raises_nothing()
    {
        for (var i = 0; i < 19; i++)
        {
            Submit(new ImportCase(City.Cover, City.North, City.Hotline, "old", $"row-{i}")
            {
                Case = _city.Core.Desk.Mint(),
                Actor = "import",
                ReportedAt = City.At(2026, 11, 1, 8),
                ContentHash = Hash256.Of([(byte)i]),
            });
        }

        Report(1);
        Assert.That(Batches(), Is.EqualTo(1));
        Assert.That(Which(), Is.EqualTo(new[] { 19 }));
    }

    /// <summary>A place that is reported again and again is the same place under another version of the catalogue.</summary>
    [Test]
    public void From_the_first_day_of_a_version_on_the_reports_before_it_count_too()
    {
        var tomorrow = StatDay.Of(new LocalDate(2026, 11, 3));
        PackageAnswer? published = null;
        _city.Core.Sequencer.Submit(_city.Core.PackageDesk.Publish(new PackageWish("k", CatalogueVersion.Parse("next"), tomorrow, "", TypeCatalogue.BuiltIn.ToText()), "admin"), told => published = told);
        Batches();
        Assert.That(published!.Refusal, Is.Null);
        Report(12);
        Batches();
        _time.Run(TimeSpan.FromDays(1));
        Report(9);
        Batches();
        Assert.That(Which(), Is.EqualTo(new[] { 19 }));
        Assert.That(_city.Core.Book.Open.Values.Select(state => state.Type.Version.ToString()).Distinct(), Has.Exactly(2).Items, "both versions are in play");
    }

    private void Report(int times, TypeCode? type = null, DivisionCode? division = null)
    {
        for (var i = 0; i < times; i++)
        {
            Submit(new ReportCase(type ?? City.Cover, division ?? City.North, City.Hotline) { Case = _city.Core.Desk.Mint(), Actor = "desk" });
        }
    }

    private void Submit(CaseCommand command) => _city.Core.Desk.Submit(command, answer => _raised.Add(answer.State?.Escalations.Count > 0));

    /// <summary>Lets the writer work; how many batches it took.</summary>
    private int Batches()
    {
        var batches = 0;
        while (_city.Core.Sequencer.Pump())
        {
            batches++;
        }

        return batches;
    }

    private int[] Which() => [.. _raised.Index().Where(r => r.Item).Select(r => r.Index)];

    private static IEnumerable<int> EveryTwentieth(int reports) => Enumerable.Range(0, reports).Where(i => i % 20 == 19);

    private sealed class ManyRecords(int count) : Command<bool>
    {
        public override IReadOnlyCollection<Touched> Touches => [];

        public override Decision<bool> Decide(Instant now)
        {
            var read = new StoredPersonalRead { CaseId = ByteString.CopyFrom(new byte[16]) }.ToByteArray();
            return new Decision<bool>([.. Enumerable.Repeat(new RecordDraft(Actor, [new EventDraft(CaseEventKinds.PersonalRead, CaseEventKinds.Schema, read)]), count)], _ => true);
        }
    }
}
