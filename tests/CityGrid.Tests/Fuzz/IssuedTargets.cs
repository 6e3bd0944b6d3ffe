using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reach;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Node.Cases;
using CityGrid.Node.Checks;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Checks;
using CityGrid.Tests.Identity;
using CityGrid.Tests.Orders;
using CityGrid.Tests.Reception;
using CityGrid.Tests.Simulation;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Tests.Fuzz;

/// <summary>What goes down the tree and what comes back for it: orders, queries, the answers to both; what is signed, and what an audit reads of it.</summary>
internal static class IssuedTargets
{
    private static readonly Instant Noon = Reception.Parent.Noon;
    private static readonly Incarnation ParentsJournal = new(77);
    private static readonly OrderPlace Wuhan = new(NodeId.Parse("wuhan"), DivisionCode.Parse("4201"), Registers.Tempting);

    private static readonly Lazy<(Issuers Network, ISignatures Ministry)> Issuing = new(() =>
    {
        var network = new Issuers(Noon);
        return (network, network.Signer(network.Ministry, "ministry", ["CN"]));
    });

    private static readonly Lazy<(ISignatures Child, ISignatures Parent)> Signing = new(() =>
    {
        var signers = new Signers(Noon);
        return (signers.Of("wuhan"), signers.Of("hubei"));
    });

    private static readonly Lazy<IReadOnlyList<OrdersPart>> Ordered = new(MadeOrders);
    private static readonly Lazy<(SmallTree Tree, CaseId Case)> Asked = new(MadeTree);
    private static readonly Lazy<(List<Book> Books, List<byte[]> Seeds)> Audited = new(MadeBooks);

    private static readonly string[] Words = ["ministry", "hubei", "wuhan", "CN", "42", "4201", "420111", "43"];

    public static IReadOnlyList<FuzzTarget> All { get; } =
    [
        new("orders-part", Shape.Protobuf, 300, () => [.. Ordered.Value.Select(part => part.ToByteArray())], OrdersPartBytes) { Words = Words, BytesPerByte = 40_000 },
        new("reach-query", Shape.Protobuf, 1_000, () => [.. Queries().Select(query => query.ToByteArray())], ReachQueryBytes) { Words = [.. Words, "city-1-1", "province-1", "month", "reported"], BytesPerByte = 40_000 },
        new("child-answers", Shape.Protobuf, 3_000, () => [.. Answers().Select(frame => frame.ToByteArray())], ChildAnswers) { Words = Words, BytesPerByte = 20_000 },
        new("issuer-signature", Shape.Protobuf, 300, () => [Word().ToByteArray()], IssuerSignatureBytes) { BytesPerByte = 40_000 },
        new("signed-frame", Shape.Protobuf, 500, () => [.. SignedFrames().Select(frame => frame.ToByteArray())], SignedFrame) { Words = Words, BytesPerByte = 40_000 },
        new("audit-anchors", Shape.Protobuf, 500, () => Audited.Value.Seeds, AuditAnchors) { Words = ["city-1-1", "province-1"], BytesPerByte = 40_000 },
    ];

    private static ByteString OrderBytes(int id, Action<Order>? twist = null) => Made.OrderOf(id, Noon, twist).ToByteString();

    private static OrderEnvelope Signed(int id, Action<Order>? twist = null)
    {
        var bytes = OrderBytes(id, twist);
        return new OrderEnvelope { Lsn = id, Order = bytes, Signature = IssuerWord.Sign(Issuing.Value.Ministry, IssuedOf(bytes), Noon)!, Hops = { new Hop { Node = "hubei", ReceivedAt = Noon.ToUnixTimeMilliseconds() } } };
    }

    private static Issued IssuedOf(ByteString bytes) => new(IssuerWord.Order, NodeId.Parse("ministry"), DivisionCode.Parse("CN"), bytes);

    private static StreamPosition At(long lsn) =>
        (lsn == 0 ? StreamMark.Start : new StreamMark(new Lsn(lsn), new Hash256(1, (UInt128)(ulong)lsn))).ToPosition(Lane.Orders, ParentsJournal, Epoch.NotGranted);

