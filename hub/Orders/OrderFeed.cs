using CityGrid.Hub.Reception;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Hub.Orders;

/// <summary>Where the orders of one connection stand: pure, as the child's sender is. One part is under way at a time.</summary>
/// <param name="Cursor">What the child has applied.</param>
/// <param name="Number">The number of the last part sent on this connection.</param>
/// <param name="UnderWay">The end of the part that waits for its answer.</param>
/// <param name="SentAt">When it was sent.</param>
/// <param name="Due">There may be something to send.</param>
/// <param name="SentHead">The part under way reaches the head.</param>
/// <param name="KnowsHead">The child has been told on this connection that there was no more.</param>
public sealed record OrderFeedState(StreamMark Cursor, long Number, StreamMark? UnderWay, Instant SentAt, bool Due, bool SentHead, bool KnowsHead);

/// <summary>What happens to the orders of one connection.</summary>
public abstract record OrderFeedInput
{
    /// <summary>There may be new orders.</summary>
    public sealed record Nudged : OrderFeedInput;

    /// <summary>The child was heard of: a part that was lost on the way is noticed by it.</summary>
    public sealed record Heard : OrderFeedInput;

    /// <summary>What was asked for with the state's cursor; null for nothing.</summary>
    public sealed record PartReady(OrdersPart? Part) : OrderFeedInput;

    public sealed record Answered(OrdersReceipt Receipt) : OrderFeedInput;
}

/// <summary>The parent's side of the lane of orders as a pure function (clause O3).</summary>
public static class OrderFeed
{
    /// <summary>A part that was not answered for so long is sent again when the child is heard of.</summary>
    public static readonly Duration AnswerWait = Duration.FromSeconds(30);

    public static OrderFeedState Start(StreamMark cursor) => new(cursor, 0, null, Instant.MinValue, true, false, false);

    /// <summary>The next state, the part to send, and whether to read what comes after the cursor.</summary>
    public static (OrderFeedState State, OrdersPart? Send, bool Read) Step(OrderFeedState state, OrderFeedInput input, Instant now)
    {
        switch (input)
        {
            case OrderFeedInput.Nudged:
                state = state with { Due = true };
                break;
            case OrderFeedInput.Heard when state.UnderWay is not null && now - state.SentAt >= AnswerWait:
                state = state with { UnderWay = null, Due = true };
                break;
            case OrderFeedInput.PartReady { Part: { } part } when state.UnderWay is null && StreamMark.TryRead(part.To.Lsn, part.To.ChainHash, out var to):
                part.Number = state.Number + 1;
                return (state with { Number = part.Number, UnderWay = to, SentAt = now, SentHead = part.ReachesHead }, part, false);
            case OrderFeedInput.Answered answered when state.UnderWay is not null && answered.Receipt.Number == state.Number:
                state = After(state, answered.Receipt);
                break;
            default:
                break;
        }

        return state.Due && state.UnderWay is null ? (state with { Due = false }, null, true) : (state, null, false);
    }

    /// <summary>The child says where it stands; where that is another place than the part's end, it is read again from there.</summary>
    private static OrderFeedState After(OrderFeedState state, OrdersReceipt receipt) =>
        receipt.Refusal is LinkRefusalCode.Unspecified or LinkRefusalCode.Gap
            && receipt.Position is { } position && StreamMark.TryRead(position.Lsn, position.ChainHash, out var stands)
            ? state with
            {
                Cursor = stands,
                UnderWay = null,
                Due = true,
                KnowsHead = state.KnowsHead || (state.SentHead && receipt.Refusal == LinkRefusalCode.Unspecified),
            }
            : state with { UnderWay = null };
}
