using CityGrid.Cli.Simulation;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Node.Cases;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NUnit.Framework;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Simulation;

/// <summary>
/// L14, T8: where 340 children lose their parent at one instant, it hears few of them in any second, an alarm does not wait for that, and all drain. On virtual
/// time, with real bytes and whole nodes.
/// </summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class All_children_lose_their_parent_at_once
{
    private const int Children = 340;

    /// <summary>The mean is one in 30 ms; chance makes it more in the fullest second.</summary>
    private const int HellosInAnySecond = 60;

    private readonly List<(long At, NodeId Child)> _hellos = [];
    private readonly SimulatedTree _tree;
    private int _requests;

    public All_children_lose_their_parent_at_once() => _tree = new SimulatedTree(seed: 23, TreeShape.Of(1, Children), new Listening(_hellos));

    private SimulatedNode Province => _tree[NodeId.Parse("province-1")];

    [Test]
    public void They_come_back_over_ten_seconds_an_alarm_at_once_and_all_drain()
    {
        foreach (var node in _tree.Nodes.Values)
        {
            node.Start();
        }

        _tree.Run(TimeSpan.FromMinutes(20));
        Assert.That(Open(), Is.EqualTo(Children));

        // The first welcomes were said while the parent knew few children: what it wishes holds from the welcome after that on.
        LoseTheParent();
        _tree.Run(TimeSpan.FromMinutes(1));
        Assert.That(Open(), Is.EqualTo(Children));

        _hellos.Clear();
        LoseTheParent();
        var cut = _tree.Time.UtcTicks;
        var last = _tree.Cities.MaxBy(city => Sender(city).NotBefore)!;
        var wouldWait = Sender(last).NotBefore - last.Clock.Now();
        foreach (var city in _tree.Cities)
        {
            Report(city, EmergencyGrade.Unspecified);
        }

        Report(last, EmergencyGrade.Larger);
        _tree.Run(TimeSpan.FromMinutes(1));

        Assert.That(_hellos, Has.Count.EqualTo(Children), "Each came once.");
        Assert.That(Fullest(), Is.LessThanOrEqualTo(HellosInAnySecond));
        Assert.That(wouldWait.TotalSeconds, Is.GreaterThan(9));
        Assert.That(_hellos.Single(hello => hello.Child == last.Place.Node).At - cut, Is.LessThan(TimeSpan.FromSeconds(2).Ticks), "It has an alarm.");
        Assert.That(_hellos.Max(hello => hello.At) - cut, Is.LessThan((ReceiverSettings.RedialWithinMs(Children) + 1000) * TimeSpan.TicksPerMillisecond));
        Assert.That(Open(), Is.EqualTo(Children));

        _tree.Run(TimeSpan.FromHours(1));
        new StoryEnd(_tree).Check();
    }

    private void LoseTheParent()
    {
        foreach (var city in _tree.Cities)
        {
            city.Lines[Province.Place.Node].HangUp();
        }

        // The ends are heard, and nobody has dialled yet whose pause is not over.
        _tree.Time.Run(TimeSpan.Zero);
    }

    private int Open() => _tree.Cities.Count(city => Sender(city).Phase == SenderPhase.Open);

    private static SenderState Sender(SimulatedNode city) => city.Core!.Uplink!.Standing.State;

    private int Fullest() => _hellos.Max(first => _hellos.Count(hello => hello.At >= first.At && hello.At < first.At + TimeSpan.TicksPerSecond));

    private void Report(SimulatedNode city, EmergencyGrade grade)
    {
        var district = _tree.Register.ChildrenOf(city.Place.Division).Select(d => d.Code).Order().First();
        CaseAnswer? told = null;
        city.Do(core => core.Desk.Submit(
            new ReportCase(TypeCode.Parse(SmallTree.Cover), district, SourceCode.Parse("hotline"))
            {
                Case = core.Desk.Mint(),
                Actor = "desk",
                Grade = grade,
                Request = new RequestMark($"r-{++_requests}", (ulong)_requests),
            },
            answer => told = answer));
        Assert.That(told?.Refusal, Is.Null);
    }

    /// <summary>Notes each hello as the parent hears it.</summary>
    private sealed class Listening(List<(long At, NodeId Child)> hellos) : StoryTwist
    {
        public override ConnectRequest? Up(SimulatedNode child, SimulatedNode parent, ConnectRequest request)
        {
            if (request.Hello is not null && child.Place.TakesCases)
            {
                hellos.Add((child.Clock.GetUtcNow().UtcTicks, child.Place.Node));
            }

            return request;
        }
    }
}