    /// <summary>A first part, one that follows it with a cancellation and what is told of an order, and one that says that there is no more.</summary>
    private static OrdersPart[] MadeOrders()
    {
        var told = Signed(3);
        told.Receipts.Add(OrderJudge.Of(Wuhan, Made.OrderOf(3, Noon), 1, OrderState.Delivered, Noon).ToByteString());
        told.Receipts.Add(OrderJudge.Of(Wuhan, Made.OrderOf(3, Noon), 2, OrderState.Answered, Noon, text: "done").ToByteString());
        return
        [
            new OrdersPart { Number = 1, From = At(0), To = At(5), Orders = { Signed(1), Signed(2, order => order.TargetDivision = "420111"), new OrderEnvelope { Lsn = 4, Order = OrderBytes(4, order => order.Issuer = "hubei") } } },
            new OrdersPart { Number = 2, From = At(5), To = At(9), ReachesHead = true, Orders = { Signed(5, order => (order.Kind, order.Subject) = (OrderKind.Cancel, OrderId.ToBytes(1))), told } },
            new OrdersPart { Number = 3, From = At(9), To = At(12), ReachesHead = true },
        ];
    }

    /// <summary>
    /// A part as the first one, behind a good one, and again. What is taken moves the cursor to its end, what is refused nothing; an order that has ended keeps its end; a snapshot keeps all; and what goes down
    /// from here and is shown of it is well formed.
    /// </summary>
    private static string OrdersPartBytes(byte[] input)
    {
        if (Parsed(OrdersPart.Parser, input) is not { } part)
        {
            return "no message";
        }

        var way = string.Empty;
        foreach (var goodFirst in new[] { false, true })
        {
            var (fold, journal) = (new OrderFold(Wuhan.Node), new MemoryJournal(new SeededEntropy(2)));
            var clock = new VirtualClock(new VirtualTime(Noon.ToDateTimeOffset()));
            var desk = new OrderDesk(Wuhan, fold, journal, new OrderNotary(Issuing.Value.Network.Judge, Wuhan, SignaturePolicy.Accepted, clock));
            foreach (var one in goodFirst ? new[] { Ordered.Value[0], part, part } : [part, part, Ordered.Value[0]])
            {
                var (before, ended) = (fold.AppliedBy(journal.Incarnation), fold.Orders.Where(order => fold.Find(order.Id)!.HasEnded).Select(order => (order.Id, fold.Find(order.Id)!.State)).ToArray());
                var caughtUp = fold.IsCaughtUp(journal.Incarnation);
                var events = desk.EventsOf(one, desk.Look(one), NodeId.Parse("hubei"), Noon, out var taken);
                if (events.Count > 0)
                {
                    foreach (var journalEvent in Appended(journal, events))
                    {
                        fold.Apply(journalEvent);
                    }

                    FuzzTargets.Sound(fold.AppliedBy(journal.Incarnation) is var (of, mark) && of == Incarnation.FromBytes(one.To.Incarnation.Span) && mark.Lsn.Value == one.To.Lsn, "the cursor stands where the part that was taken ends");
                }

                FuzzTargets.Sound(taken.Refusal == LinkRefusalCode.Unspecified || (events.Count == 0 && fold.AppliedBy(journal.Incarnation) == before), "what is refused changes nothing");
                FuzzTargets.Sound(!caughtUp || ended.All(end => fold.Find(end.Id)!.State == end.State), "an order that has ended keeps its end");
                way += $"{taken.Refusal} {events.Count} ";
            }

            var saved = Saved(fold);
            var loaded = new OrderFold(Wuhan.Node);
            loaded.Load(new MemoryStream(saved));
            FuzzTargets.Sound(Saved(loaded).AsSpan().SequenceEqual(saved), "a snapshot keeps what is known of orders");
            new OrderList(Wuhan, fold, new Sequencer(journal, [], clock), clock).List(new ListOrdersRequest(), out _);
            OrderRouting.Due(Wuhan, fold, Noon);
            if (new OrderReader(fold, () => Wuhan.Register, journal, () => Epoch.NotGranted, isRoot: false).Read(DivisionCode.Parse("420111"), StreamMark.Start, journal.Head.Lsn, knowsHead: false) is { } down)
            {
                FuzzTargets.Sound(down.Orders.All(envelope => OrderJudge.Fault(envelope) is null), "what goes on down is well formed");
            }
        }

        return way;
    }

