using CityGrid.Cli.Simulation;
using CityGrid.Hub.Catalogue.V1;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Reception.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using Google.Protobuf;

namespace CityGrid.Tests.Mutants;

/// <summary>The bugs that the stories must find, each small and named.</summary>
internal static class AllMutants
{
    /// <summary>An event kind that no fold knows.</summary>
    private const ushort NoKind = 999;

    public static IReadOnlyList<Mutant> All { get; } =
    [
        .. Sender(), .. Receiver(), .. Welcomes(), .. Records(), .. Snapshots(), .. Storage(), .. Orders(), .. Packages(), .. Authority(), .. Judge(),
    ];

    private static IEnumerable<Mutant> Sender() =>
    [
        Up("sender", "a cell that fell to zero is not sent", Cells(c => CellCodec.IsZero(c.Value.Span) ? null : c)),
        Up("sender", "detail cells are not sent", Cells(c => c.Grain == Grain.Detail.Number ? null : c)),
        Up("sender", "the last cell of a part is left out", (_, _, r) => RemoveLast(r.Cells?.Cells)),
        Up("sender", "a revision names no epoch", Cells(c => With(c, cell => cell.Epoch = 1))),
        Up("sender", "a revision is the time by the wall clock", (child, _, r) => Each(r, c => With(c, cell => cell.Lsn = child.Clock.GetUtcNow().ToUnixTimeSeconds() % 1000))),
        Up("sender", "a day is counted in another zone", Cells(c => With(c, cell => cell.Day++))),
        Up("sender", "complete sets are not named", (_, _, r) => r.Cells?.CompleteOrigins.Clear()),
        Up("sender", "statements are not sent", (_, _, r) =>
        {
            r.Cells?.CompleteOrigins.Clear();
            r.Cells?.Watermarks.Clear();
        }),
        Up("relay", "cells of nodes below are not relayed", (child, _, r) => Each(r, c => NameOf(r, c.Origin) == child.Place.Node.ToString() ? c : null)),
        Up("relay", "cells are stamped anew", (child, _, r) => Each(r, c => NameOf(r, c.Origin) == child.Place.Node.ToString() ? c : With(c, cell => cell.Lsn++))),
        Up("relay", "an escalation is written anew", (_, _, r) => Envelopes(r, e =>
        {
            if (e.Hops.Count > 0)
            {
                var content = Escalation.Parser.ParseFrom(e.Escalation);
                content.Summary += " ";
                e.Escalation = content.ToByteString();
            }
        })),
        Up("relay", "an escalation loses its hops", (_, _, r) => Envelopes(r, e => e.Hops.Clear())),
        Up("sender", "the last escalation of a part is left out", (_, _, r) => RemoveLast(r.Escalations?.Escalations)),
        Up("sender", "only the first version of an escalation goes up", (_, _, r) => KeepOnly(r.Escalations?.Escalations, e => Escalation.Parser.ParseFrom(e.Escalation).Version == 1)),
        Up("sender", "a retry gives an escalation a new id", (_, _, r) => Envelopes(r, e =>
        {
            var content = Escalation.Parser.ParseFrom(e.Escalation);
            var id = content.Id.ToByteArray();
            id[^1] ^= (byte)r.Number;
            content.Id = ByteString.CopyFrom(id);
            e.Escalation = content.ToByteString();
        })),
        Up("sender", "two readings of a cut are not told apart", (_, _, r) => Part(r, p => p.Reading = 1)),
        Up("sender", "the hello hides the newest epoch", (_, _, r) => Hello(r, h => h.LastEpoch = 0)),
        Up("sender", "the hello says that no epoch was granted", (_, _, r) => Hello(r, h => (h.Epoch, h.EpochNonce, h.LastEpoch) = (0, 0, 0))),
        Up("sender", "an epoch is chosen by the child", (_, _, r) => Hello(r, h => h.LastEpoch += 1_000_001)),
        Up("sender", "an epoch that nobody granted is shown", (_, _, r) => Hello(r, h => h.EpochNonce ^= h.Epoch > 0 ? 1UL : 0)),
        Up("sender", "the values of two cells of a part are exchanged", (_, _, r) => Exchange(r.Cells?.Cells)),
        Up("relay", "each relay counts an escalation's version up", (_, _, r) => Envelopes(r, e =>
        {
            if (e.Hops.Count > 0)
            {
                var content = Escalation.Parser.ParseFrom(e.Escalation);
                content.Version++;
                e.Escalation = content.ToByteString();
            }
        })),
        Up("sender", "every hello names another directory", (_, _, r) => Hello(r, h => h.Incarnation = ByteString.CopyFrom(new Incarnation((UInt128)(ulong)h.SentAt + 1).ToBytes()))),
    ];

