using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;

namespace CityGrid.Hub.Reception;

/// <summary>Changes of reception as journal events and back. Schema 1.</summary>
public static class ReceptionEvents
{
    public const ushort Schema = 1;

    /// <summary>The change as an event; <paramref name="node"/> is this node.</summary>
    public static EventDraft ToEvent(ReceptionChange change, NodeId node) => change switch
    {
        EpochGrant grant => Draft(EventKinds.EpochGranted, new EpochGranted
        {
            Child = grant.Child.ToString(),
            Division = grant.Division.ToString(),
            Incarnation = ByteString.CopyFrom(grant.Incarnation.ToBytes()),
            Epoch = grant.Epoch.Number,
            EpochNonce = grant.Epoch.Nonce,
            LastEpoch = grant.LastEpoch,
        }),
        CellsTaken taken => Draft(EventKinds.CellsReceived, new CellsReceived
        {
            Child = taken.Child.ToString(),
            Incarnation = ByteString.CopyFrom(taken.Incarnation.ToBytes()),
            Epoch = taken.Epoch.Number,
            EpochNonce = taken.Epoch.Nonce,
            Part = taken.Part.ToByteString(),
            Verdicts = { taken.Verdicts.Select(ToVerdict) },
            SignedHead = taken.Head?.ToByteString() ?? ByteString.Empty,
        }),
        EscalationsTaken taken => Draft(EventKinds.EscalationsReceived, new EscalationsReceived
        {
            Child = taken.Child.ToString(),
            Incarnation = ByteString.CopyFrom(taken.Incarnation.ToBytes()),
            Epoch = taken.Epoch.Number,
            EpochNonce = taken.Epoch.Nonce,
            Part = taken.Part.ToByteString(),
            Verdicts = { taken.Verdicts.Select(ToVerdict) },
            Node = node.ToString(),
            SignedHead = taken.Head?.ToByteString() ?? ByteString.Empty,
            OrdersUnbelieved = { taken.OrdersUnbelieved },
            OrdersJudged = taken.OrdersJudged,
        }),
        SignerChange shown => SignerShownEvent(shown.Child, shown.Algorithm, shown.Certificates),
        QuarantineChange set => Draft(EventKinds.ChildQuarantined, new ChildQuarantined
        {
            Child = set.Child.ToString(),
            Released = set.Released,
            Code = set.Code,
            Reason = set.Reason,
        }),
        ChildRewind rewind => Draft(EventKinds.ChildRewound, new ChildRewound { Child = rewind.Child.ToString() }),
        _ => throw new ArgumentOutOfRangeException(nameof(change), change, "A change that is no event."),
    };

    /// <summary>The change of an event, or null for an event of another kind.</summary>
    public static ReceptionChange? Read(in JournalEvent journalEvent)
    {
        var payload = journalEvent.Payload.Span;
        switch (journalEvent.Kind)
        {
            case EventKinds.EpochGranted:
                var grant = EpochGranted.Parser.ParseFrom(payload);
                return new EpochGrant(
                    NodeId.Parse(grant.Child), DivisionCode.Parse(grant.Division), Incarnation.FromBytes(grant.Incarnation.Span), new Epoch(grant.Epoch, grant.EpochNonce))
                {
                    LastEpoch = grant.LastEpoch,
                };
            case EventKinds.CellsReceived:
                var cells = CellsReceived.Parser.ParseFrom(payload);
                return new CellsTaken(
                    NodeId.Parse(cells.Child), Incarnation.FromBytes(cells.Incarnation.Span), new Epoch(cells.Epoch, cells.EpochNonce), CellsPart.Parser.ParseFrom(cells.Part), ToReceipts(cells.Verdicts))
                {
                    Head = HeadOf(cells.SignedHead),
                };
            case EventKinds.EscalationsReceived:
                var escalations = EscalationsReceived.Parser.ParseFrom(payload);
                return new EscalationsTaken(
                    NodeId.Parse(escalations.Child), Incarnation.FromBytes(escalations.Incarnation.Span), new Epoch(escalations.Epoch, escalations.EpochNonce), EscalationsPart.Parser.ParseFrom(escalations.Part), ToReceipts(escalations.Verdicts))
                {
                    Head = HeadOf(escalations.SignedHead),
                    OrdersUnbelieved = [.. escalations.OrdersUnbelieved],
                    OrdersJudged = escalations.OrdersJudged,
                };
            case EventKinds.ChildQuarantined:
                var set = ChildQuarantined.Parser.ParseFrom(payload);
                return new QuarantineChange(NodeId.Parse(set.Child), set.Released, set.Code, set.Reason);
            case EventKinds.ChildRewound:
                return new ChildRewind(NodeId.Parse(ChildRewound.Parser.ParseFrom(payload).Child));
            case EventKinds.SignerShown:
                var shown = SignerShown.Parser.ParseFrom(payload);
                return new SignerChange(NodeId.Parse(shown.Node), (SignatureAlgorithm)shown.Algorithm, shown.Certificates);
            default:
                return null;
        }
    }

    /// <summary>That a node signs with this from here on.</summary>
    public static EventDraft SignerShownEvent(NodeId node, SignatureAlgorithm algorithm, IEnumerable<ByteString> certificates) =>
        Draft(EventKinds.SignerShown, new SignerShown { Node = node.ToString(), Algorithm = (int)algorithm, Certificates = { certificates } });

    private static SignedHead? HeadOf(ByteString bytes) => bytes.IsEmpty ? null : SignedHead.Parser.ParseFrom(bytes);

    internal static EventDraft Draft(ushort kind, IMessage payload) => new(kind, Schema, payload.ToByteArray());

    internal static Verdict ToVerdict(RecordReceipt receipt) => new() { Index = receipt.Index, Outcome = (int)receipt.Outcome, Code = receipt.Code, Message = receipt.Message };

    internal static RecordReceipt[] ToReceipts(IEnumerable<Verdict> verdicts) => [.. verdicts.Select(v => new RecordReceipt { Index = v.Index, Outcome = (RecordOutcome)v.Outcome, Code = v.Code, Message = v.Message })];
}
