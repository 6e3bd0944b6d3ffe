using CityGrid.Cli.Generate;
using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Divisions;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;
using NUnit.Framework;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Generate;

public sealed class Generated_cases_are_plausible_and_repeatable
{
    private static readonly DateTimeZone Shanghai = DateTimeZoneProviders.Tzdb["Asia/Shanghai"];

    private static readonly DivisionRegister Register = DivisionRegister.Of(
    [
        new(DivisionCode.Parse("320500"), null, "苏州市", "Suzhou", DivisionKind.City, null, null),
        new(DivisionCode.Parse("320508"), DivisionCode.Parse("320500"), "姑苏区", "Gusu", DivisionKind.County, null, null),
        new(DivisionCode.Parse("320506"), DivisionCode.Parse("320500"), "吴中区", "Wuzhong", DivisionKind.County, null, null),
        new(DivisionCode.Parse("320507"), DivisionCode.Parse("320500"), "相城区", "Xiangcheng", DivisionKind.County, null, null),
    ]);

    private static GeneratorPlan Plan(ulong seed) => new()
    {
        City = DivisionCode.Parse("320500"),
        Register = Register,
        Catalogue = TypeCatalogue.BuiltIn,
        Calendar = new WorkCalendar(Shanghai),
        Seed = seed,
        FirstDay = new LocalDate(2026, 9, 1),
        Days = 60,
        CasesPerDay = 50,
        Until = Instant.FromUtc(2026, 11, 1, 0, 0),
    };

    [Test]
    public void The_same_plan_gives_the_same_cases_and_another_seed_others()
    {
        var first = Text(Plan(1));
        Assert.That(Text(Plan(1)), Is.EqualTo(first));
        Assert.That(Text(Plan(2)), Is.Not.EqualTo(first));
    }

    [TestCase(1UL)]
    [TestCase(20_261_124UL)]
    public void Every_step_is_one_that_the_case_machine_allows(ulong seed)
    {
        var plan = Plan(seed);
        var rules = new CaseRules { Place = plan.City, Divisions = Register, Catalogue = CatalogueShelf.Of(plan.Catalogue), Calendar = plan.Calendar };
        var happened = new HashSet<Type>();
        foreach (var scripted in new CaseGenerator(plan).Cases())
        {
            var id = CaseId.Mint(scripted.ReportedAt, new byte[10]);
            CaseState? state = null;
            foreach (var command in scripted.Steps.Select(s => Command(id, s)).Prepend(Report(id, scripted)))
            {
                var outcome = CaseDecisions.Decide(state, command, command.OccurredAt!.Value, rules);
                Assert.That(outcome, Is.TypeOf<CaseOutcome.Decided>(), $"{scripted.Key}: {command}\n{outcome}");
                state = ((CaseOutcome.Decided)outcome).After;
                happened.UnionWith(((CaseOutcome.Decided)outcome).Events.Select(e => e.GetType()));
            }
        }

        Assert.That(happened, Is.SupersetOf(new[]
        {
            typeof(Reported), typeof(PreFilingChecked), typeof(Filed), typeof(Dispatched), typeof(HandlingFinished), typeof(PreClosingChecked), typeof(Closed), typeof(Voided),
            typeof(Returned), typeof(Reworked), typeof(Extended), typeof(Suspended), typeof(Resumed), typeof(Reopened), typeof(Corrected), typeof(Moved), typeof(DeadlinePassed),
        }));
    }

