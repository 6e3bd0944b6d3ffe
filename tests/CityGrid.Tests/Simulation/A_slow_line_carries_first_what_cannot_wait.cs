using CityGrid.Cli.Simulation;
using CityGrid.Node.Cases;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NUnit.Framework;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Simulation;

/// <summary>
/// L14, T9, INV-20: over a line of 256 kbit/s that more cells wait for than it carries, what cannot wait is at the parent within two seconds, and the
/// line is not left idle for it. On virtual time, with real bytes and whole nodes.
/// </summary>
public sealed class A_slow_line_carries_first_what_cannot_wait
{
    private const int LineBytes = 256_000 / 8;
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(50);

    private readonly SimulatedTree _tree = new(seed: 7, provinces: 1, citiesEach: 1);
    private readonly List<TypeCode> _types = [.. Hub.Catalogue.TypeCatalogue.BuiltIn.All.Select(t => t.Key.Code).Distinct()];
    private int _requests;
    private int _floods;

    private SimulatedNode City => _tree[NodeId.Parse("city-1-1")];

    private SimulatedNode Province => _tree[NodeId.Parse("province-1")];

    [Test]
    public void An_escalation_is_there_within_two_seconds_while_cells_fill_the_line()
    {
        _tree.Weather = SimulatedWeather.Fair with { BytesPerSecond = LineBytes };
        foreach (var node in _tree.Nodes.Values)
        {
            node.Start();
        }

        _tree.Run(TimeSpan.FromMinutes(2));
        Flood(3000);
        var before = Carried();
        var delays = new List<TimeSpan>();
        var idle = 0;
        for (var second = 0; second < 150; second++)
        {
            Flood(1000);
            if (second >= 10 && second % 2 == 0)
            {
                delays.Add(DelayOfAnEscalation());
            }

            Wait(TimeSpan.FromSeconds(1));
            idle += City.Core!.Uplink!.Standing.State.Cells.Phase == LanePhase.Idle ? 1 : 0;
        }

        Assert.That(idle, Is.LessThan(15), "The line must have had more to carry than it could, or this shows nothing.");
        delays.Sort();
        TestContext.Out.WriteLine($"{delays.Count} escalations: median {delays[delays.Count / 2].TotalMilliseconds} ms, longest {delays[^1].TotalMilliseconds} ms; cells {(Carried() - before) / 1000} kB; window {City.Core!.Uplink!.Standing.State.Pace}");
        Assert.That(delays[^1], Is.LessThanOrEqualTo(TimeSpan.FromSeconds(2)));
    }

    /// <summary>So many new reports, each of another type, district and source than the one before.</summary>
    private void Flood(int reports)
    {
        var districts = _tree.Register.ChildrenOf(City.Place.Division).Select(d => d.Code).Order().ToArray();
        for (var i = 0; i < reports; i++)
        {
            var n = _floods++;
            Submit(Report(_types[n % _types.Count], districts[n % 3], $"channel-{n % 40}"));
        }

        City.Core!.Uplink!.PushDue();
        City.Pump();
    }

    private TimeSpan DelayOfAnEscalation()
    {
        var start = _tree.Time.UtcTicks;
        var raised = Submit(Report(TypeCode.Parse("06010"), null, "hotline") with { Grade = EmergencyGrade.Larger, Summary = "released by a person" });
        for (var i = 0; i < 600 && Province.Core!.Escalations.Find(raised) is null; i++)
        {
            Wait(Tick);
        }

        Assert.That(Province.Core!.Escalations.Find(raised), Is.Not.Null);
        return TimeSpan.FromTicks(_tree.Time.UtcTicks - start);
    }

    private ReportCase Report(TypeCode type, DivisionCode? district, string source) =>
        new(type, district, SourceCode.Parse(source)) { Case = City.Core!.Desk.Mint(), Actor = "desk", Request = new RequestMark($"f-{++_requests}", (ulong)_requests) };

    /// <summary>Files it; the id of the first escalation that it raised, or 0.</summary>
    private UInt128 Submit(ReportCase report)
    {
        CaseState? state = null;
        City.Core!.Desk.Submit(report, answer => state = answer.State);
        City.Pump();
        return state!.Escalations.FirstOrDefault()?.Id ?? UInt128.Zero;
    }

    private long Carried() => Province.Core!.Cells.Bytes;

    private void Wait(TimeSpan span)
    {
        for (var left = span; left > TimeSpan.Zero; left -= Tick)
        {
            _tree.Time.Run(Tick);
            City.Pump();
            Province.Pump();
        }
    }
}