    private static IEnumerable<JournalEvent> Appended(MemoryJournal journal, IReadOnlyList<EventDraft> events)
    {
        var range = journal.Append([new RecordDraft("node/hubei", events)], Noon).Ranges[0];
        return journal.ReadAt(range.First)!.Events;
    }

    private static byte[] Saved(IFold fold)
    {
        using var image = new MemoryStream();
        fold.Save(image);
        return image.ToArray();
    }

    private static (SmallTree, CaseId) MadeTree()
    {
        var tree = new SmallTree();
        var id = tree.Report(tree.City, 3, SmallTree.Cover, 1, EmergencyGrade.Serious)[0];
        tree.Settle();
        return (tree, id);
    }

    private static List<ReachQuery> Queries()
    {
        var (tree, id) = Asked.Value;
        var (city, province, ministry) = (tree.City.Place, tree.Province.Place, tree.Ministry.Place);
        ReachQuery Of(DivisionCode target, bool below, ReachKind kind, IMessage request) => new()
        {
            Id = OrderId.ToBytes(9),
            Asker = $"{ministry.Node}",
            AskerDivision = $"{ministry.Division}",
            Actor = "viewer",
            TargetDivision = $"{target}",
            AllBelow = below,
            Kind = kind,
            Request = request.ToByteString(),
            RemainingMs = 5_000,
            Held = { new ReachHeld { Origin = $"{city.Node}", Division = $"{city.Division}", Epoch = 1, Lsn = 3 } },
        };
        return
        [
            Of(city.Division, false, ReachKind.View, new QueryRequest { By = { "month", "district" }, Measures = { "reported", "p50" } }),
            Of(province.Division, true, ReachKind.View, new QueryRequest { By = { "city" }, Measures = { "reported" }, Divisions = { $"{city.Division}" } }),
            Of(city.Division, false, ReachKind.Case, new CaseAsked { Case = OrderId.ToBytes(id.Value) }),
        ];
    }

    /// <summary>
    /// A query that the parent of a city sends, and that of its province, of whose children one never answers. Each is answered, within its time, in pieces that may travel, about what was asked and nothing
    /// else, and nothing is left of it.
    /// </summary>
    private static string ReachQueryBytes(byte[] input)
    {
        if (Parsed(ReachQuery.Parser, input) is not { } query)
        {
            return "no message";
        }

        var way = string.Empty;
        foreach (var node in new[] { Asked.Value.Tree.City, Asked.Value.Tree.Province })
        {
            var (core, division) = (node.Core!, node.Place.Division);
            var time = new VirtualTime(node.Clock.GetUtcNow());
            var ground = new ReachGround(node.Place.Node, division, core.RegisterNow, [.. core.Reception.Children.Select(row => new ReachChild(row.Node, row.Division, ReachStanding.Connected, row.LastHeard))]);
            var place = new ReachPlace(node.Place.Node, division, () => ground, () => core.RegisterNow) { Stands = _ => (1, 2), Held = _ => [] };
            var answerers = new Dictionary<ReachKind, IAnswerer>
            {
                [ReachKind.View] = new ViewAnswerer(core.Views, division, () => core.RegisterNow),
                [ReachKind.Case] = new CaseAnswerer(core.Desk, division, () => core.RegisterNow),
            };
            var replies = new List<(int Number, ReachResult Result)>();
            Exception? failed = null;
            using var desk = new ReachDesk(place, answerers, new SeededEntropy(1), new VirtualClock(time))
            {
                Reply = (_, number, result, _) => replies.Add((number, result)),
                AskChild = (_, down) =>
                {
                    FuzzTargets.Sound(ReachShape.Fault(down) is null, "what goes on down is well formed");
                    return true;
                },
                Failed = failure => failed = failure,
            };
            desk.Hear(query);
            desk.Hear(query);
            time.Run((ReachShape.WaitMost + Gathering.MarginMost).ToTimeSpan());
            FuzzTargets.Sound(failed is null, $"an answerer throws: {failed}");
            FuzzTargets.Sound(desk.UnderWay == 0, "a query has an end");
            FuzzTargets.Sound(replies.All(reply => reply.Result.CalculateSize() <= ReachShape.ResultBytesMax), "an answer may travel");
            FuzzTargets.Sound(replies.Count == 0 || replies.Any(reply => reply.Result.Results == replies.Select(one => one.Number).Distinct().Count()), "whoever asks knows when he has all");
            FuzzTargets.Sound(replies.Count > 0 || OrderId.Of(query.Id) == UInt128.Zero, "a query that can be answered to is answered");
            way += string.Join(',', replies.SelectMany(reply => reply.Result.Parts.Select(part => part.Code.Length == 0 ? "answered" : part.Code).Concat(reply.Result.Missing.Select(missing => missing.Code))).Distinct()) + ";";
        }

        return way;
    }

