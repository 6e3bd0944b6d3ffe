using CityGrid.Node.Cases;
using CityGrid.Node.Escalations;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Cases;
using NUnit.Framework;

namespace CityGrid.Tests.Escalations;

public sealed class What_cannot_wait_goes_up
{
    private static readonly EscalationRules Rules = EscalationRules.BuiltIn;

    [TestCase(EmergencyGrade.General, EscalationTier.City)]
    [TestCase(EmergencyGrade.Larger, EscalationTier.Province)]
    [TestCase(EmergencyGrade.Serious, EscalationTier.Ministry)]
    [TestCase(EmergencyGrade.EspeciallySerious, EscalationTier.Ministry)]
    public void A_grade_given_at_intake_says_which_tier_must_know(EmergencyGrade grade, EscalationTier tier)
    {
        var (events, messages) = Escalate(null, new ReportCase(City.Cover, City.North, City.Hotline) { Case = CaseStory.Id, Actor = "a", Grade = grade, Summary = "桥面塌陷" });
        var mark = (Escalated)events[^1];
        Assert.Multiple(() =>
        {
            Assert.That(events.Select(e => e.GetType()), Is.EqualTo(new[] { typeof(Reported), typeof(Escalated) }), "in the same record as its cause");
            Assert.That((mark.Version, mark.Rule, mark.Grade, mark.Tier, mark.State), Is.EqualTo((1, "grade", grade, tier, EscalationState.Open)));
            Assert.That(messages.Single().Summary, Is.EqualTo("桥面塌陷"));
            Assert.That(messages.Single().Id.Length, Is.EqualTo(16));
            Assert.That(messages.Single().Subject.ToByteArray(), Is.EqualTo(CaseStory.Id.ToBytes()));
            Assert.That((messages.Single().TypeCode, messages.Single().Division, messages.Single().Stage), Is.EqualTo(("01001", "140802", "reported")));
        });
    }

    [Test]
    public void A_case_that_is_no_emergency_stays_where_it_is()
    {
        var (events, messages) = Escalate(null, new ReportCase(City.Cover, City.North, City.Hotline) { Case = CaseStory.Id, Actor = "a", Summary = "nothing of note" });
        Assert.That((events.Count, messages.Count), Is.EqualTo((1, 0)));
    }

    [Test]
    public void Filing_under_an_urgent_limit_raises_one()
    {
        var state = new CaseStory().Report().Verify().State;
        var (_, messages) = Escalate(state, new FileCase { Case = CaseStory.Id, Actor = "a" });
        Assert.That((messages.Single().Rule, messages.Single().Stage), Is.EqualTo(("urgent", "filed")));
        Assert.That(messages.Single().Deadline, Is.EqualTo(City.At(2026, 11, 2, 11).ToUnixTimeSeconds()));
        Assert.That(Escalate(state, new FileCase(2) { Case = CaseStory.Id, Actor = "a" }).Messages, Is.Empty);
    }

    [Test]
    public void Twice_the_limit_past_the_deadline_goes_to_the_parent()
    {
        var state = new CaseStory().Dispatched(row: 2).State;
        var (events, messages) = Escalate(state, new PassTime { Case = CaseStory.Id, Actor = "node" }, City.At(2026, 11, 4, 9));
        Assert.That(messages.Single().Rule, Is.EqualTo("overdue-2x"));
        Assert.That(((Escalated)events[^1]).Tier, Is.EqualTo(EscalationTier.Province));
        Assert.That(Rules.GoesToParent("overdue-2x"), Is.True);
        Assert.That(Rules.GoesToParent("urgent"), Is.False);
        Assert.That(messages.Single().OccurredAt, Is.EqualTo(City.At(2026, 11, 3, 15).ToUnixTimeSeconds()));
    }

    [TestCase(18, 0)]
    [TestCase(19, 1)]
    [TestCase(20, 0)]
    [TestCase(39, 1)]
    public void The_twentieth_of_a_kind_in_one_district_within_a_week_raises_one(int before, int raised)
    {
        StatDay? from = null;
        var decided = (CaseOutcome.Decided)CaseDecisions.Decide(
            null, new ReportCase(City.Cover, City.North, City.Hotline) { Case = CaseStory.Id, Actor = "a" }, City.At(2026, 11, 9, 9), City.Rules);
        var escalated = CaseEscalations.Of(null, decided, Rules, City.Rules, City.Node, City.At(2026, 11, 9, 9), (type, division, first, _) =>
        {
            Assert.That((type.Code, division), Is.EqualTo((City.Cover, City.North)));
            from = first;
            return before;
        });
        Assert.That(escalated.Messages, Has.Count.EqualTo(raised));
        Assert.That(from.ToString(), Is.EqualTo("2026-11-03"));
    }

