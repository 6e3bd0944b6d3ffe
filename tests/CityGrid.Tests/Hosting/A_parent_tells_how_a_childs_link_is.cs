using CityGrid.Hub.Orders;
using CityGrid.Node;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Reception;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace CityGrid.Tests.Hosting;

/// <summary>O1, seen from above: what waits for a child and since when, how wrong its clock is, when its certificate ends, and why it was refused.</summary>
public sealed class A_parent_tells_how_a_childs_link_is
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    [Test]
    public async Task By_what_it_has_seen_of_it_and_what_it_owes_it()
    {
        await using var node = await WholeNode.StartAsync("\"callsPerAddress\": 1000");
        var child = new Child("shangcheng", "330102");
        var certificate = node.CertificateOf("shangcheng", "330102");
        using var channel = node.LinkChannel(certificate);
        using var call = new LinkService.LinkServiceClient(channel).Connect();
        var ahead = TimeSpan.FromHours(1);

        var welcome = (await AskAsync(call, child.Hello(hello => hello.SentAt = (TimeProvider.System.GetUtcNow() + ahead).ToUnixTimeMilliseconds()))).Welcome;
        child.Epoch = new Epoch(welcome.ChildEpoch, welcome.ChildEpochNonce);
        var quiet = LinkOf(node);
        await node.Core.Sequencer.SubmitAsync(node.Core.OrderDesk.Issue(new OrderWish("k-1", child.Division, OrderKind.Assign, UInt128.Zero, "do it", null, null), "desk"));
        await node.Core.Sequencer.SubmitAsync(node.Core.OrderDesk.Issue(new OrderWish("k-2", DivisionCode.Parse("330103"), OrderKind.Assign, UInt128.Zero, "another's", null, null), "desk"));
        var owing = LinkOf(node);
        Assert.Multiple(() =>
        {
            Assert.That((quiet.Up, quiet.Connected, quiet.PendingRecords, quiet.LastError), Is.EqualTo((false, true, 0L, string.Empty)));
            Assert.That(quiet.ClockSkewMs, Is.EqualTo(ahead.TotalMilliseconds).Within(ahead.TotalMilliseconds / 2), "within what a busy machine takes for a hello");
            Assert.That(DateTimeOffset.Parse(quiet.CertificateEnds, System.Globalization.CultureInfo.InvariantCulture), Is.EqualTo(new DateTimeOffset(certificate.NotAfter)));
            Assert.That(owing.PendingRecords, Is.EqualTo(1), "an order that is for another is not this child's");
            Assert.That((quiet.DrainSeconds, owing.DrainSeconds), Is.EqualTo((0L, 1L)));
        });

        await call.RequestStream.WriteAsync(child.Cut(0, 5, [child.Cell(3, 1)], 2, 1));
        await RefusedAsync(call);
        Assert.That(LinkOf(node).LastError, Does.StartWith("MALFORMED"));
    }

    /// <summary>What it has altogether and what it has of each child are read together, or an edge further up seems equal before it is.</summary>
    [Test]
    public async Task Its_digests_are_those_of_one_instant()
    {
        await using var node = await WholeNode.StartAsync("\"callsPerAddress\": 1000");
        var child = new Child("shangcheng", "330102");
        using var channel = node.LinkChannel(node.CertificateOf("shangcheng", "330102"));
        using var call = new LinkService.LinkServiceClient(channel).Connect();
        var welcome = (await AskAsync(call, child.Hello())).Welcome;
        child.Epoch = new Epoch(welcome.ChildEpoch, welcome.ChildEpochNonce);

        const int cuts = 400;
        var seen = new HashSet<(string Own, string Copy)>();
        using var over = new CancellationTokenSource();
        var reader = ReadAsync();
        for (var i = 1; i <= cuts; i++)
        {
            Assert.That((await AskAsync(call, child.Cut(i - 1, i, [child.Cell(i, i, grain: Grain.National)]))).Receipt, Is.Not.Null);
        }

        await over.CancelAsync();
        await reader;
        Assert.That(seen.Count, Is.GreaterThan(10), "it was asked while they came");
        Assert.That(seen.Select(pair => pair.Own), Is.Unique, "each change of the one is a change of the other");

        async Task ReadAsync()
        {
            var reports = node.App.Services.GetRequiredService<NodeStatus>().Reports();
            while (!over.IsCancellationRequested)
            {
                await Task.Yield();
                var report = reports.Digest();
                seen.Add((report.Digest, report.Children.Single().Digest));
            }
        }
    }

    [Test]
    public async Task A_node_without_a_parent_has_nobody_to_send_to()
    {
        await using var node = await WholeNode.StartAsync("\"callsPerAddress\": 1000");
        Assert.That(node.App.Services.GetRequiredService<NodeStatus>().Push(), Is.Empty);
    }

    private static LinkView LinkOf(WholeNode node) => node.App.Services.GetRequiredService<NodeStatus>().Links().Links.Single();

    private static async Task<ConnectResponse> AskAsync(AsyncDuplexStreamingCall<ConnectRequest, ConnectResponse> call, ConnectRequest frame)
    {
        await call.RequestStream.WriteAsync(frame);
        Assert.That(await call.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Patience), Is.True);
        return call.ResponseStream.Current;
    }

    /// <summary>Orders may come before the refusal.</summary>
    private static async Task RefusedAsync(AsyncDuplexStreamingCall<ConnectRequest, ConnectResponse> call)
    {
        while (await call.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Patience))
        {
            if (call.ResponseStream.Current.Refusal is not null)
            {
                return;
            }
        }

        Assert.Fail("The connection ended without a refusal.");
    }
}
