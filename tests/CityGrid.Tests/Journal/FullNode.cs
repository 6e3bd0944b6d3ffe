using System.Collections.Immutable;
using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Cells;
using CityGrid.Hub.Children;
using CityGrid.Hub.Escalations;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Reception.V1;
using CityGrid.Hub.Views;
using CityGrid.Node.Cases;
using CityGrid.Node.Stored;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using CityGrid.Tests.Cases;
using CityGrid.Tests.Catalogue;
using CityGrid.Tests.Reception;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Tests.Journal;

/// <summary>The folds of a node, in its order, and a little history after which each of them has everything that its image can keep.</summary>
internal sealed class FullNode
{
    private static readonly NodeId Above = NodeId.Parse("shanxi");
    private static readonly NodeId Sector = NodeId.Parse("gas");
    private static readonly Incarnation Own = new(9);
    private static readonly Epoch OwnEpoch = new(2, 22);
    private static readonly IssuerSignature Signature = new() { Algorithm = 1, Signer = ByteString.CopyFrom(7), Signature = ByteString.CopyFrom(8), Certificates = { ByteString.CopyFrom(9) }, SignedAt = 10 };
    private static readonly RangeScope Scope = new(NodeId.Parse("north"), Grain.National);

    private readonly List<JournalRecord> _journal = [];
    private readonly CellFold _cells = new();
    private readonly UplinkFold _uplink;
    private readonly CaseBook _book;
    private Instant _now = City.At(2026, 11, 24, 12);
    private long _lsn;

    public FullNode()
    {
        _uplink = new UplinkFold(
            (epoch, lsn) => _cells.Restamp(City.Node, new Revision(epoch.Number, lsn.Value), lsn),
            (types, lsn) => _cells.Restamp(City.Node, new Revision(_uplink!.RevisionEpoch, lsn.Value), lsn, types));
        var reception = new ReceptionFold(_cells);
        _book = new CaseBook(_cells, City.Node, City.Place, () => _uplink.RevisionEpoch, at => _journal.Find(record => record.First <= at && at <= record.Last));
        Folds = [_cells, _uplink, reception, new FinalityFold(reception), new EscalationFold(City.Node), new OrderFold(City.Node), new PackageFold(), new ChildrenFold(), _book];
    }

    public IReadOnlyList<IFold> Folds { get; }

    public static FullNode WithHistory()
    {
        var node = new FullNode();
        node.GoesUp();
        node.WorksCases();
        node.TakesChildrenIn();
        node.HearsOfTheNorth();
        node.HearsOfTheSouth();
        node.HasOrders();
        node.HasPackages();
        node.IsToldOf();
        return node;
    }

    public static byte[] ImageOf(IFold fold)
    {
        using var image = new MemoryStream();
        fold.Save(image);
        return image.ToArray();
    }

    private void GoesUp()
    {
        Do(UplinkFold.EpochTakenEvent(ParentKind.Territorial, Own, OwnEpoch, Above, new Epoch(1, 33)));
        Do(UplinkFold.ParentEpochHeardEvent(ParentKind.Sector, Sector, new Epoch(4, 44), forgotten: false));
        Do(ReceptionEvents.SignerShownEvent(Above, SignatureAlgorithm.EcdsaP256Sha256, [ByteString.CopyFrom(1, 2, 3)]));
    }

    /// <summary>One that runs, with a deadline and something personal; one that ended; a row whose person was erased; and a type of the place's own.</summary>
    private void WorksCases()
    {
        Do(new EventDraft(CaseEventKinds.LocalTypeAdded, CaseEventKinds.Schema, new StoredLocalTypeAdded { Catalogue = "gb47678-2026", Code = "x-graffiti", Name = "涂鸦" }.ToByteArray()));
        var (running, ended, row) = (IdOf(1), IdOf(2), IdOf(3));
        var state = Do(null, new ReportCase(City.Cover, City.North, City.Hotline) { Case = running, Actor = "desk", Request = new RequestMark("k-1", 7), Sealed = new SealedPart(2, new byte[] { 1, 2 }), Summary = "桥面塌陷" });
        for (var step = 0; step < 3; step++)
        {
            state = Do(state, City.NextStep(state));
        }

        state = Do(null, new ReportCase(City.Refuse, City.South, City.Hotline) { Case = ended, Actor = "desk", Request = new RequestMark("k-2", 8) });
        Do(state, new VoidCase { Case = ended, Actor = "desk", Reason = "duplicate", Request = new RequestMark("k-3", 9) });
        state = Do(null, new ImportCase(City.Cover, City.North, City.Hotline, "boston-311", "101004113298")
        {
            Case = row,
            Actor = "import",
            Request = RequestMark.OfRow("boston-311", "101004113298"),
            ReportedAt = _now - Duration.FromDays(3),
            ContentHash = Hash256.Of([5]),
            Sealed = new SealedPart(3, new byte[] { 3 }),
        });
        Do(state, new EraseReporter { Case = row, Actor = "desk", Reason = "reporter_request" });
    }

