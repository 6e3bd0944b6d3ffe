using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using CityGrid.Hub.Seams;

namespace CityGrid.Tests.EndToEnd.Network;

/// <summary>
/// A TCP proxy on loopback whose line is as bad as it is told to be (<see cref="Toxic"/>), each way for itself, for standing connections too. It knows nothing of what it carries.
/// </summary>
internal sealed class ToxicProxy : IAsyncDisposable
{
    /// <summary>Below the ports of written trees, and below those that the system gives to outgoing connections: while it refuses, nobody else takes its place.</summary>
    private const int FirstPort = 15_000;
    private const int LastPort = 20_000;

    private readonly Func<Socket> _dial;
    private readonly SeededEntropy _random;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<Connection, Task> _open = [];
    private readonly ConcurrentBag<Socket> _forgotten = [];
    private readonly long _start = TimeProvider.System.GetTimestamp();
    private readonly Task _accepting;
    private readonly Lock _lock = new();
    private Weather _weather = new(Toxic.None, Toxic.None);
    private Socket? _listener;

    /// <param name="dial">Connects to the far end; it is asked once for each connection.</param>
    /// <param name="seed">Of the toxics' draws. What comes of them depends on how the bytes fall into chunks, too.</param>
    public ToxicProxy(Func<Socket> dial, ulong seed)
    {
        (_dial, _random) = (dial, new SeededEntropy(seed));
        (_listener, Port) = ListenAnywhere();
        _accepting = AcceptAsync();
    }

    public static ToxicProxy To(int port, ulong seed) => new(() => Dial(port), seed);

    public int Port { get; }

    /// <summary>Connections that were taken so far.</summary>
    public int Taken { get; private set; }

    public void Set(Toxic up, Toxic down)
    {
        lock (_lock)
        {
            var before = _weather;
            _weather = new Weather(up, down);
            if (_weather.Refuses)
            {
                _listener?.Dispose();
                _listener = null;
                foreach (var (connection, _) in _open)
                {
                    connection.End(Ending.Reset);
                }
            }

            before.Over.TrySetResult();
        }
    }

    public void Heal() => Set(Toxic.None, Toxic.None);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        lock (_lock)
        {
            _listener?.Dispose();
        }

        await _accepting;
        foreach (var (connection, ended) in _open)
        {
            connection.End(Ending.Reset);
            await ended;
        }

        foreach (var socket in _forgotten)
        {
            socket.Dispose();
        }

