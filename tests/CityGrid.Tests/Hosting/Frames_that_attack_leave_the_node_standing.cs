using System.Net;
using CityGrid.Node.V1;
using CityGrid.Protocol.V1;
using NUnit.Framework;

namespace CityGrid.Tests.Hosting;

/// <summary>
/// SEC-20, INV-26: eight attacks with raw frames on both ports. The node stays, its memory is bounded, and whoever calls as one should is answered while
/// the attack stands and after it.
/// </summary>
[NonParallelizable]
public sealed class Frames_that_attack_leave_the_node_standing
{
    private const long MemoryMore = 64 << 20;

    private WholeNode _node = null!;

    private static IReadOnlyDictionary<string, Func<RawHttp2, string, Task>> Attacks { get; } = new Dictionary<string, Func<RawHttp2, string, Task>>
    {
        ["rapid reset"] = async (raw, path) =>
        {
            for (var id = 1; id < 20_000 && await raw.SendAsync(RawHttp2.Headers, RawHttp2.EndHeaders, id, RawHttp2.Call(path)) && await raw.SendAsync(RawHttp2.ResetStream, 0, id, RawHttp2.Int32(8)); id += 2)
            {
            }
        },
        ["continuation without end"] = async (raw, path) =>
        {
            await raw.SendAsync(RawHttp2.Headers, 0, 1, RawHttp2.Call(path));
            var more = RawHttp2.Block(("x", new string('x', 8_000)));
            for (var i = 0; i < 5_000 && await raw.SendAsync(RawHttp2.Continuation, 0, 1, more); i++)
            {
            }
        },
        ["pings"] = async (raw, _) =>
        {
            for (var i = 0; i < 20_000 && await raw.SendAsync(RawHttp2.Ping, 0, 0, new byte[8]); i++)
            {
            }
        },
        ["settings"] = async (raw, _) =>
        {
            for (var i = 0; i < 20_000 && await raw.SendAsync(RawHttp2.Settings, 0, 0, new byte[] { 0, 3, 0, 0, 0, 100, 0, 4, 0, 0, (byte)(i % 256), 0 }); i++)
            {
            }
        },
        ["empty data"] = async (raw, path) =>
        {
            await raw.SendAsync(RawHttp2.Headers, RawHttp2.EndHeaders, 1, RawHttp2.Call(path));
            for (var i = 0; i < 20_000 && await raw.SendAsync(RawHttp2.Data, 0, 1, ReadOnlyMemory<byte>.Empty); i++)
            {
            }
        },
        ["window games"] = async (raw, path) =>
        {
            await raw.SendAsync(RawHttp2.Settings, 0, 0, new byte[] { 0, 4, 0, 0, 0, 0 });
            for (var id = 1; id < 200; id += 2)
            {
                await raw.SendAsync(RawHttp2.Headers, RawHttp2.EndHeaders | RawHttp2.EndStream, id, RawHttp2.Call(path));
                await raw.SendAsync(RawHttp2.WindowUpdate, 0, id, RawHttp2.Int32(1));
            }

            await raw.SendAsync(RawHttp2.WindowUpdate, 0, 0, RawHttp2.Int32(int.MaxValue));
            await raw.SendAsync(RawHttp2.WindowUpdate, 0, 0, RawHttp2.Int32(int.MaxValue));
        },
        ["half headers"] = async (raw, path) =>
        {
            var block = RawHttp2.Call(path);
            await raw.SendAsync(RawHttp2.Headers, 0, 1, block.AsMemory(0, block.Length / 2));
        },
        ["too many streams"] = async (raw, path) =>
        {
            for (var id = 1; id < 10_000 && await raw.SendAsync(RawHttp2.Headers, RawHttp2.EndHeaders, id, RawHttp2.Call(path)); id += 2)
            {
            }
        },
    };

    private static IEnumerable<TestCaseData> Both => Attacks.Keys.SelectMany(name => new[] { new TestCaseData(name, false), new TestCaseData(name, true) });

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        _node = await WholeNode.StartAsync("\"callsPerUser\": 1000000, \"readsPerUser\": 1000000, \"callsPerAddress\": 1000000");
        _node.Log.Attacked = "Microsoft.AspNetCore.Server.Kestrel";
    }

    [OneTimeTearDown]
    public async Task StopAsync() => await _node.DisposeAsync();

    [TestCaseSource(nameof(Both))]
    public async Task And_whoever_calls_as_one_should_is_answered(string attack, bool link)
    {
        var before = GC.GetTotalMemory(true);
        var port = link ? IPEndPoint.Parse(_node.Addresses.Link!).Port : new Uri(_node.Addresses.Grpc).Port;
        var certificate = link ? _node.CertificateOf("shangcheng", "330102") : null;
        var path = link ? "/citygrid.v1.LinkService/Connect" : "/citygrid.node.v1.CasesService/List";
        var attackers = new List<RawHttp2>();
        for (var i = 0; i < 4; i++)
        {
            var raw = await RawHttp2.ConnectAsync(port, certificate);
            attackers.Add(raw);
            await Attacks[attack](raw, path);
        }

        await LegitimateAsync();
        Assert.That(GC.GetTotalMemory(true) - before, Is.LessThan(MemoryMore), "while the attack stands");
        foreach (var raw in attackers)
        {
            await raw.DisposeAsync();
        }

        await LegitimateAsync();
        Assert.That(_node.Failure, Is.Null);
    }

    /// <summary>A call with another token than the attackers have, and a child that is let in and welcomed.</summary>
    private async Task LegitimateAsync()
    {
        var cases = await new CasesService.CasesServiceClient(_node.Grpc).ListAsync(new ListRequest(), Every_call_needs_a_token_that_may.Bearer(NodeFolder.OperatorToken));
        Assert.That(cases.NextPageToken, Is.Empty);
        Assert.That((await _node.Http.GetAsync("/healthz")).IsSuccessStatusCode, Is.True);
        using var channel = _node.LinkChannel(_node.CertificateOf("xiacheng", "330103"));
        using var call = new LinkService.LinkServiceClient(channel).Connect();
        await call.RequestStream.WriteAsync(new Reception.Child("xiacheng", "330103").Hello());
        Assert.That(await call.ResponseStream.MoveNext(CancellationToken.None), Is.True);
        Assert.That(call.ResponseStream.Current.Welcome, Is.Not.Null);
    }
}
