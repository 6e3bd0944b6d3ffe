using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Hub.Orders;

/// <summary>Which orders go down once more because the way to their places is another one now (clause O7): pure.</summary>
public static class OrderRouting
{
    /// <summary>By how much this node's clock may be put back and what it had sent by a later day is still sent anew.</summary>
    public static readonly Duration ClockSlack = Duration.FromHours(1);

    /// <summary>
    /// Orders that ended longer ago are not sent anew: a directory that is restored from an older copy than this hears nothing of their ends by a new way. Ten orders a day to a place are 7 MB
    /// with their signatures.
    /// </summary>
    public static readonly Duration EndsAreToldFor = Duration.FromDays(92);

    /// <summary>The most orders of one event: what stands at one position goes in one part, which a slow line must carry in seconds. Four with their signatures are some 32 KiB.</summary>
    public const int OrdersOfEvent = 4;

    /// <summary>
    /// The orders, in the order in which they came, for places below this node whose way down was, on any day since they went onto the lane, another than today's. Those that are delivered or have
    /// ended are among them: the directory that has them may be restored, and hears of them and of their ends by the new way alone (INV-13, INV-22). One whose term ended before anything was heard of
    /// it is not.
    /// </summary>
    /// <param name="place">This node, with its register of all days.</param>
    /// <param name="orders">What is known here.</param>
    /// <param name="now">By this node's clock.</param>
    public static IReadOnlyList<UInt128> Due(OrderPlace place, OrderFold orders, Instant now)
    {
        if (place.Register.Changes.Count == 0)
        {
            return [];
        }

        var present = place.Register.EraOf(StatDay.Of(now, place.Zone).Date);
        return [.. orders.Orders.Where(order => IsDue(place, orders.Find(order.Id)!, now, present)).Select(order => order.Id)];
    }

    /// <summary>The order has not ended, and its place lies below no more: it is the business of another parent, and nothing more of it is heard here but from above.</summary>
    public static bool HasLeft(OrderPlace today, OrderStanding standing) =>
        standing is { HasEnded: false, Order: { } order } && !today.Register.IsAtOrBelow(order.Target, today.Division);

    private static bool IsDue(OrderPlace place, OrderStanding standing, Instant now, int present)
    {
        var target = standing.Order!.Target;
        if (EndedLongAgo(standing, now) || HasExpired(standing, now) || !place.Register.In(present).IsAtOrBelow(target, place.Division))
        {
            return false;
        }

        var since = place.Register.EraOf(StatDay.Of(Instant.Min(standing.OnItsWaySince, now) - ClockSlack, place.Zone).Date);
        if (since >= present)
        {
            return false;
        }

        var way = WayTo(target, place, present);
        return Enumerable.Range(since, present - since).Any(era => !way.SequenceEqual(WayTo(target, place, era)));
    }

    /// <summary>By the clock of who decided; it only bounds how much is sent.</summary>
    private static bool EndedLongAgo(OrderStanding standing, Instant now) =>
        standing.HasEnded && standing.Receipts[^1].Content.At < (now - EndsAreToldFor).ToUnixTimeSeconds();

    private static bool HasExpired(OrderStanding standing, Instant now) =>
        standing.Receipts.Count == 0 && standing.Order!.Content.ExpiresAt is > 0 and var term && now.ToUnixTimeSeconds() > term;

    /// <summary>The divisions from the target up to this node's, which is not among them; all above it where it is not below.</summary>
    private static DivisionCode[] WayTo(DivisionCode target, OrderPlace place, int era) =>
        [.. place.Register.In(era).UpFrom(target).Select(division => division.Code).TakeWhile(code => code != place.Division)];
}
