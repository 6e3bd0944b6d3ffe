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

    private sealed class Line(SimulatedWire wire, SimulatedNode parent, IWireEvents events) : IWireLine
    {
        private readonly SimulatedTree _tree = wire.Tree;
        private readonly SimulatedNode _child = wire.Child;
        private readonly int _childLife = wire.Child.Life;
        private readonly int _parentLife = parent.Life;
        private readonly LinkConnection _connection = parent.Admit(wire.Child);
        private bool _over;
        private long _upFreeAt;
        private long _downFreeAt;

        public void Send(ConnectRequest request)
        {
            var bytes = request.ToByteArray();
            Carry(bytes, ref _upFreeAt, () => Deliver(bytes));
        }

        public void HangUp() => End("Hung up.");

        private void Deliver(byte[] bytes)
        {
            if (parent.Core is not { } core || parent.Life != _parentLife)
            {
                End("The parent is gone.");
                return;
            }

            core.Door.Take(_connection, ConnectRequest.Parser.ParseFrom(bytes), response =>
            {
                var answer = response.ToByteArray();
                Carry(answer, ref _downFreeAt, () => Answer(answer));
            });
            parent.Pump();
        }

        private void Answer(byte[] bytes)
        {
            if (!_over && _child.Life == _childLife)
            {
                events.Received(ConnectResponse.Parser.ParseFrom(bytes));
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
            _tree.Time.After(TimeSpan.Zero, () =>
            {
                if (_child.Life == _childLife)
                {
                    events.Ended(reason);
                    _child.Pump();
                }
            });
        }
    }

    internal SimulatedTree Tree => tree;

    internal SimulatedNode Child => child;
}
