using System.Net;
using System.Net.Sockets;
using CityGrid.Node.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using NUnit.Framework;

namespace CityGrid.Tests.Hosting;

/// <summary>What children call is not there for people, and what people call is not there for children; each door has its limit.</summary>
public sealed class Doors_stay_apart
{
    [Test]
    public async Task A_call_of_the_link_is_not_there_on_the_operators_port()
    {
        await using var node = await TestNode.StartAsync(map: app => app.MapGet("/link-only", () => "hello").AllowAnonymous().WithMetadata(new OnDoor(Door.Link)), link: true);

        Assert.That((await node.GetAsync("/link-only")).StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
    }

    [Test]
    public async Task And_the_operators_calls_are_not_there_on_the_link()
    {
        await using var node = await TestNode.StartAsync(map: app => app.MapGet("/link-only", () => "hello").AllowAnonymous().WithMetadata(new OnDoor(Door.Link)), link: true);
        using var child = new HttpClient(new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true } })
        {
            BaseAddress = new Uri($"https://{node.Addresses.Link}"),
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };

        var health = await child.GetAsync("/healthz");
        var link = await child.GetAsync("/link-only");

        Assert.That((health.StatusCode, link.StatusCode), Is.EqualTo((HttpStatusCode.NotFound, HttpStatusCode.OK)));
    }

    [Test]
    public async Task A_node_without_a_link_port_opens_none()
    {
        await using var node = await TestNode.StartAsync();

        Assert.That(node.Addresses.Link, Is.Null);
    }

    [Test]
    public async Task One_connection_too_many_is_closed_and_told()
    {
        await using var node = await TestNode.StartAsync(settings: "\"limits\": { \"operatorConnections\": 4 }");
        var port = new Uri(node.Addresses.Operator).Port;
        var open = new List<TcpClient>();
        try
        {
            for (var i = 0; i < 4; i++)
            {
                var held = new TcpClient();
                await held.ConnectAsync(IPAddress.Loopback, port);
                await AskAsync(held);
                open.Add(held);
            }

            using var fifth = new TcpClient();
            Assert.That(await ClosedAsync(fifth, port), Is.True);
            Assert.That(node.Log.Lines.Select(line => line.Event), Does.Contain(121));
        }
        finally
        {
            open.ForEach(held => held.Dispose());
        }
    }

    /// <summary>The server may never come to an end with a connection that was attacked; its place is not lost with it.</summary>
    [Test]
    public void A_connection_gives_its_place_back_as_it_closes_even_where_the_server_never_ends_with_it()
    {
        var limit = new ConnectionLimit("operator", 1, new TokenBuckets(1000, TimeProvider.System), Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
        using var closed = new CancellationTokenSource();
        var never = new TaskCompletionSource();

        var held = limit.RunAsync(new DefaultConnectionContext { ConnectionClosed = closed.Token }, _ => never.Task);
        Assert.That(limit.Open, Is.EqualTo(1));
        closed.Cancel();
        Assert.That(limit.Open, Is.Zero);
        never.SetResult();
        Assert.That((held.IsCompletedSuccessfully, limit.Open), Is.EqualTo((true, 0)), "and only once");
    }

    [Test]
    public async Task A_node_that_is_asked_to_end_ends()
    {
        await using var node = await TestNode.StartAsync();

        node.Lifetime.StopApplication();
        var ended = new TaskCompletionSource();
        node.Lifetime.ApplicationStopping.Register(ended.SetResult);
        await ended.Task;
    }

    /// <summary>Sends a request and waits for the first byte of its answer: the connection then counts.</summary>
    private static async Task AskAsync(TcpClient client)
    {
        await client.GetStream().WriteAsync("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray());
        await client.GetStream().ReadExactlyAsync(new byte[1]);
    }

    private static async Task<bool> ClosedAsync(TcpClient client, int port)
    {
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, port);
            return await client.GetStream().ReadAsync(new byte[1]) == 0;
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            return true;
        }
    }
}
