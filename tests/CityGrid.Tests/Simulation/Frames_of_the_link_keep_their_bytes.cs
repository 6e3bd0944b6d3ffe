using CityGrid.Cli.Simulation;
using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Orders;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using CityGrid.Tests.Approvals;
using Google.Protobuf;
using NUnit.Framework;

namespace CityGrid.Tests.Simulation;

/// <summary>
/// L3, INV-27: frames as a city and its province sent them by each protocol, one of each kind. Programs that speak so are about for years: a frame of then is read to its last byte,
/// and a frame of now says all that one of then said. Lines of the golden file are added, and none is ever changed.
/// </summary>
[FixtureLifeCycle(LifeCycle.SingleInstance)]
public sealed class Frames_of_the_link_keep_their_bytes
{
    private const string File = "link-frames";

    /// <summary>What a program of protocol 1 knows beside what it passes over unread.</summary>
    private static readonly string[] OfTheFirst = ["up Hello", "up Cells", "up Escalations", "down Welcome", "down Receipt", "down Refusal"];

    private static readonly string[] OfTheSecond =
    [
        .. Enum.GetNames<ConnectRequest.FrameOneofCase>().Where(kind => kind != nameof(ConnectRequest.FrameOneofCase.None)).Select(kind => $"up {kind}"),
        .. Enum.GetNames<ConnectResponse.FrameOneofCase>().Where(kind => kind != nameof(ConnectResponse.FrameOneofCase.None)).Select(kind => $"down {kind}"),
    ];

    private readonly Dictionary<int, Recorder> _told = [];

    [OneTimeSetUp]
    public void TellBoth()
    {
        foreach (var protocol in new[] { 1, 2 })
        {
            _told[protocol] = Tell(protocol);
        }

        var known = System.IO.File.Exists(GoldenLines.PathOf("Simulation", File)) ? GoldenLines.Of("Simulation", File).Select(line => line[0]).ToHashSet() : [];
        if (Environment.GetEnvironmentVariable("CITYGRID_APPROVE") == "1")
        {
            System.IO.File.AppendAllLines(GoldenLines.PathOf("Simulation", File), _told
                .SelectMany(told => told.Value.Fullest.Select(frame => (Name: $"{told.Key} {frame.Key}", Frame: frame.Value))).Where(line => !known.Contains(line.Name)).OrderBy(line => line.Name, StringComparer.Ordinal)
                .Select(line => $"{line.Name} | {Convert.ToHexStringLower(line.Frame.ToByteArray())}"));
        }
    }

    [Test]
    public void There_is_one_of_every_kind() =>
        Assert.That(GoldenLines.Of("Simulation", File).Select(line => line[0]), Is.EquivalentTo(OfTheFirst.Select(kind => $"1 {kind}").Concat(OfTheSecond.Select(kind => $"2 {kind}"))));

    [Test]
    public void A_frame_of_then_is_read_to_its_last_byte()
    {
        foreach (var line in GoldenLines.Of("Simulation", File))
        {
            var bytes = Convert.FromHexString(line[1]);
            MessageParser parser = IsUp(line[0]) ? ConnectRequest.Parser : ConnectResponse.Parser;
            var frame = parser.WithDiscardUnknownFields(true).ParseFrom(bytes);
            Assert.That(frame.ToByteArray(), Is.EqualTo(bytes), line[0]);
            Assert.That(Recorder.KindOf(frame), Is.EqualTo(line[0][2..]));
        }
    }

    [TestCase(1)]
    [TestCase(2)]
    public void And_what_it_carries_is_read_too(int protocol)
    {
        var frames = Golden(protocol).Where(line => IsUp(line[0])).Select(line => ConnectRequest.Parser.ParseFrom(Convert.FromHexString(line[1]))).ToDictionary(frame => frame.FrameCase);
        var cells = CellsPartCodec.Read(frames[ConnectRequest.FrameOneofCase.Cells].Cells);
        var escalations = frames[ConnectRequest.FrameOneofCase.Escalations].Escalations;
        Assert.Multiple(() =>
        {
            Assert.That(frames[ConnectRequest.FrameOneofCase.Hello].Hello.ProtocolMax, Is.EqualTo(protocol));
            Assert.That(cells.Fault, Is.Null);
            Assert.That(cells.Refused, Is.Empty);
            Assert.That(cells.Cells.Select(cell => CellCodec.IsCanonical(cell.Row.Value.Span)), Is.Not.Empty.And.All.True);
            Assert.That(escalations.Escalations.Select(envelope => Escalation.Parser.ParseFrom(envelope.Escalation).Origin), Has.All.EqualTo("city-1-1"));
            Assert.That(escalations.Receipts.Select(envelope => OrderRead.Order(envelope.Order)?.Issuer), Has.All.EqualTo("province-1"));
            Assert.That(protocol == 1 ? escalations.Escalations.Count : escalations.Receipts.Count, Is.Positive);
        });
    }