    private static IEnumerable<Mutant> Receiver() =>
    [
        Up("receiver", "the chain is not compared", (child, parent, r) => Blind(child, parent, r, takeGaps: false)),
        Up("receiver", "a gap is accepted", (child, parent, r) => Blind(child, parent, r, takeGaps: true)),
        Up("receiver", "a last part applies alone", (_, _, r) => Part(r, p =>
        {
            if (p.Part == p.Parts)
            {
                (p.Part, p.Parts) = (1, 1);
            }
        })),
        Up("receiver", "every part moves the cursor", (_, _, r) => Part(r, p => (p.Part, p.Parts) = (1, 1))),
        Down("receiver", "a gap is told as a receipt", (child, _, response) =>
            response.Refusal is { Code: LinkRefusalCode.Gap } && child.Core?.Uplink?.Standing.State is { } sender && sender.UnderWay.Find(o => o.Number == response.Number) is { } asked
                ? Receipt(sender, asked, response.Number)
                : response),
        Down("receiver", "a receipt names the position after the part's", (_, _, response) => Receipts(response, receipt => receipt.Position.Lsn++)),
        Down("receiver", "a refusal is told as a receipt", (child, _, response) =>
            response.Refusal is not null && child.Core?.Uplink?.Standing.State is { } sender && sender.UnderWay.Find(o => o.Number == response.Number) is { } asked
                ? Receipt(sender, asked, response.Number)
                : response),
    ];

    private static IEnumerable<Mutant> Welcomes() =>
    [
        Down("greeting", "the epoch granted is told with another nonce", (_, _, response) =>
        {
            if (response.Welcome is { } welcome)
            {
                welcome.ChildEpochNonce ^= 1;
            }

            return response;
        }),
        Down("greeting", "no grains are asked for", (_, _, response) =>
        {
            response.Welcome?.Grains.Clear();
            return response;
        }),
        Down("greeting", "only national cells are asked for", (_, _, response) =>
        {
            KeepOnly(response.Welcome?.Grains, g => g == Grain.National.Number);
            return response;
        }),
        Down("greeting", "the parent's position is what the child has of its receipts", (child, _, response) => Positions(response, lane => child.Core!.Uplink!.Standing.State.Lane(lane).Acked)),
        Down("greeting", "the parent's position is the child's head", (child, _, response) => Positions(response, _ => new StreamMark(child.Core!.Journal.Head.Lsn, child.Core.Journal.Head.ChainHash))),
        Down("greeting", "EPOCH_REGRESSION and FENCED are not heard", (_, _, response) =>
            response.Refusal is { Code: LinkRefusalCode.EpochRegression or LinkRefusalCode.Fenced or LinkRefusalCode.Fork } ? null : response),
        new("greeting", "a restored directory keeps its incarnation", () => new Planting { RenewsNothing = true }),
    ];

