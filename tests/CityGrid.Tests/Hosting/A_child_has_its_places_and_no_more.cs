using System.Net.Sockets;
using CityGrid.Hub.Load;
using CityGrid.Hub.Seams;
using CityGrid.Node.Hosting;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Reception;
using Grpc.Core;
using Grpc.Net.Client;
using NUnit.Framework;

namespace CityGrid.Tests.Hosting;

/// <summary>SEC-19, SEC-22, INV-26: connections and streams of one child are counted by whom its certificate names; another child is not touched by it.</summary>
public sealed class A_child_has_its_places_and_no_more
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    [Test]
    public async Task So_many_connections_and_one_more_ends_the_oldest()
    {
        await using var node = await WholeNode.StartAsync("\"linkConnectionsPerPeer\": 2, \"callsPerAddress\": 1000");
        var sockets = new List<Socket>();
        var channels = new List<GrpcChannel>();
        using var other = node.LinkChannel(node.CertificateOf("xiacheng", "330103"));
        using var theirs = new LinkService.LinkServiceClient(other).Connect();
        Assert.That(await IsLetInAsync(theirs), Is.True);
        try
        {
            for (var i = 0; i < 3; i++)
            {
                // The same child with another certificate is the same child.
                channels.Add(node.LinkChannel(node.CertificateOf("shangcheng", "330102"), sockets.Add));
                Assert.That(await IsLetInAsync(new LinkService.LinkServiceClient(channels[i]).Connect()), Is.True);
            }

            await UntilAsync(() => Task.FromResult(sockets.Select(IsEnded).SequenceEqual([true, false, false])));
            Assert.That(node.Log.Lines.Count(line => line.Event == 123), Is.EqualTo(1));
            await theirs.RequestStream.WriteAsync(new Child("xiacheng", "330103").Hello());
            Assert.That(await theirs.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Patience), Is.True, "another child is not touched by it");
        }
        finally
        {
            channels.ForEach(channel => channel.Dispose());
            sockets.ForEach(socket => socket.Dispose());
        }
    }

    /// <summary>A child whose connections die and whose parent is not told dials again and again; what it left behind must not keep it out until the parent's keep-alive has found each of them.</summary>
    [Test]
    public async Task But_what_died_unseen_keeps_nobody_out()
    {
        await using var node = await WholeNode.StartAsync("\"linkConnectionsPerPeer\": 2, \"callsPerAddress\": 1000");
        var certificate = node.CertificateOf("shangcheng", "330102");
        var sockets = new List<Socket>();
        try
        {
            for (var i = 0; i < 6; i++)
            {
                await UntilAsync(async () =>
                {
                    using var channel = node.LinkChannel(certificate, sockets.Add);
                    using var call = new LinkService.LinkServiceClient(channel).Connect();
                    return await IsLetInAsync(call);
                });
            }

            Assert.That(sockets.TrueForAll(socket => socket.Connected), Is.True, "this end closed none");
        }
        finally
        {
            sockets.ForEach(socket => socket.Dispose());
        }
    }

    [Test]
    public void So_many_streams_and_each_that_ends_gives_its_place_back()
    {
        using var folder = new NodeFolder();
        var limits = Node.Configuration.ConfigurationFile.Load(folder.ConfigurationFile).Limits with { LinkStreamsPerPeer = 2 };
        var places = new PeerPlaces(limits, Microsoft.Extensions.Logging.Abstractions.NullLogger<PeerPlaces>.Instance);
        var (one, other) = (new LinkPeer("shangcheng"), new LinkPeer("xiacheng"));

        Assert.That(places.EnterStream(one) && places.EnterStream(one), Is.True);
        Assert.That(places.EnterStream(one), Is.False);
        Assert.That(places.EnterStream(other), Is.True);
        places.LeaveStream(one);
        Assert.That(places.EnterStream(one), Is.True);
    }

    [Test]
    public async Task A_stream_too_many_is_RESOURCE_EXHAUSTED()
    {
        await using var node = await WholeNode.StartAsync("\"linkStreamsPerPeer\": 1, \"callsPerAddress\": 1000");
        using var channel = node.LinkChannel(node.CertificateOf("shangcheng", "330102"));
        using var first = new LinkService.LinkServiceClient(channel).Connect();
        Assert.That(await IsLetInAsync(first), Is.True);

        using var second = new LinkService.LinkServiceClient(channel).Connect();
        var refused = (await Assert.ThrowsAsync<RpcException>(() => second.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Patience)))!;

        Assert.That((refused.StatusCode, refused.Trailers.GetValue("retry-after")), Is.EqualTo((StatusCode.ResourceExhausted, "1")), refused.Status.Detail);
    }

    [Test]
    public async Task Under_pressure_cells_are_told_to_come_later_and_escalations_are_taken()
    {
        var time = new VirtualTime(new DateTimeOffset(2026, 11, 24, 12, 0, 0, TimeSpan.Zero));
        var share = 0.0;
        await using var node = await WholeNode.StartAsync("\"callsPerAddress\": 1000", new PressureGauge(() => new Pressure(0, share, 0), new VirtualClock(time)));
        var child = new Child("shangcheng", "330102");
        using var channel = node.LinkChannel(node.CertificateOf("shangcheng", "330102"));
        using var call = new LinkService.LinkServiceClient(channel).Connect();

        var welcome = (await AskAsync(call, child.Hello())).Welcome;
        child.Epoch = new Protocol.Names.Epoch(welcome.ChildEpoch, welcome.ChildEpochNonce);
        share = 1;
        time.Run(TimeSpan.FromSeconds(1));
        var escalation = (await AskAsync(call, child.Raise(0, 5, child.Escalation(3, 1)))).Receipt;
        var cells = (await AskAsync(call, child.Cut(0, 5, [child.Cell(3, 1)]))).Refusal;
        var held = node.Core.Cells.Count;
        var alarm = (await AskAsync(call, child.Raise(5, 8, child.Escalation(7, 2)))).Receipt;
        share = 0;
        time.Run(TimeSpan.FromSeconds(1));
        var again = (await AskAsync(call, child.Cut(0, 8, [child.Cell(3, 1)]))).Receipt;

        Assert.Multiple(() =>
        {
            Assert.That((escalation.Accepted, escalation.WindowBytes), Is.EqualTo((1, Hub.Reception.LinkDoor.CreditLeast)), "slower before it is turned away");
            Assert.That((cells.Code, cells.Lane, cells.RetryAfterMs), Is.EqualTo((LinkRefusalCode.Busy, Lane.Cells, 2000L)), cells.Message);
            Assert.That((held, alarm.Accepted, again.Accepted), Is.EqualTo((0, 1, 1)), "the connection goes on, and what cannot wait with it");
        });
    }

    private static async Task<ConnectResponse> AskAsync(AsyncDuplexStreamingCall<ConnectRequest, ConnectResponse> call, ConnectRequest frame)
    {
        await call.RequestStream.WriteAsync(frame);
        Assert.That(await call.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Patience), Is.True);
        return call.ResponseStream.Current;
    }

    /// <summary>Longer than a stream that was ended takes to be gone, shorter than a keep-alive takes to notice (50 s).</summary>
    private static async Task UntilAsync(Func<Task<bool>> holds)
    {
        for (var tries = 0; !await holds(); tries++)
        {
            Assert.That(tries, Is.LessThan(20), "It does not get in.");
            await Task.Delay(1000);
        }
    }

    private static bool IsEnded(Socket socket) => socket.Poll(0, SelectMode.SelectRead) && socket.Available == 0;

    private static async Task<bool> IsLetInAsync(AsyncDuplexStreamingCall<ConnectRequest, ConnectResponse> call)
    {
        try
        {
            _ = await call.ResponseHeadersAsync.WaitAsync(Patience);
            return true;
        }
        catch (RpcException)
        {
            return false;
        }
    }
}