    private static List<ConnectRequest> Answers()
    {
        var content = new ReachResult { Results = 1, Parts = { new ReachPart { Node = "wuhan", Division = "4201", Answer = ByteString.CopyFrom(1, 2, 3) } } }.ToByteString();
        ReachAnswer Piece(int from, int to) => new() { Id = OrderId.ToBytes(7), Result = 1, Offset = from, Total = content.Length, Content = ByteString.CopyFrom(content.Span[from..to]) };
        return
        [
            new ConnectRequest { Number = 2, ReachAnswer = Piece(0, content.Length) },
            new ConnectRequest { Number = 2, ReachAnswer = Piece(0, 5) },
            new ConnectRequest { Number = 3, ReachAnswer = Piece(5, content.Length) },
            new ConnectRequest { OrdersReceipt = new OrdersReceipt { Number = 1, Position = At(5) } },
            new ConnectRequest { OrdersReceipt = new OrdersReceipt { Number = 1, Position = At(3), Refusal = LinkRefusalCode.Gap, Message = "it starts later" } },
            new ConnectRequest { PackageReceipt = new PackageChunkReceipt { Number = 1, Outcome = PackageOutcome.More, Have = 100 } },
            new ConnectRequest { PackageReceipt = new PackageChunkReceipt { Number = 1, Outcome = PackageOutcome.Taken, Heads = { Parcel.Value.Name.ToHead() } } },
            new ConnectRequest { PackageReceipt = new PackageChunkReceipt { Number = 1, Outcome = PackageOutcome.Gap } },
        ];
    }

    private static readonly Lazy<PackageParcel> Parcel = new(() =>
    {
        var package = Catalogue.Packages.Of(1, Hash256.Zero);
        return new PackageParcel(Catalogue.Packages.NameOf(package), Catalogue.Packages.Enveloped(package).ToByteArray());
    });

    /// <summary>What a child says to what its parent sent: each place that was asked is in the answer or missing from it, once, and what is sent next lies within what there is.</summary>
    private static string ChildAnswers(byte[] input)
    {
        if (Parsed(ConnectRequest.Parser, input) is not { } frame)
        {
            return "no message";
        }

        return frame.FrameCase switch
        {
            ConnectRequest.FrameOneofCase.ReachAnswer => Gathered(frame.ReachAnswer),
            ConnectRequest.FrameOneofCase.OrdersReceipt => Fed(frame.OrdersReceipt),
            ConnectRequest.FrameOneofCase.PackageReceipt => Fed(frame.PackageReceipt),
            _ => "another frame",
        };
    }