    private static IEnumerable<Mutant> Records() =>
    [
        Lost("records", "received cells are not written", EventKinds.CellsReceived),
        Lost("records", "received escalations are not written", EventKinds.EscalationsReceived),
        Lost("records", "a granted epoch is not written", EventKinds.EpochGranted),
        Lost("records", "a taken epoch is not written", EventKinds.EpochTaken),
        Lost("records", "an escalation is not written with its cause", EventKinds.EscalationRaised),
        Lost("records", "a quarantine is not written", EventKinds.ChildQuarantined),
        Liar(Lost("records", "a given name is forgotten at a start", EventKinds.NameGiven)),
        Lost("records", "a receipt is not written", EventKinds.ReceiptKept),
        Lost("records", "what was parked is settled and not written", EventKinds.ParkedSettled),
        Written("records", "the last event of a record is not written", record =>
            record.Events.Count > 1 ? record with { Events = [.. record.Events.Take(record.Events.Count - 1), record.Events[^1] with { Kind = NoKind }] } : record),
        Written("records", "one report in four is answered and not written", record =>
            record.Events[0].Kind >= EventKinds.NodeFirst && record.Events[0].Payload.Length % 4 == 0 ? record with { Events = [.. record.Events.Select(e => e with { Kind = NoKind })] } : record),
        Journal("records", "no record is found by its position", j => new WrongJournal(j) { FindsNothing = true }),
        Journal("records", "the chain of a position is another after a start", j =>
        {
            var first = j.Head.Lsn;
            return new WrongJournal(j) { Chain = hash => first == Lsn.Zero ? hash : new Hash256(hash.High ^ 1, hash.Low) };
        }),
    ];

    private static IEnumerable<Mutant> Snapshots() =>
    [
        Journal("snapshot", "the folds are those of the snapshot before", j => new WrongJournal(j) { SnapshotsLag = true }),
        Journal("snapshot", "the records after it are not read", j => new WrongJournal(j) { Loaded = s => s with { Lsn = j.Head.Lsn } }),
        .. new[] { "uplink", "reception", "escalations", "cells", "cases" }.Select(fold =>
            Journal("snapshot", $"the fold {fold} is empty in it", j => new WrongJournal(j) { Loaded = s => s with { Folds = [.. s.Folds.Select(f => f.Name == fold ? f with { Bytes = Array.Empty<byte>() } : f)] } })),
        Journal("snapshot", "the fold cells is of another version in it", j => new WrongJournal(j) { Loaded = s => s with { Folds = [.. s.Folds.Select(f => f.Name == "cells" ? f with { Version = f.Version + 100 } : f)] } })
            with { Harmless = "a snapshot with a fold of another version is not used: all is made anew from the first record" },
    ];

    private static IEnumerable<Mutant> Storage() =>
    [
        new("storage", "a file's sync does nothing", () => new Planting { OnDisk = disk => new LyingDisk(disk, files: true, folders: false) }),
        new("storage", "a folder's sync does nothing", () => new Planting { OnDisk = disk => new LyingDisk(disk, files: false, folders: true) }),
        Fault("records are acknowledged before they are synced", new JournalFaults { AckBeforeSync = true }),
        Fault("a new segment's entry is not made durable", new JournalFaults { SkipFolderSync = true }),
        Fault("recovery cuts a whole frame with the incomplete one", new JournalFaults { CutTooFar = true }),
        Fault("recovery does not make its cut durable", new JournalFaults { SkipCutSync = true }),
        Fault("recovery trusts what it reads without having synced it", new JournalFaults { SkipRecoverySync = true }),
        Fault("a sync that failed is taken for one that did not", new JournalFaults { IgnoreFailedSync = true }),
        Fault("recovery trusts the page cache after a failed sync", new JournalFaults { SkipDropCache = true }),
    ];

