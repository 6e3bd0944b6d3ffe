using System.Globalization;
using CityGrid.Cli.Simulation;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Node;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Simulation;

/// <summary>
/// Clause A7, ASVS 8.3.3, INV-14: a province that alters what passes through it and makes orders of its own in the ministry's name, and a city that tells of orders which nobody gave. Nothing
/// of it is ever to be followed anywhere; each order of the ministry ends as it was given, or rejected, and the ministry knows which.
/// </summary>
[Parallelizable(ParallelScope.All)]
public sealed class A_relay_speaks_in_no_name_but_its_own
{
    private static readonly NodeId Ministry = NodeId.Parse("ministry");

    [Test]
    public void Whatever_it_tries([Values] SignaturePolicy policy, [Range(1, 20)] int seed)
    {
        var relay = new EvilProvince((ulong)seed, policy);
        var tree = new SimulatedTree((ulong)seed, TreeShape.Of(1, 2), relay);
        foreach (var node in tree.Nodes.Values)
        {
            node.Start();
        }

        tree.Run(TimeSpan.FromMinutes(2));
        var (ministry, province) = (tree[Ministry], tree[NodeId.Parse("province-1")]);
        var issued = new List<UInt128>();
        foreach (var city in tree.Cities)
        {
            issued.Add(Issue(ministry, city, "first"));
        }

        tree.Run(TimeSpan.FromMinutes(2));
        relay.IsEvil = true;
        tree.Weather = SimulatedWeather.Storm;
        for (var step = 0; step < 20; step++)
        {
            foreach (var city in tree.Cities)
            {
                issued.Add(Issue(ministry, city, string.Create(CultureInfo.InvariantCulture, $"step {step}")));
                issued.Add(Issue(province, city, "its own"));
            }

            tree.Run(TimeSpan.FromMinutes(10));
        }

        tree.Weather = SimulatedWeather.Fair;
        tree.Run(TimeSpan.FromHours(1));

        var given = ministry.Core!.Orders.Orders.Concat(province.Core!.Orders.Orders.Where(order => order.IsIssuedHere)).ToDictionary(order => order.Id, order => Convert.ToHexString(order.Bytes.Span));
        Assert.That(ministry.Core.Orders.Orders.Select(order => order.Id).Except(issued), Is.Empty, "The ministry knows of no order that it did not give.");
        Assert.That(given.Keys, Is.EquivalentTo(issued));
        var followed = 0;
        foreach (var city in tree.Cities)
        {
            foreach (var order in city.Core!.Orders.Orders)
            {
                var standing = city.Core.Orders.Find(order.Id)!;
                var isAsGiven = given.GetValueOrDefault(order.Id) == Convert.ToHexString(order.Bytes.Span);
                if (standing.State == OrderState.Rejected)
                {
                    Assert.That(standing.Receipts.Single().Content.Code, Does.StartWith("ISSUER_"), $"{order.Content} at {city.Place.Node}");
                    Assert.That(order.Signature, Is.Null, "a signature that is not believed is not kept as one");
                }
                else
                {
                    Assert.That(isAsGiven, Is.True, $"{city.Place.Node} follows {order.Content}, and nobody gave it");
                    Assert.That(order.Signature, Is.Not.Null);
                    followed++;
                }
            }
        }

        foreach (var id in issued)
        {
            var target = tree.Cities.Single(city => city.Core!.Orders.Find(id) is not null);
            Assert.That(ministry.Core.Orders.Find(id)?.State ?? target.Core!.Orders.Find(id)!.State, Is.EqualTo(target.Core!.Orders.Find(id)!.State), "its one end is the same at both ends");
        }

        Assert.That(relay.Tried.Values, Is.All.Positive, string.Join(", ", relay.Tried));
        Assert.That(followed, Is.GreaterThan(2), "what it let pass untouched was followed");
        foreach (var own in province.Core.Orders.Orders.Where(order => order.IsIssuedHere))
        {
            Assert.That(province.Core.Orders.Find(own.Id)!.State, Is.EqualTo(OrderState.Delivered), "a province orders in its own name");
        }
    }

