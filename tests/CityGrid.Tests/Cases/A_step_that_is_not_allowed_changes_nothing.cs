using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using NodaTime;
using NUnit.Framework;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Cases;

public sealed class A_step_that_is_not_allowed_changes_nothing
{
    private static readonly CaseStage[] Stages = Enum.GetValues<CaseStage>();

    /// <summary>Which steps each stage allows; all others are refused as illegal.</summary>
    private static readonly Dictionary<CaseStage, string[]> Allowed = new()
    {
        [CaseStage.Reported] = ["CheckBeforeFiling", "VoidCase", "CorrectCase", "MoveCase"],
        [CaseStage.Verified] = ["FileCase", "VoidCase", "CorrectCase", "MoveCase"],
        [CaseStage.Filed] = ["DispatchCase", "ExtendCase", "SuspendCase", "VoidCase", "CorrectCase", "MoveCase"],
        [CaseStage.Dispatched] = ["FinishHandling", "ReturnCase", "ExtendCase", "SuspendCase", "VoidCase", "CorrectCase", "MoveCase"],
        [CaseStage.Handled] = ["CheckBeforeClosing", "ReworkCase", "VoidCase", "CorrectCase", "MoveCase"],
        [CaseStage.Checked] = ["CloseCase", "ReworkCase", "VoidCase", "CorrectCase", "MoveCase"],
        [CaseStage.Closed] = ["ReopenCase", "CallBack", "CorrectCase"],
        [CaseStage.Voided] = ["CorrectCase"],
    };

    [TestCaseSource(nameof(Stages))]
    public void Each_stage_allows_its_own_steps_and_no_others(CaseStage stage)
    {
        foreach (var command in EveryStep())
        {
            var story = At(stage);
            var name = command.GetType().Name;
            var refused = story.RefusalOrNull(command);
            Assert.That(refused is null, Is.EqualTo(Allowed[stage].Contains(name)), $"{name} at {stage}: {refused}");
            if (refused is not null)
            {
                Assert.That(refused, Is.AnyOf(CaseRefusals.IllegalStep, CaseRefusals.NotSuspended, CaseRefusals.NothingToErase), name);
            }
        }
    }

    [Test]
    public void A_suspended_case_is_not_handled()
    {
        var until = City.At(2026, 12, 1);
        foreach (var command in new CaseCommand[]
        {
            new FinishHandling { Case = CaseStory.Id, Actor = "crew-7" },
            new ReturnCase { Case = CaseStory.Id, Actor = "crew-7", Reason = "wrong_unit" },
            new ExtendCase { Case = CaseStory.Id, Actor = "dispatcher", Reason = "weather" },
            new SuspendCase(until) { Case = CaseStory.Id, Actor = "dispatcher", Reason = "season" },
        })
        {
            var story = new CaseStory().Dispatched(row: 4).Suspend(until);
            Assert.That(story.RefusalOf(command), Is.EqualTo(CaseRefusals.CaseSuspended), command.GetType().Name);
        }
    }

    [Test]
    public void Only_what_exists_can_be_worked_and_only_what_does_not_can_begin()
    {
        Assert.That(new CaseStory().RefusalOf(new FileCase { Case = CaseStory.Id, Actor = "a" }), Is.EqualTo(CaseRefusals.CaseUnknown));
        Assert.That(
            new CaseStory().Report().RefusalOf(new ReportCase(City.Cover, null, City.Hotline) { Case = CaseStory.Id, Actor = "a" }), Is.EqualTo(CaseRefusals.CaseExists));
    }

    [TestCase("99999", "140802", CaseRefusals.TypeUnknown)]
    [TestCase("01001", "140900", CaseRefusals.DivisionUnknown)]
    [TestCase("01001", "140000", CaseRefusals.DivisionUnknown)]
    [TestCase("01001", "14080", CaseRefusals.DivisionUnknown)]
    public void A_report_names_a_type_of_the_catalogue_and_a_division_of_the_place(string type, string division, string expected) =>
        Assert.That(
            new CaseStory().RefusalOf(new ReportCase(TypeCode.Parse(type), DivisionCode.Parse(division), City.Hotline) { Case = CaseStory.Id, Actor = "a" }),
            Is.EqualTo(expected));