    private static string Gathered(ReachAnswer piece)
    {
        var wuhan = new ReachChild(NodeId.Parse("wuhan"), DivisionCode.Parse("4201"), ReachStanding.Connected, Noon);
        var ground = new ReachGround(NodeId.Parse("hubei"), DivisionCode.Parse("42"), Registers.Tempting, [wuhan]);
        var query = new ReachQuery { Id = OrderId.ToBytes(7), Asker = "hubei", AskerDivision = "42", TargetDivision = "42", AllBelow = true, Kind = ReachKind.View, RemainingMs = 5_000 };
        var (state, first) = Gathering.Step(new GatheringState(ground.Node), new GatheringInput.Asked(1, query, ground), Duration.Zero);
        var effects = first.ToList();
        foreach (var one in new[] { piece, Answers()[1].ReachAnswer, piece, Answers()[2].ReachAnswer })
        {
            (state, var more) = Gathering.Step(state, new GatheringInput.Answered(wuhan.Node, one, ground.Register), Duration.FromSeconds(1));
            effects.AddRange(more);
        }

        (state, var last) = Gathering.Step(state, new GatheringInput.Woken(), Duration.FromSeconds(10));
        effects.AddRange(last);
        var finish = effects.OfType<GatheringEffect.Finish>().Single().Gathered;
        FuzzTargets.Sound(state.Runs.IsEmpty, "a query has an end");
        FuzzTargets.Sound(finish.Parts.All(part => part.Division == "4201" || DivisionCode.TryParse(part.Division, out var of) && ground.Register.IsAtOrBelow(of, wuhan.Division)), "a child answers for its own places");
        FuzzTargets.Sound(finish.Parts.Count(part => part.Division == "4201") + finish.Missing.Count(missing => missing.Node == "wuhan" || missing.Division == "4201") >= 1, "nobody who was asked is forgotten");
        return $"{Math.Min(finish.Parts.Count, 3)} {string.Join(',', finish.Missing.Select(missing => missing.Code).Distinct().Take(4).Select(FuzzTargets.Shortened))}";
    }

    private static string Fed(OrdersReceipt receipt)
    {
        var (state, sent, read) = OrderFeed.Step(OrderFeed.Start(StreamMark.Start) with { Due = false }, new OrderFeedInput.PartReady(Ordered.Value[0].Clone()), Noon);
        (state, sent, read) = OrderFeed.Step(state, new OrderFeedInput.Answered(receipt), Noon);
        FuzzTargets.Sound(sent is null && (state.UnderWay is null || state.Number != receipt.Number), "a part is answered once");
        FuzzTargets.Sound(state.Cursor.Lsn >= Lsn.Zero, "the cursor is a position");
        return $"{read} {Math.Min(state.Cursor.Lsn.Value, 9)}";
    }

    private static string Fed(PackageChunkReceipt receipt)
    {
        var state = PackageFeed.Start(new PackagesHeard([], []));
        (state, var chunk, _) = PackageFeed.Step(state, new PackageFeedInput.ParcelReady(Parcel.Value), Noon);
        var count = 0;
        for (; chunk is not null && count < 20; count++)
        {
            FuzzTargets.Sound(chunk.Offset >= 0 && chunk.Offset + chunk.Content.Length <= chunk.Total && !chunk.Content.IsEmpty, "a chunk lies within its package");
            var again = receipt.Clone();
            again.Number = receipt.Number == 1 ? chunk.Number : receipt.Number;
            (state, chunk, _) = PackageFeed.Step(state, new PackageFeedInput.Answered(again), Noon);
        }

        FuzzTargets.Sound(count < 20, "no child has the same bytes sent for ever");
        return $"{count} {state.Has.Count} {state.Told.Count} {state.UnderWay is null}";
    }

    private static IssuerSignature Word() => Signed(1).Signature;

