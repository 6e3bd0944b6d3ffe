using CityGrid.Hub.Seams;

namespace CityGrid.Cli.Simulation;

/// <summary>
/// A tree in one thread on virtual time: bad days with everything that the plan allows, then all is healed. Whatever happened, every edge is equal bit
/// for bit then, everything acknowledged is there once, and the cells are those of a recount. The same plan is the same story; what does not hold
/// throws <see cref="StoryBrokenException"/>.
/// </summary>
public sealed class SimulatedStory
{
    /// <summary>After a refusal the sender waits five minutes, and a failed connection is found out within two.</summary>
    private static readonly TimeSpan Slack = TimeSpan.FromMinutes(8);

    private const int LastLies = 5;

    private readonly StoryPlan _plan;
    private readonly SimulatedTree _tree;
    private readonly StoryWatch _watch;
    private readonly Disturbances _disturbances;
    private readonly OrderWork _orderWork;
    private readonly PackageWork _packageWork;
    private readonly OrderOracle _orders;
    private readonly PackageOracle _packages;

    public SimulatedStory(StoryPlan plan, StoryTwist? twist = null)
    {
        _plan = plan;
        var shape = plan.IsOfSeven ? TreeShape.Of(2, 2) : TreeShape.Drawn(plan.Nodes, plan.Levels, plan.Stream("shape"));
        var liar = plan.Has(FaultKind.HostileChild) ? shape.WithHostile(plan.Stream("hostile place")) : null;
        _tree = new SimulatedTree(plan.Stream("tree").Next(), liar?.Shape ?? shape, twist) { Cuts = plan.Cuts() };
        _tree.Hostile = liar is { Place: var place } ? new HostileChild(_tree, place, plan.Stream("hostile seed").Next()) : null;
        _watch = new StoryWatch(_tree);
        _orderWork = new OrderWork(_tree, plan);
        _packageWork = new PackageWork(_tree, plan);
        _disturbances = new Disturbances(_tree, plan, _watch) { Replaced = AskAgain };
        _orders = new OrderOracle(_tree, _disturbances.Forked);
        _packages = new PackageOracle(_tree, _disturbances.Forked);
    }

    public SometimesTable Sometimes => _tree.Sometimes;

    /// <summary>The disturbances that happened, by number.</summary>
    public IReadOnlyList<int> Happened => _disturbances.Happened;

    public long Messages => _tree.Hash.Messages;

    /// <summary>Everything that was delivered and journalled, to compare two runs of one plan.</summary>
    public string Hash => _tree.Hash.ToString();

    /// <summary>Bad days, then the liveness phase; at every step and at the end what must hold is looked at.</summary>
    public void Tell()
    {
        foreach (var node in _tree.Nodes.Values)
        {
            node.Start();
        }

        if (_plan.Stream("names at first").OneIn(2))
        {
            // Before anybody else has said a word.
            _tree.Hostile?.TakeNames(_plan.Stream("names taken first"));
        }

        _tree.Weather = _plan.Weather();
        var work = new Workload(_tree, _plan);
        for (var step = 0; step < _plan.Steps; step++)
        {
            Work(work, step);
            _disturbances.Disturb(step);
            _tree.Run(TimeSpan.FromSeconds(_plan.Stream("pace", step).Below(StoryPlan.StepMinutesMax * 60)));
            _tree.SpringAll();
            Look();
            if (_tree.Hostile is not null && _plan.Stream("people", step).OneIn(3))
            {
                _tree.Names.Look();
            }

            if (step % 4 == 3 && _plan.Stream("ranges").OneIn(2))
            {
                CompareRanges();
            }

            if (_disturbances.IsAway)
            {
                PassMonth(work, step);
            }
        }

        Live();
    }

    private void Work(Workload cases, int step)
    {
        cases.Work(step);
        if (_plan.Also.Contains(StoryWork.Orders))
        {
            _orderWork.Work(step);
        }

        if (_plan.Also.Contains(StoryWork.Packages))
        {
            _packageWork.Work(step);
        }
    }

    /// <summary>Whoever sees that what was done is gone does it again.</summary>
    private void AskAgain(SimulatedNode node, SeededEntropy random)
    {
        if (random.OneIn(2))
        {
            _orderWork.AskAgain(node, random);
            _packageWork.AskAgain(node, random);
        }
    }