    [TestCase(1)]
    [TestCase(2)]
    public void A_frame_of_now_says_all_that_one_of_then_said(int protocol)
    {
        foreach (var line in Golden(protocol))
        {
            MessageParser parser = IsUp(line[0]) ? ConnectRequest.Parser : ConnectResponse.Parser;
            var then = MessageFields.SaidIn(parser.ParseFrom(Convert.FromHexString(line[1])));
            Assert.That(_told[protocol].Said.TryGetValue(line[0][2..], out var now), Is.True, line[0]);
            Assert.That(then.Except(now!), Is.Empty, line[0]);
        }
    }

    private static IEnumerable<string[]> Golden(int protocol) => GoldenLines.Of("Simulation", File).Where(line => line[0].StartsWith($"{protocol} ", StringComparison.Ordinal));

    private static bool IsUp(string name) => name[2..].StartsWith("up ", StringComparison.Ordinal);

    /// <summary>A day's work between a city and its province, with an order, a question and a package from above, and the city's directory put back at last.</summary>
    private static Recorder Tell(int protocol)
    {
        var recorder = new Recorder();
        var tree = new SmallTree(newest: (protocol, protocol, protocol), twist: recorder);
        tree.Run(TimeSpan.FromMinutes(2));
        tree.Report(tree.City, 3, SmallTree.Cover, 1);
        tree.Report(tree.City, 1, SmallTree.Refuse, 2, EmergencyGrade.General);
        tree.Settle();
        if (protocol > 1)
        {
            var order = UInt128.Zero;
            tree.Province.Do(core => core.Sequencer.Submit(
                core.OrderDesk.Issue(new OrderWish("o-1", tree.City.Place.Division, OrderKind.Assign, UInt128.Zero, "do it", null, null), "head"), told => order = told.Id));
            tree.Province.Do(core => core.Sequencer.Submit(
                core.PackageDesk.Publish(new PackageWish("p-1", CatalogueVersion.Parse("one"), core.Today, "title", Catalogue.Packages.Rows), "head"), told => Assert.That(told.Refusal, Is.Null)));
            tree.Settle();
            tree.City.Do(core => core.Sequencer.Submit(core.OrderDesk.Step(order, OrderState.Answered, "done", "clerk"), told => Assert.That(told.Refusal, Is.Null)));
            tree.Province.Do(core => core.ReachDesk.Ask(ReachStory.ByDistrict(tree.City.Place.Division), (_, _) => { }));
        }

        var copy = tree.City.Disk.Copy();
        tree.Report(tree.City, 2, SmallTree.Cover, 2, EmergencyGrade.Serious);
        tree.Settle();
        tree.City.Crash(powerCut: false);
        tree.City.Replace(copy);
        tree.City.Start();
        tree.Run(TimeSpan.FromMinutes(10));
        return recorder;
    }

    /// <summary>Keeps what passes between the first city and its province: of each kind of frame the first of those that say most, and all that any of them says.</summary>
    private sealed class Recorder : StoryTwist
    {
        public Dictionary<string, IMessage> Fullest { get; } = [];

        public Dictionary<string, HashSet<string>> Said { get; } = [];

        public static string KindOf(IMessage frame) => frame is ConnectRequest request ? $"up {request.FrameCase}" : $"down {((ConnectResponse)frame).FrameCase}";

        public override ConnectRequest? Up(SimulatedNode child, SimulatedNode parent, ConnectRequest request)
        {
            Note(child, request);
            return request;
        }

        public override ConnectResponse? Down(SimulatedNode child, SimulatedNode parent, ConnectResponse response)
        {
            Note(child, response);
            return response;
        }

        private void Note(SimulatedNode child, IMessage frame)
        {
            if (child.Place.Node.ToString() != "city-1-1")
            {
                return;
            }

            var (kind, says) = (KindOf(frame), MessageFields.SaidIn(frame));
            if (!Fullest.TryGetValue(kind, out var known) || says.Count > MessageFields.SaidIn(known).Count)
            {
                Fullest[kind] = frame.Descriptor.Parser.ParseFrom(frame.ToByteArray());
            }

            if (!Said.TryGetValue(kind, out var all))
            {
                Said.Add(kind, all = []);
            }

            all.UnionWith(says);
        }
    }
}
