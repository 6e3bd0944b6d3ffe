using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;

namespace CityGrid.Cli.Simulation;

/// <summary>
/// The wire of a simulated child: real protobuf bytes over a network that loses, repeats, delays and cuts. Messages may overtake one another.
/// </summary>
public sealed class SimulatedWire(SimulatedTree tree, SimulatedNode child, NodeId above) : IWire
{
    private static readonly TimeSpan UnreachableAfter = TimeSpan.FromSeconds(60);

    public void Dial(IWireEvents events)
    {
        var life = child.Life;
        var parent = tree[above];
        var isOut = tree.Network.IsBlocked(child.Place.Node, parent.Place.Node) || tree.Network.IsBlocked(parent.Place.Node, child.Place.Node);
        tree.Time.After(isOut ? UnreachableAfter : tree.Network.Delay(child.Place.Node, parent.Place.Node), () =>
        {
            if (child.Life != life)
            {
                return;
            }

            child.Do(_ =>
            {
                if (isOut || parent.Core is null || tree.Network.Breaks())
                {
                    events.Ended("The parent does not answer.");
                }
                else
                {
                    var line = new Line(this, parent, events);
                    child.Lines[above] = line;
                    events.Connected(line);
                }
            });
            tree.Look(child);
        });
    }

    /// <summary>A connection of a child as the network has it.</summary>
    public sealed class Line : IWireLine
    {
        /// <summary>What TLS, HTTP/2 and TCP add to a message, about.</summary>
        private const int FrameBytes = 100;

        private readonly SimulatedTree _tree;
        private readonly SimulatedNode _child;
        private readonly SimulatedNode _parent;
        private readonly IWireEvents _events;
        private readonly int _childLife;
        private readonly int _parentLife;
        private readonly LinkConnection _connection;
        private bool _over;
        private long _upFreeAt;
        private long _downFreeAt;

        internal Line(SimulatedWire wire, SimulatedNode parent, IWireEvents events)
        {
            (_tree, _child, _parent, _events) = (wire.Tree, wire.Child, parent, events);
            (_childLife, _parentLife) = (_child.Life, parent.Life);
            _connection = new LinkConnection(_child.Identity, Push);
        }

        /// <summary>The child has some chunks of a package, and not the last.</summary>
        internal bool HasHalfPackage { get; private set; }

        private NodeId Below => _child.Place.Node;

        private NodeId Above => _parent.Place.Node;

        public void Send(ConnectRequest request)
        {
            var bytes = request.ToByteArray();
            KeepFor(line => line.Deliver(bytes));
            Carry(Below, Above, bytes.Length, ref _upFreeAt, () => Deliver(bytes));
        }

        public void HangUp() => End("Hung up.");

        /// <summary>
        /// The message may come again another day, on whatever connection there is by then between the same two directories: what binds a frame to a directory is
        /// its connection, so one of an earlier directory comes on no connection of a later one.
        /// </summary>
        private void KeepFor(Action<Line> arrival)
        {
            var directories = (_child.Directories, _parent.Directories);
            _tree.Network.Keep(() =>
            {
                if (_child.Lines.GetValueOrDefault(Above) is { _over: false } line && directories == (_child.Directories, _parent.Directories))
                {
                    _tree.Sometimes.Reached("a late message came on another connection");
                    arrival(line);
                }
            });
        }

        private void Deliver(byte[] bytes)
        {
            if (_parent.Core is null || _parent.Life != _parentLife)
            {
                End("The parent is gone.");
                return;
            }

            if (_connection.IsOver)
            {
                return;
            }

            _tree.Hash.AddMessage(_tree.Time.UtcTicks, bytes);
            if (_tree.Twist.Up(_child, _parent, ConnectRequest.Parser.ParseFrom(bytes)) is { } request)
            {
                WireNotes.NoteAbove(_tree.Sometimes, _parent, request);
                if (request.Cells is { Part: 1 } first && _parent.Core?.Reception.Child(Below)?.Cells.Cut is { } begun && begun.Reading != first.Reading)
                {
                    _tree.Sometimes.Reached("a cut began anew after half of it was applied");
                }

                _parent.Hear(core => core.Door.Take(_connection, request, response =>
                {
                    WireNotes.Note(_tree.Sometimes, request, response);
                    if (response.Receipt?.Position is { } position)
                    {
                        _tree.Spoke(_child, position.Epoch, position.EpochNonce);
                    }

                    Push(response);
                    core.Door.Answered(_connection);
                }));
                _tree.Look(_child);
                _parent.Pump();
                _tree.Look(_child);
            }
        }

