using System.Net;
using System.Net.Sockets;
using CityGrid.Node.Hosting;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Reception;
using Microsoft.AspNetCore.Connections;
using NUnit.Framework;

namespace CityGrid.Tests.Hosting;

/// <summary>SEC-19, SEC-22, INV-26: who has not proven itself on the link's port holds no place of those who have.</summary>
public sealed class Strangers_keep_no_child_out
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    [Test]
    public async Task However_many_connect_and_say_nothing()
    {
        await using var node = await WholeNode.StartAsync("\"linkConnections\": 8, \"callsPerAddress\": 1000");
        var link = IPEndPoint.Parse(node.Addresses.Link!);
        var strangers = new List<Socket>();
        try
        {
            for (var i = 0; i < 300; i++)
            {
                var silent = new Socket(SocketType.Stream, ProtocolType.Tcp);
                strangers.Add(silent);
                await silent.ConnectAsync(link);
            }

            foreach (var (name, division) in new[] { ("shangcheng", "330102"), ("xiacheng", "330103") })
            {
                using var channel = node.LinkChannel(node.CertificateOf(name, division));
                using var call = new LinkService.LinkServiceClient(channel).Connect();
                await call.RequestStream.WriteAsync(new Child(name, division).Hello());
                Assert.That(await call.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Patience), Is.True);
                Assert.That(call.ResponseStream.Current.Welcome, Is.Not.Null, name);
            }
        }
        finally
        {
            strangers.ForEach(silent => silent.Dispose());
        }
    }

    [Test]
    public void One_more_ends_the_oldest_of_its_address_or_of_all_and_whoever_is_through_holds_none()
    {
        var places = new HandshakePlaces(3, 2, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
        var never = new TaskCompletionSource();
        using var gone = new CancellationTokenSource();
        var ended = new List<string>();
        Connection Come(string name, string address)
        {
            var connection = new Connection(() => ended.Add(name)) { RemoteEndPoint = new IPEndPoint(IPAddress.Parse(address), 1), ConnectionClosed = gone.Token };
            _ = places.RunAsync(connection, _ => never.Task);
            return connection;
        }

        var first = Come("a1", "10.0.0.1");
        Come("b1", "10.0.0.2");
        Come("b2", "10.0.0.2");
        Assert.That(ended, Is.Empty);
        Come("b3", "10.0.0.2");
        Assert.That(ended, Is.EqualTo(new[] { "b1" }), "the oldest of its address");
        Come("c1", "10.0.0.3");
        Assert.That(ended, Is.EqualTo(new[] { "b1", "a1" }), "the oldest of all");
        HandshakePlaces.Leave(first);
        var through = Come("c2", "10.0.0.3");
        Assert.That(ended, Is.EqualTo(new[] { "b1", "a1", "b2" }));
        HandshakePlaces.Leave(through);
        Come("d1", "10.0.0.4");
        Assert.That((places.Open, ended.Count), Is.EqualTo((3, 3)), "who is through has made room");
        gone.Cancel();
        Assert.That(places.Open, Is.Zero, "and so has who is gone");
    }

    private sealed class Connection(Action ended) : DefaultConnectionContext
    {
        public override void Abort(ConnectionAbortedException abortReason) => ended();
    }
}