    private static IEnumerable<Mutant> Orders() =>
    [
        Lost("orders", "an issued order is not written", EventKinds.OrderIssued),
        Lost("orders", "orders that came are not written", EventKinds.OrdersReceived),
        Lost("orders", "what became of an order is not written with it", EventKinds.OrderReceipted),
        Written("orders", "a decision is written twice", record => Twice(record, _ => true, _ => { })),
        Written("orders", "an order that was answered expires behind it", record =>
            Twice(record, receipt => receipt.State == OrderState.Answered, receipt => (receipt.Step, receipt.State) = (receipt.Step + 1, OrderState.Expired))),
        Written("orders", "the cursor moves past an order that is not written", record => With(record, EventKinds.OrdersReceived, payload =>
        {
            var received = OrdersReceived.Parser.ParseFrom(payload.Span);
            var part = OrdersPart.Parser.ParseFrom(received.Part);
            RemoveLast(part.Orders);
            received.Part = part.ToByteString();
            return received.ToByteArray();
        })),
        Down("orders", "the last order of a part is left out", (_, _, response) =>
        {
            RemoveLast(response.Orders?.Orders);
            return response;
        }),
        Down("orders", "an order goes down without what is known of it", (_, _, response) => Envelopes(response, envelope => envelope.Receipts.Clear())),
        Down("orders", "a relay writes an order anew", (_, _, response) => Envelopes(response, envelope =>
        {
            if (envelope.Hops.Count > 0)
            {
                var order = Order.Parser.ParseFrom(envelope.Order);
                order.Text += " ";
                envelope.Order = order.ToByteString();
            }
        })),
        Up("orders", "the last receipt of a part is left out", (_, _, r) => RemoveLast(r.Escalations?.Receipts)),
        Up("orders", "a receipt goes up without its order", (_, _, r) => Receipts(r, envelope => (envelope.Order, envelope.Signature) = (ByteString.Empty, null))),
        Up("orders", "a relay writes a receipt anew", (_, _, r) => Receipts(r, envelope =>
        {
            if (envelope.Hops.Count > 0)
            {
                var receipt = OrderReceipt.Parser.ParseFrom(envelope.Receipt);
                receipt.At++;
                envelope.Receipt = receipt.ToByteString();
            }
        })),
        Empty("orders"),
    ];

    private static IEnumerable<Mutant> Packages() =>
    [
        Lost("packages", "a published package is not written", EventKinds.PackagePublished),
        Lost("packages", "a package that was taken is not written", EventKinds.PackageReceived),
        Written("packages", "a package that was taken is written twice", record =>
            record with { Events = [.. record.Events, .. record.Events.Where(e => e.Kind == EventKinds.PackageReceived)] }),
        Written("packages", "a version is in force a day earlier", record => With(record, EventKinds.PackageReceived, payload =>
        {
            var received = PackageReceived.Parser.ParseFrom(payload.Span);
            if (received.Code.Length == 0)
            {
                var envelope = PackageEnvelope.Parser.ParseFrom(received.Envelope);
                var content = CataloguePackage.Parser.ParseFrom(envelope.Package);
                content.EffectiveFrom--;
                envelope.Package = content.ToByteString();
                received.Envelope = envelope.ToByteString();
            }

            return received.ToByteArray();
        })),
        Down("packages", "a chunk is taken at another place", (_, _, response) =>
        {
            if (response.Package is { Offset: > 0 } chunk)
            {
                chunk.Offset += chunk.Content.Length;
            }

            return response;
        }),
        Down("packages", "a package goes under the number before it", (_, _, response) =>
        {
            if (response.Package is { Package.Number: > 1 } chunk)
            {
                chunk.Package.Number--;
            }

            return response;
        }),
        Down("packages", "what a relay passes on has lost its signature", (child, parent, response) =>
        {
            if (response.Package is { Offset: 0 } chunk && chunk.Content.Length == chunk.Total)
            {
                var envelope = PackageEnvelope.Parser.ParseFrom(chunk.Content);
                envelope.Signature = null;
                chunk.Content = envelope.ToByteString();
                chunk.Total = chunk.Content.Length;
            }

            return response;
        }),
        Up("packages", "the hello names packages that the child does not have", (child, _, r) => Hello(r, h =>
        {
            foreach (var head in h.Packages)
            {
                head.Number++;
            }
        })),
        Empty("packages"),
    ];

    /// <summary>Of who may speak of what.</summary>
    private static IEnumerable<Mutant> Authority() =>
    [
        Wide("escalations are taken of everybody", r => r.Escalations?.Escalations.Count > 0),
        Wide("statements are taken of everybody", r => r.Cells is { Cells.Count: 0, Watermarks.Count: > 0 }),
        Wide("cells are taken of everybody", r => r.Cells?.Cells.Count > 0),
        Wide("what became of an order is taken of everybody", r => r.Escalations?.Receipts.Count > 0),
        Liar(new Mutant("authority", "a hello is taken in any name", () =>
        {
            Hello? said = null;
            return new Planting { OnUp = (_, _, request) => said = request.Hello, OnPeer = peer => new NamelessPeer(peer, () => said) };
        })),
        Judged("authority", "the origin of a cell is not looked at", EventKinds.CellsReceived, (part, verdict, _) =>
            verdict.Code == RecordJudge.PermissionDenied && verdict.Index < part.Cells.Count && !verdict.Message.StartsWith(part.Symbols[part.Cells[verdict.Index].Division], StringComparison.Ordinal)),
        Registered("a division is found by its code's beginning", rows => rows.Select(row => row with
        {
            Parent = rows.Where(other => other.Code != row.Code && row.Code.ToString().StartsWith(other.Code.ToString(), StringComparison.Ordinal)).MaxBy(other => other.Code.ToString().Length)?.Code ?? row.Parent,
        })),
        Registered("a division is where it will stand one day", rows => rows.Where(row => row.ValidTo is null).Select(row => row with { ValidFrom = null })),
    ];

