using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using CityGrid.Cli.Network;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd.Network;

/// <summary>
/// SEC-05, INV-7, 8 and 16 on a real connection: one in the middle, who has the keys of both ends but none that signs, says whole messages twice, out of turn, late, and again on other days.
/// </summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
[Requires(Need.PullRequest)]
public sealed class What_was_said_once_has_its_effect_once
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private LinkRelay _relay = null!;
    private Trees _trees = null!;

    private TreeNode Province => _trees.Tree.Nodes[1];

    private TreeNode City => _trees.Tree.Nodes[2];

    [SetUp]
    public async Task StartAsync() => _trees = await Trees.StartAsync(1, 1, tree =>
    {
        _relay = LinkRelay.StartAsync(tree, tree.Nodes[2], 5).GetAwaiter().GetResult();
        var configuration = JsonNode.Parse(File.ReadAllText(tree.Nodes[2].Configuration))!;
        configuration["parent"]!["url"] = $"https://127.0.0.1:{_relay.Port}";
        File.WriteAllText(tree.Nodes[2].Configuration, configuration.ToJsonString());
        configuration = JsonNode.Parse(File.ReadAllText(tree.Nodes[1].Configuration))!;
        configuration["link"]!["signatures"] = "required";
        File.WriteAllText(tree.Nodes[1].Configuration, configuration.ToJsonString());
    });

    [TearDown]
    public async Task StopAsync()
    {
        await _relay.DisposeAsync();
        await _trees.DisposeAsync();
    }

    [Test]
    public async Task Twice_out_of_turn_late_and_again_while_it_is_being_said()
    {
        (Twist Up, Twist Down)[] twists =
        [
            (new Twist.Twice(), new Twist.Twice()),
            (new Twist.OutOfTurn(), Twist.None),
            (Twist.None, new Twist.OutOfTurn()),
            (new Twist.Late(TimeSpan.FromMilliseconds(600)), new Twist.Late(TimeSpan.FromMilliseconds(600))),
            (new Twist.Again(), Twist.None),
            (Twist.None, new Twist.Again()),
            (Twist.None, new Twist.OldWelcome()),
            (new Twist.OutOfTurn(), new Twist.Again()),
        ];
        using var parent = new NodeClient(Province.GrpcUrl, Province.Tokens["viewer"]);
        await using var work = new CityAtWork(City, City.GrpcUrl, Pause);
        await work.CaughtUpAsync(parent, "the start");
        foreach (var (up, down) in twists)
        {
            _relay.Set(up, down);
            _relay.Cut();
            await work.ImportAsync(400);
            await OrderAsync($"{up.GetType().Name}-{down.GetType().Name}");
            await Task.Delay(TimeSpan.FromSeconds(1.5));
        }

        _relay.Set(Twist.None, Twist.None);
        _relay.Cut();
        await work.CaughtUpAsync(parent, "all twists");
        await work.RestAsync();

        await RequireAllOnceAsync(work);
        await RequireOrdersOnceAsync(twists.Length);
        var sessions = _relay.Sessions;
        foreach (var session in sessions)
        {
            await TestContext.Out.WriteLineAsync($"{session.Up.Count} messages up, {session.Down.Count} down: {string.Join(' ', session.Down.Select(answer => answer.Refusal?.Code.ToString() ?? answer.FrameCase.ToString()).CountBy(word => word))}");
        }

        Assert.That(
            sessions.SelectMany(session => session.Down).Select(answer => answer.Refusal?.Code).OfType<LinkRefusalCode>().Distinct(),
            Is.EqualTo(new[] { LinkRefusalCode.Gap }),
            "what came out of turn was a gap, and nothing was worse");
        var twice = sessions[1].Down.Where(answer => answer.Receipt is not null).GroupBy(answer => answer.Number).Where(same => same.Count() == 2).ToArray();
        Assert.That(twice, Is.Not.Empty);
        Assert.That(twice.Select(same => same.Last().Receipt.Accepted), Is.All.Zero, "what came twice was answered twice and taken once");
    }

    [Test]
    public async Task On_another_day_and_after_another_life_of_the_child()
    {
        using var parent = new NodeClient(Province.GrpcUrl, Province.Tokens["viewer"]);

        // Two connections of the first life: the one that was granted the epoch, and one that held it. Played while the child speaks, a recording costs it its connection and nothing else.
        await using var first = new CityAtWork(City, City.GrpcUrl, Pause, "first");
        await Task.Delay(TimeSpan.FromSeconds(1));
        await first.CaughtUpAsync(parent, "the start");
        _relay.Cut();
        await Task.Delay(TimeSpan.FromSeconds(2));
        await first.CaughtUpAsync(parent, "the second connection");
        Assert.That(CodeOf(await _relay.PlayAsync(_relay.Sessions[0].Up)), Is.EqualTo(LinkRefusalCode.Fenced));
        await first.CaughtUpAsync(parent, "the first recording");
        await first.RestAsync();

        Assert.That(await _trees.Running.WaitUntilEqualAsync(TimeSpan.FromMinutes(2), CancellationToken.None), Is.True);
        Assert.That(await _trees.Running.StopAsync(City.Node), Is.Zero);
        var before = await StandAsync(parent);
        var (granted, held) = (_relay.Sessions[0], _relay.Sessions[1]);
        Assert.That(CodeOf(await _relay.PlayAsync(granted.Up)), Is.EqualTo(LinkRefusalCode.Fenced), "no directory is granted its first epoch twice");
        Assert.That(CodeOf(await _relay.PlayAsync(held.Up)), Is.EqualTo(LinkRefusalCode.EpochRegression), "by its head this is an old copy");
        Assert.That(CodeOf(await _relay.PlayAsync([.. held.Parts])), Is.EqualTo(LinkRefusalCode.NoSession));

        // Whoever has the key of the connection can say hello in the child's name with any head, and then repeat what it had signed.
        var parts = _relay.Sessions.SelectMany(session => session.Parts).ToArray();
        var answers = await _relay.PlayAsync([HelloAhead(held), .. parts]);
        Assert.That(answers[0].Welcome, Is.Not.Null);
        Assert.That(answers.Skip(1).Select(answer => answer.Receipt?.Accepted), Is.All.Zero.And.Exactly(parts.Length).Items, "all of it is known");
        Assert.That(CodeOf(await _relay.PlayAsync(HelloAhead(held), Altered(parts.Last(part => part.Cells?.Cells.Count > 0)))), Is.EqualTo(LinkRefusalCode.Signature));
        Assert.That(CodeOf(await _relay.PlayAsync(WithoutSignatures(HelloAhead(held)))), Is.EqualTo(LinkRefusalCode.Signature), "there is no way back to where nothing is signed");
        Assert.That(await StandAsync(parent), Is.EqualTo(before));

        // In another life of the child the first one is over, whoever speaks for it.
        await _trees.Running.StartAsync(City, "--restored");
        await using var second = new CityAtWork(City, City.GrpcUrl, Pause, "second");
        await Asking.UntilAsync(async () => (await parent.ChildAsync(City))!.Epoch == 2, () => "the second life holds its epoch");
        await second.CaughtUpAsync(parent, "the second life");
        _relay.Cut();
        await Task.Delay(TimeSpan.FromSeconds(1));
        await second.CaughtUpAsync(parent, "its second connection");
        await second.RestAsync();
        Assert.That(await _trees.Running.WaitUntilEqualAsync(TimeSpan.FromMinutes(2), CancellationToken.None), Is.True);
        Assert.That(await _trees.Running.StopAsync(City.Node), Is.Zero);
        before = await StandAsync(parent);
        var present = _relay.Sessions.Last(session => session.Hello.Hello.Epoch == 2);
        foreach (var old in new[] { granted.Up, held.Up, [HelloAhead(held)] })
        {
            Assert.That(CodeOf(await _relay.PlayAsync(old)), Is.EqualTo(LinkRefusalCode.Fenced));
        }

        Assert.That(CodeOf(await _relay.PlayAsync(HelloAhead(present), parts[0])), Is.EqualTo(LinkRefusalCode.Signature), "it was signed for another stream");
        Assert.That(await StandAsync(parent), Is.EqualTo(before));

        // A hello that tells another history sets the child aside until a person has looked; what it has meanwhile is not lost.
        Assert.That(CodeOf(await _relay.PlayAsync(OtherHistory(present, before.CellsLsn))), Is.EqualTo(LinkRefusalCode.Fork));
        await _trees.Running.StartAsync(City);
        await using var third = new CityAtWork(City, City.GrpcUrl, Pause, "third");
        await Asking.UntilAsync(async () => (await third.LinkAsync()).LastError.Contains("FORK", StringComparison.Ordinal), () => "the child says why nothing of it is taken");
        await third.RestAsync();
        var aside = await StandAsync(parent);
        Assert.That(aside, Is.EqualTo(before with { Quarantine = aside.Quarantine }));
        Assert.That(aside.Quarantine, Is.Not.Empty);
        Assert.That(await _trees.Running.StopAsync(City.Node), Is.Zero);
        await ReleaseAsync();
        await _trees.Running.StartAsync(City);
        await RequireAllOnceAsync(first, second, third);
    }

    private static LinkRefusalCode? CodeOf(IReadOnlyList<ConnectResponse> answers) => answers[^1].Refusal?.Code;

    /// <summary>The hello of a child that has gone on since.</summary>
    private static ConnectRequest HelloAhead(LinkRelay.Session session)
    {
        var hello = session.Hello.Clone();
        hello.Hello.HeadLsn = 1_000_000_000;
        hello.Hello.HeadChainHash = ByteString.CopyFrom(Enumerable.Repeat((byte)7, 32).ToArray());
        return hello;
    }

    /// <summary>As a program of protocol 1 says it.</summary>
    private static ConnectRequest WithoutSignatures(ConnectRequest hello)
    {
        hello.Hello.ProtocolMax = 1;
        hello.Hello.Signer.Clear();
        return hello;
    }

    private static ConnectRequest OtherHistory(LinkRelay.Session session, long lsn)
    {
        var hello = HelloAhead(session);
        hello.Hello.Positions.Add(new StreamPosition
        {
            Lane = Lane.Cells,
            Incarnation = hello.Hello.Incarnation,
            Epoch = hello.Hello.Epoch,
            EpochNonce = hello.Hello.EpochNonce,
            Lsn = lsn,
            ChainHash = hello.Hello.HeadChainHash,
        });
        return hello;
    }

    private static ConnectRequest Altered(ConnectRequest part)
    {
        var altered = part.Clone();
        altered.Cells.Cells[0].Day++;
        return altered;
    }

    private async Task OrderAsync(string text)
    {
        using var client = new NodeClient(_trees.Tree.Root.GrpcUrl, _trees.Tree.Root.Tokens["desk"]);
        await client.Orders.IssueOrderAsync(new IssueOrderRequest { RequestKey = text, TargetDivision = City.Division, Kind = OrderKind.Supervise, Text = text }, client.Options);
    }

    /// <summary>Each order is at the city once, and its receipt at the ministry once.</summary>
    private async Task RequireOrdersOnceAsync(int orders)
    {
        foreach (var node in new[] { City, _trees.Tree.Root })
        {
            using var client = new NodeClient(node.GrpcUrl, node.Tokens["desk"]);
            OrderView[] list = [];
            await Asking.UntilAsync(
                async () => (list = [.. (await client.Orders.ListOrdersAsync(new ListOrdersRequest(), client.Options)).Orders]).Count(order => order.State == OrderState.Delivered) == orders,
                () => $"{node.Node} knows of {orders} orders delivered: {string.Join(", ", list.Select(order => order.State))}");
            Assert.That(list.Select(order => order.Receipts.Count), Is.All.EqualTo(1), node.Node);
        }
    }

    private async Task RequireAllOnceAsync(params CityAtWork[] shifts)
    {
        Assert.That(await _trees.Running.WaitUntilEqualAsync(TimeSpan.FromMinutes(2), CancellationToken.None), Is.True, "every edge is equal in the end");
        using var top = new NodeClient(_trees.Tree.Root.GrpcUrl, _trees.Tree.Root.Tokens["viewer"]);
        Assert.That(await top.ReportedAsync(), Is.EqualTo(shifts.Sum(shift => shift.Kept)), "each case is counted once");
        await top.RequireAlarmsOnceAsync(shifts);
        using var parent = new NodeClient(Province.GrpcUrl, Province.Tokens["viewer"]);
        var child = (await parent.ChildAsync(City))!;
        Assert.That((child.Quarantine, child.Parked), Is.EqualTo((string.Empty, 0L)));
    }

    /// <summary>What the province has of its child: everything that a recording could change.</summary>
    private async Task<Standing> StandAsync(NodeClient parent)
    {
        var child = (await parent.ChildAsync(City))!;
        var digest = await _trees.Running.DigestAsync(Province);
        var alarms = (await parent.EscalationsAsync()).Select(row => Convert.ToHexStringLower(row.Escalation.ToByteArray())).Order(StringComparer.Ordinal);
        return new Standing(
            digest["children"]!.AsArray().Single()!["digest"]!.GetValue<string>(), digest["digest"]!.GetValue<string>(), child.CellsLsn, child.EscalationsLsn, child.Epoch, child.Quarantine, child.Parked, string.Join(' ', alarms));
    }

    private async Task ReleaseAsync()
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{Province.OperatorUrl}/ops/children/{City.Node}/release");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Province.Tokens["admin"]);
        using var response = await http.SendAsync(request);
        Assert.That(response.IsSuccessStatusCode, Is.True, await response.Content.ReadAsStringAsync());
    }

    private sealed record Standing(string OfChild, string Own, long CellsLsn, long EscalationsLsn, long Epoch, string Quarantine, long Parked, string Alarms);
}
