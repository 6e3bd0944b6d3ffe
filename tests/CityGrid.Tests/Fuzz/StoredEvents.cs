using System.Globalization;
using System.Text.RegularExpressions;
using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Cells;
using CityGrid.Hub.Children;
using CityGrid.Hub.Escalations;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Reception.V1;
using CityGrid.Hub.Views;
using CityGrid.Node.Cases;
using CityGrid.Node.Stored;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Simulation;
using Google.Protobuf;

namespace CityGrid.Tests.Fuzz;

/// <summary>Events as journals hold them, of every kind: those of a tree that worked for a while, and those that the golden files keep of other times.</summary>
internal static class StoredEvents
{
    private static readonly Lazy<IReadOnlyDictionary<string, Ground>> Story = new(TellStory);

    private static readonly Lazy<IReadOnlyList<(string Node, ushort Kind, byte[] Payload)>> Whole = new(() =>
    [
        .. Grounds.SelectMany(ground => ground.Value.Records.SelectMany(record => record.Events).GroupBy(one => one.Kind).Select(kind => (ground.Key, kind.Key, kind.Last().Payload.ToArray()))),
        .. Golden().Select(one => (PlaceOf(one.Kind), one.Kind, one.Payload)),
        .. Seldom().Select(one => (PlaceOf(one.Kind), one.Kind, one.Message.ToByteArray())),
    ]);

    /// <summary>The nodes of the story with what they had recorded at its end, by name.</summary>
    public static IReadOnlyDictionary<string, Ground> Grounds => Story.Value;

    /// <summary>One event of each kind at each node of the story, and those of the golden files, which find their ground at a node of the story.</summary>
    public static IReadOnlyList<(string Node, ushort Kind, byte[] Payload)> All => Whole.Value;

    public static IReadOnlySet<ushort> Kinds { get; } = All.Select(one => one.Kind).ToHashSet();

    private static string PlaceOf(ushort kind) => kind < EventKinds.NodeFirst ? "province-1" : "city-1-1";

    private static Dictionary<string, Ground> TellStory()
    {
        var tree = new SmallTree();
        tree.Run(TimeSpan.FromMinutes(2));
        var cases = tree.Report(tree.City, 2, SmallTree.Cover, 1, EmergencyGrade.Serious);
        tree.Work(tree.City, cases[0], CaseStage.Closed);
        tree.Province.Do(core => core.Sequencer.Submit(core.OrderDesk.Issue(new OrderWish("o-1", tree.City.Place.Division, OrderKind.Supervise, UInt128.Zero, "report", null, null), "desk"), _ => { }));
        tree.Run(TimeSpan.FromMinutes(40));
        return new[] { tree.City, tree.Province, tree.Ministry }.ToDictionary(
            node => $"{node.Place.Node}",
            node => new Ground(node.Place.Node, node.Place.Division, [.. node.Core!.Journal.ReadFrom(Lsn.Zero)]));
    }

    /// <summary>Lines of a kind, a schema and the payload, whatever else stands in front of them.</summary>
    private static IEnumerable<(ushort Kind, byte[] Payload)> Golden() =>
        from file in Directory.EnumerateFiles(Path.Combine(Machine.Repository, "tests", "CityGrid.Tests"), "*.golden.txt", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
        where !file.Contains("/bin/", StringComparison.Ordinal)
        from line in File.ReadLines(file)
        let found = Regex.Match(line, @"(?:^|\| )(\d+) (?:\| )?1 (?:\| )?((?:[0-9a-f]{2})+)$")
        where found.Success
        select (ushort.Parse(found.Groups[1].Value, CultureInfo.InvariantCulture), Convert.FromHexString(found.Groups[2].Value));

    /// <summary>What no golden file has and hardly a story brings.</summary>
    private static IEnumerable<(ushort Kind, IMessage Message)> Seldom()
    {
        var (city, life) = ("city-1-1", ByteString.CopyFrom(new Incarnation(5).ToBytes()));
        yield return (EventKinds.ChildQuarantined, new ChildQuarantined { Child = city, Code = "FORK", Reason = "two histories" });
        yield return (EventKinds.ChildRewound, new ChildRewound { Child = city });
        yield return (EventKinds.ParkedSettled, new ParkedSettled { Child = city, Settled = { new SettledRecord { Lsn = 3, Index = 1, Outcome = 2 } }, Escalations = new EscalationsPart { To = 3 }.ToByteString(), Cells = new CellsPart { CutTo = 3 }.ToByteString() });
        yield return (EventKinds.NameGiven, new NameGiven { Name = city, Division = $"{Grounds[city].Division}", LetGo = { "city-1-2" }, BroughtBy = { city } });
        yield return (EventKinds.RangesCompared, new RangesCompared { Child = city, Findings = { new RangeFinding { Origin = city, Grain = 1, State = 2, Month = 24_322 } } });
        yield return (EventKinds.RangeRepaired, new RangeRepaired { Child = city, Origin = city, Grain = 1, Month = 24_322, Added = 1, Replaced = 2 });
        yield return (EventKinds.BundleMade, new BundleMade { Incarnation = life, Lsn = 4 });
        yield return (EventKinds.ParentEpochHeard, new ParentEpochHeard { Parent = "ministry", Epoch = 2, EpochNonce = 3 });
        yield return (CaseEventKinds.LocalTypeAdded, new StoredLocalTypeAdded { Code = "x0a1b2c3d", Name = "graffiti" });
        yield return (CaseEventKinds.PersonalRead, new StoredPersonalRead { CaseId = life });
    }
}

/// <summary>A node with what it has recorded.</summary>
internal sealed record Ground(NodeId Node, DivisionCode Division, IReadOnlyList<JournalRecord> Records)
{
    /// <summary>The folds of such a node, as its core has them.</summary>
    public IReadOnlyList<IFold> FoldsOver(IJournal journal)
    {
        var cells = new CellFold();
        UplinkFold? uplink = null;
        uplink = new UplinkFold(
            (epoch, lsn) => cells.Restamp(Node, new Revision(epoch.Number, lsn.Value), lsn),
            (types, lsn) => cells.Restamp(Node, new Revision(uplink!.RevisionEpoch, lsn.Value), lsn, types));
        var reception = new ReceptionFold(cells);
        return
        [
            cells, uplink, reception, new FinalityFold(reception), new EscalationFold(Node), new OrderFold(Node), new PackageFold(), new ChildrenFold(),
            new CaseBook(cells, Node, Division, () => uplink.RevisionEpoch, journal.ReadAt),
        ];
    }
}