    private void Look()
    {
        _watch.Look();
        _orders.Look();
        _packages.Look();
    }

    /// <summary>Thirty days in which somebody is cut off and works on.</summary>
    private void PassMonth(Workload work, int step)
    {
        _disturbances.IsAway = false;
        for (var day = 0; day < 30; day++)
        {
            Work(work, _plan.Steps + (step * 30) + day);
            _tree.Run(TimeSpan.FromDays(1));
            Look();
        }
    }

    /// <summary>
    /// INV-31: once the last fault is over, every outbox drains within an interval a tier. Then life goes on until every job by the clock has run twice, and it
    /// must be so again.
    /// </summary>
    private void Live()
    {
        _disturbances.Heal();
        SayWhoseNamesAre();
        var waits = IsSomethingAside();
        Rest(Slack);
        Look();
        var end = new StoryEnd(_tree) { Forked = _disturbances.Forked };
        SettleWhatIsAside(waits);
        Check(end);
        for (var i = 0; i < LastLies; i++)
        {
            // Everybody and everything is known by now.
            _tree.Hostile?.Lie(_plan.Stream("last lies", i), LastLies);
        }

        _orderWork.AnswerAll();

        foreach (var node in _tree.Nodes.Values)
        {
            node.StartTheClockwork();
        }

        _tree.Run(TimeSpan.FromHours(2) + TimeSpan.FromMinutes(5));
        SayWhoseNamesAre();
        CompareRanges();
        Rest(TimeSpan.FromMinutes(1));
        Look();
        Check(end);
        _orders.CheckEnds();
        _packages.CheckJournals();
        end.CheckRanges();
        end.CheckRequests();
        _orders.CheckRequests();
        _packages.CheckRequests();
        foreach (var node in _tree.Nodes.Values)
        {
            StoryBrokenException.Unless(node.JobsDone is { Pushes: >= 2, Redrives: >= 2, Minutes: >= 2 }, () => $"the jobs of {node.Place.Node} ran {node.JobsDone}, not twice each");
        }

        end.CheckStarts();
    }

    private void Check(StoryEnd end)
    {
        end.Check();
        if (_tree.Hostile is { } hostile)
        {
            new HostileOracle(_tree, hostile).Check();
        }

        _orders.Check();
        _packages.Check();
    }

    /// <summary>Every node has its ranges compared with its parent's, in the midst of whatever is going on.</summary>
    private void CompareRanges()
    {
        foreach (var node in _tree.Nodes.Values)
        {
            node.Do(core => core.Uplink?.CompareRanges());
        }
    }

    /// <summary>A tier after the other, for what the people of one have said comes up to the next.</summary>
    private void SayWhoseNamesAre()
    {
        for (var tier = 0; _tree.Hostile is not null && tier < _plan.Levels; tier++)
        {
            _tree.Run(SimulatedNode.PushEvery);
            _tree.Names.Look();
        }
    }

    /// <summary>Quiescent: no new input, not by time either, and an interval for each tier.</summary>
    private void Rest(TimeSpan slack)
    {
        foreach (var node in _tree.Nodes.Values)
        {
            node.StopTheClockwork();
        }

        _tree.Run((SimulatedNode.PushEvery * _plan.Levels) + slack);
    }

    /// <summary>A record of a day to come waits until that day: at most three, by how wrong clocks are.</summary>
    private void SettleWhatIsAside(bool waits)
    {
        for (var halfDays = 0; halfDays < 9 && IsSomethingAside(); halfDays++)
        {
            waits = true;
            _tree.Run(TimeSpan.FromHours(12));
        }

        if (waits)
        {
            // What was settled a moment ago has yet to go up.
            _tree.Sometimes.Reached("a parked record was settled");
            Rest(TimeSpan.FromMinutes(1));
        }

        StoryBrokenException.Unless(!IsSomethingAside(), () => "records are still kept aside though the day that they are of has come");
    }

    /// <summary>What is impossible of a hostile child stays aside for ever, at its own parent.</summary>
    private bool IsSomethingAside() => _tree.Nodes.Values.Any(n => n.Core!.Reception.Parked.Any(aside => aside.Child != _tree.Hostile?.Place.Node));
}