    [Test]
    public void A_report_without_a_division_counts_where_the_place_counts_such()
    {
        var story = new CaseStory().Do(new ReportCase(City.Cover, null, City.Hotline) { Case = CaseStory.Id, Actor = "a" });
        Assert.That(story.State!.Division.ToString(), Is.EqualTo("140800-NONE"));
    }

    [Test]
    public void Sources_summaries_units_and_rows_have_their_limits()
    {
        var report = new ReportCase(City.Cover, City.North, City.Hotline) { Case = CaseStory.Id, Actor = "a" };
        Assert.Multiple(() =>
        {
            Assert.That(new CaseStory().RefusalOf(report with { Source = SourceCode.Parse("all") }), Is.EqualTo(CaseRefusals.SourceBad));
            Assert.That(new CaseStory().RefusalOf(report with { Source = default }), Is.EqualTo(CaseRefusals.SourceBad));
            Assert.That(new CaseStory().RefusalOf(report with { Summary = new string('x', 501) }), Is.EqualTo(CaseRefusals.SummaryTooLong));
            Assert.That(new CaseStory().RefusalOf(report with { Request = new RequestMark("", 1) }), Is.EqualTo(CaseRefusals.RequestKeyBad));
            Assert.That(new CaseStory().Report().Verify().RefusalOf(new FileCase(5) { Case = CaseStory.Id, Actor = "a" }), Is.EqualTo(CaseRefusals.RowUnknown));
            Assert.That(
                new CaseStory().Report().Verify().File().RefusalOf(new DispatchCase(" ") { Case = CaseStory.Id, Actor = "a" }), Is.EqualTo(CaseRefusals.UnitBad));
        });
    }

    [Test]
    public void Steps_that_need_a_reason_get_one_of_the_table()
    {
        foreach (var command in EveryStep().Where(c => c.Reason is not null))
        {
            var story = At(Allowed.First(a => a.Value.Contains(command.GetType().Name) || command is ResumeCase or EraseReporter).Key);
            Assert.That(story.RefusalOf(command with { Reason = null }), Is.EqualTo(CaseRefusals.ReasonMissing), command.GetType().Name);
            Assert.That(story.RefusalOf(command with { Reason = "because" }), Is.EqualTo(CaseRefusals.ReasonUnknown), command.GetType().Name);
        }

        Assert.That(new CaseStory().Report().RefusalOf(new CheckBeforeFiling(true) { Case = CaseStory.Id, Actor = "a", Reason = "other" }), Is.EqualTo(CaseRefusals.ReasonUnknown));
    }

    [Test]
    public void Nothing_happens_before_the_report_or_the_last_step_or_ahead_of_the_clock()
    {
        var story = new CaseStory().At(City.At(2026, 11, 2, 9)).Report().At(City.At(2026, 11, 2, 10)).Verify().At(City.At(2026, 11, 2, 11));
        CaseCommand Filing(Instant at) => new FileCase { Case = CaseStory.Id, Actor = "a", OccurredAt = at };
        Assert.Multiple(() =>
        {
            Assert.That(story.RefusalOf(Filing(City.At(2026, 11, 2, 8, 59))), Is.EqualTo(CaseRefusals.OccurredBeforeReport));
            Assert.That(story.RefusalOf(Filing(City.At(2026, 11, 2, 9, 59))), Is.EqualTo(CaseRefusals.OccurredBeforeStep));
            Assert.That(story.RefusalOf(Filing(City.At(2026, 11, 2, 11, 5, 1))), Is.EqualTo(CaseRefusals.OccurredInFuture));
            Assert.That(story.RefusalOf(Filing(Instant.FromUtc(1066, 1, 1, 0, 0))), Is.EqualTo(CaseRefusals.TimeBad));
            Assert.That(new CaseStory().RefusalOf(new ReportCase(City.Cover, null, City.Hotline) { Case = CaseStory.Id, Actor = "a", OccurredAt = City.At(2026, 11, 3) }), Is.EqualTo(CaseRefusals.OccurredInFuture));
        });
        story.Do(Filing(City.At(2026, 11, 2, 11, 5)));
    }