    [Test]
    public void They_look_like_those_of_a_city()
    {
        var plan = Plan(3);
        var cases = new CaseGenerator(plan).Cases().ToList();
        var closed = cases.Count(c => c.Steps.Any(s => s.Kind == "close"));
        Assert.Multiple(() =>
        {
            Assert.That(cases, Has.Count.InRange(2_300, 3_000));
            Assert.That(closed * 100 / cases.Count, Is.InRange(65, 90));
            Assert.That(cases.Count(c => c.Grade is not null), Is.InRange(15, 75));
            Assert.That(cases.Where(c => c.Grade is not null).All(c => c.Summary is not null));
            Assert.That(cases.Count(c => c.Division.Length == 0), Is.GreaterThan(20));
            Assert.That(cases.Select(c => c.Key), Is.Unique);
            Assert.That(cases.SelectMany(c => c.Steps).Select(s => s.Key), Is.Unique);
            Assert.That(cases.Select(c => c.ReportedAt), Is.Ordered);
            Assert.That(cases.All(c => c.Steps.Select(s => s.At).Prepend(c.ReportedAt).Zip(c.Steps, (before, s) => before <= s.At).All(inOrder => inOrder)));
            Assert.That(cases.All(c => c.ReportedAt <= plan.Until && c.Steps.All(s => s.At <= plan.Until)));
            Assert.That(cases.All(c => c.Reporter.Name.StartsWith("测试市民", StringComparison.Ordinal) && c.Reporter.Contact.StartsWith("000-0000-", StringComparison.Ordinal)));
        });
    }

    [Test]
    public void Happenings_come_in_order_of_time_and_a_case_with_its_report_first()
    {
        var seen = new HashSet<string>();
        var last = Instant.MinValue;
        foreach (var (at, scripted, step) in new CaseGenerator(Plan(4)).Happenings())
        {
            Assert.That(at, Is.GreaterThanOrEqualTo(last));
            Assert.That(seen.Add(scripted.Key), Is.EqualTo(step is null));
            last = at;
        }
    }

    private static string Text(GeneratorPlan plan) =>
        string.Join('\n', new CaseGenerator(plan).Cases().Select(c => $"{c with { Steps = [] }} {string.Join(' ', c.Steps)}"));

    private static ReportCase Report(CaseId id, ScriptedCase c) =>
        new(TypeCode.Parse(c.Type), c.Division.Length == 0 ? null : DivisionCode.Parse(c.Division), SourceCode.Parse(c.Source))
        {
            Case = id,
            Actor = "desk",
            OccurredAt = c.ReportedAt,
            Grade = c.Grade is null ? EmergencyGrade.Unspecified : Enum.Parse<EmergencyGrade>(c.Grade.Replace("_", string.Empty, StringComparison.Ordinal), ignoreCase: true),
            Summary = c.Summary,
        };

    private static CaseCommand Command(CaseId id, ScriptedStep s)
    {
        var actor = s.Role.ToString();
        CaseCommand command = s.Kind switch
        {
            "check_before_filing" => new CheckBeforeFiling(s.Passed) { Case = id, Actor = actor },
            "file" => new FileCase(s.Row) { Case = id, Actor = actor },
            "dispatch" => new DispatchCase(s.Unit!) { Case = id, Actor = actor },
            "finish_handling" => new FinishHandling { Case = id, Actor = actor },
            "check_before_closing" => new CheckBeforeClosing(s.Passed) { Case = id, Actor = actor },
            "close" => new CloseCase { Case = id, Actor = actor },
            "void_case" => new VoidCase { Case = id, Actor = actor },
            "return_case" => new ReturnCase { Case = id, Actor = actor },
            "rework" => new ReworkCase { Case = id, Actor = actor },
            "extend" => new ExtendCase { Case = id, Actor = actor },
            "suspend" => new SuspendCase(s.Until!.Value) { Case = id, Actor = actor },
            "resume" => new ResumeCase { Case = id, Actor = actor },
            "reopen" => new ReopenCase { Case = id, Actor = actor },
            "correct" => new CorrectCase(TypeCode.Parse(s.Type!), null) { Case = id, Actor = actor },
            "move" => new MoveCase(null, DivisionCode.Parse(s.Division!)) { Case = id, Actor = actor },
            _ => throw new InvalidOperationException(s.Kind),
        };
        return command with { OccurredAt = s.At, Reason = s.Reason };
    }
}
