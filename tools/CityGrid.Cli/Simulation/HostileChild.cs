using System.Collections.Immutable;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using Google.Protobuf;

namespace CityGrid.Cli.Simulation;

/// <summary>
/// One more child of some node of the tree, with a sound certificate of its own place, that lies (clauses L8 to L10, L13, L16, O4, O5). It dials its parent's real door under
/// its own name and says there what it must not, beside what it may say of its own division. Each lie is held against the typed code that it must be answered with; what
/// became of everybody else's figures is looked at by the oracles of the story (<see cref="HostileOracle"/>).
/// </summary>
public sealed partial class HostileChild
{
    private const string Denied = RecordJudge.PermissionDenied;
    private const string UnheardName = "the name of a place that was not heard of";

    /// <summary>What is no lie, and counts.</summary>
    private const string True = "";

    /// <summary>It is nobody's, and lies below the division of the hostile child, so it may speak of it.</summary>
    private const string Ghost = "ghost";

    private static readonly (string Name, Action<HostileChild, SeededEntropy> Tell)[] Lies =
    [
        ("cells of a division that is not its own", (h, random) => h.CellsOfOthers(random)),
        ("cells in the name of another", (h, random) => h.CellsInAnothersName(random)),
        ("a revision far ahead", (h, random) => h.RevisionsAhead(random)),
        ("impossible cells", (h, _) => h.ImpossibleCells()),
        ("a statement of another", (h, random) => h.StatementsOfOthers(random)),
        ("a statement that it is somebody else", (h, random) => h.StatementsOfItself(random)),
        ("an escalation of another", (h, random) => h.EscalationsOfOthers(random)),
        ("an escalation with the id of another's", (h, random) => h.EscalationsWithTheIdOfOthers(random)),
        ("hops that go in a ring", (h, _) => h.HopsInARing()),
        ("what became of an order of another", (h, random) => h.ReceiptsOfOthers(random)),
        ("an order that nobody gave", (h, random) => h.ForgedOrders(random)),
        ("a hello of another", (h, random) => h.HellosOfOthers(random)),
        ("two histories", (h, random) => h.TwoHistories(random)),
        ("a part past its cursor", (h, _) => h.Gap()),
        ("an old frame of its own", (h, random) => h.OldFrames(random)),
        ("ranges of another", (h, random) => h.RangesOfOthers(random)),
        ("a repair that nobody asked for", (h, _) => h.UnaskedRepair()),
        ("a part that it did not sign", (h, random) => h.WronglySigned(random)),
        ("a part of no shape", (h, random) => h.WithoutShape(random)),
        (UnheardName, (h, random) => h.TakeNames(random)),
        ("answers to what nobody asked", (h, random) => h.UnaskedAnswers(random)),
    ];

    private readonly SimulatedTree _tree;
    private readonly SimulatedNode _self;
    private readonly SimulatedNode _parent;
    private readonly SeededEntropy _entropy;
    private readonly List<byte[]> _said = [];
    private readonly SortedSet<NodeId> _taken = [];
    private HostileStream _stream;
    private LinkConnection? _connection;
    private int _parentLife;
    private int _truths;

    /// <param name="tree">The tree that it is in, of which it is no node: what is demanded of all nodes is not demanded of it.</param>
    /// <param name="place">Its place, which the register of the tree has.</param>
    /// <param name="seed">For its data directories.</param>
    public HostileChild(SimulatedTree tree, SimulatedPlace place, ulong seed)
    {
        (_tree, _entropy) = (tree, new SeededEntropy(seed));
        _self = new SimulatedNode(tree, place, _entropy.Next());
        _parent = tree[place.Parent!.Node];
        _stream = NewStream();
        Own = [place.Division, TreeShape.DistrictOfHostile(place.Division)];
    }

    /// <summary>What a table of <see cref="SometimesTable"/> calls each lie once it was refused.</summary>
    public static IReadOnlyList<string> Conditions { get; } = [.. Lies.Select(lie => Condition(lie.Name))];

    public SimulatedPlace Place => _self.Place;

    /// <summary>The divisions that it may speak of; a code that it begins with is none of them for that, and one that comes below it one day is not yet.</summary>
    public ImmutableArray<DivisionCode> Own { get; }

    /// <summary>The greatest epoch that it was granted.</summary>
    public long LastEpoch { get; private set; }

    /// <summary>The furthest position that any of its directories has come to.</summary>
    public long Furthest { get; private set; }

    /// <summary>The newest day that it gave a possible figure of.</summary>
    public StatDay NewestDay { get; private set; }

    private NodeId Name => _self.Place.Node;

    private DivisionCode Division => _self.Place.Division;

    /// <summary>The nodes in whose name its parent does not believe it: the parent itself and its own parent among them.</summary>
    private SimulatedNode[] Known => [.. _tree.Nodes.Values.Where(node => CodeOf(node.Place.Node) != True)];

    /// <summary>
    /// What it is answered where it speaks of its own division in another's name: no where the name's home is certain or a person has said it, not yet where somebody else spoke of it first, and
    /// yes where nobody has, for it could be the node.
    /// </summary>
    private string CodeOf(NodeId name)
    {
        var reception = _parent.Core!.Reception;
        return name == _parent.Place.Node || name == _parent.Place.Parent?.Node || reception.Child(name) is not null || reception.GivenTo(name) is not null || _tree.Names.WasGiven(_parent, name) ? Denied
            : (reception.Origin(name) is { } row ? [row.Watermark.Division] : _parent.Core.Cells.FirstDivisionsOf(name, [Grain.Detail, Grain.National])).All(Own.Contains) ? True
            : RecordJudge.NameTaken;
    }