    /// <summary>A signature with its certificates, over an order. Only the signer's own is taken, and whatever was shown can be asked for what it says of itself.</summary>
    private static string IssuerSignatureBytes(byte[] input)
    {
        if (Parsed(IssuerSignature.Parser, input) is not { } said)
        {
            return "no message";
        }

        var ways = new List<string?>();
        foreach (var now in new Instant?[] { null, Noon })
        {
            var signer = IssuerWord.Judge(Issuing.Value.Network.Judge, Registers.Tempting, IssuedOf(OrderBytes(1)), said, now, out var refusal);
            FuzzTargets.Sound(signer is null != refusal is null, "taken or refused");
            FuzzTargets.Sound(signer is null || signer.Fingerprint == Issuing.Value.Ministry.Own!.Signer.Fingerprint, "only the issuer's own key is taken");
            ways.Add(refusal?.Code);
        }

        var shown = SignerCertificate.Read(said.Certificates, null, Noon, out var unread);
        FuzzTargets.Sound(shown is null != unread is null, "read or refused");
        SignerCertificate.DivisionsOf(said.Certificates);
        return $"{string.Join(' ', ways)} {unread?.Code}";
    }

    private static Child Signer() => new("wuhan", "4201");

    private static Reception.Parent Receiver() => new("hubei", "42", Registers.Tempting)
    {
        Notary = new ChildNotary(Signing.Value.Parent, NodeId.Parse("hubei"), new Incarnation(9), new VirtualClock(new VirtualTime(Noon.ToDateTimeOffset()))),
    };

    private static ConnectRequest SignedHello(Child child) => child.Hello(hello =>
    {
        hello.ProtocolMax = 2;
        hello.Signer.Add(Signing.Value.Child.Own!.Signer.Certificates);
    });

    private static void Meet(Child child, Reception.Parent parent)
    {
        var welcome = parent.Take(child.Peer, SignedHello(child)).Welcome;
        child.Epoch = new Epoch(welcome.ChildEpoch, welcome.ChildEpochNonce);
    }

    private static List<ConnectRequest> SignedFrames()
    {
        var child = Signer();
        var hello = SignedHello(child);
        Meet(child, Receiver());
        ConnectRequest Headed(ConnectRequest request) => child.Signed(request, Signing.Value.Child.Own!, Noon);

        return [hello, Headed(child.Cut(0, 5, [child.Cell(3, 1)])), Headed(child.Raise(0, 5, child.Escalation(3, 1)))];
    }

    private static readonly Lazy<List<ConnectRequest>> Truly = new(SignedFrames);

    /// <summary>A frame of a child that signs, as its hello and after it: what takes effect of it is what the child signed, and a signer that was not shown by it is never kept.</summary>
    private static string SignedFrame(byte[] input)
    {
        if (Parsed(ConnectRequest.Parser, input) is not { } frame)
        {
            return "no message";
        }

        var way = string.Empty;
        foreach (var met in new[] { false, true })
        {
            var (child, parent) = (Signer(), Receiver());
            if (met)
            {
                Meet(child, parent);
            }

            var head = parent.Head;
            var answer = parent.Take(child.Peer, frame);
            var took = frame.FrameCase != ConnectRequest.FrameOneofCase.Hello && parent.Head != head;
            FuzzTargets.Sound(!took || frame.SignedHead is { } said && Truly.Value.Skip(1).Any(truly => truly.SignedHead.PartHash == said.PartHash && truly.SignedHead.Lsn == said.Lsn && truly.SignedHead.Lane == said.Lane), "only what the child signed takes effect");
            FuzzTargets.Sound(parent.Reception.Child(child.Node)?.Signer is not { } kept || kept == Signing.Value.Child.Own!.Signer.Fingerprint || KeyShown(frame) == KeyShown(Truly.Value[0]), "no signer with another key is kept");
            way += $"{answer.FrameCase} {answer.Refusal?.Code} {answer.Countersignature is null};";
        }

        return way;
    }