        private void Push(ConnectResponse response)
        {
            var bytes = response.ToByteArray();
            KeepFor(line => line.Answer(bytes));
            Carry(Above, Below, bytes.Length, ref _downFreeAt, () =>
            {
                var isRefused = IsRefusedFor(response);
                Answer(bytes);
                if (isRefused)
                {
                    _tree.Time.After(TimeSpan.FromMilliseconds(1), () => LookAtRefused(response.Refusal.Code));
                }
            });
        }

        private UplinkPump? Uplink => _child.Life != _childLife ? null : _child.Place.Parent?.Node == Above ? _child.Core?.Uplink : _child.Core?.SectorUplink;

        /// <summary>The child is about to hear that it is set aside, out of office or an old copy, in answer to what it asks now.</summary>
        private bool IsRefusedFor(ConnectResponse response) =>
            !_over && response.Refusal is { Code: LinkRefusalCode.EpochRegression or LinkRefusalCode.Fenced or LinkRefusalCode.Fork } && Uplink?.Standing.State is { } state
                && (state.Phase == SenderPhase.Greeting ? response.Number == state.Number : state.Phase == SenderPhase.Open && state.UnderWay.Any(asked => asked.Number == response.Number));

        /// <summary>Its people read it at the child, long before anybody above has looked.</summary>
        private void LookAtRefused(LinkRefusalCode code)
        {
            var error = Uplink?.Standing.LastError;
            StoryBrokenException.Unless(error?.Contains(LinkWords.NameOf(code), StringComparison.Ordinal) ?? true, () => $"RULE-8: {Below} was refused by {Above} ({LinkWords.NameOf(code)}) and says \"{error}\"");
        }

        private void Answer(byte[] bytes)
        {
            if (_over || _child.Life != _childLife)
            {
                return;
            }

            _tree.Hash.AddMessage(_tree.Time.UtcTicks, bytes);
            if (_tree.Twist.Down(_child, _parent, ConnectResponse.Parser.ParseFrom(bytes)) is { } response)
            {
                WireNotes.NoteBelow(_tree.Sometimes, _child, response);
                HasHalfPackage = response.Package is { } chunk ? chunk.Offset + chunk.Content.Length < chunk.Total : HasHalfPackage;
                _child.Hear(_ => _events.Received(response));
                _tree.Look(_child);
                _child.Pump();
                _tree.Look(_child);
            }
        }

        /// <summary>Loses, repeats, delays, or cuts; <paramref name="freeAt"/> is when a slow line has carried what was given to it.</summary>
        private void Carry(NodeId from, NodeId to, int length, ref long freeAt, Action arrival)
        {
            var weather = _tree.Weather;
            if (weather.BytesPerSecond > 0)
            {
                freeAt = Math.Max(freeAt, _tree.Time.UtcTicks) + ((length + FrameBytes) * TimeSpan.TicksPerSecond / weather.BytesPerSecond);
                _tree.Time.After(TimeSpan.FromTicks(freeAt - _tree.Time.UtcTicks) + weather.DelayMax, () =>
                {
                    if (!_over)
                    {
                        arrival();
                    }
                });
                return;
            }

            if (_tree.Network.Breaks())
            {
                End("The line was cut.");
                return;
            }

            var copies = _tree.Network.Copies(from, to);
            for (var i = 0; i < copies; i++)
            {
                _tree.Time.After(_tree.Network.Delay(from, to), () =>
                {
                    if (!_over)
                    {
                        arrival();
                    }
                });
            }
        }

        private void End(string reason)
        {
            if (_over)
            {
                return;
            }

            _over = true;
            _parent.Hear(core => core.Door.Close(_connection));
            _tree.Time.After(TimeSpan.Zero, () =>
            {
                if (_child.Life == _childLife)
                {
                    _child.Do(_ => _events.Ended(reason));
                }
            });
        }
    }

    internal SimulatedTree Tree => tree;

    internal SimulatedNode Child => child;
}