    /// <summary>Of what is judged record by record: the verdict is not kept with the part.</summary>
    private static IEnumerable<Mutant> Judge() =>
    [
        Judged("judge", "what was refused is applied", EventKinds.CellsReceived, (_, verdict, _) => verdict.Outcome == (int)RecordOutcome.Refused),
        Judged("judge", "a revision may lie ahead", EventKinds.CellsReceived, (_, verdict, _) => verdict.Code == RecordJudge.Ahead),
        Judged("judge", "a cell may be impossible", EventKinds.CellsReceived, (_, verdict, _) => verdict.Code.StartsWith("CELL_", StringComparison.Ordinal)),
        Judged("judge", "a division need not be known", EventKinds.CellsReceived, (_, verdict, _) => verdict.Code == RecordJudge.UnknownDivision),
        Liar(Written("judge", "a taken name is refused and not kept aside", record => With(record, EventKinds.CellsReceived, payload =>
        {
            var received = CellsReceived.Parser.ParseFrom(payload.Span);
            foreach (var verdict in received.Verdicts.Where(verdict => verdict.Code == RecordJudge.NameTaken))
            {
                verdict.Outcome = (int)RecordOutcome.Refused;
            }

            return received.ToByteArray();
        }))),
        Judged("judge", "an escalation may have two origins", EventKinds.EscalationsReceived, (_, verdict, _) => verdict.Code == RecordJudge.Conflict),
        Judged("judge", "whoever tells it decides on an order", EventKinds.EscalationsReceived, (_, verdict, receipts) =>
            verdict.Code == RecordJudge.PermissionDenied && verdict.Index >= receipts),
        Lied("an escalation's hops are not looked at", r => Envelopes(r, envelope => envelope.Hops.Clear())),
        Lied("a part counts whoever signed it", _ => { }),
    ];

    private static Mutant Liar(Mutant mutant) => mutant with { NeedsALiar = true };

    /// <summary>What is not looked at of a lie is taken out of it, and signed for it.</summary>
    private static Mutant Lied(string name, Action<ConnectRequest> change) => Liar(new Mutant("judge", name, () => new Planting
    {
        OnUp = (child, _, request) =>
        {
            if (child.Life == 0)
            {
                change(request);
                Sign(child, request);
            }
        },
    }));

    /// <summary>The peer's certificate names the whole nation while such a frame is judged.</summary>
    private static Mutant Wide(string name, Func<ConnectRequest, bool> isOne) => Liar(new Mutant("authority", name, () =>
    {
        var isWide = false;
        return new Planting { OnUp = (_, _, request) => isWide = isOne(request), OnPeer = peer => new WidePeer(peer, () => isWide) };
    }));

    /// <summary>Nodes go by another register than the one that they were given.</summary>
    private static Mutant Registered(string name, Func<IReadOnlyList<Division>, IEnumerable<Division>> rows) => Liar(new Mutant("authority", name, () =>
    {
        (DivisionRegister Given, DivisionRegister Used)? known = null;
        return new Planting
        {
            OnSettings = settings =>
            {
                known = known is { } register && register.Given == settings.Register ? register : (settings.Register, DivisionRegister.Of(rows(settings.Register.All)));
                return settings with { Register = known.Value.Used };
            },
        };
    }));

