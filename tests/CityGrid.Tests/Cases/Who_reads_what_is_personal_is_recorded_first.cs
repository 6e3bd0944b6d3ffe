using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.Cases;
using CityGrid.Node.Hosting;
using CityGrid.Node.Intake;
using CityGrid.Node.Stored;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using CityGrid.Tests.Crashes;
using NUnit.Framework;

namespace CityGrid.Tests.Cases;

/// <summary>INV-28: nobody sees a reporter before it is durable in the journal who saw whom.</summary>
public sealed class Who_reads_what_is_personal_is_recorded_first
{
    private ModelDisk _disk = null!;
    private CityOnADisk _city = null!;
    private CasesGrpcService _calls = null!;
    private CaseId _case;

    [SetUp]
    public void Report()
    {
        _disk = new ModelDisk();
        _city = new CityOnADisk(_disk, new SeededEntropy(5), new VirtualTime(new DateTimeOffset(2026, 11, 2, 1, 0, 0, TimeSpan.Zero)), JournalFaults.None);
        _calls = new CasesGrpcService(_city.Core.Desk, _city.Core.Lists, _city.Core.Readers, new RowIntake(_city.Core.Desk, _city.Core.Sequencer, TimeProvider.System));
        _case = _city.Core.Desk.Mint();
        _city.Submit(new ReportCase(City.Cover, City.North, City.Hotline) { Case = _case, Actor = "desk", Sealed = _city.Personal(_case, "王小明") }, _ => { });
    }

    [TearDown]
    public void End() => _city.Dispose();

    [Test]
    public async Task Nothing_is_shown_until_the_record_is_durable()
    {
        var head = _city.Core.Sequencer.Applied;
        var answer = Get(personal: true, Role.Operator);
        Assert.That(answer.IsCompleted, Is.False, "the writer has not been at it");

        _city.Core.Sequencer.Pump();
        var shown = await answer;
        Assert.That(shown.Personal.ReporterName, Is.EqualTo("王小明"));
        var record = RecordAfter(_disk.AfterCut(new SeededEntropy(1)), head);
        Assert.That((record.Actor, record.Events.Single().Kind), Is.EqualTo(("officer-7", CaseEventKinds.PersonalRead)));
        Assert.That(StoredPersonalRead.Parser.ParseFrom(record.Events[0].Payload.Span).CaseId.ToByteArray(), Is.EqualTo(_case.ToBytes()));
    }

    [Test]
    public async Task Each_time_again()
    {
        var head = _city.Core.Sequencer.Applied;
        for (var i = 0; i < 3; i++)
        {
            var answer = Get(personal: true, Role.Operator);
            _city.Core.Sequencer.Pump();
            await answer;
        }

        Assert.That(_city.Core.Sequencer.Applied.Value, Is.EqualTo(head.Value + 3));
    }

    [Test]
    public async Task Where_it_cannot_be_recorded_nothing_is_shown()
    {
        var answer = Get(personal: true, Role.Operator);
        _disk.Fail(new DiskFault(_disk.Operations + 1, 5, Lasting: true));
        _city.Core.Sequencer.Pump();
        await Assert.ThrowsAsync<NodeStoppedException>(() => answer);
    }

    [Test]
    public async Task Whoever_may_not_is_refused_before_anything_is_opened()
    {
        var head = _city.Core.Sequencer.Applied;
        var refused = await Assert.ThrowsAsync<RefusedException>(() => Get(personal: true, Role.Viewer));
        Assert.That(refused!.Refusal.Code, Is.EqualTo("PERMISSION_DENIED"));
        Assert.That((_city.Core.Sequencer.Pump(), _city.Core.Sequencer.Applied), Is.EqualTo((false, head)));
    }

    [Test]
    public async Task A_case_without_it_can_be_looked_at_by_anyone_and_shows_nothing_of_it()
    {
        var head = _city.Core.Sequencer.Applied;
        var shown = await Get(personal: false, Role.Viewer);
        Assert.That(shown.Personal, Is.Null);
        Assert.That(shown.ToString(), Does.Not.Contain("王小明"));
        Assert.That(_city.Core.Sequencer.Applied, Is.EqualTo(head));
    }

    [Test]
    public async Task After_the_erasure_the_attempt_is_recorded_and_nothing_is_there()
    {
        _city.Submit(new Node.Cases.EraseReporter { Case = _case, Actor = "officer-7", Reason = "reporter_request" }, _ => { });
        var head = _city.Core.Sequencer.Applied;
        var answer = Get(personal: true, Role.Operator);
        _city.Core.Sequencer.Pump();
        var shown = await answer;
        Assert.That((shown.Erased, shown.Personal.ReporterName, _city.Core.Sequencer.Applied.Value), Is.EqualTo((true, string.Empty, head.Value + 1)));
    }

    private Task<GetResponse> Get(bool personal, Role role) => _calls.Get(new GetRequest { CaseId = _case.ToString(), Personal = personal }, new CallBy("officer-7", role));

    private static JournalRecord RecordAfter(ModelDisk disk, Lsn head)
    {
        using var journal = FileJournal.Open(disk, new SeededEntropy(2), City.Node, new JournalOptions { ReadAhead = false });
        return journal.ReadFrom(head).Single();
    }
}