    /// <summary>Tells some lies on one connection; where that ends, on another.</summary>
    public void Lie(SeededEntropy random, int most)
    {
        Forgive();
        for (var left = 1 + random.Below(most); left > 0 && Join(); left--)
        {
            Lies[random.Below(Lies.Length)].Tell(this, random);
        }

        HangUp();
    }

    private static string Condition(string lie) => $"a hostile child was refused for {lie}";

    private static void Met(SimulatedTree tree, string lie) => tree.Sometimes.Reached(Condition(lie));

    private HostileStream NewStream() => new(_self, _parent.Place.Node, new Incarnation(new UInt128(_entropy.Next(), _entropy.Next() | 1)));

    /// <summary>A person believes it once more, each time.</summary>
    private void Forgive()
    {
        if (_parent.Core?.Reception.Child(Name)?.Quarantine is not null)
        {
            _parent.Do(core => core.Sequencer.Submit(core.ReceptionDesk.Release(Name, "officer"), _ => { }));
            _stream = NewStream();
        }
    }

    /// <summary>True where its parent has welcomed it; refused, it tries another time in another directory.</summary>
    private bool Join()
    {
        if (_connection is { IsOver: false } && _parent.Core is not null && _parent.Life == _parentLife)
        {
            return true;
        }

        Dial();
        if (Send(_stream.Hello(LastEpoch)) is { Welcome: { } welcome })
        {
            _stream.Joined(welcome);
            LastEpoch = Math.Max(LastEpoch, welcome.ChildEpoch);
            return true;
        }

        _stream = NewStream();
        return false;
    }

    private void Dial()
    {
        HangUp();
        (_connection, _parentLife) = (new LinkConnection(_self.Identity, _ => { }), _parent.Life);
    }

    private void HangUp()
    {
        if (_connection is { } connection && _parent.Life == _parentLife)
        {
            _parent.Hear(core => core.Door.Close(connection));
        }

        _connection = null;
    }

    /// <summary>Null where there was no answer: the parent is down, or died of its disk.</summary>
    private ConnectResponse? Send(ConnectRequest request)
    {
        var bytes = request.ToByteArray();
        _tree.Hash.AddMessage(_tree.Time.UtcTicks, bytes);
        Furthest = Math.Max(Furthest, _stream.Head);
        if (PartStatements.Of(request) is not null)
        {
            _said.Add(bytes);
        }

        ConnectResponse? answer = null;
        if (_connection is { } connection && _parent.Life == _parentLife && _tree.Twist.Up(_self, _parent, ConnectRequest.Parser.ParseFrom(bytes)) is { } taken)
        {
            _parent.Hear(core => core.Door.Take(connection, taken, response =>
            {
                answer = response;
                core.Door.Answered(connection);
            }));
            _parent.Pump();
        }

        if (answer?.Receipt is { } receipt)
        {
            _stream.Heard(receipt);
        }

        return _parent.Life != _parentLife || answer?.Refusal is { Code: LinkRefusalCode.Busy } ? null : answer;
    }

    /// <summary>Each record of a part is answered with the code given here, and whatever is true among them is taken.</summary>
    private bool Records(string lie, ConnectRequest request, params IReadOnlyList<string> codes)
    {
        if (!IsTold(request, lie, codes))
        {
            return false;
        }

        Met(_tree, lie);
        return true;
    }

    private bool IsTold(ConnectRequest request, string lie, params IReadOnlyList<string> codes)
    {
        if (Send(request) is not { } answer)
        {
            return false;
        }

        for (var i = 0; i < codes.Count; i++)
        {
            var told = answer.Receipt?.Records.FirstOrDefault(record => record.Index == i)?.Code ?? (answer.Receipt is null ? answer.Refusal?.Message : True);
            StoryBrokenException.Unless(told == codes[i], () => $"INV-29: {Name} told {_parent.Place.Node} {lie}, and record {i} of it was answered '{told}', not '{codes[i]}': {answer}");
        }

        return true;
    }

    /// <summary>The whole frame is refused.</summary>
    private void Refused(string lie, ConnectRequest request, params LinkRefusalCode[] codes)
    {
        if (Send(request) is { } answer)
        {
            StoryBrokenException.Unless(codes.Contains(answer.Refusal?.Code ?? LinkRefusalCode.Unspecified), () => $"INV-29: {Name} told {_parent.Place.Node} {lie}, and was answered {answer}");
            Met(_tree, lie);
        }
    }

    /// <summary>By its parent's clock, which may be wrong by days: what is not after tomorrow by that may be taken.</summary>
    private StatDay Yesterday
    {
        get
        {
            var day = _parent.Core!.Today.Plus(-1);
            NewestDay = day > NewestDay ? day : NewestDay;
            return day;
        }
    }

    /// <summary>A figure of its own, as it pleases.</summary>
    private CellRow OwnCell() => _stream.Cell(Name, Own[++_truths % Own.Length], "01001", Yesterday, HostileStream.Value(_truths));

    private UInt128 OwnId() => new(0xBAD, (ulong)++_truths);
}