    private void TakesChildrenIn()
    {
        var (kept, gone) = (NodeId.Parse("north"), NodeId.Parse("west"));
        foreach (var node in new[] { kept, gone })
        {
            Do(ChildrenEvents.Opened(node, [City.North], true));
            Do(ChildrenEvents.Approved(node, Hash256.Of([1, 2, 3]), _now + Duration.FromDays(3)));
            Do(ChildrenEvents.Tried(node));
            Do(ChildrenEvents.Enrolled(node, [Issued("4a00"), Issued("4b00")]));
        }

        Do(ChildrenEvents.Renewed(kept, [Issued("4c00")]));
        Do(ChildrenEvents.Shown(kept, "4c00", _now + Duration.FromDays(7)));
        Do(ChildrenEvents.Revoked(kept, ["4b00"], "key lost"));
        Do(ChildrenEvents.Retired(gone, "merged"));
    }

    /// <summary>It reports from its second directory, in the midst of a cut, and is set aside with an epoch on offer.</summary>
    private void HearsOfTheNorth()
    {
        var child = new Child("north", "140802") { Epoch = new Epoch(1, 11) };
        Do(new EpochGrant(child.Node, child.Division, child.Incarnation, child.Epoch));
        Do(Taken(child, Cut(child, 0, 3, [child.Cell(3, 30)])));
        (child.Incarnation, child.Epoch) = (new Incarnation(2), new Epoch(4, 14));
        Do(new EpochGrant(child.Node, child.Division, child.Incarnation, child.Epoch) { LastEpoch = 3 });
        CellRow[] cells = [child.Cell(5, 7), child.Cell(5, 7, grain: Grain.National), child.Cell(4, 0, day: 20_001), child.Cell(5, 1, day: 20_004), child.Cell(5, 1, day: 20_005)];
        var whole = Cut(child, 0, 5, cells, [child.Statement(5)], [child.Node]);
        Do(Taken(child, whole, Verdict(3, RecordOutcome.Parked), Verdict(4, RecordOutcome.Refused)));
        Do(Taken(child, Cut(child, 5, 8, [child.Cell(8, 9, day: 20_002)], [child.Statement(8) with { CompleteThrough = new StatDay(20_782), Matters = Matters.Of(["01"])!, MattersSince = new Lsn(6) }])));
        var begun = Cut(child, 8, 9, [child.Cell(9, 11, day: 20_003)]);
        (begun.Parts, begun.ReadLsn, begun.ReadChainHash) = (2, 12, child.MarkAt(12).HashBytes());
        Do(Taken(child, begun));

        Do(new EscalationsTaken(child.Node, child.Incarnation, child.Epoch, child.Raise(0, 6, child.Escalation(6, 1)).Escalations, []));
        var alarms = child.Raise(0, 7, child.Escalation(7, 2, twist: e => e.Grade = EmergencyGrade.EspeciallySerious)).Escalations;
        alarms.Lane = Lane.Alarms;
        alarms.Escalations[0].Hops.Add(new Hop { Node = "village", ReceivedAt = 1_764_000_000_000 });
        alarms.Receipts.Add(new OrderReceiptEnvelope { Lsn = 7, Order = OrderOf(4).ToByteString(), Signature = Signature, Receipt = ReceiptOf(4, "north").ToByteString(), Hops = { new Hop { Node = "village", ReceivedAt = 1_764_000_000_000 } } });
        Do(new EscalationsTaken(child.Node, child.Incarnation, child.Epoch, alarms, []) { OrdersJudged = true });

        var compared = Taken(child, Cut(child, 8, 9, []));
        Beside(compared with { Findings = [new(Scope, null, RangeState.Differs), new(Scope, 24_321, RangeState.Differs), new(Scope, 24_322, RangeState.Differs)] });
        foreach (var month in new[] { 24_321, 24_322 })
        {
            var repair = Cut(child, 8, 9, []);
            RangeStatements.Write(repair, new RangeStretch(new RangeKey(Scope, month), true, true));
            Beside(compared with { Part = repair, Repair = new RepairCounts(1, 2, 3, 4) });
        }

        Beside(compared with { Findings = [new(Scope, 24_321, RangeState.Repaired, 6)] });
        Do(new SignerChange(child.Node, SignatureAlgorithm.EcdsaP256Sha256, [ByteString.CopyFrom(4, 5, 6)]));
        Do(new QuarantineChange(child.Node, false, "FORK", "two histories"));
        Do(new EpochGrant(child.Node, child.Division, new Incarnation(3), new Epoch(5, 15)));
    }

