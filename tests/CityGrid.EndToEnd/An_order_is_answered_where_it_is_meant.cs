using CityGrid.Cli.Network;
using CityGrid.Protocol.V1;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd;

/// <summary>Clauses O1 to O4, T2, E4, E5: real processes; an order of the ministry goes down on the connection that the city's side dialled, and its answer comes up.</summary>
public sealed class An_order_is_answered_where_it_is_meant
{
    [Test]
    public async Task By_the_tool_from_the_ministry_through_a_province_to_a_city_and_back()
    {
        await using var trees = await Trees.StartAsync(1, 1);
        var (ministry, city) = (trees.Tree.Nodes.First(), trees.Tree.Cities.Single());
        var issued = await OrderAsync(ministry, "issue", "--to", city.Division, "--kind", "supervise", "--text", "How is it done?", "--key", "k-1");
        Assert.That(issued.Code, Is.Zero, issued.Error);
        Assert.That((await OrderAsync(ministry, "issue", "--to", city.Division, "--kind", "supervise", "--text", "How is it done?", "--key", "k-1")).Code, Is.Zero, "The same key is the same order.");
        var twisted = await OrderAsync(ministry, "issue", "--to", city.Division, "--kind", "assign", "--text", "Another", "--key", "k-1");
        Assert.That((twisted.Code, twisted.Error), Is.EqualTo((1, twisted.Error)).And.Matches<(int, string)>(told => told.Item2.Contains("REQUEST_KEY_REUSED", StringComparison.Ordinal)));

        var order = await UntilAsync(city, o => o.State == OrderState.Delivered);
        Assert.That(order.Hops.Select(hop => hop.Node), Is.EqualTo(new[] { trees.Tree.Nodes[1].Node, city.Node }));
        Assert.That((order.Signature?.Signer, order.Signature?.Fingerprint.Length), Is.EqualTo((ministry.Node, 64)), "the city has it on the ministry's own word");
        Assert.That((await OrderAsync(city, "sign", order.OrderId)).Code, Is.Zero);
        Assert.That((await OrderAsync(city, "answer", order.OrderId, "--text", "It is done.")).Code, Is.Zero);
        var answered = await UntilAsync(ministry, o => o.State == OrderState.Answered);
        Assert.That(answered.Receipts.Select(receipt => (receipt.Node, receipt.State, receipt.Text)), Is.EqualTo(new[]
        {
            (city.Node, OrderState.Delivered, string.Empty), (city.Node, OrderState.Signed, string.Empty), (city.Node, OrderState.Answered, "It is done."),
        }));
        var list = await OrderAsync(ministry, "list");
        Assert.That(list.Output, Does.Contain("answered").And.Contain("It is done."));
        var late = await OrderAsync(city, "reject", order.OrderId, "--text", "No.");
        Assert.That((late.Code, late.Error.Contains("ORDER_ENDED", StringComparison.Ordinal)), Is.EqualTo((1, true)), late.Error);
    }

    private static Task<Ended> OrderAsync(TreeNode node, string verb, params string[] more)
    {
        var token = Path.Combine(Path.GetDirectoryName(node.Configuration)!, "desk-token");
        File.WriteAllText(token, node.Tokens["desk"]);
        return Programs.CityGridAsync(["order", verb, "--lang", "en", "--node", node.GrpcUrl, "--token-file", token, .. more]);
    }

    private static async Task<OrderView> UntilAsync(TreeNode node, Func<OrderView, bool> holds)
    {
        using var client = new NodeClient(node.GrpcUrl, node.Tokens["desk"]);
        for (var i = 0; i < 300; i++)
        {
            var list = await client.Orders.ListOrdersAsync(new ListOrdersRequest(), client.Options);
            if (list.Orders.SingleOrDefault(holds) is { } found)
            {
                return found;
            }

            await Task.Delay(100);
        }

        throw new TimeoutException($"The order did not come to that at {node.Node}.");
    }
}