    /// <summary>Of the parts received some verdicts are not written; of an escalations part the third argument is where its receipts begin.</summary>
    private static Mutant Judged(string area, string name, ushort kind, Func<CellsPart, Verdict, int, bool> isLost) => Liar(Written(area, name, record => With(record, kind, payload =>
    {
        if (kind == EventKinds.EscalationsReceived)
        {
            var received = EscalationsReceived.Parser.ParseFrom(payload.Span);
            var receipts = EscalationsPart.Parser.ParseFrom(received.Part).Escalations.Count;
            KeepOnly(received.Verdicts, verdict => !isLost(new CellsPart(), verdict, receipts));
            return received.ToByteArray();
        }

        var cells = CellsReceived.Parser.ParseFrom(payload.Span);
        var part = CellsPart.Parser.ParseFrom(cells.Part);
        KeepOnly(cells.Verdicts, verdict => !isLost(part, verdict, 0));
        return cells.ToByteArray();
    })));

    /// <summary>The child's own key signs what the frame has become.</summary>
    private static void Sign(SimulatedNode child, ConnectRequest request)
    {
        if (request.SignedHead is { } head && PartStatements.Of(request) is { } said)
        {
            head.Node = child.Place.Node.ToString();
            head.PartHash = ByteString.CopyFrom(Statements.HashOf(said.Part).ToBytes());
            head.Signature = ByteString.CopyFrom(child.Signatures!.Own!.Sign(Statements.BytesOf(head)));
        }
    }

    private static Mutant Empty(string fold) => Journal("snapshot", $"the fold {fold} is empty in it", j =>
        new WrongJournal(j) { Loaded = s => s with { Folds = [.. s.Folds.Select(f => f.Name == fold ? f with { Bytes = Array.Empty<byte>() } : f)] } });

    /// <summary>What is decided on an order stands in its record once more, changed.</summary>
    private static RecordDraft Twice(RecordDraft record, Func<OrderReceipt, bool> which, Action<OrderReceipt> change) => record with
    {
        Events = [.. record.Events.SelectMany(e => e.Kind == EventKinds.OrderReceipted && which(OrderReceipt.Parser.ParseFrom(e.Payload.Span)) ? [e, e with { Payload = Changed(e.Payload, change) }] : new[] { e })],
    };

    private static byte[] Changed(ReadOnlyMemory<byte> payload, Action<OrderReceipt> change)
    {
        var receipt = OrderReceipt.Parser.ParseFrom(payload.Span);
        change(receipt);
        return receipt.ToByteArray();
    }

    private static RecordDraft With(RecordDraft record, ushort kind, Func<ReadOnlyMemory<byte>, byte[]> change) =>
        record with { Events = [.. record.Events.Select(e => e.Kind == kind ? e with { Payload = change(e.Payload) } : e)] };

    private static ConnectResponse Envelopes(ConnectResponse response, Action<OrderEnvelope> change)
    {
        foreach (var envelope in response.Orders?.Orders ?? [])
        {
            change(envelope);
        }

        return response;
    }

    private static void Receipts(ConnectRequest request, Action<OrderReceiptEnvelope> change)
    {
        foreach (var envelope in request.Escalations?.Receipts ?? [])
        {
            change(envelope);
        }
    }

    /// <summary>What a node sends, wrong; it signs its mistake as it signs everything. A child that lies is none of them: it has never been started.</summary>
    private static Mutant Up(string area, string name, Action<SimulatedNode, SimulatedNode, ConnectRequest> change) => new(area, name, () => new Planting
    {
        OnUp = (child, parent, request) =>
        {
            if (child.Life > 0)
            {
                change(child, parent, request);
                Sign(child, request);
            }
        },
    });

    private static Mutant Down(string area, string name, Func<SimulatedNode, SimulatedNode, ConnectResponse, ConnectResponse?> change) =>
        new(area, name, () => new Planting { OnDown = change });

    private static Mutant Journal(string area, string name, Func<IJournal, IJournal> wrong) => new(area, name, () => new Planting { OnJournal = (journal, _) => wrong(journal) });

    private static Mutant Written(string area, string name, Func<RecordDraft, RecordDraft> written) => Journal(area, name, j => new WrongJournal(j) { Written = written });

