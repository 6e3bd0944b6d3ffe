using System.Text;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using Google.Protobuf;
using NodaTime;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Cli.Simulation;

/// <summary>
/// What the hostile child writes: frames of its own stream, sound in their form and signed, with whatever records it wants in them. What it may say of its own division
/// it says too, in the same parts, for one record must not hold up another.
/// </summary>
/// <param name="self">The hostile child.</param>
/// <param name="receiver">Its parent.</param>
/// <param name="incarnation">Its data directory.</param>
internal sealed class HostileStream(SimulatedNode self, NodeId receiver, Incarnation incarnation)
{
    private static readonly CatalogueVersion Catalogue = CatalogueVersion.Parse("gb47678-2026");
    private static readonly SourceCode Hotline = SourceCode.Parse("hotline");

    private readonly Dictionary<Lane, long> _marks = [];
    private long _number;
    private ulong _reading;

    public Incarnation Incarnation => incarnation;

    public Epoch Epoch { get; private set; } = Epoch.NotGranted;

    /// <summary>The newest protocol that its welcome chose.</summary>
    public int Protocol { get; private set; }

    /// <summary>The furthest position that it has come to.</summary>
    public long Head { get; private set; }

    public long Next => Head + 1;

    public long MarkOf(Lane lane) => _marks.GetValueOrDefault(lane);

    public ConnectRequest Hello(long lastEpoch)
    {
        var hello = new Hello
        {
            Node = self.Place.Node.ToString(),
            Division = self.Place.Division.ToString(),
            Incarnation = ByteString.CopyFrom(incarnation.ToBytes()),
            Epoch = Epoch.Number,
            EpochNonce = Epoch.Nonce,
            LastEpoch = Math.Max(lastEpoch, Epoch.Number),
            HeadLsn = Head,
            HeadChainHash = MarkAt(Head).HashBytes(),
            ProtocolMin = 1,
            ProtocolMax = ReceiverSettings.ProtocolMax,
            TakesPackages = true,
        };
        hello.Signer.AddRange(self.Signatures!.Own!.Signer.Certificates);
        return new ConnectRequest { Number = ++_number, Hello = hello };
    }

    public void Joined(Welcome welcome)
    {
        (Epoch, Protocol) = (new Epoch(welcome.ChildEpoch, welcome.ChildEpochNonce), welcome.Protocol);
        foreach (var position in welcome.Positions)
        {
            _marks[position.Lane] = position.Lsn;
        }
    }

    public void Heard(Receipt receipt) => _marks[receipt.Position.Lane] = receipt.Position.Lsn;

    /// <summary>A cut from the cursor to a new position.</summary>
    public ConnectRequest Cut(IEnumerable<CellRow> cells, IEnumerable<OriginWatermark> statements, IEnumerable<NodeId> complete, Action<CellsPart>? twist = null)
    {
        var (from, to) = (MarkAt(MarkOf(Lane.Cells)), MarkAt(++Head));
        var part = new CellsPart
        {
            CutFrom = from.Lsn.Value,
            CutFromChainHash = from.HashBytes(),
            CutTo = to.Lsn.Value,
            CutChainHash = to.HashBytes(),
            Part = 1,
            Parts = 1,
            Reading = ++_reading,
        };
        CellsPartCodec.Write(part, cells, statements, complete);
        twist?.Invoke(part);
        return Signed(new ConnectRequest { Number = ++_number, Cells = part });
    }

    public ConnectRequest Raise(IEnumerable<EscalationEnvelope> escalations) => Raise(Lane.Escalations, escalations, []);

    public ConnectRequest Tell(IEnumerable<OrderReceiptEnvelope> receipts) => Raise(Lane.Alarms, [], receipts);

    public ConnectRequest Numbered(ConnectRequest request)
    {
        request.Number = ++_number;
        return request;
    }

