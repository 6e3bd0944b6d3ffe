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

/// <summary>What it says that it must not, one lie after the other, and how each must be answered.</summary>
public sealed partial class HostileChild
{
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
