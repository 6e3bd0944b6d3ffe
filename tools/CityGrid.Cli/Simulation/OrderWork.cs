using CityGrid.Hub.Orders;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Cli.Simulation;

/// <summary>
/// What people do with orders: those of the upper tiers issue them to places anywhere below, some for a short time only, and take some back; those of the places
/// that they are for sign, answer and reject.
/// </summary>
internal sealed class OrderWork(SimulatedTree tree, StoryPlan plan)
{
    private static readonly OrderKind[] Kinds = [OrderKind.Assign, OrderKind.Urge, OrderKind.Supervise, OrderKind.CallBack];

    /// <summary>What was wanted of each issuer, whatever became of its directory since.</summary>
    private readonly Dictionary<NodeId, List<OrderWish>> _wanted = [];

    private int _requests;

    public void Work(int step)
    {
        foreach (var (index, node) in tree.Nodes.Values.Concat(tree.Clones).ToArray().Index())
        {
            var random = plan.Stream("order", (step * 64) + index);
            if (random.OneIn(7) && node.Core is { } issuing)
            {
                Issue(node, issuing.Orders, random);
            }

            if (random.OneIn(12))
            {
                AskAgain(node, random);
            }

            foreach (var open in node.Core is null ? [] : Open(node).Where(_ => random.OneIn(4)).ToArray())
            {
                Step(node, open, (OrderState)((int)OrderState.Signed + random.Below(3)));
            }
        }
    }

    /// <summary>One of the last that were wanted of an issuer, with the same key.</summary>
    public void AskAgain(SimulatedNode issuer, SeededEntropy random)
    {
        if (issuer.Core is not null && _wanted.TryGetValue(issuer.Place.Node, out var before))
        {
            Ask(issuer, before[^(1 + random.Below(Math.Min(before.Count, 4)))]);
        }
    }

    /// <summary>Everybody answers what is open at his place. All are up, and have heard all that there is to hear.</summary>
    public void AnswerAll()
    {
        foreach (var node in tree.Nodes.Values)
        {
            foreach (var open in Open(node))
            {
                var refusal = Step(node, open, OrderState.Answered);
                StoryBrokenException.Unless(refusal is null, () => $"O4: {node.Place.Node} could not answer {OrderId.Shown(open)}: {refusal}");
            }
        }
    }

    private static UInt128[] Open(SimulatedNode node) =>
    [
        .. node.Core!.Orders.Orders.Where(order => order.Target == node.Place.Division && !order.IsIssuedHere && node.Core.Orders.Find(order.Id)!.State is OrderState.Delivered or OrderState.Signed)
            .Select(order => order.Id),
    ];

    private void Issue(SimulatedNode issuer, OrderFold known, SeededEntropy random)
    {
        var below = tree.Nodes.Values.Where(node => node != tree[issuer.Place.Node] && tree.Register.IsAtOrBelow(node.Place.Division, issuer.Place.Division)).ToArray();
        if (below.Length == 0)
        {
            return;
        }

        var own = known.Orders.Where(order => order.IsIssuedHere && order.Content.Kind != OrderKind.Cancel).ToArray();
        var taken = own.Length > 0 && random.OneIn(4) ? own[^(1 + random.Below(Math.Min(own.Length, 3)))] : null;
        var term = random.OneIn(4) ? Duration.FromMinutes(random.Below(120)) : (Duration?)null;
        var now = Instant.FromDateTimeOffset(issuer.Clock.GetUtcNow());
        var target = taken?.Target ?? below[random.Below(below.Length)].Place.Division;
        var wish = new OrderWish(
            $"o-{++_requests}", target, taken is null ? Kinds[random.Below(Kinds.Length)] : OrderKind.Cancel, taken?.Id ?? UInt128.Zero, $"by {now}", null, taken is null && term is { } span ? now + span : null);
        (_wanted.TryGetValue(issuer.Place.Node, out var wanted) ? wanted : _wanted[issuer.Place.Node] = []).Add(wish);
        Ask(issuer, wish);
        if (!random.OneIn(3))
        {
            issuer.Pump();
        }
    }

    /// <summary>Also once more: whoever had no answer, or sees that the directory was put back, asks again with the same key.</summary>
    private void Ask(SimulatedNode issuer, OrderWish wish)
    {
        var directory = issuer.Directories;
        issuer.Hear(core => core.Sequencer.Submit(core.OrderDesk.Issue(wish, "head"), answer =>
        {
            if (answer.Refusal is null && issuer.Directories == directory)
            {
                issuer.Acknowledged.Orders[answer.Id] = wish;
            }
        }));
    }

    private Refusal? Step(SimulatedNode at, UInt128 id, OrderState state)
    {
        var text = state == OrderState.Signed ? string.Empty : $"s-{++_requests}";
        var directory = at.Directories;
        OrderAnswer? told = null;
        at.Do(core => core.Sequencer.Submit(core.OrderDesk.Step(id, state, text, "desk"), answer =>
        {
            told = answer;
            if (answer.Refusal is null && at.Directories == directory)
            {
                at.Acknowledged.Steps[(id, state)] = text;
            }
        }));
        if (told?.Refusal?.Code == OrderDesk.Uncertain)
        {
            tree.Sometimes.Reached("a person could not decide on an order before its place had heard all");
        }

        return told?.Refusal;
    }
}
