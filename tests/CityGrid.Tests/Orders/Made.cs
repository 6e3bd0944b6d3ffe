using CityGrid.Hub.Orders;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Tests.Orders;

/// <summary>Orders as tests need them.</summary>
internal static class Made
{
    /// <summary>An order of the ministry to the city 4201.</summary>
    public static Order OrderOf(int id, Instant issued, Action<Order>? twist = null)
    {
        var order = new Order
        {
            Id = OrderId.ToBytes((UInt128)id),
            Issuer = "ministry",
            IssuerDivision = "CN",
            TargetDivision = "4201",
            Kind = OrderKind.Supervise,
            Text = "report",
            IssuedAt = issued.ToUnixTimeSeconds(),
        };
        twist?.Invoke(order);
        return order;
    }
}