    private static Mutant Lost(string area, string name, ushort kind) =>
        Written(area, name, record => record with { Events = [.. record.Events.Select(e => e.Kind == kind ? e with { Kind = NoKind } : e)] });

    private static Mutant Fault(string name, JournalFaults faults) => new("storage", name, () => new Planting { OnOptions = options => options with { Faults = faults } });

    private static Action<SimulatedNode, SimulatedNode, ConnectRequest> Cells(Func<Cell, Cell?> change) => (_, _, request) => Each(request, change);

    private static void Each(ConnectRequest request, Func<Cell, Cell?> change)
    {
        if (request.Cells is { } part)
        {
            var changed = part.Cells.Select(change).OfType<Cell>().ToList();
            part.Cells.Clear();
            part.Cells.AddRange(changed);
        }
    }

    private static Cell With(Cell cell, Action<Cell> change)
    {
        change(cell);
        return cell;
    }

    private static string NameOf(ConnectRequest request, int symbol) => request.Cells.Symbols[symbol];

    private static void Envelopes(ConnectRequest request, Action<EscalationEnvelope> change)
    {
        foreach (var envelope in request.Escalations?.Escalations ?? [])
        {
            change(envelope);
        }
    }

    private static void Part(ConnectRequest request, Action<CellsPart> change)
    {
        if (request.Cells is { } part)
        {
            change(part);
        }
    }

    private static void Hello(ConnectRequest request, Action<Hello> change)
    {
        if (request.Hello is { } hello)
        {
            change(hello);
        }
    }

    private static ConnectResponse Receipts(ConnectResponse response, Action<Receipt> change)
    {
        if (response.Receipt is { Position: not null } receipt)
        {
            change(receipt);
        }

        return response;
    }

    private static void Exchange(IList<Cell>? cells)
    {
        if (cells is { Count: > 1 })
        {
            (cells[0].Value, cells[^1].Value) = (cells[^1].Value, cells[0].Value);
        }
    }

    private static void RemoveLast<T>(IList<T>? list)
    {
        if (list is { Count: > 0 })
        {
            list.RemoveAt(list.Count - 1);
        }
    }

    private static void KeepOnly<T>(IList<T>? list, Func<T, bool> keeps)
    {
        for (var i = (list?.Count ?? 0) - 1; i >= 0; i--)
        {
            if (!keeps(list![i]))
            {
                list.RemoveAt(i);
            }
        }
    }

    /// <summary>Shows the receiver its own mark as what the part starts from.</summary>
    private static void Blind(SimulatedNode child, SimulatedNode parent, ConnectRequest request, bool takeGaps)
    {
        if (parent.Core?.Reception.Child(child.Place.Node) is not { } row)
        {
            return;
        }

        if (request.Cells is { } cells && (cells.CutFrom == row.Cells.Mark.Lsn.Value || (takeGaps && cells.CutFrom > row.Cells.Mark.Lsn.Value)))
        {
            (cells.CutFrom, cells.CutFromChainHash) = (row.Cells.Mark.Lsn.Value, row.Cells.Mark.HashBytes());
        }

        if (request.Escalations is { } escalations && row.Lane(escalations.LaneOf()).Mark is var mark && (escalations.From == mark.Lsn.Value || (takeGaps && escalations.From > mark.Lsn.Value)))
        {
            (escalations.From, escalations.FromChainHash) = (mark.Lsn.Value, mark.HashBytes());
        }
    }

    private static ConnectResponse Receipt(Node.Uplink.SenderState sender, Node.Uplink.Outstanding asked, long number)
    {
        var after = sender.Lane(asked.Lane).Cut!.Parts[asked.Part].After;
        return new ConnectResponse { Number = number, Receipt = new Receipt { Lane = asked.Lane, Position = after.ToPosition(asked.Lane, sender.Incarnation, sender.Epoch) } };
    }

    private static ConnectResponse Positions(ConnectResponse response, Func<Lane, StreamMark> markOf)
    {
        foreach (var position in response.Welcome?.Positions ?? [])
        {
            var mark = markOf(position.Lane);
            (position.Lsn, position.ChainHash) = (mark.Lsn.Value, mark.HashBytes());
        }

        return response;
    }
}