    [Test]
    public void A_device_that_runs_ahead_does_not_lock_out_the_next_one()
    {
        var story = new CaseStory().Report().Do(new CheckBeforeFiling(true) { Case = CaseStory.Id, Actor = "a", OccurredAt = City.At(2026, 11, 2, 9, 4) }).File();
        Assert.That(story.Last[^1].OccurredAt, Is.EqualTo(City.At(2026, 11, 2, 9, 4)));
    }

    [Test]
    public void A_case_that_runs_in_circles_comes_to_an_end()
    {
        var story = new CaseStory(City.Rules with { StepsMax = 8 }).Dispatched().Finish().Rework().Finish().Rework();
        Assert.That(story.RefusalOf(new FinishHandling { Case = CaseStory.Id, Actor = "a" }), Is.EqualTo(CaseRefusals.TooManySteps));
        story.Do(new VoidCase { Case = CaseStory.Id, Actor = "a", Reason = "other" });
    }

    [Test]
    public void A_case_is_not_moved_without_end()
    {
        var story = new CaseStory(City.Rules with { MovesMax = 1 }).Report();
        CaseCommand To(DivisionCode division) => new MoveCase(null, division) { Case = CaseStory.Id, Actor = "a", Reason = "boundary" };
        story.Do(To(City.South));
        Assert.That(story.RefusalOf(To(City.North)), Is.EqualTo(CaseRefusals.TooManySteps));
        Assert.That(story.RefusalOf(To(City.South)), Is.EqualTo(CaseRefusals.NothingChanges));
    }

    private static CaseStory At(CaseStage stage)
    {
        var story = new CaseStory().Report();
        return stage switch
        {
            CaseStage.Reported => story,
            CaseStage.Verified => story.Verify(),
            CaseStage.Filed => story.Verify().File(row: 4),
            CaseStage.Dispatched => story.Verify().File(row: 4).Dispatch(),
            CaseStage.Handled => story.Verify().File(row: 4).Dispatch().Finish(),
            CaseStage.Checked => story.Verify().File(row: 4).Dispatch().Finish().Check(),
            CaseStage.Closed => story.Verify().File(row: 4).Dispatch().Finish().Check().Close(),
            CaseStage.Voided => story.Do(new VoidCase { Case = CaseStory.Id, Actor = "a", Reason = "test" }),
            _ => throw new ArgumentOutOfRangeException(nameof(stage)),
        };
    }

    private static CaseCommand[] EveryStep()
    {
        var (id, actor) = (CaseStory.Id, "somebody");
        return
        [
            new CheckBeforeFiling(true) { Case = id, Actor = actor },
            new FileCase { Case = id, Actor = actor },
            new DispatchCase("unit") { Case = id, Actor = actor },
            new FinishHandling { Case = id, Actor = actor },
            new CheckBeforeClosing(true) { Case = id, Actor = actor },
            new CloseCase { Case = id, Actor = actor },
            new VoidCase { Case = id, Actor = actor, Reason = "duplicate" },
            new ReturnCase { Case = id, Actor = actor, Reason = "wrong_unit" },
            new ReworkCase { Case = id, Actor = actor, Reason = "not_done" },
            new ExtendCase { Case = id, Actor = actor, Reason = "weather" },
            new SuspendCase(City.At(2026, 12, 1)) { Case = id, Actor = actor, Reason = "season" },
            new ResumeCase { Case = id, Actor = actor, Reason = "cause_gone" },
            new ReopenCase { Case = id, Actor = actor, Reason = "not_solved" },
            new CallBack(true) { Case = id, Actor = actor },
            new CorrectCase(City.Refuse, City.South) { Case = id, Actor = actor, Reason = "wrong_type" },
            new MoveCase(City.Refuse, City.South) { Case = id, Actor = actor, Reason = "boundary" },
            new EraseReporter { Case = id, Actor = actor, Reason = "reporter_request" },
        ];
    }
}
