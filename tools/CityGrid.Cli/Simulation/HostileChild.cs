using System.Collections.Immutable;
using CityGrid.Hub.Cells;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Orders;
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
public sealed class HostileChild
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

    private void CellsOfOthers(SeededEntropy random)
    {
        var divisions = _tree.Register.All.Select(d => d.Code).Where(code => !Own.Contains(code)).Distinct().ToArray();
        var (one, other) = (divisions[random.Below(divisions.Length)], divisions[random.Below(divisions.Length)]);
        Records(
            "cells of a division that is not its own",
            _stream.Cut([OwnCell(), _stream.Cell(Name, one, "06010", Yesterday, HostileStream.Value(1000)), _stream.Cell(Name, other, "06013", Yesterday, HostileStream.Value(1000))], [], []),
            True,
            Denied,
            Denied);
    }

    private void CellsInAnothersName(SeededEntropy random)
    {
        var other = Of(Known, random);
        Revision? ahead = random.OneIn(2) ? new Revision(1_000, 1_000_000) : null;
        Records(
            "cells in the name of another",
            _stream.Cut(
                [
                    _stream.Cell(other.Place.Node, Division, "06010", Yesterday, HostileStream.Value(1000), ahead), OwnCell(),
                    _stream.Cell(other.Place.Node, other.Place.Division, "01001", Yesterday, HostileStream.Value(1000), ahead),
                ],
                [],
                []),
            CodeOf(other.Place.Node),
            True,
            Denied);
    }

    private void RevisionsAhead(SeededEntropy random)
    {
        var (epoch, lsn) = (_stream.Epoch.Number, _stream.Next);
        var revision = random.OneIn(2) ? new Revision(epoch + 1 + random.Below(1000), 1) : new Revision(epoch, lsn + 1 + random.Below(1_000_000));
        Records("a revision far ahead", _stream.Cut([_stream.Cell(Name, Division, "09012", Yesterday, HostileStream.Value(1), revision), OwnCell()], [], []), RecordJudge.Ahead, True);
    }

    private void ImpossibleCells()
    {
        CellRow Cell(string type, byte[] value, int days = 0) => _stream.Cell(Name, Division, type, Yesterday.Plus(days), value);
        Records(
            "impossible cells",
            _stream.Cut(
                [
                    Cell("06010", HostileStream.Value(-1000)), Cell("06011", HostileStream.Value(CellChecks.ValueMax + 1)), Cell("06013", HostileStream.BucketsThatDoNotAddUp()),
                    Cell("09012", HostileStream.Value(1), days: 400), Cell("10002", [1, 2, 3]), _stream.Cell(Name, DivisionCode.Parse("NOWHERE"), "01001", Yesterday, HostileStream.Value(1)), OwnCell(),
                ],
                [],
                []),
            CellChecks.Negative,
            CellChecks.TooLarge,
            CellChecks.Buckets,
            CellChecks.DayAhead,
            CellChecks.Malformed,
            RecordJudge.UnknownDivision,
            True);
    }

    private void StatementsOfOthers(SeededEntropy random)
    {
        var other = Of(Known, random);
        var now = _parent.Core!.Now;
        var ahead = Ahead(other, random.OneIn(2) ? other.Place.Division : Division, now);
        var code = ahead.Division == Division ? CodeOf(other.Place.Node) : Denied;
        Records("a statement of another", _stream.Cut([OwnCell()], [ahead], [other.Place.Node]), True, code, code == Denied ? RecordJudge.Malformed : code);
    }

    private OriginWatermark Ahead(SimulatedNode other, DivisionCode division, NodaTime.Instant now) =>
        _stream.Statement(other.Place.Node, division, now, Yesterday) with { Epoch = new Epoch(1_000, 7), Lsn = new Lsn(1_000_000) };

    /// <summary>
    /// Names that its parent has not heard of are its own to give, for all that anybody there can tell; ones that it took before belong to their places again once these have said hello to its
    /// parent, or a person there has said so, and then it is not believed any more.
    /// </summary>
    public void TakeNames(SeededEntropy random)
    {
        foreach (var node in Join() ? _tree.Nodes.Values.Where(_ => random.OneIn(2)).ToArray() : [])
        {
            var code = Join() ? CodeOf(node.Place.Node) : RecordJudge.NameTaken;
            if (code == True)
            {
                TakeName(node, True);
                _taken.Add(node.Place.Node);
            }
            else if (code == Denied && _taken.Contains(node.Place.Node) && TakeName(node, Denied))
            {
                Met(_tree, UnheardName);
            }
        }
    }

    private bool TakeName(SimulatedNode node, string code)
    {
        var name = node.Place.Node;
        var cell = _stream.Cell(name, Division, "06010", Yesterday, HostileStream.Value(1000), new Revision(1_000, 999_999));
        var isTold = IsTold(_stream.Cut([cell, OwnCell()], [Ahead(node, Division, _parent.Core!.Now)], [name]), UnheardName, code, True, code, code == Denied ? RecordJudge.Malformed : code);
        return isTold && Join() && IsTold(_stream.Raise([_stream.Escalation(OwnId(), 1, name, Division)]), UnheardName, code);
    }

    private void StatementsOfItself(SeededEntropy random)
    {
        var own = _stream.Statement(Name, Division, _parent.Core!.Now, Yesterday);
        var (lie, code) = random.Below(4) switch
        {
            0 => (own with { Division = Of(Known, random).Place.Division }, Denied),
            1 => (own with { Epoch = new Epoch(own.Epoch.Number + 1, 7) }, Denied),
            2 => (own with { Incarnation = new Incarnation(7) }, Denied),
            _ => (own with { CompleteThrough = Yesterday.Plus(400) }, RecordJudge.Ahead),
        };
        Records("a statement that it is somebody else", _stream.Cut([OwnCell()], [lie], []), True, code);

        // What it says of itself, and of a node below it that may be there, is taken, whatever is true of it.
        if (Join())
        {
            var ghost = NodeId.Parse(Ghost);
            Records(
                "a statement that it is somebody else",
                _stream.Cut(
                    [OwnCell(), _stream.Cell(ghost, Own[^1], "01001", Yesterday, HostileStream.Value(5), new Revision(_stream.Epoch.Number, _stream.Next))],
                    [_stream.Statement(Name, Division, _parent.Core!.Now, Yesterday), _stream.Statement(ghost, Own[^1], _parent.Core.Now, Yesterday)],
                    random.OneIn(2) ? [Name, ghost] : []),
                True,
                True,
                True,
                True);
        }
    }

    private void EscalationsOfOthers(SeededEntropy random)
    {
        var (other, city) = (Of(Known, random), Of([.. _tree.Nodes.Values], random));
        Records(
            "an escalation of another",
            _stream.Raise(
            [
                _stream.Escalation(OwnId(), 1, other.Place.Node, other.Place.Division), _stream.Escalation(OwnId(), 1, Name, city.Place.Division), _stream.Escalation(OwnId(), 1, Name, Division),
                _stream.Escalation(OwnId(), 1, other.Place.Node, Division),
            ]),
            Denied,
            Denied,
            True,
            CodeOf(other.Place.Node));
    }

    private void EscalationsWithTheIdOfOthers(SeededEntropy random)
    {
        var known = _parent.Core!.Escalations.ChangedSince(Lsn.Zero, _parent.Core.Sequencer.Applied).Where(record => _tree.Nodes.ContainsKey(NodeId.Parse(record.Content.Origin))).ToArray();
        if (known.Length > 0)
        {
            var (id, version) = (known[random.Below(known.Length)] is var one ? one.Id : default, one.Content.Version);
            Records(
                "an escalation with the id of another's",
                _stream.Raise([_stream.Escalation(id, version, Name, Division), _stream.Escalation(id, version + 1, Name, Division), _stream.Escalation(id, 1_000, Name, Division)]),
                RecordJudge.Conflict,
                RecordJudge.Conflict,
                RecordJudge.Conflict);
        }
    }

    private void HopsInARing() => Records(
        "hops that go in a ring",
        _stream.Raise(
        [
            _stream.Escalation(OwnId(), 1, Name, Division, Ghost, _parent.Place.Node.ToString(), Ghost), _stream.Escalation(OwnId(), 1, Name, Division, [.. Enumerable.Repeat(Ghost, RecordJudge.HopsMax + 1)]),
            _stream.Escalation(OwnId(), 1, Name, Division),
        ]),
        RecordJudge.Loop,
        RecordJudge.Malformed,
        True);

    private void ReceiptsOfOthers(SeededEntropy random)
    {
        var orders = _parent.Core!.Orders.Orders;
        if (orders.Count > 0)
        {
            var order = orders[random.Below(orders.Count)];
            var there = _tree.Nodes.Values.Single(node => node.Place.Division == order.Target);
            OrderReceipt Told(NodeId node, DivisionCode division, int step, OrderState state) => new()
            {
                Order = order.Content.Id,
                Issuer = order.Content.Issuer,
                Node = node.ToString(),
                Division = division.ToString(),
                Step = step,
                State = state,
                Text = "a lie",
                At = 1,
            };
            Records(
                "what became of an order of another",
                _stream.Tell(
                [
                    _stream.Receipt(Told(there.Place.Node, there.Place.Division, 1, OrderState.Delivered), order.Content), _stream.Receipt(Told(Name, Division, 1, OrderState.Rejected)),
                    _stream.Receipt(Told(Name, Division, 2, OrderState.Answered), order.Content),
                ]),
                Denied,
                Denied,
                Denied);
        }
    }

    /// <summary>The receipt counts, for it is its own; the order is not learned from it.</summary>
    private void ForgedOrders(SeededEntropy random)
    {
        var (issuer, target) = (random.OneIn(2) ? _parent.Place : _parent.Place.Parent ?? _parent.Place, Of([.. _tree.Nodes.Values], random));
        var order = new Order
        {
            Id = OrderId.ToBytes(OwnId()),
            Issuer = issuer.Node.ToString(),
            IssuerDivision = issuer.Division.ToString(),
            TargetDivision = (random.OneIn(2) ? target.Place.Division : Division).ToString(),
            Kind = OrderKind.Assign,
            Text = "nobody gave this",
        };
        var receipt = new OrderReceipt { Order = order.Id, Issuer = order.Issuer, Node = Name.ToString(), Division = Division.ToString(), Step = 1, State = OrderState.Delivered, At = 1 };
        var envelope = _stream.Receipt(receipt, order);

        // Whoever has never signed is believed without (A7), so one of those it gives a signature of its own.
        envelope.Signature = random.OneIn(3) && (issuer == _parent.Place || _parent.Core!.Orders.HasSigned(order.Issuer, order.IssuerDivision)) ? null : IssuerWord.Sign(_self.Signatures, new Issued(IssuerWord.Order, issuer.Node, issuer.Division, envelope.Order), _parent.Core!.Now);
        if (Records("an order that nobody gave", _stream.Tell([envelope]), True))
        {
            StoryBrokenException.Unless(_parent.Core!.Orders.Find(OrderId.Of(order.Id))?.Order is null, () => $"A7: {_parent.Place.Node} learned from {Name} of an order that nobody gave: {order}");
        }
    }

    private void HellosOfOthers(SeededEntropy random)
    {
        var other = Of([.. _tree.Nodes.Values], random);
        void Say(Action<Hello> lie, params LinkRefusalCode[] codes)
        {
            Dial();
            var hello = _stream.Hello(LastEpoch);
            lie(hello.Hello);
            Refused("a hello of another", hello, codes);
        }

        Say(hello => hello.Node = other.Place.Node.ToString(), LinkRefusalCode.PermissionDenied);
        Say(hello => hello.Division = other.Place.Division.ToString(), LinkRefusalCode.PermissionDenied);
        Say(
            hello =>
            {
                hello.Signer.Clear();
                hello.Signer.AddRange(other.Signatures!.Own!.Signer.Certificates);
            },
            LinkRefusalCode.Signature);
        Say(
            hello =>
            {
                hello.Incarnation = ByteString.CopyFrom(NewStream().Incarnation.ToBytes());
                (hello.Epoch, hello.EpochNonce, hello.LastEpoch) = (0, 0, long.MaxValue);
            },
            LinkRefusalCode.Malformed);
        Dial();
        Refused("a hello of another", _stream.Cut([OwnCell()], [], []), LinkRefusalCode.NoSession);
    }

    /// <summary>It is set aside for that until a person has looked, and nobody else is.</summary>
    private void TwoHistories(SeededEntropy random)
    {
        var cell = OwnCell();
        if (Send(_stream.Cut([cell], [], [])) is not { Receipt: not null } || !Join())
        {
            return;
        }

        Refused(
            "two histories",
            random.OneIn(2)
                ? _stream.Cut([cell with { Value = HostileStream.Value(++_truths) }], [], [])
                : _stream.Cut([OwnCell()], [], [], part => part.CutFromChainHash = ByteString.CopyFrom(new byte[Hash256.Size])),
            LinkRefusalCode.Fork);
    }

    private void Gap()
    {
        var head = _stream.Next;
        Refused(
            "a part past its cursor",
            _stream.Cut([OwnCell()], [], [], part => (part.CutFrom, part.CutFromChainHash) = (head, _stream.MarkAt(head).HashBytes())),
            LinkRefusalCode.Gap);
    }

    /// <summary>What was taken once has no effect again; of an earlier epoch it is of another stream. A parent that has forgotten it takes it anew.</summary>
    private void OldFrames(SeededEntropy random)
    {
        if (_said.Count > 0 && Send(_stream.Numbered(ConnectRequest.Parser.ParseFrom(_said[random.Below(_said.Count)]))) is { } answer)
        {
            StoryBrokenException.Unless(answer.Receipt is not null || answer.Refusal is { Code: not LinkRefusalCode.Unspecified }, () => $"{Name} sent {_parent.Place.Node} an old frame again, and was answered {answer}");
            Met(_tree, "an old frame of its own");
        }
    }

    private void RangesOfOthers(SeededEntropy random)
    {
        const string lie = "ranges of another";
        var other = Of(Known, random);
        var scope = new RangeScope(other.Place.Node, Grain.National);
        var statement = _stream.Statement(other.Place.Node, other.Place.Division, _parent.Core!.Now, Yesterday);
        Records(lie, _stream.Cut([], [statement], [], part => RangeStatements.Write(part, [new RangeStatement(scope, null, [])])), Denied);
        if (!Join())
        {
            return;
        }

        var month = new RangeKey(scope, RangeKey.Of(_stream.Cell(other.Place.Node, Division, "01001", Yesterday, []).Key).Month);
        if (random.OneIn(2))
        {
            // An empty repair would make the whole month of another nothing.
            Records(lie, _stream.Cut([], [], [], part => RangeStatements.Write(part, new RangeStretch(month, true, true))));
            return;
        }

        var row = _parent.Core!.Cells.RangeOf(other.Place.Node, Grain.National, month.Month).FirstOrDefault();
        row = row.Key.Origin == other.Place.Node ? row with { Value = HostileStream.Value(1000) } : _stream.Cell(other.Place.Node, other.Place.Division, "01001", Yesterday, HostileStream.Value(1000));
        Records(lie, _stream.Cut([row], [], [], part => RangeStatements.Write(part, new RangeStretch(month, true, true))), RecordJudge.RangeNotAsked);
    }

    private void UnaskedRepair()
    {
        var cell = _stream.Cell(Name, Division, "01001", Yesterday, HostileStream.Value(++_truths));
        Records("a repair that nobody asked for", _stream.Cut([cell], [], [], part => RangeStatements.Write(part, new RangeStretch(RangeKey.Of(cell.Key), true, true))), RecordJudge.RangeNotAsked);
    }

    private void WronglySigned(SeededEntropy random)
    {
        if (_stream.Protocol < 2)
        {
            return;
        }

        var request = _stream.Cut([OwnCell()], [], []);
        switch (random.Below(3))
        {
            case 0:
                request.SignedHead = null;
                break;
            case 1:
                request.SignedHead.Node = Of(Known, random).Place.Node.ToString();
                break;
            default:
                request.Cells.Cells[0].Value = ByteString.CopyFrom(HostileStream.Value(_truths + 1));
                break;
        }

        Refused("a part that it did not sign", request, LinkRefusalCode.Signature);
    }

    private void WithoutShape(SeededEntropy random) => Refused(
        "a part of no shape",
        random.Below(3) switch
        {
            0 => _stream.Cut([OwnCell()], [], [], part => part.CutTo = -1),
            1 => _stream.Cut([OwnCell()], [], [], part => part.Part = 2),
            _ => _stream.Raise([_stream.Escalation(OwnId(), 1, Name, Division) is var e ? Misplaced(e) : e]),
        },
        LinkRefusalCode.Malformed);

    private static EscalationEnvelope Misplaced(EscalationEnvelope envelope)
    {
        envelope.Lsn = long.MaxValue;
        return envelope;
    }

    private void UnaskedAnswers(SeededEntropy random)
    {
        var answers = new[]
        {
            new ConnectRequest { ReachAnswer = new ReachAnswer { Id = OrderId.ToBytes(OwnId()), Result = 1, Offset = random.Below(100), Total = 10, Content = ByteString.CopyFromUtf8("a lie") } },
            new ConnectRequest { OrdersReceipt = new OrdersReceipt { Number = random.Below(5), Position = new StreamPosition { Lane = Lane.Orders, Lsn = long.MaxValue, ChainHash = ByteString.CopyFrom(new byte[Hash256.Size]) } } },
            new ConnectRequest
            {
                PackageReceipt = new PackageChunkReceipt
                {
                    Number = random.Below(3),
                    Outcome = random.OneIn(2) ? PackageOutcome.Refused : PackageOutcome.Taken,
                    Heads = { new PackageHead { Issuer = _parent.Place.Node.ToString(), Number = 1_000, Hash = ByteString.CopyFrom(new byte[Hash256.Size]) } },
                },
            },
        };
        foreach (var answer in answers)
        {
            Send(_stream.Numbered(answer));
        }

        Met(_tree, "answers to what nobody asked");
    }

    private static SimulatedNode Of(SimulatedNode[] nodes, SeededEntropy random) => nodes[random.Below(nodes.Length)];
}