/// <summary>What passes between two ends, as far as the table of <see cref="SometimesTable"/> wants to know.</summary>
internal static class WireNotes
{
    /// <summary>What a child is about to hear of orders and packages.</summary>
    public static void NoteBelow(SometimesTable table, SimulatedNode child, ConnectResponse response)
    {
        if (child.Core is not { } core || response.Orders is not { Orders: var envelopes })
        {
            return;
        }

        var orders = envelopes.Select(envelope => (Order: Order.Parser.ParseFrom(envelope.Order), envelope.Receipts)).ToArray();
        foreach (var (order, receipts) in orders)
        {
            var known = core.Orders.Find(OrderId.Of(order.Id));
            if (known?.Order is not null)
            {
                table.Reached("an order came that was known");
            }
            else if (receipts.Count > 0)
            {
                table.Reached("an order came again to a place that had lost it, with what was decided there");
            }
            else if (child.Directories > 0)
            {
                table.Reached("an order came to a place that had lost its directory or was put back");
            }

            if (known is null && order.Kind == OrderKind.Cancel && orders.Any(other => other.Order.Id == order.Subject && other.Receipts.Count == 0))
            {
                table.Reached("an order was cancelled while it was on its way");
            }

            if (known is { Receipts: var there } && receipts.Select(OrderReceipt.Parser.ParseFrom).Any(told => there.Any(own => own.Content.Step == told.Step && !own.Content.Equals(told))))
            {
                table.Reached("a place heard that another history of it had decided otherwise");
            }
        }
    }

    /// <summary>What a parent is about to hear of them.</summary>
    public static void NoteAbove(SometimesTable table, SimulatedNode parent, ConnectRequest request)
    {
        foreach (var envelope in request.Escalations?.Receipts ?? [])
        {
            var receipt = OrderReceipt.Parser.ParseFrom(envelope.Receipt);
            var known = parent.Core?.Orders.Find(OrderId.Of(receipt.Order));
            if (known?.Order is null && receipt.Issuer == parent.Place.Node.ToString())
            {
                table.Reached("an order came back to its issuer that had lost it");
            }
            else if (known?.Order is null)
            {
                table.Reached("an order came back to a relay that had lost it");
            }
            else if (known.Receipts.Any(other => other.Content.Step == receipt.Step))
            {
                table.Reached("a receipt came that was known");
            }

            if (receipt.State == OrderState.Expired)
            {
                table.Reached("an order expired before anybody heard of it");
            }

            if (receipt.Code == OrderJudge.NothingToCancel)
            {
                table.Reached("a cancellation came too late");
            }
        }

        if (request.PackageReceipt is { Outcome: PackageOutcome.Refused } refused)
        {
            table.Reached(refused.Code == PackageJudge.Fork ? "an issuer gave a number to two packages" : "a package was refused");
        }
        else if (request.PackageReceipt is { Outcome: PackageOutcome.Gap })
        {
            table.Reached("a package came before the one that it follows");
        }
    }

    public static void Note(SometimesTable table, ConnectRequest request, ConnectResponse response)
    {
        switch (response.FrameCase)
        {
            case ConnectResponse.FrameOneofCase.Refusal:
                switch (response.Refusal.Code)
                {
                    case LinkRefusalCode.Gap: table.Reached("a gap was told"); break;
                    case LinkRefusalCode.Fork: table.Reached("a child was quarantined as a fork"); break;
                    case LinkRefusalCode.Fenced: table.Reached("a directory out of office was told FENCED"); break;
                    case LinkRefusalCode.EpochRegression: table.Reached("an old copy was told EPOCH_REGRESSION"); break;
                    default: break;
                }

                break;
            case ConnectResponse.FrameOneofCase.Welcome when request.Hello is { } hello:
                if (hello.Epoch > 0 && response.Welcome.ChildEpoch == hello.Epoch && hello.Positions.Any(p => p.Lsn > 0 && response.Welcome.Positions.Any(stands => stands.Lane == p.Lane && stands.Lsn == 0)))
                {
                    table.Reached("a parent that had lost what it knew took the epoch that its child held");
                }

                break;
            case ConnectResponse.FrameOneofCase.Receipt:
                var receipt = response.Receipt;
                if (receipt.Parked > 0)
                {
                    table.Reached("a record was parked");
                }

                if (receipt.Refused > 0)
                {
                    table.Reached("a record was refused");
                }

                if (request.Cells is { Part: > 1 } part && part.Part == part.Parts && receipt.Position.Lsn == part.CutTo)
                {
                    table.Reached("a cut in several parts was applied");
                }

                if (request.Cells is { Cells.Count: > 0 } again && receipt.Position.Lsn >= again.CutTo && receipt.Accepted == 0 && receipt.Records.Count == 0)
                {
                    table.Reached("a part came twice and had no effect");
                }

                if (request.Escalations?.Escalations.Any(e => e.Hops.Count > 0) == true)
                {
                    table.Reached("an escalation came by a relay");
                }

                break;
            default:
                break;
        }
    }
}
