using CityGrid.Cli.Simulation;
using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Journal;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Catalogue;
using Google.Protobuf;
using NUnit.Framework;

namespace CityGrid.Tests.Link;

/// <summary>Clause K3 at the child's end: a parent that waits for no answer makes no queue of packages there, and one whose answer was lost in a full queue is taken later.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class One_package_is_judged_at_a_time
{
    private readonly Receipts _receipts = new();
    private readonly SimulatedTree _tree;
    private readonly List<CataloguePackage> _packages = Packages.Chain(3);

    public One_package_is_judged_at_a_time()
    {
        _tree = new SimulatedTree(5, TreeShape.Of(1, 1), _receipts);
        foreach (var node in _tree.Nodes.Values)
        {
            node.Start();
        }

        _tree.Run(TimeSpan.FromMinutes(2));
        Assert.That(City.Core!.Uplink!.Standing.State.Phase, Is.EqualTo(SenderPhase.Open));
    }

    private SimulatedNode City => _tree[NodeId.Parse("city-1-1")];

    private Sequencer Writer => City.Core!.Sequencer;

    private IEnumerable<long> Taken => City.Core!.Packages.Packages.Select(package => package.Name.Number);

    [Test]
    public void What_comes_while_another_is_judged_is_left_to_be_sent_again()
    {
        Hear(0);
        var waiting = Writer.Waiting;
        Hear(1);
        Hear(0);
        Hear(2);
        Assert.That((waiting, Writer.Waiting), Is.EqualTo((1, 1)), "One is judged, and no other waits for the writer.");
        Run();
        Assert.That(Taken, Is.EqualTo(new[] { 1L }));
        Assert.That(_receipts.Outcomes, Is.EqualTo(new[] { PackageOutcome.Taken }), "Nothing is said of the others.");
        Hear(1);
        Run();
        Hear(2);
        Run();
        Assert.That(Taken, Is.EqualTo(new[] { 1L, 2, 3 }));
    }

    [Test]
    public void One_that_found_the_writers_queue_full_is_taken_when_it_is_sent_again_after_the_time_of_an_answer()
    {
        while (Writer.Waiting < Sequencer.QueueMax)
        {
            Writer.Submit(new Nothing { Actor = "test" }, _ => { });
        }

        Hear(0);
        Run();
        Assert.That((Writer.Waiting, Taken.Count(), _receipts.Outcomes.Count), Is.EqualTo((0, 0, 0)));
        Hear(0);
        Run();
        Assert.That(Taken, Is.Empty, "For all that the child knows it is still being judged.");
        _tree.Run(PackageFeed.AnswerWait.ToTimeSpan());
        Hear(0);
        Run();
        Assert.That(Taken, Is.EqualTo(new[] { 1L }));
    }

    [Test]
    public void Or_at_once_on_a_new_connection()
    {
        while (Writer.Waiting < Sequencer.QueueMax)
        {
            Writer.Submit(new Nothing { Actor = "test" }, _ => { });
        }

        Hear(0);
        City.Pump();
        City.Do(core => core.Uplink!.Ended("a line that was cut"));
        City.Do(core => core.Uplink!.Start());
        _tree.Run(TimeSpan.FromSeconds(5));
        Assert.That(City.Core!.Uplink!.Standing.State.Phase, Is.EqualTo(SenderPhase.Open));
        Hear(0);
        Run();
        Assert.That(Taken, Is.EqualTo(new[] { 1L }));
    }

    /// <summary>The writer works, and what comes of it arrives.</summary>
    private void Run()
    {
        City.Pump();
        _tree.Run(TimeSpan.FromSeconds(1));
    }

    /// <summary>A whole package comes in one chunk, and the writer is still at rest.</summary>
    private void Hear(int at)
    {
        var bytes = Packages.Enveloped(_packages[at]).ToByteString();
        City.Hear(core => core.Uplink!.Received(new ConnectResponse { Package = new PackageChunk { Number = 1, Package = Packages.NameOf(_packages[at]).ToHead(), Total = bytes.Length, Content = bytes } }));
    }

    private sealed class Nothing : Command<bool>
    {
        public override IReadOnlyCollection<Touched> Touches => [];

        public override Decision<bool> Decide(NodaTime.Instant now) => Decision<bool>.Nothing(true);
    }

    /// <summary>What the child says of packages.</summary>
    private sealed class Receipts : StoryTwist
    {
        public List<PackageOutcome> Outcomes { get; } = [];

        public override ConnectRequest? Up(SimulatedNode child, SimulatedNode parent, ConnectRequest request)
        {
            if (request.PackageReceipt is { } receipt)
            {
                Outcomes.Add(receipt.Outcome);
            }

            return request;
        }
    }
}
