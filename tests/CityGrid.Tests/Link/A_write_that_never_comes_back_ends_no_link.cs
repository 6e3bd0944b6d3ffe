using CityGrid.Hub.Seams;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.V1;
using Grpc.Core;
using NUnit.Framework;

namespace CityGrid.Tests.Link;

/// <summary>
/// Clause L14: the end of a connection is told, whatever becomes of the writing. Over a real connection such a write was seen in one of some hundred
/// calls, where the parent's end overtook it; a child that waited for it would be silent for ever.
/// </summary>
public sealed class A_write_that_never_comes_back_ends_no_link
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Test]
    public async Task The_parents_end_is_told()
    {
        using var hangUp = new CancellationTokenSource();
        var (heard, writer) = (new Heard(), new NeverWritten());
        await GrpcWire.CarryAsync(heard, Call(writer, new Said(new ConnectResponse { Number = 7 })), hangUp).WaitAsync(Patience);

        Assert.That(heard.Responses.Select(response => response.Number), Is.EqualTo((long[])[7]));
        Assert.That(await writer.Begun.Task.WaitAsync(Patience), Is.EqualTo(1), "the write had begun");
        Assert.That(hangUp.IsCancellationRequested, Is.True, "and is told to give up");
    }

    [Test]
    public async Task Hanging_up_is_an_end_too()
    {
        using var hangUp = new CancellationTokenSource();
        var heard = new Heard();
        var carrying = GrpcWire.CarryAsync(heard, Call(new NeverWritten(), new Said()), hangUp);
        Assert.That(carrying.IsCompleted, Is.False);
        heard.Line!.HangUp();
        await Assert.CatchAsync<OperationCanceledException>(() => carrying.WaitAsync(Patience), "what the wire tells as hung up");
    }

    private static AsyncDuplexStreamingCall<ConnectRequest, ConnectResponse> Call(NeverWritten up, Said down) =>
        new(up, down, Task.FromResult(new Metadata()), () => Status.DefaultSuccess, () => [], () => { });

    /// <summary>Sends a frame as soon as it can.</summary>
    private sealed class Heard : IWireEvents
    {
        public IWireLine? Line { get; private set; }

        public List<ConnectResponse> Responses { get; } = [];

        public void Connected(IWireLine line)
        {
            Line = line;
            line.Send(new ConnectRequest { Number = 1 });
        }

        public void Received(ConnectResponse response) => Responses.Add(response);

        public void Ended(string reason) => Assert.Fail("Whoever carries leaves this to the wire.");
    }

    private sealed class NeverWritten : IClientStreamWriter<ConnectRequest>
    {
        public TaskCompletionSource<long> Begun { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public WriteOptions? WriteOptions { get; set; }

        public Task WriteAsync(ConnectRequest message)
        {
            Begun.TrySetResult(message.Number);
            return new TaskCompletionSource().Task;
        }

        public Task WriteAsync(ConnectRequest message, CancellationToken cancellationToken) => WriteAsync(message);

        public Task CompleteAsync() => Task.CompletedTask;
    }

    /// <summary>Gives these and ends; without any it says nothing until it is told to stop.</summary>
    private sealed class Said(params ConnectResponse[] responses) : IAsyncStreamReader<ConnectResponse>
    {
        private int _at = -1;

        public ConnectResponse Current => responses[_at];

        public async Task<bool> MoveNext(CancellationToken cancellationToken)
        {
            if (responses.Length == 0)
            {
                await Task.Delay(Timeout.Infinite, cancellationToken);
            }

            return ++_at < responses.Length;
        }
    }
}