    /// <summary>It signs what it says, whatever that is.</summary>
    public ConnectRequest Signed(ConnectRequest request)
    {
        if (Protocol >= 2 && PartStatements.Of(request) is { } said)
        {
            var own = self.Signatures!.Own!;
            var head = new SignedHead
            {
                Node = self.Place.Node.ToString(),
                Receiver = receiver.ToString(),
                Incarnation = ByteString.CopyFrom(incarnation.ToBytes()),
                Epoch = Epoch.Number,
                EpochNonce = Epoch.Nonce,
                Lane = said.Lane,
                Lsn = said.To.Lsn.Value,
                ChainHash = said.To.HashBytes(),
                PartHash = ByteString.CopyFrom(Statements.HashOf(said.Part).ToBytes()),
                Algorithm = own.Signer.Algorithm,
                Signer = ByteString.CopyFrom(own.Signer.Fingerprint.ToBytes()),
            };
            head.Signature = ByteString.CopyFrom(own.Sign(Statements.BytesOf(head)));
            request.SignedHead = head;
        }

        return request;
    }

    /// <summary>A cell of the position that the next cut ends at.</summary>
    public CellRow Cell(NodeId origin, DivisionCode division, string type, StatDay day, byte[] value, Revision? revision = null) => new(
        new CellKey(origin, Grain.National, new TypeKey(Catalogue, TypeKind.Matter, TypeCode.Parse(type)), division, day, Hotline), revision ?? new Revision(Epoch.Number, Next), value);

    public static byte[] Value(long reported)
    {
        var draft = new CellDraft();
        draft.Add(Counter.Reported.Id, reported);
        return draft.ToBytes();
    }

    public static byte[] BucketsThatDoNotAddUp()
    {
        var draft = new CellDraft();
        draft.Add(Histogram.ReportToClose.Total.Id, 3);
        draft.AddBucket(Histogram.ReportToClose.Id, 0, 2);
        return draft.ToBytes();
    }

    public OriginWatermark Statement(NodeId origin, DivisionCode division, Instant now, StatDay through) =>
        new(origin, incarnation, Epoch, new Lsn(Next), now, through, division, Hash256.Zero, "Asia/Shanghai");

    public EscalationEnvelope Escalation(UInt128 id, int version, NodeId origin, DivisionCode division, params string[] hops)
    {
        var content = new Escalation
        {
            Id = OrderId.ToBytes(id),
            Version = version,
            Origin = origin.ToString(),
            Division = division.ToString(),
            Grade = EmergencyGrade.Serious,
            Summary = "a lie",
        };
        return new EscalationEnvelope { Lsn = Next, Escalation = content.ToByteString(), Hops = { hops.Select(hop => new Hop { Node = hop, ReceivedAt = 1 }) } };
    }

    public OrderReceiptEnvelope Receipt(OrderReceipt receipt, Order? order = null) =>
        new() { Lsn = Next, Receipt = receipt.ToByteString(), Order = order?.ToByteString() ?? ByteString.Empty };

    /// <summary>A position always has the same hash, so that it is one history until it lies about that too.</summary>
    public StreamMark MarkAt(long lsn) => lsn == 0 ? StreamMark.Start : new StreamMark(new Lsn(lsn), Hash256.Of(Encoding.ASCII.GetBytes($"{incarnation} {lsn}")));

    private ConnectRequest Raise(Lane lane, IEnumerable<EscalationEnvelope> escalations, IEnumerable<OrderReceiptEnvelope> receipts)
    {
        var (from, to) = (MarkAt(MarkOf(lane)), MarkAt(++Head));
        return Signed(new ConnectRequest
        {
            Number = ++_number,
            Escalations = new EscalationsPart
            {
                Lane = lane,
                From = from.Lsn.Value,
                FromChainHash = from.HashBytes(),
                To = to.Lsn.Value,
                ChainHash = to.HashBytes(),
                Escalations = { escalations },
                Receipts = { receipts },
            },
        });
    }
}