    /// <summary>More of it was parked than is listed, and of what it relays a name has another home since.</summary>
    private void HearsOfTheSouth()
    {
        var child = new Child("south", "140821") { Epoch = new Epoch(1, 21) };
        Do(new EpochGrant(child.Node, child.Division, child.Incarnation, child.Epoch));
        var parked = Taken(child, Cut(child, 0, 2, [child.Cell(2, 3, origin: "east"), child.Cell(2, 4)]));
        Do(parked with { Verdicts = [.. Enumerable.Range(2, ReceptionFold.ParkedMax + 1).Select(index => Verdict(index, RecordOutcome.Parked))] });
        var settled = new ParkedSettled { Child = "south" };
        settled.Settled.AddRange(Enumerable.Range(2, ReceptionFold.ParkedMax - 1).Select(index => new SettledRecord { Lsn = _lsn, Index = index, Outcome = (int)RecordOutcome.Unchanged }));
        Do(ReceptionEvents.Draft(EventKinds.ParkedSettled, settled));
        Do(ReceptionEvents.Draft(EventKinds.NameGiven, new NameGiven { Name = "east", Division = "140802", LetGo = { "140821" }, BroughtBy = { "south" } }));
    }

    private void HasOrders()
    {
        Do(OrderFold.IssuedEvent(OrderOf(1, City.Node.ToString()).ToByteString()), OrderFold.SignedEvent(OrderOf(1, City.Node.ToString()).Id, Signature));
        var part = new OrdersPart
        {
            From = StreamMark.Start.ToPosition(Lane.Orders, new Incarnation(77), Epoch.NotGranted),
            To = new StreamMark(new Lsn(10), new Hash256(1, 10)).ToPosition(Lane.Orders, new Incarnation(77), Epoch.NotGranted),
            ReachesHead = true,
        };
        part.Orders.Add(new OrderEnvelope { Lsn = 2, Order = OrderOf(2).ToByteString(), Signature = Signature, Hops = { new Hop { Node = "shanxi", ReceivedAt = 1_764_000_000_000 } }, Receipts = { ReceiptOf(2, "yuncheng").ToByteString() } });
        part.Orders.Add(new OrderEnvelope { Lsn = 3, Order = OrderOf(3).ToByteString(), Signature = Signature });
        Do(OrderFold.ReceivedEvent(part, Above, City.Node, Own, [1]));
        Do(OrderFold.ReceiptedEvent(ReceiptOf(1, "yuncheng")));
        Do(OrderFold.ReroutedEvent([1]));
    }

    private void HasPackages()
    {
        var chain = Packages.Chain(2);
        Do(PackageFold.PublishedEvent(Packages.Enveloped(Packages.Of(1, Hash256.Zero, null, "yuncheng", "140800")), new Hash256(5, 5)));
        Do(PackageFold.ReceivedEvent(Packages.NameOf(chain[0]), Packages.Enveloped(chain[0], begins: true), Above, City.Node, null));
        Do(PackageFold.ReceivedEvent(Packages.NameOf(chain[1]), Packages.Enveloped(chain[1]), Above, City.Node, new Refusal(PackageJudge.NotAbove, "words")));
        Do(PackageFold.ToldEvent(NodeId.Parse("north"), [Packages.NameOf(chain[0])], [new RefusedPackage(Packages.NameOf(chain[1]), new Refusal(PackageJudge.Malformed, "words"))]));
    }

