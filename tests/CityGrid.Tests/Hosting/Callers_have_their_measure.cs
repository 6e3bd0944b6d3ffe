using System.Net;
using System.Net.Http.Json;
using CityGrid.Hub.Load;
using CityGrid.Hub.Seams;
using CityGrid.Node.Hosting;
using CityGrid.Node.V1;
using Grpc.Core;
using NUnit.Framework;

namespace CityGrid.Tests.Hosting;

/// <summary>SEC-22, INV-26, Z4: so many calls for each token and address, so many under way, a time for each; what is too much says when to come again.</summary>
public sealed class Callers_have_their_measure
{
    private readonly VirtualTime _time = new(new DateTimeOffset(2026, 11, 24, 12, 0, 0, TimeSpan.Zero));

    [Test]
    public async Task A_token_has_so_many_calls_a_second_and_another_is_not_touched_by_it()
    {
        await using var node = await StartAsync("\"callsPerUser\": 2");
        for (var i = 0; i < 4; i++)
        {
            Assert.That((await node.GetAsync("/v1/cases/x", NodeFolder.ViewerToken)).StatusCode, Is.EqualTo(HttpStatusCode.OK), "twice as many at once");
        }

        var fifth = await node.GetAsync("/v1/cases/x", NodeFolder.ViewerToken);
        var grpc = await RefusedAsync(node, "x", NodeFolder.ViewerToken);
        var other = await node.GetAsync("/v1/cases/x", NodeFolder.OperatorToken);
        _time.Run(TimeSpan.FromSeconds(1));
        var later = await node.GetAsync("/v1/cases/x", NodeFolder.ViewerToken);

        Assert.Multiple(async () =>
        {
            Assert.That((fifth.StatusCode, (await fifth.Content.ReadFromJsonAsync<ErrorBody>())!.Code), Is.EqualTo((HttpStatusCode.TooManyRequests, "TOO_MANY_CALLS")));
            Assert.That(fifth.Headers.RetryAfter!.Delta, Is.EqualTo(TimeSpan.FromSeconds(1)));
            Assert.That((grpc.StatusCode, grpc.Trailers.GetValue("retry-after")), Is.EqualTo((StatusCode.ResourceExhausted, "1")));
            Assert.That(other.StatusCode, Is.EqualTo(HttpStatusCode.OK));
            Assert.That(later.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        });
    }

    [Test]
    public async Task Of_what_reads_much_it_has_fewer()
    {
        await using var node = await StartAsync("\"readsPerUser\": 1");

        var statuses = new List<HttpStatusCode>();
        for (var i = 0; i < 3; i++)
        {
            statuses.Add((await node.GetAsync("/v1/cases", NodeFolder.ViewerToken)).StatusCode);
        }

        Assert.That(statuses, Is.EqualTo(new[] { HttpStatusCode.OK, HttpStatusCode.OK, HttpStatusCode.TooManyRequests }));
        Assert.That((await node.GetAsync("/v1/cases/x", NodeFolder.ViewerToken)).StatusCode, Is.EqualTo(HttpStatusCode.OK), "a case is still answered");
    }

    [Test]
    public async Task Whoever_guesses_tokens_is_slowed_down_by_his_address_and_whoever_has_one_is_not()
    {
        await using var node = await StartAsync("\"callsPerAddress\": 2");
        var statuses = new List<HttpStatusCode>();
        for (var i = 0; i < 5; i++)
        {
            statuses.Add((await node.GetAsync("/v1/cases/x", $"guess-{i:D34}")).StatusCode);
        }

        Assert.That(statuses.Take(4), Is.All.EqualTo(HttpStatusCode.Unauthorized));
        Assert.That(statuses[4], Is.EqualTo(HttpStatusCode.TooManyRequests));
        Assert.That((await node.GetAsync("/v1/cases/x", NodeFolder.ViewerToken)).StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    [Test]
    public async Task New_connections_of_one_address_come_so_fast_and_no_faster()
    {
        await using var node = await StartAsync("\"callsPerAddress\": 2");
        var open = new List<System.Net.Sockets.TcpClient>();
        var answered = 0;
        for (var i = 0; i < 6; i++)
        {
            var client = new System.Net.Sockets.TcpClient();
            open.Add(client);
            answered += await AnswersAsync(client, new Uri(node.Addresses.Operator).Port) ? 1 : 0;
        }

        open.ForEach(client => client.Dispose());
        Assert.That(answered, Is.EqualTo(4));
        Assert.That(node.Log.Lines.Count(line => line.Event == 122), Is.EqualTo(2));
    }

    [Test]
    public async Task What_can_wait_has_half_of_the_places_and_cases_have_the_rest()
    {
        await using var node = await StartAsync("\"callsUnderWay\": 4");
        using var stop = new CancellationTokenSource();
        var held = new[] { NodeFolder.ViewerToken, NodeFolder.AdminToken }.Select(token => Cases(node).ListAsync(new ListRequest { Stage = "held" }, Bearer(token), cancellationToken: stop.Token).ResponseAsync).ToArray();
        var limits = node.Services<CallLimits>();
        while (limits.UnderWay < 2)
        {
            await Task.Yield();
        }

        var third = await node.GetAsync("/v1/cases", NodeFolder.OperatorToken);
        var report = await node.SendAsync(HttpMethod.Post, "/v1/cases", NodeFolder.OperatorToken, "{ \"requestKey\": \"k\" }");
        await stop.CancelAsync();
        foreach (var one in held)
        {
            await Assert.ThrowsAsync<RpcException>(() => one);
        }

        while (limits.UnderWay > 0)
        {
            await Task.Yield();
        }

        Assert.That((third.StatusCode, report.StatusCode), Is.EqualTo((HttpStatusCode.TooManyRequests, HttpStatusCode.OK)));
        Assert.That((await node.GetAsync("/v1/cases", NodeFolder.ViewerToken)).StatusCode, Is.EqualTo(HttpStatusCode.OK), "a call that ended gives its place back");
    }

    [Test]
    public async Task A_call_without_a_deadline_has_one_all_the_same()
    {
        await using var node = await StartAsync("\"callTime\": \"20s\"");
        var limits = node.Services<CallLimits>();
        var grpc = Cases(node).ListAsync(new ListRequest { Stage = "held" }, Bearer(NodeFolder.ViewerToken)).ResponseAsync;
        var http = node.GetAsync("/v1/cases?stage=held", NodeFolder.ViewerToken);
        while (limits.UnderWay < 2)
        {
            await Task.Yield();
        }

        // A call counts as under way a moment before its time is running.
        while (!grpc.IsCompleted || !http.IsCompleted)
        {
            _time.Run(TimeSpan.FromSeconds(20));
            await Task.Delay(1);
        }

        var refused = (await Assert.ThrowsAsync<RpcException>(() => grpc))!;
        var answer = await http;

        Assert.Multiple(async () =>
        {
            Assert.That((refused.StatusCode, refused.Trailers.GetValue(Refusals.CodeTrailer)), Is.EqualTo((StatusCode.DeadlineExceeded, "DEADLINE_EXCEEDED")));
            Assert.That((answer.StatusCode, (await answer.Content.ReadFromJsonAsync<ErrorBody>())!.Code), Is.EqualTo((HttpStatusCode.GatewayTimeout, "DEADLINE_EXCEEDED")));
        });
    }

    [TestCase("5S", 5_000)]
    [TestCase("250m", 250)]
    [TestCase("1H", 3_600_000)]
    [TestCase("99999999H", 3_600_000_000.0)]
    [TestCase("", null)]
    [TestCase("S", null)]
    [TestCase("-5S", null)]
    [TestCase("123456789S", null)]
    [TestCase("5s", null)]
    public void A_grpc_timeout_is_read_as_the_protocol_has_it(string text, double? milliseconds) =>
        Assert.That(Admission.TimeoutOf(text)?.TotalMilliseconds, Is.EqualTo(milliseconds));

    [Test]
    public async Task Under_pressure_lists_are_let_go_of_and_cases_are_not()
    {
        var share = 0.8;
        await using var node = await TestNode.StartAsync(pressure: new PressureGauge(() => new Pressure(0, share, 0), new VirtualClock(_time)));

        var list = await node.GetAsync("/v1/cases", NodeFolder.ViewerToken);
        var report = await node.SendAsync(HttpMethod.Post, "/v1/cases", NodeFolder.OperatorToken, "{ \"requestKey\": \"k\" }");
        var one = await node.GetAsync("/v1/cases/x", NodeFolder.ViewerToken);
        share = 0.1;
        _time.Run(TimeSpan.FromSeconds(1));
        var later = await node.GetAsync("/v1/cases", NodeFolder.ViewerToken);

        Assert.Multiple(async () =>
        {
            Assert.That((list.StatusCode, (await list.Content.ReadFromJsonAsync<ErrorBody>())!.Code), Is.EqualTo((HttpStatusCode.TooManyRequests, Shedding.Busy)));
            Assert.That(list.Headers.RetryAfter!.Delta, Is.EqualTo(TimeSpan.FromSeconds(10)));
            Assert.That((report.StatusCode, one.StatusCode, later.StatusCode), Is.EqualTo((HttpStatusCode.OK, HttpStatusCode.OK, HttpStatusCode.OK)));
        });
    }

    [Test]
    public void As_many_callers_as_there_are_it_remembers_so_many_and_no_more()
    {
        var buckets = new TokenBuckets(1, new VirtualClock(_time));
        for (var i = 0; i < 3 * TokenBuckets.CallersMax; i++)
        {
            Assert.That(buckets.Take($"caller-{i}"), Is.Null);
        }

        Assert.That(buckets.Count, Is.LessThanOrEqualTo(TokenBuckets.CallersMax));
        _ = buckets.Take("last");
        _ = buckets.Take("last");
        Assert.That(buckets.Take("last"), Is.EqualTo(TimeSpan.FromSeconds(1)), "whoever called last is remembered");
    }

    [TestCase("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:ffff::1", true)]
    [TestCase("2001:db8:1:2::1", "2001:db8:1:3::1", false)]
    [TestCase("::ffff:10.0.0.1", "10.0.0.1", true)]
    [TestCase("10.0.0.1", "10.0.0.2", false)]
    public void An_address_is_one_caller(string one, string other, bool same) =>
        Assert.That(CallLimits.NameOf(IPAddress.Parse(one)) == CallLimits.NameOf(IPAddress.Parse(other)), Is.EqualTo(same));

    [TestCase("busy", StatusCode.ResourceExhausted, "NODE_BUSY")]
    [TestCase("stopped", StatusCode.Unavailable, "STOPPING")]
    [TestCase("broken", StatusCode.Unavailable, "STORAGE_FAILED")]
    public async Task What_a_handler_throws_has_a_status_of_its_own(string id, StatusCode status, string code)
    {
        await using var node = await StartAsync(string.Empty);
        var refused = await RefusedAsync(node, id, NodeFolder.ViewerToken);

        Assert.That((refused.StatusCode, refused.Trailers.GetValue(Refusals.CodeTrailer)), Is.EqualTo((status, code)));
        Assert.That(refused.Status.Detail, Does.Not.Contain("/srv"));
    }

    [Test]
    public async Task And_UNKNOWN_is_never_one_of_them()
    {
        await using var node = await StartAsync(string.Empty);
        node.Log.Announce(120);
        var refused = await RefusedAsync(node, "unknown", NodeFolder.ViewerToken);

        Assert.That(refused.StatusCode, Is.EqualTo(StatusCode.Internal));
        Assert.That(refused.Status.Detail, Does.Not.Contain("Secret"));
    }

    private Task<TestNode> StartAsync(string limits) => TestNode.StartAsync(settings: $"\"limits\": {{ {limits} }}", clock: new VirtualClock(_time));

    private static CasesService.CasesServiceClient Cases(TestNode node) => new(node.Grpc);

    private static Metadata Bearer(string token) => Every_call_needs_a_token_that_may.Bearer(token);

    private static async Task<RpcException> RefusedAsync(TestNode node, string id, string token) =>
        (await Assert.ThrowsAsync<RpcException>(async () => await Cases(node).GetAsync(new GetRequest { CaseId = id }, Bearer(token))))!;

    private static async Task<bool> AnswersAsync(System.Net.Sockets.TcpClient client, int port)
    {
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, port);
            await client.GetStream().WriteAsync("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray());
            return await client.GetStream().ReadAsync(new byte[1]) == 1;
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
        {
            return false;
        }
    }
}
