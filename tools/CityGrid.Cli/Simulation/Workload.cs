using CityGrid.Hub.Divisions;
using CityGrid.Hub.Seams;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Cli.Simulation;

/// <summary>
/// The work of a place's people: cases come in, singly and by the handful, go their way, are put right and moved, and old ones come from another system and are
/// put right months later. Values rise and fall, figures of closed months change.
/// </summary>
internal sealed class Workload(SimulatedTree tree, StoryPlan plan)
{
    private static readonly TypeCode[] Types = [.. new[] { "01001", "06010", "06013", "09012", "10002" }.Select(TypeCode.Parse)];
    private static readonly TypeCode Another = TypeCode.Parse("06011");

    private int _requests;

    public void Work(int step)
    {
        foreach (var (index, city) in tree.Cities.Concat(tree.Clones.Where(c => c.Place.TakesCases)).ToArray().Index())
        {
            var random = plan.Stream("work", (step * 64) + index);
            for (var i = random.Below(4); i > 0 && city.Core is not null; i--)
            {
                Report(city, random, handful: random.OneIn(6) ? 2 + random.Below(5) : 1);
            }

            for (var i = random.Below(6); i > 0 && city.Core is { } core; i--)
            {
                var open = core.Book.Open.Values.OrderBy(s => s.Id).ToArray();
                if (open.Length > 0)
                {
                    Step(city, open[random.Below(open.Length)], random);
                }
            }

            if (random.OneIn(4) && city.Core is not null)
            {
                Import(city, random);
            }

            if (city.Acknowledged.Cases.Count > 0 && random.OneIn(4) && city.Core is not null)
            {
                Late(city, city.Acknowledged.Cases.Keys.Order().ElementAt(random.Below(city.Acknowledged.Cases.Count)), random);
            }
        }
    }

    private void Report(SimulatedNode city, SeededEntropy random, int handful)
    {
        for (var i = 0; i < handful && city.Core is { } core; i++)
        {
            var grade = random.OneIn(12) ? (EmergencyGrade)(1 + random.Below(4)) : EmergencyGrade.Unspecified;
            Submit(city, new ReportCase(Types[random.Below(Types.Length)], random.OneIn(10) ? null : DistrictOf(city, random), SourceCode.Parse(random.OneIn(2) ? "hotline" : "inspector"))
            {
                Case = core.Desk.Mint(),
                Actor = "desk",
                Grade = grade,
                Summary = grade == EmergencyGrade.Unspecified ? null : "released by a person",
            });
        }

        city.Pump();
    }

    /// <summary>A row of another system, of up to 13 months ago.</summary>
    private void Import(SimulatedNode city, SeededEntropy random)
    {
        var reported = Instant.FromUnixTimeTicks(tree.Time.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks) - Duration.FromDays(1 + random.Below(395));
        Submit(city, new ImportCase(Types[random.Below(Types.Length)], DistrictOf(city, random), SourceCode.Parse("hotline"), "old", $"row-{_requests}")
        {
            Case = city.Core!.Desk.Mint(),
            Actor = "import",
            ReportedAt = reported,
            ClosedAt = random.OneIn(2) ? reported + Duration.FromMinutes(1 + random.Below(5000)) : null,
            ContentHash = new Hash256(random.Next(), random.Next()),
        });
        city.Pump();
    }

    /// <summary>Long after: an ended case is opened again, was always something else, or its reporter is asked.</summary>
    private void Late(SimulatedNode city, CaseId id, SeededEntropy random)
    {
        CaseState? state = null;
        city.Hear(core => state = core.Desk.Find(id));
        if (state is null)
        {
            return;
        }

        var closedMonth = state.Import is not null;
        CaseCommand command = random.Below(state.IsOpen ? 1 : 3) switch
        {
            0 => new CorrectCase(random.OneIn(2) ? Another : null, DistrictOf(city, random)) { Case = id, Actor = "desk", Reason = "wrong_type" },
            1 => new ReopenCase { Case = id, Actor = "desk", Reason = "not_solved" },
            _ => new CallBack(random.OneIn(2), random.OneIn(2)) { Case = id, Actor = "desk" },
        };
        var version = state.Version;
        Submit(city, command);
        city.Pump();
        if (closedMonth && command is CorrectCase && city.Acknowledged.Cases.TryGetValue(id, out var answered) && answered.Version > version)
        {
            tree.Sometimes.Reached("a case of a closed month was corrected");
        }
    }

    private void Step(SimulatedNode city, CaseState s, SeededEntropy random)
    {
        CaseCommand command = s.Stage switch
        {
            CaseStage.Reported => random.OneIn(8)
                ? new VoidCase { Case = s.Id, Actor = "desk", Reason = "duplicate" }
                : new CheckBeforeFiling(true) { Case = s.Id, Actor = "inspector" },
            CaseStage.Verified => new FileCase { Case = s.Id, Actor = "desk" },
            CaseStage.Filed => new DispatchCase("unit-1") { Case = s.Id, Actor = "desk" },
            CaseStage.Dispatched => random.Below(8) switch
            {
                0 => new MoveCase(null, DistrictOf(city, random)) { Case = s.Id, Actor = "desk", Reason = "boundary" },
                1 => new ExtendCase { Case = s.Id, Actor = "desk", Reason = "complex" },
                _ => new FinishHandling { Case = s.Id, Actor = "handler" },
            },
            CaseStage.Handled => random.OneIn(6)
                ? new ReworkCase { Case = s.Id, Actor = "inspector", Reason = "not_done" }
                : new CheckBeforeClosing(true) { Case = s.Id, Actor = "inspector" },
            _ => new CloseCase { Case = s.Id, Actor = "desk" },
        };
        Submit(city, command);
        if (!random.OneIn(3))
        {
            city.Pump();
        }
    }

    private DivisionCode DistrictOf(SimulatedNode city, SeededEntropy random)
    {
        var districts = tree.Register.ChildrenOf(city.Place.Division).Where(d => d.Kind == DivisionKind.County && tree.Nodes.Values.All(n => n.Place.Division != d.Code)).ToArray();
        return districts[random.Below(districts.Length)].Code;
    }

    private void Submit(SimulatedNode city, CaseCommand command)
    {
        var asked = command with { Request = new RequestMark($"r-{++_requests}", (ulong)_requests) };
        var directory = city.Directories;
        city.Hear(core => core.Desk.Submit(asked, answer =>
        {
            if (answer.Refusal is null && city.Directories == directory)
            {
                city.Acknowledged.Cases[answer.State!.Id] = new Acknowledged(asked, answer.Version);
            }
        }));
    }
}
