using System.Globalization;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;
using NodaTime.Text;

namespace CityGrid.Hub.Orders;

/// <summary>Lists the orders known here with what became of them, the newest first. For many threads at once.</summary>
public sealed class OrderList(OrderPlace place, OrderFold orders, Sequencer sequencer, TimeProvider clock)
{
    public const int PageSize = 50;

    public const int PageSizeMax = 500;

    private static readonly long EarliestSecond = Instant.MinValue.ToUnixTimeSeconds();

    private static readonly long LatestSecond = Instant.MaxValue.ToUnixTimeSeconds();

    /// <summary>The page, or why there is none.</summary>
    public ListOrdersResponse? List(ListOrdersRequest request, out Refusal? refusal)
    {
        refusal = null;
        var before = int.MaxValue;
        if (request.PageToken.Length > 0 && !(int.TryParse(request.PageToken, NumberStyles.None, CultureInfo.InvariantCulture, out before) && before > 0))
        {
            refusal = new Refusal("PAGE_TOKEN_BAD", "The page token is not one that an earlier page gave.", "page_token");
            return null;
        }

        var size = request.PageSize <= 0 ? PageSize : Math.Min(request.PageSize, PageSizeMax);
        return sequencer.Read(() =>
        {
            var response = new ListOrdersResponse { Revision = sequencer.Applied.Value };
            var named = new Dictionary<ByteString, IReadOnlyList<DivisionCode>>();
            var at = Math.Min(before, orders.Orders.Count);
            for (; at > 0 && response.Orders.Count < size; at--)
            {
                var standing = orders.Find(orders.Orders[at - 1].Id)!;
                if (!request.OpenOnly || !standing.HasEnded)
                {
                    response.Orders.Add(ViewOf(standing, named));
                }
            }

            response.NextPageToken = at > 0 ? at.ToString(CultureInfo.InvariantCulture) : string.Empty;
            return response;
        });
    }

    /// <summary>One order as it stands now.</summary>
    public OrderView Show(UInt128 id) => sequencer.Read(() => ViewOf(orders.Find(id)!, []));

    /// <param name="standing">The order.</param>
    /// <param name="named">The divisions that certificates name which were read before, by fingerprint: a page has few signers.</param>
    private OrderView ViewOf(OrderStanding standing, Dictionary<ByteString, IReadOnlyList<DivisionCode>> named)
    {
        var order = standing.Order!;
        var content = order.Content;
        var view = new OrderView
        {
            OrderId = OrderId.Shown(order.Id),
            Issuer = content.Issuer,
            IssuerDivision = content.IssuerDivision,
            TargetDivision = content.TargetDivision,
            Kind = content.Kind,
            Subject = content.Subject.IsEmpty ? string.Empty : OrderId.Shown(OrderId.Of(content.Subject)),
            Text = content.Text,
            IssuedAt = Iso(content.IssuedAt),
            AnswerBy = Iso(content.AnswerBy),
            ExpiresAt = Iso(content.ExpiresAt),
            State = standing.State,
            IsOverdue = content.AnswerBy > 0 && !standing.HasEnded && clock.Now().ToUnixTimeSeconds() > content.AnswerBy,
            TargetHasLeft = OrderRouting.HasLeft(place.At(clock.Now()), standing),
        };
        if (order.Signature is { } said)
        {
            if (!named.TryGetValue(said.Signer, out var divisions))
            {
                named.Add(said.Signer, divisions = SignerCertificate.DivisionsOf(said.Certificates));
            }

            view.Signature = new OrderSignatureView
            {
                Signer = content.Issuer,
                Fingerprint = Convert.ToHexStringLower(said.Signer.Span),
                SignedAt = RecordJudge.IsTime(said.SignedAt) ? InstantPattern.General.Format(Instant.FromUnixTimeMilliseconds(said.SignedAt)) : string.Empty,
                Divisions = { divisions.Select(division => division.ToString()) },
            };
        }

        view.Receipts.AddRange(standing.Receipts.Select(receipt => new OrderReceiptView
        {
            Node = receipt.Content.Node,
            State = receipt.Content.State,
            Code = receipt.Content.Code,
            Text = receipt.Content.Text,
            At = Iso(receipt.Content.At),
            ReceivedAt = receipt.Hops.IsEmpty ? string.Empty : InstantPattern.General.Format(receipt.Hops[^1].ReceivedAt),
        }));
        view.Hops.AddRange(order.Hops.Select(hop => new OrderHopView { Node = hop.Node.ToString(), ReceivedAt = InstantPattern.General.Format(hop.ReceivedAt) }));
        return view;
    }

    /// <summary>Whoever wrote a time may have written none: that is shown as nothing, and the list stands.</summary>
    private static string Iso(long unixSeconds) => unixSeconds == 0 || unixSeconds < EarliestSecond || unixSeconds > LatestSecond ? string.Empty : InstantPattern.General.Format(Instant.FromUnixTimeSeconds(unixSeconds));
}
