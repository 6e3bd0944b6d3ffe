using CityGrid.Node.Escalations;
using NUnit.Framework;

namespace CityGrid.Tests.Escalations;

public sealed class Rules_are_data_and_judged_whole
{
    [Test]
    public void The_first_rules_are_grade_urgency_overdue_and_repetition()
    {
        Assert.That(EscalationRules.BuiltIn.Rules.Select(r => r.Trigger), Is.EqualTo(Enum.GetValues<EscalationTrigger>()));
        Assert.That(EscalationRules.BuiltIn.OverdueSteps, Is.EqualTo(new[] { 2 }));
    }

    [Test]
    public void Several_multiples_are_noticed_in_order()
    {
        var rules = EscalationRules.Read("""{"rules":[{"name":"b","trigger":"overdue_multiple","multiple":5},{"name":"a","trigger":"overdue_multiple","multiple":1}]}""");
        Assert.That(rules.OverdueSteps, Is.EqualTo(new[] { 1, 5 }));
    }

    [Test]
    public void All_faults_are_told_at_once() =>
        Assert.That(
            () => EscalationRules.Read("""{"rules":[{"name":"A b","trigger":"grade","count":3},{"name":"x","trigger":"repeat","count":0},{"name":"x"}]}"""),
            Throws.TypeOf<FormatException>().With.Message.Contains("rule 1").And.Message.Contains("count does not belong")
                .And.Message.Contains("rule 2").And.Message.Contains("window_days is missing").And.Message.Contains("count is 0")
                .And.Message.Contains("rule 3").And.Message.Contains("trigger is missing").And.Message.Contains("'x' names 2 rules"));

    [TestCase("")]
    [TestCase("null")]
    [TestCase("{")]
    [TestCase("""{"rule":[]}""")]
    [TestCase("""{"rules":[{"name":"x","trigger":"moon"}]}""")]
    [TestCase("""{"rules":[{"name":"x","trigger":1}]}""")]
    [TestCase("""{"rules":[{"name":"x","trigger":"grade","colour":"red"}]}""")]
    public void What_is_not_understood_is_refused(string json) => Assert.That(() => EscalationRules.Read(json), Throws.TypeOf<FormatException>());

    [Test]
    public void A_place_may_have_no_rules() => Assert.That(EscalationRules.Read("""{"rules":[]}""").Rules, Is.Empty);
}