    private void IsToldOf()
    {
        var raised = new Escalation { Id = ByteString.CopyFrom(IdOf(4).ToBytes()), Version = 1, Origin = "yuncheng", Division = "140802", TypeCode = "01001", Grade = EmergencyGrade.Serious };
        Do(EscalationFold.RaisedEvent(raised));
        Do(UplinkFold.MattersChosenEvent(ParentKind.Sector, Matters.Of(["01", "06010"])!, [IdOf(4).Value]));
        Do(UplinkFold.MattersChosenEvent(ParentKind.Territorial, Matters.Of(["01"])!, []));
        foreach (var lane in new[] { Lane.Escalations, Lane.Cells, Lane.Alarms })
        {
            var mark = new StreamMark(new Lsn(30 + (int)lane), Hash256.Of([(byte)lane]));
            Do(UplinkFold.ReceiptKeptEvent(ParentKind.Territorial, lane, Own, OwnEpoch, mark, [Verdict((int)lane, RecordOutcome.Parked)], new Countersignature { Node = "shanxi", Lsn = 12, Signature = ByteString.CopyFrom(5) }));
        }

        Do(UplinkFold.BundleMadeEvent(Own, new Lsn(40)));
        Do(UplinkFold.ReceiptKeptEvent(ParentKind.Sector, Lane.Cells, Own, OwnEpoch, new StreamMark(new Lsn(20), Hash256.Of([20])), []));
    }

    private CaseState Do(CaseState? before, CaseCommand command)
    {
        var decided = (CaseOutcome.Decided)CaseDecisions.Decide(before, command, _now, City.Rules);
        Do([.. CaseEventCodec.Encode(decided.Events, before?.LastLsn ?? Lsn.Zero)]);
        return _book.Open.TryGetValue(command.Case, out var open) ? open : CaseState.Fold(_book.History(new Lsn(_lsn)))!;
    }

    private void Do(ReceptionChange change) => Do(ReceptionEvents.ToEvent(change, City.Node));

    private void Beside(CellsTaken taken) => Do([.. RangeEvents.Beside(taken)]);

    private void Do(params EventDraft[] drafts)
    {
        _now += Duration.FromMinutes(1);
        var (first, last) = (new Lsn(_lsn + 1), new Lsn(_lsn + drafts.Length));
        ImmutableArray<JournalEvent> events = [.. drafts.Select((draft, i) => new JournalEvent(new Lsn(first.Value + i), first, last, _now, "desk", draft.Kind, draft.Schema, draft.Payload))];
        _lsn = last.Value;
        _journal.Add(new JournalRecord(_now, "desk", Hash256.Zero, Hash256.Zero, events));
        foreach (var journalEvent in events)
        {
            foreach (var fold in Folds.Where(fold => fold.Takes(journalEvent.Kind)))
            {
                fold.Apply(journalEvent);
            }
        }

        foreach (var fold in Folds)
        {
            fold.Settle();
        }
    }

    private static CaseId IdOf(byte number) => CaseId.Mint(City.At(2026, 11, 24, 9), [number, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

    private static ChildCertificate Issued(string serial) =>
        new(CertificateKind.Link, serial, $"mark of {serial}", new byte[] { 1, 2 }, City.At(2026, 11, 20), City.At(2027, 2, 20));

    private static CellsTaken Taken(Child child, CellsPart part, params RecordReceipt[] verdicts) => new(child.Node, child.Incarnation, child.Epoch, part, verdicts);

    private static CellsPart Cut(Child child, long from, long to, IEnumerable<CellRow> cells, IEnumerable<OriginWatermark>? stated = null, IEnumerable<NodeId>? complete = null)
    {
        var part = child.Cut(from, to, []).Cells;
        CellsPartCodec.Write(part, cells, stated ?? [], complete ?? []);
        return part;
    }

    private static RecordReceipt Verdict(int index, RecordOutcome outcome) => new() { Index = index, Outcome = outcome, Code = "TYPE_UNKNOWN", Message = "words" };

    private static Order OrderOf(int id, string issuer = "ministry") => new()
    {
        Id = OrderId.ToBytes((UInt128)id),
        Issuer = issuer,
        IssuerDivision = issuer == "ministry" ? "CN" : "140800",
        TargetDivision = "140802",
        Kind = OrderKind.Assign,
        Text = "t",
        IssuedAt = 1_764_000_000,
    };

    private static OrderReceipt ReceiptOf(int id, string node) =>
        new() { Order = OrderId.ToBytes((UInt128)id), Issuer = "ministry", Node = node, Division = "140802", Step = 1, State = OrderState.Delivered, At = 1_764_000_001 };
}
