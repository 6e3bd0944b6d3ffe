using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.V1;
using Google.Protobuf;

namespace CityGrid.Cli.Simulation;

/// <summary>
/// The wire of a simulated child: real protobuf bytes over a network that loses, repeats, delays and cuts. Messages may overtake one another.
/// </summary>
public sealed class SimulatedWire(SimulatedTree tree, SimulatedNode child) : IWire
{
    public void Dial(IWireEvents events)
    {
        var life = child.Life;
        tree.Time.After(Delay(), () =>
        {
            var parent = tree[child.Place.Parent!.Node];
            if (child.Life != life)
            {
                return;
            }

            if (parent.Core is null || tree.Random.Chance(tree.Weather.CutOf1000))
            {
                events.Ended("The parent does not answer.");
            }
            else
            {
                events.Connected(new Line(this, parent, events));
            }

            child.Pump();
        });
    }

    private TimeSpan Delay() => tree.Random.Jitter(tree.Weather.DelayMax);

    /// <summary>What TLS, HTTP/2 and TCP add to a message, about.</summary>
    private const int FrameBytes = 100;

    private sealed class Line : IWireLine
    {
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

        public Line(SimulatedWire wire, SimulatedNode parent, IWireEvents events)
        {
            (_tree, _child, _parent, _events) = (wire.Tree, wire.Child, parent, events);
            (_childLife, _parentLife) = (_child.Life, parent.Life);
            _connection = new LinkConnection(SimulatedNode.IdentityOf(_child), Push);
        }

        public void Send(ConnectRequest request)
        {
            var bytes = request.ToByteArray();
            Carry(bytes, ref _upFreeAt, () => Deliver(bytes));
        }

        public void HangUp() => End("Hung up.");

        private void Deliver(byte[] bytes)
        {
            if (_parent.Core is not { } core || _parent.Life != _parentLife)
            {
                End("The parent is gone.");
                return;
            }

            core.Door.Take(_connection, ConnectRequest.Parser.ParseFrom(bytes), response =>
            {
                Push(response);
                core.Door.Answered(_connection);
            });
            _parent.Pump();
        }

        private void Push(ConnectResponse response)
        {
            var bytes = response.ToByteArray();
            Carry(bytes, ref _downFreeAt, () => Answer(bytes));
        }

        private void Answer(byte[] bytes)
        {
            if (!_over && _child.Life == _childLife)
            {
                _events.Received(ConnectResponse.Parser.ParseFrom(bytes));
                _child.Pump();
            }
        }

        /// <summary>Loses, repeats, delays, or cuts; <paramref name="freeAt"/> is when a slow line has carried what was given to it.</summary>
        private void Carry(byte[] bytes, ref long freeAt, Action arrival)
        {
            var weather = _tree.Weather;
            if (weather.BytesPerSecond > 0)
            {
                freeAt = Math.Max(freeAt, _tree.Time.UtcTicks) + ((bytes.Length + FrameBytes) * TimeSpan.TicksPerSecond / weather.BytesPerSecond);
                _tree.Time.After(TimeSpan.FromTicks(freeAt - _tree.Time.UtcTicks) + weather.DelayMax, () =>
                {
                    if (!_over)
                    {
                        arrival();
                    }
                });
                return;
            }

            if (_tree.Random.Chance(weather.CutOf1000))
            {
                End("The line was cut.");
                return;
            }

            var copies = _tree.Random.Chance(weather.LostOf1000) ? 0 : _tree.Random.Chance(weather.TwiceOf1000) ? 2 : 1;
            for (var i = 0; i < copies; i++)
            {
                _tree.Time.After(_tree.Random.Jitter(weather.DelayMax), () =>
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
            _parent.Core?.Door.Close(_connection);
            _tree.Time.After(TimeSpan.Zero, () =>
            {
                if (_child.Life == _childLife)
                {
                    _events.Ended(reason);
                    _child.Pump();
                }
            });
        }
    }

    internal SimulatedTree Tree => tree;

    internal SimulatedNode Child => child;
}