        _stop.Dispose();
    }

    private static Socket Dial(int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            socket.Connect(IPAddress.Loopback, port);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static (Socket Listener, int Port) ListenAnywhere()
    {
        var entropy = new SystemEntropy();
        for (var tries = 0; ; tries++)
        {
            var port = FirstPort + (int)(entropy.NextUInt64() % (LastPort - FirstPort));
            try
            {
                return (Listen(port), port);
            }
            catch (SocketException) when (tries < 100)
            {
                // Somebody has it.
            }
        }
    }

    private static Socket Listen(int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
            socket.Listen();
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private TimeSpan Now => TimeProvider.System.GetElapsedTime(_start);

    private Weather Current
    {
        get
        {
            lock (_lock)
            {
                return _weather;
            }
        }
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            if (await ListeningAsync() is not { } listener)
            {
                continue;
            }

            try
            {
                Begin(await listener.AcceptAsync(_stop.Token));
            }
            catch (Exception ended) when (ended is OperationCanceledException or ObjectDisposedException or SocketException)
            {
                // It refuses from now on, or stops; the caller may be gone too.
            }
        }
    }

    /// <summary>Null where it refuses still.</summary>
    private async Task<Socket?> ListeningAsync()
    {
        Weather weather;
        lock (_lock)
        {
            weather = _weather;
            if (!weather.Refuses)
            {
                return _listener ??= Listen(Port);
            }
        }

        await weather.Over.Task.WaitAsync(_stop.Token).ContinueWith(_ => { }, TaskScheduler.Default);
        return null;
    }

    private void Begin(Socket near)
    {
        Socket far;
        try
        {
            near.NoDelay = true;
            far = _dial();
        }
        catch (SocketException)
        {
            // Nobody is at the far end: whoever called sees a reset, for it has been taken already.
            near.LingerState = new LingerOption(true, 0);
            near.Dispose();
            return;
        }

        Taken++;
        var connection = new Connection(this, near, far);
        lock (_lock)
        {
            _open[connection] = connection.RunAsync();
            if (_weather.Refuses)
            {
                connection.End(Ending.Reset);
            }
        }
    }

    private (Passage Passage, Passed Passed) Pass(Toxic toxic, ReadOnlyMemory<byte> chunk, Passed passed)
    {
        lock (_random)
        {
            return toxic.Pass(chunk, passed, Now, _random);
        }
    }

    /// <summary>How the line is, until it is otherwise.</summary>
    private sealed record Weather(Toxic Up, Toxic Down)
    {
        public TaskCompletionSource Over { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool Refuses => Up.Refuses || Down.Refuses;

        public Toxic Of(bool up) => up ? Up : Down;
    }

    private sealed class Connection(ToxicProxy proxy, Socket near, Socket far)
    {
        /// <summary>Chunks on their way: a line has a queue, and it is not endless.</summary>
        private const int QueueChunks = 8;
        private const int ChunkBytes = 4 << 10;

        private readonly CancellationTokenSource _ended = CancellationTokenSource.CreateLinkedTokenSource(proxy._stop.Token);
        private readonly Lock _lock = new();
        private bool _isForgotten;

        public async Task RunAsync()
        {
            await Task.Yield();
            await Task.WhenAll(CarryAsync(near, far, true), CarryAsync(far, near, false));
            near.Dispose();
            if (!_isForgotten)
            {
                far.Dispose();
            }

            proxy._open.TryRemove(this, out _);
        }

        /// <summary>Ends it both ways.</summary>
        public void End(Ending ending)
        {
            lock (_lock)
            {
                if (_ended.IsCancellationRequested)
                {
                    return;
                }

                _isForgotten = ending == Ending.HalfOpen;
                if (_isForgotten)
                {
                    proxy._forgotten.Add(far);
                }

                foreach (var socket in _isForgotten ? [near] : new[] { near, far })
                {
                    // With nothing to linger for a close is a reset.
                    socket.LingerState = new LingerOption(ending != Ending.Closed, 0);
                    socket.Close();
                }
            }

            _ended.Cancel();
        }

        private async Task CarryAsync(Socket from, Socket to, bool up)
        {
            var queue = Channel.CreateBounded<(Passage Passage, Weather Weather)>(QueueChunks);
            var delivering = DeliverAsync(queue.Reader, to);
            try
            {
                await TakeInAsync(queue.Writer, from, up);
            }
            catch (Exception ended) when (ended is OperationCanceledException or ObjectDisposedException)
            {
                // The whole connection has ended.
            }

            queue.Writer.Complete();
            await delivering;
        }

        private async Task TakeInAsync(ChannelWriter<(Passage Passage, Weather Weather)> queue, Socket from, bool up)
        {
            Weather? under = null;
            var passed = default(Passed);
            for (var ending = Ending.None; ending == Ending.None;)
            {
                var chunk = new byte[ChunkBytes];
                var (count, told) = await ReceiveAsync(from, chunk);
                var weather = await CarryingAsync(up);
                var toxic = weather.Of(up);
                if (count == 0)
                {
                    await Task.Delay(toxic.EndAfter, _ended.Token);
                    await queue.WriteAsync((new Passage(default, proxy.Now, told), weather), _ended.Token);
                    return;
                }

                passed = ReferenceEquals(weather, under) ? passed : default;
                (var passage, passed) = proxy.Pass(toxic, chunk.AsMemory(0, count), passed);
                (under, ending) = (weather, passage.Ending);
                await queue.WriteAsync((passage, weather), _ended.Token);
            }

            // What is said behind the end is lost, and whoever says it does not know.
            var lost = new byte[ChunkBytes];
            while ((await ReceiveAsync(from, lost)).Count > 0)
            {
                continue;
            }
        }

        /// <summary>The bytes that came; none with the way in which the other end ended.</summary>
        private async Task<(int Count, Ending Told)> ReceiveAsync(Socket from, byte[] chunk)
        {
            try
            {
                return (await from.ReceiveAsync(chunk, SocketFlags.None, _ended.Token), Ending.HalfClosed);
            }
            catch (SocketException)
            {
                return (0, Ending.Reset);
            }
        }

        private async Task<Weather> CarryingAsync(bool up)
        {
            for (var weather = proxy.Current; ; weather = proxy.Current)
            {
                if (weather.Of(up).Carries)
                {
                    return weather;
                }

                await weather.Over.Task.WaitAsync(_ended.Token);
            }
        }

        private async Task DeliverAsync(ChannelReader<(Passage Passage, Weather Weather)> queue, Socket to)
        {
            try
            {
                await foreach (var (passage, weather) in queue.ReadAllAsync(_ended.Token))
                {
                    if (passage.At - proxy.Now is { } wait && wait > TimeSpan.Zero)
                    {
                        await Task.WhenAny(Task.Delay(wait, _ended.Token), weather.Over.Task);
                    }

                    for (var rest = passage.Bytes; !rest.IsEmpty;)
                    {
                        rest = rest[await to.SendAsync(rest, SocketFlags.None, _ended.Token)..];
                    }

                    switch (passage.Ending)
                    {
                        case Ending.HalfClosed:
                            to.Shutdown(SocketShutdown.Send);
                            break;
                        case Ending.Closed or Ending.Reset or Ending.HalfOpen:
                            End(passage.Ending);
                            break;
                    }
                }
            }
            catch (SocketException)
            {
                End(Ending.Reset);
            }
            catch (Exception ended) when (ended is OperationCanceledException or ObjectDisposedException)
            {
                // The whole connection has ended.
            }
        }
    }
}
