using CityGrid.Hub.Catalogue;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Cases;

public sealed class A_case_goes_round_the_loop
{
    [Test]
    public void From_report_to_closing_in_seven_steps()
    {
        var story = new CaseStory().At(City.At(2026, 11, 2, 9)).Report()
            .At(City.At(2026, 11, 2, 9, 20)).Verify()
            .At(City.At(2026, 11, 2, 9, 30)).File()
            .At(City.At(2026, 11, 2, 9, 40)).Dispatch()
            .At(City.At(2026, 11, 2, 11)).Finish()
            .At(City.At(2026, 11, 2, 14)).Check()
            .At(City.At(2026, 11, 2, 15)).Close();

        var types = story.History.Select(e => e.Event.GetType().Name);
        Assert.Multiple(() =>
        {
            Assert.That(types, Is.EqualTo(new[] { "Reported", "PreFilingChecked", "Filed", "Dispatched", "HandlingFinished", "PreClosingChecked", "Closed" }));
            Assert.That(story.State!.Stage, Is.EqualTo(CaseStage.Closed));
            Assert.That(story.State.Version, Is.EqualTo(7));
            Assert.That(story.State.Deadline, Is.EqualTo(City.At(2026, 11, 2, 11, 30)));
        });
    }

    [Test]
    public void Events_carry_what_a_fold_could_not_know()
    {
        var story = new CaseStory().Report().Verify().At(City.At(2026, 11, 2, 9, 30)).File(row: 2)
            .At(City.At(2026, 11, 2, 10)).Dispatch().At(City.At(2026, 11, 3, 9)).Finish();
        var filed = (Filed)story.History[2].Event;
        var handled = (HandlingFinished)story.History[^1].Event;
        Assert.Multiple(() =>
        {
            Assert.That(filed.Type.ToString(), Is.EqualTo("gb47678-2026/matter/01001"));
            Assert.That(filed.Limit, Is.EqualTo(new Limit(4, LimitUnit.WorkHour)));
            Assert.That(filed.Deadline, Is.EqualTo(City.At(2026, 11, 2, 15, 30)));
            Assert.That(filed.ElapsedSeconds, Is.EqualTo(1800));
            Assert.That(handled.InTime, Is.False);
            Assert.That(handled.ElapsedSeconds, Is.EqualTo(23 * 3600 + 1800));
            Assert.That(handled.WorkedSeconds, Is.EqualTo((2 * 3600 + 1800) + 4 * 3600 + 3600));
            Assert.That(handled.Day.ToString(), Is.EqualTo("2026-11-03"));
        });
    }

    [Test]
    public void A_type_without_a_limit_gets_five_working_days_and_says_so()
    {
        var story = new CaseStory().Report(City.Nothing).Verify().File();
        var filed = (Filed)story.Last[^1];
        Assert.That((filed.Limit, filed.LimitIsDefault), Is.EqualTo((new Limit(5, LimitUnit.WorkDay), true)));
    }

    [Test]
    public void Who_handled_it_does_not_close_it()
    {
        var story = new CaseStory().Dispatched().Finish().Check();
        Assert.That(
            story.RefusalOf(new CloseCase { Case = CaseStory.Id, Actor = "crew-7" }), Is.EqualTo(CaseRefusals.HandlerMayNotClose));
        story.Close();
        Assert.That(story.State!.IsOpen, Is.False);
    }

    [Test]
    public void History_is_walked_back_by_the_positions_in_the_events()
    {
        var story = new CaseStory().Dispatched().Finish().Check().Close();
        var byLsn = story.History.ToDictionary(e => e.Stamp.Lsn);
        var walked = new List<CaseEntry>();
        for (var at = story.State!.LastLsn; at != Lsn.Zero; at = byLsn[at].PreviousLsn)
        {
            walked.Insert(0, byLsn[at]);
        }

        Assert.That(walked, Is.EqualTo(story.History));
    }
}