    private static UInt128 Issue(SimulatedNode issuer, SimulatedNode target, string text)
    {
        OrderAnswer? answer = null;
        issuer.Do(core => core.Sequencer.Submit(
            core.OrderDesk.Issue(new OrderWish($"{target.Place.Node} {text} {core.Journal.Head.Lsn}", target.Place.Division, OrderKind.Assign, UInt128.Zero, text, null, null), "head"), told => answer = told));
        Assert.That(answer!.Refusal, Is.Null);
        return answer.Id;
    }

    private enum Trick
    {
        ChangesAByte,
        SignsItself,
        MakesASignerOfTheMinistrysName,
        MakesAnAuthorityForIt,
        TakesTheSignatureAway,
        GivesAnOrderOfItsOwnInTheMinistrysName,
        GivesAnOldOneAnotherId,
        SaysThatItWasDelivered,
        CancelsInTheMinistrysName,
        TellsOfOneFromBelow,
    }

    private sealed class EvilProvince(ulong seed, SignaturePolicy policy) : StoryTwist
    {
        private static readonly NodeId Province = NodeId.Parse("province-1");

        private readonly SeededEntropy _random = new(seed + 7000);
        private readonly Dictionary<UInt128, Trick> _marked = [];
        private int _forged;

        public bool IsEvil { get; set; }

        public Dictionary<Trick, int> Tried { get; } = Enum.GetValues<Trick>().ToDictionary(trick => trick, _ => 0);

        public override NodeSettings Settings(NodeSettings settings) => settings with { Signatures = policy };

        public override ConnectResponse? Down(SimulatedNode child, SimulatedNode parent, ConnectResponse response)
        {
            if (!IsEvil || response.Orders is not { } part || child.Place.Parent?.Node != Province)
            {
                return response;
            }

            foreach (var envelope in part.Orders.ToArray())
            {
                var order = Order.Parser.ParseFrom(envelope.Order);
                if (order.Issuer != Ministry.ToString() || envelope.Receipts.Count > 0)
                {
                    continue;
                }

                // Every trick has its turn, one order in two is left alone, and what is sent again is altered again in the same way.
                var id = OrderId.Of(order.Id);
                if (!_marked.TryGetValue(id, out var trick))
                {
                    _marked.Add(id, trick = (Trick)((_marked.Count + (int)seed) % 20));
                }

                Play(trick, child, parent, part, envelope, order);
            }

            return response;
        }

        /// <summary>A city tells of an order for its sister that nobody gave, beside a receipt of its own.</summary>
        public override ConnectRequest? Up(SimulatedNode child, SimulatedNode parent, ConnectRequest request)
        {
            if (IsEvil && child.Place.Parent?.Node == Province && request.Escalations is { Receipts.Count: > 0 } part && _random.OneIn(4))
            {
                Tried[Trick.TellsOfOneFromBelow]++;
                var receipt = OrderReceipt.Parser.ParseFrom(part.Receipts[0].Receipt);
                var sister = child.Place.Node.ToString() == "city-1-1" ? "city-1-2" : "city-1-1";
                var forged = new Order
                {
                    Id = _random.OneIn(2) ? receipt.Order : NewId(),
                    Issuer = Ministry.ToString(),
                    IssuerDivision = "CN",
                    TargetDivision = Division(parent, sister),
                    Kind = OrderKind.Assign,
                    Text = "of a city",
                };
                part.Receipts[0].Order = forged.ToByteString();
                part.Receipts[0].Signature = _random.OneIn(2) ? null : Signed(new StandInSignatures(child.Place.Node, child.Place.Division), forged.ToByteString());
                request.SignedHead = Headed(child, request);
            }

            return request;
        }

