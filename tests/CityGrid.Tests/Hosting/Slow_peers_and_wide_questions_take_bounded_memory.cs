using System.Net;
using System.Net.Sockets;
using System.Text;
using CityGrid.Node.V1;
using CityGrid.Protocol.V1;
using NUnit.Framework;

namespace CityGrid.Tests.Hosting;

/// <summary>
/// INV-26, SEC-19: children that stop in the middle of a message, programs that stop in the middle of a body, and callers that ask much and read nothing,
/// all at once. The node takes no more memory than docs/configuration.md says, and answers whoever calls as one should.
/// </summary>
[NonParallelizable]
public sealed class Slow_peers_and_wide_questions_take_bounded_memory
{
    private const int Each = 30;
    private const int Sent = 512 << 10;

    [Test]
    public async Task All_at_once()
    {
        await using var node = await WholeNode.StartAsync("\"callsPerUser\": 1000000, \"readsPerUser\": 1000000, \"callsPerAddress\": 1000000, \"operatorConnections\": 200, \"callsUnderWay\": 400");
        node.Log.Attacked = "Microsoft.AspNetCore.Server.Kestrel";
        await AnswersAsync(node);
        var before = GC.GetTotalMemory(true);
        var open = new List<IAsyncDisposable>();
        var bodies = new List<TcpClient>();
        for (var i = 0; i < Each; i++)
        {
            // Half of a message of 4 MB on the link, each child with its own certificate.
            var child = await RawHttp2.ConnectAsync(IPEndPoint.Parse(node.Addresses.Link!).Port, node.CertificateOf($"child-{i}", "330102"));
            open.Add(child);
            await child.SendAsync(RawHttp2.Headers, RawHttp2.EndHeaders, 1, RawHttp2.Call("/citygrid.v1.LinkService/Connect"));
            await HalfAsync(child, 1);

            // Twenty lists, of which nothing is ever read, and half of a request.
            var caller = await RawHttp2.ConnectAsync(new Uri(node.Addresses.Grpc).Port, null);
            open.Add(caller);
            await caller.SendAsync(RawHttp2.Settings, 0, 0, new byte[] { 0, 4, 0, 0, 0, 0 });
            for (var id = 1; id < 40; id += 2)
            {
                await caller.SendAsync(RawHttp2.Headers, RawHttp2.EndHeaders, id, RawHttp2.Call("/citygrid.node.v1.CasesService/List"));
                await caller.SendAsync(RawHttp2.Data, RawHttp2.EndStream, id, new byte[5]);
            }

            await caller.SendAsync(RawHttp2.Headers, RawHttp2.EndHeaders, 41, RawHttp2.Call("/citygrid.node.v1.CasesService/Get"));
            await HalfAsync(caller, 41);

            // Half of a JSON body.
            var body = new TcpClient();
            bodies.Add(body);
            await body.ConnectAsync(IPAddress.Loopback, new Uri(node.Addresses.Operator).Port);
            await body.GetStream().WriteAsync(Encoding.ASCII.GetBytes(
                $"POST /v1/import HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {NodeFolder.AdminToken}\r\nContent-Type: application/json\r\nContent-Length: 4000000\r\n\r\n{{ \"system\": \"{new string('x', Sent)}"));
        }

        await AnswersAsync(node);
        var taken = GC.GetTotalMemory(true) - before;
        TestContext.Out.WriteLine($"{3 * Each} connections with {3L * Each * Sent / 1024} kB sent and held took {taken / 1024} kB");
        Assert.That(taken, Is.LessThan((3L * Each * Sent * 3) + (64 << 20)), "three times what was sent, and what the server keeps at hand");
        foreach (var one in open)
        {
            await one.DisposeAsync();
        }

        bodies.ForEach(body => body.Dispose());
        await AnswersAsync(node);
        Assert.That(node.Failure, Is.Null);
    }

    /// <summary>A message of 4 MB is promised, an eighth of it comes, in frames of the size that the protocol has at first.</summary>
    private static async Task HalfAsync(RawHttp2 raw, int stream)
    {
        byte[] head = [0, 0, 0x3D, 0x09, 0, .. new byte[16_000]];
        await raw.SendAsync(RawHttp2.Data, 0, stream, head);
        for (var sent = head.Length; sent < Sent; sent += 16_000)
        {
            await raw.SendAsync(RawHttp2.Data, 0, stream, new byte[16_000]);
        }
    }

    private static async Task AnswersAsync(WholeNode node)
    {
        var cases = await new CasesService.CasesServiceClient(node.Grpc).ListAsync(new ListRequest(), Every_call_needs_a_token_that_may.Bearer(NodeFolder.OperatorToken));
        Assert.That(cases.Building, Is.False);
        using var channel = node.LinkChannel(node.CertificateOf("xiacheng", "330103"));
        using var call = new LinkService.LinkServiceClient(channel).Connect();
        await call.RequestStream.WriteAsync(new Reception.Child("xiacheng", "330103").Hello());
        Assert.That(await call.ResponseStream.MoveNext(CancellationToken.None), Is.True);
        Assert.That(call.ResponseStream.Current.Welcome, Is.Not.Null);
    }
}