    /// <summary>A certificate has more than one form of bytes that its authority's signature holds for; its key is one.</summary>
    private static string? KeyShown(ConnectRequest frame)
    {
        if (frame.Hello is not { Signer: [var der, ..] })
        {
            return null;
        }

        try
        {
            using var certificate = X509CertificateLoader.LoadCertificate(der.Span);
            return CertificateAuthority.MarkOf(certificate.PublicKey);
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    /// <summary>A directory that is judged, and the records of the other that anchors it.</summary>
    private sealed record Book(NodeId Holder, NodeId About, IReadOnlyList<JournalRecord> Records, IReadOnlyList<(int Record, int Event)> Events, FileJournal Judged, JournalVerdict.Sound Verdict, HashSet<string> Signed);

    private static (List<Book>, List<byte[]>) MadeBooks()
    {
        using var tree = new SignedTree();
        tree.Work(2);
        tree.Stop();
        var books = new List<Book>();
        var seeds = new List<byte[]>();
        foreach (var (holder, about) in new[] { (tree.Province, tree.City), (tree.City, tree.Province) })
        {
            var records = SignedTree.Records(holder);
            var events = records.SelectMany((record, r) => record.Events.Select((e, i) => (Of: e, r, i)))
                .Where(one => one.Of.Kind is EventKinds.SignerShown or EventKinds.CellsReceived or EventKinds.EscalationsReceived or EventKinds.ReceiptKept).ToArray();
            var disk = about.Disk.Copy();
            var verdict = (JournalVerdict.Sound)JournalVerifier.Verify(disk);
            var whole = AnchorBook.Read(Kept(records), holder.Place.Node, about.Place.Node, null);
            var signed = whole.Anchors.Where(anchor => anchor.Signed is not null).Select(anchor => Convert.ToHexString(anchor.Signed!.Bytes)).ToHashSet();
            books.Add(new Book(holder.Place.Node, about.Place.Node, records, [.. events.Select(one => (one.r, one.i))], SignedTree.Open(disk, about.Place.Node), verdict, signed));
            seeds.AddRange(events.Select((one, at) => (one.Of, at)).DistinctBy(one => one.Of.Kind).Select(one => (byte[])[(byte)(books.Count - 1), (byte)one.at, .. one.Of.Payload.Span]));
        }

        return (books, seeds);
    }

    private static MemoryJournal Kept(IReadOnlyList<JournalRecord> records, (int Record, int Event)? at = null, byte[]? payload = null)
    {
        var journal = new MemoryJournal(new SeededEntropy(9));
        for (var r = 0; r < records.Count; r++)
        {
            journal.Append([new RecordDraft(records[r].Actor, [.. records[r].Events.Select((e, i) => new EventDraft(e.Kind, e.Schema, at == (r, i) ? payload! : e.Payload))])], records[r].RecordedAt);
        }

        return journal;
    }

    /// <summary>
    /// The first bytes say which directory and which of its events holds something else, in a chain made anew: <c>audit verify</c> comes to a verdict or cannot decide, and what it calls signed was signed.
    /// </summary>
    private static string AuditAnchors(byte[] input)
    {
        if (input.Length < 2)
        {
            return "empty";
        }

        var book = Audited.Value.Books[input[0] % Audited.Value.Books.Count];
        var at = book.Events[input[1] % book.Events.Count];
        try
        {
            var read = AnchorBook.Read(Kept(book.Records, at, input[2..]), book.Holder, book.About, null);
            var verdict = AuditCheck.Compare(book.Judged, book.Verdict, read);
            FuzzTargets.Sound(read.Fault is null || verdict.ExitCode == 3, "a book with a fault decides nothing");
            FuzzTargets.Sound(verdict.ExitCode != 0 || read.Anchors.All(anchor => anchor.Signed is not { } signed || book.Signed.Contains(Convert.ToHexString(signed.Bytes))), "what it calls signed was signed");
            return $"{input[0] % 2} {verdict.ExitCode} {FuzzTargets.Shortened(read.Fault?.Why ?? verdict.What)}";
        }
        catch (IOException undecided)
        {
            // Whoever asks is told that it cannot be decided.
            return undecided.GetType().Name;
        }
    }

    private static T? Parsed<T>(MessageParser<T> parser, byte[] input)
        where T : class, IMessage<T>
    {
        try
        {
            return parser.ParseFrom(input);
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }
}