    [Test]
    public void Every_change_of_what_it_says_is_a_later_version()
    {
        var state = Fold(null, new ReportCase(City.Cover, City.North, City.Hotline) { Case = CaseStory.Id, Actor = "a", Grade = EmergencyGrade.Serious }, out var first);
        state = Fold(state, new CheckBeforeFiling(false) { Case = CaseStory.Id, Actor = "a" }, out var nothing);
        state = Fold(state, new CheckBeforeFiling(true) { Case = CaseStory.Id, Actor = "a" }, out var second);
        state = Fold(state, new MoveCase(null, City.South) { Case = CaseStory.Id, Actor = "a", Reason = "boundary" }, out var third);
        Fold(state, new VoidCase { Case = CaseStory.Id, Actor = "a", Reason = "false_report" }, out var last);
        Assert.Multiple(() =>
        {
            Assert.That(nothing, Is.Empty);
            Assert.That(new[] { first, second, third, last }.Select(m => (m.Single().Version, m.Single().Stage, m.Single().Division, m.Single().State)), Is.EqualTo(new[]
            {
                (1, "reported", "140802", EscalationState.Open), (2, "verified", "140802", EscalationState.Open),
                (3, "verified", "140821", EscalationState.Open), (4, "voided", "140821", EscalationState.Withdrawn),
            }));
            Assert.That(new[] { first, second, third, last }.Select(m => m.Single().Id).Distinct().Count(), Is.EqualTo(1));
        });
    }

    [Test]
    public void Versions_of_a_case_say_open_handled_closed_and_open_again()
    {
        CaseState? state = null;
        var said = new List<EscalationState>();
        void Then(CaseCommand command)
        {
            state = Fold(state, command, out var messages);
            said.AddRange(messages.Where(m => m.Rule == "grade").Select(m => m.State));
        }

        Then(new ReportCase(City.Cover, City.North, City.Hotline) { Case = CaseStory.Id, Actor = "a", Grade = EmergencyGrade.General });
        Then(new CheckBeforeFiling(true) { Case = CaseStory.Id, Actor = "a" });
        Then(new FileCase { Case = CaseStory.Id, Actor = "a" });
        Then(new DispatchCase("unit") { Case = CaseStory.Id, Actor = "a" });
        Then(new FinishHandling { Case = CaseStory.Id, Actor = "crew" });
        Then(new CheckBeforeClosing(true) { Case = CaseStory.Id, Actor = "a" });
        Then(new CloseCase { Case = CaseStory.Id, Actor = "a" });
        Then(new ReopenCase { Case = CaseStory.Id, Actor = "a", Reason = "not_solved" });
        Assert.That(said, Is.EqualTo(new[]
        {
            EscalationState.Open, EscalationState.Open, EscalationState.Open, EscalationState.Open,
            EscalationState.Handled, EscalationState.Handled, EscalationState.Closed, EscalationState.Open,
        }));
    }

    [Test]
    public void History_raises_nothing_unless_it_is_live()
    {
        var row = new ImportCase(City.Cover, City.North, City.Hotline, "old", "1")
        {
            Case = CaseStory.Id,
            Actor = "import",
            ReportedAt = City.At(2026, 11, 1),
            ContentHash = Hash256.Of([1]),
        };
        Assert.That(Escalate(null, row, reported: 19).Messages, Is.Empty);
        Assert.That(Escalate(null, row with { Live = true }, reported: 19).Messages.Single().Rule, Is.EqualTo("repeat-20-in-7-days"));
    }

    [Test]
    public void A_message_has_no_room_for_anything_personal()
    {
        var texts = Escalation.Descriptor.Fields.InDeclarationOrder().Where(f => f.FieldType == Google.Protobuf.Reflection.FieldType.String).Select(f => f.Name);
        Assert.That(texts, Is.EquivalentTo(new[] { "origin", "rule", "catalogue", "type_code", "division", "stage", "summary" }));
    }

    private static (IReadOnlyList<CaseEvent> Events, IReadOnlyList<Escalation> Messages) Escalate(CaseState? before, CaseCommand command, NodaTime.Instant? now = null, long reported = 0)
    {
        var at = now ?? City.At(2026, 11, 2, 9);
        var decided = (CaseOutcome.Decided)CaseDecisions.Decide(before, command, at, City.Rules);
        var escalated = CaseEscalations.Of(before, decided, Rules, City.Rules, City.Node, at, (_, _, _, _) => reported);
        Assert.That(escalated.AnswerIndex, Is.EqualTo(decided.Events.Count - 1));
        return (escalated.Events, escalated.Messages);
    }

    private static CaseState Fold(CaseState? before, CaseCommand command, out IReadOnlyList<Escalation> messages)
    {
        (var events, messages) = Escalate(before, command);
        return events.Aggregate(before, (state, e) => CaseState.Apply(state, e, new Stamp(new Lsn((state?.LastLsn.Value ?? 0) + 1), City.At(2026, 11, 2, 9), command.Actor)))!;
    }
}