        private void Play(Trick trick, SimulatedNode child, SimulatedNode parent, OrdersPart part, OrderEnvelope envelope, Order order)
        {
            if (Tried.ContainsKey(trick))
            {
                Tried[trick]++;
            }

            switch (trick)
            {
                case Trick.ChangesAByte:
                    order.Text += "!";
                    envelope.Order = order.ToByteString();
                    break;
                case Trick.SignsItself:
                    order.Text = "another";
                    envelope.Order = order.ToByteString();
                    envelope.Signature = Signed(parent.Signatures!, envelope.Order);
                    break;
                case Trick.MakesASignerOfTheMinistrysName:
                    order.Text = "another";
                    envelope.Order = order.ToByteString();
                    envelope.Signature = Signed(Impostor(parent, parent.Place.Division), envelope.Order);
                    break;
                case Trick.MakesAnAuthorityForIt:
                    order.Text = "another";
                    envelope.Order = order.ToByteString();
                    envelope.Signature = Signed(Impostor(parent, DivisionCode.Parse("CN")), envelope.Order);
                    break;
                case Trick.TakesTheSignatureAway:
                    envelope.Signature = null;
                    break;
                case Trick.GivesAnOrderOfItsOwnInTheMinistrysName:
                    Add(part, child, envelope.Lsn, _ => { }, Impostor(parent, DivisionCode.Parse("CN")));
                    break;
                case Trick.GivesAnOldOneAnotherId:
                    var again = envelope.Clone();
                    order.Id = NewId();
                    again.Order = order.ToByteString();
                    part.Orders.Add(again);
                    break;
                case Trick.SaysThatItWasDelivered:
                    var told = Add(part, child, envelope.Lsn, _ => { }, Impostor(parent, DivisionCode.Parse("CN")));
                    told.Receipts.Add(new OrderReceipt
                    {
                        Order = Order.Parser.ParseFrom(told.Order).Id,
                        Issuer = Ministry.ToString(),
                        Node = child.Place.Node.ToString(),
                        Division = child.Place.Division.ToString(),
                        Step = 1,
                        State = OrderState.Delivered,
                        At = 1,
                    }.ToByteString());
                    break;
                case Trick.CancelsInTheMinistrysName:
                    Add(part, child, envelope.Lsn, forged => (forged.Kind, forged.Subject) = (OrderKind.Cancel, order.Id), Impostor(parent, parent.Place.Division));
                    break;
                default:
                    break;
            }
        }

        private OrderEnvelope Add(OrdersPart part, SimulatedNode child, long lsn, Action<Order> twist, StandInSignatures signatures)
        {
            var forged = new Order
            {
                Id = NewId(),
                Issuer = Ministry.ToString(),
                IssuerDivision = "CN",
                TargetDivision = child.Place.Division.ToString(),
                Kind = OrderKind.Assign,
                Text = "nobody gave this",
            };
            twist(forged);
            var envelope = new OrderEnvelope { Lsn = lsn, Order = forged.ToByteString(), Signature = Signed(signatures, forged.ToByteString()) };
            part.Orders.Add(envelope);
            return envelope;
        }

        private static StandInSignatures Impostor(SimulatedNode province, DivisionCode division) => new(Ministry, division, (province.Place.Node, province.Place.Division));

        private static IssuerSignature Signed(ISignatures signatures, ByteString bytes) =>
            IssuerWord.Sign(signatures, new Issued(IssuerWord.Order, Ministry, DivisionCode.Parse("CN"), bytes), Instant.FromUtc(2026, 3, 2, 1, 0))!;

        /// <summary>It is its own part, and it signs it.</summary>
        private static SignedHead? Headed(SimulatedNode child, ConnectRequest request)
        {
            if (request.SignedHead is not { } head)
            {
                return null;
            }

            head.PartHash = ByteString.CopyFrom(CityGrid.Protocol.Wire.Statements.HashOf(request.Escalations).ToBytes());
            head.Signature = ByteString.CopyFrom(child.Signatures!.Own!.Sign(CityGrid.Protocol.Wire.Statements.BytesOf(head)));
            return head;
        }

        private static string Division(SimulatedNode parent, string node) => parent.Core!.Reception.Children.Single(row => row.Node.ToString() == node).Division.ToString();

        private ByteString NewId() => OrderId.ToBytes((UInt128)(1000 + _forged++));
    }
}
