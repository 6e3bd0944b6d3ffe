using CityGrid.Cli.Simulation;
using CityGrid.Hub.Cells;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reach;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using CityGrid.Tests.Identity;
using CityGrid.Tests.Link;
using CityGrid.Tests.Simulation;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Tests.Fuzz;

/// <summary>What a child hears from whoever stands at the other end of its link: frames of every kind, by the pure sender in each of its phases and by a whole node.</summary>
internal static class HeardTargets
{
    private static readonly string[] Known = ["p", "a", "city-1-1", "province-1", "ministry", "Asia/Shanghai", "all"];

    private static readonly int Month = CellDigests.MonthOf(20_000);

    private static readonly RangeScope Whole = new(NodeId.Parse("a"), Grain.Detail);

    private static readonly Lazy<(ISignatures Own, ISignatures Parent)> Keys = new(() =>
    {
        var signers = new Signers(SenderStory.Start);
        return (signers.Of("a"), signers.Of("p"));
    });

    private static readonly Lazy<IReadOnlyList<(string Phase, SenderState State)>> Phases = new(MadePhases);

    private static readonly Lazy<IReadOnlyList<ConnectResponse>> Heard = new(MadeTraffic);

    private static readonly Lazy<Welcome> Shown = new(() => Frames()[0].Welcome);

    public static IReadOnlyList<FuzzTarget> All { get; } =
    [
        new("parent-frame", Shape.Protobuf, 3_000, () => [.. Frames().Select(frame => frame.ToByteArray())], ParentFrame) { Words = Known, BytesPerByte = 20_000 },
        new("parent-to-node", Shape.Protobuf, 40, () => [.. Heard.Value.Select((said, at) => (at, said)).DistinctBy(one => one.said.FrameCase).Select(one => (byte[])[(byte)one.at, .. one.said.ToByteArray()])], ParentToNode) { Words = Known, BytesPerByte = 4_000_000 },
    ];

    /// <summary>Frames as a parent of today sends them, of each kind, and some as none does.</summary>
    private static List<ConnectResponse> Frames()
    {
        var receipt = SenderStory.Receipt(2, Lane.Cells, 20);
        receipt.Receipt.WindowBytes = 1 << 16;
        receipt.Receipt.AskRanges = true;
        receipt.Receipt.Records.Add(new RecordReceipt { Index = 1, Outcome = RecordOutcome.Parked, Code = "UNKNOWN_DIVISION", Message = "no such division" });
        receipt.Receipt.Ranges.Add(new RangeAnswer { Origin = "a", Grain = Grain.Detail.Number, State = RangeState.Differs });
        receipt.Receipt.Ranges.Add(new RangeAnswer { Origin = "a", Grain = Grain.Detail.Number, Month = Month, State = RangeState.Repaired, Cells = 3 });
        receipt.Receipt.Ranges.Add(new RangeAnswer { Origin = "a", Grain = Grain.Detail.Number, Month = Month + 1, State = RangeState.Repaired, Cells = 4 });
        receipt.Countersignature = Countersigned(CellsPart());
        var gap = new LinkRefusal { Code = LinkRefusalCode.Gap, Lane = Lane.Cells, Position = SenderStory.Mark(0).ToPosition(Lane.Cells, SenderStory.Life, SenderStory.Granted), Message = "a part is missing" };
        return
        [
            SenderStory.Welcomed(twist: welcome => welcome.Signer.AddRange(Keys.Value.Parent.Own!.Signer.Certificates)),
            SenderStory.Welcomed(epoch: new Epoch(2, 9), twist: welcome => (welcome.ParentEpoch, welcome.ParentEpochNonce, welcome.ReadsMatters, welcome.AskRanges) = (3, 4, true, true)),
            SenderStory.Welcomed(5, 6, 7, twist: welcome => (welcome.WindowBytes, welcome.RedialWithinMs, welcome.ReceivedAt, welcome.Parked) = (1 << 15, 20_000, SenderStory.Start.ToUnixTimeMilliseconds(), 2)),
            receipt,
            SenderStory.Receipt(3, Lane.Escalations, 20),
            new ConnectResponse { Number = 2, Refusal = gap },
            new ConnectResponse { Number = 3, Refusal = new LinkRefusal { Code = LinkRefusalCode.Busy, Lane = Lane.Escalations, RetryAfterMs = 1_000 } },
            new ConnectResponse { Number = 1, Refusal = new LinkRefusal { Code = LinkRefusalCode.Fenced, Message = "another holds this place" } },
            new ConnectResponse { Number = 4, ReachTaken = new ReachTaken() },
            new ConnectResponse { Orders = new OrdersPart { Number = 1, From = new StreamPosition(), To = new StreamPosition(), ReachesHead = true } },
            new ConnectResponse { Package = new PackageChunk { Number = 1, Total = 1, Content = ByteString.CopyFrom(1) } },
            new ConnectResponse { ReachQuery = new ReachQuery { Id = ByteString.CopyFrom(new byte[16]), Asker = "p", RemainingMs = 1_000 } },
        ];
    }

    private static CellsPart CellsPart() => new() { Part = 1, Parts = 1, CutTo = 20, CutChainHash = SenderStory.Mark(20).HashBytes() };

    private static Countersignature Countersigned(CellsPart part)
    {
        var own = Keys.Value.Parent.Own!;
        var said = new Countersignature
        {
            Node = "p",
            Incarnation = ByteString.CopyFrom(new Incarnation(8).ToBytes()),
            Lsn = 77,
            ChainHash = ByteString.CopyFrom(new byte[32]),
            Child = "a",
            ChildIncarnation = ByteString.CopyFrom(SenderStory.Life.ToBytes()),
            ChildEpoch = SenderStory.Granted.Number,
            ChildEpochNonce = SenderStory.Granted.Nonce,
            Lane = Lane.Cells,
            ChildLsn = part.CutTo,
            ChildChainHash = part.CutChainHash,
            PartHash = ByteString.CopyFrom(Statements.HashOf(part).ToBytes()),
            Algorithm = own.Signer.Algorithm,
            Signer = ByteString.CopyFrom(own.Signer.Fingerprint.ToBytes()),
        };
        said.Signature = ByteString.CopyFrom(own.Sign(Statements.BytesOf(said)));
        return said;
    }

    /// <summary>One sender in each phase in which it hears; the last ones with a part of two lanes and a piece of an answer under way, and towards parents of other kinds.</summary>
    private static List<(string, SenderState)> MadePhases()
    {
        var made = new List<(string, SenderState)>();
        foreach (var (name, settings) in new[]
        {
            ("parent", SenderStory.Settings with { Parent = NodeId.Parse("p") }),
            ("sector", SenderStory.Settings with { Kind = ParentKind.Sector, Matters = Matters.Of(["01"])! }),
        })
        {
            var start = SenderState.Start(settings, SenderStory.Life, SenderStory.Granted, 1, _ => default) with { Parent = NodeId.Parse("p"), ParentEpoch = new Epoch(2, 5) };
            var story = new Sender(start);
            story.Step(new SenderInput.Woken());
            made.Add(($"{name} dialling", story.State));
            story.Step(new SenderInput.Connected(SenderStory.Mark(20)));
            made.Add(($"{name} greeting", story.State));
            var taking = new Sender(story.State);
            taking.Step(new SenderInput.Responded(Welcome(new Epoch(2, 8), new Epoch(3, 4))));
            made.Add(($"{name} {taking.State.Phase}", taking.State));
            story.Step(new SenderInput.Responded(Welcome(SenderStory.Granted, new Epoch(2, 5))));
            story.Step(new SenderInput.RangesDue());
            made.Add(($"{name} {story.State.Phase}", story.State));
            var cells = new Cut(Lane.Cells, SenderStory.Mark(0), SenderStory.Mark(20), true, [new CutPart(SenderStory.Mark(20), CellsPart(), null)]) { Ranges = new RangeWords([Whole], [], null, [Whole], 0, null) };
            story.Step(new SenderInput.CutReady(cells));
            var records = new EscalationsPart { To = 20, ChainHash = SenderStory.Mark(20).HashBytes(), Lane = Lane.Escalations };
            story.Step(new SenderInput.CutReady(new Cut(Lane.Escalations, SenderStory.Mark(0), SenderStory.Mark(20), true, [new CutPart(SenderStory.Mark(20), null, records)])));
            story.Step(new SenderInput.ResultReady(UInt128.One, 1, new ReachResult { Results = 1 }, SenderStory.Start + Duration.FromMinutes(1)));
            made.Add(($"{name} waiting", story.State));
        }

        return made;
    }

    private static ConnectResponse Welcome(Epoch granted, Epoch parent) => SenderStory.Welcomed(epoch: granted, twist: welcome =>
        (welcome.ParentEpoch, welcome.ParentEpochNonce, welcome.ReadsMatters) = (parent.Number, parent.Nonce, true));

    /// <summary>
    /// A frame, twice, to a sender in each phase. It answers with effects of bounded size, keeps to what it holds durably, and afterwards it hangs up, dials and is welcomed by a good parent.
    /// </summary>
    private static string ParentFrame(byte[] input)
    {
        if (Parsed(input) is not { } frame)
        {
            return "no message";
        }

        var ways = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var (phase, start) in Phases.Value)
        {
            var notary = new ParentNotary(Keys.Value.Own, new VirtualClock(new VirtualTime(SenderStory.Start.ToDateTimeOffset())));
            notary.Meet(Shown.Value, out _);
            var (state, now) = (start, SenderStory.Start + Duration.FromMilliseconds(10));
            for (var times = 0; times < 2; times++)
            {
                if (frame.Welcome is { } welcome && state.Phase == SenderPhase.Greeting && frame.Number == state.Number)
                {
                    notary.Meet(welcome, out _);
                }
                else if (notary.Check(frame, state, out var untold) is { } said)
                {
                    FuzzTargets.Sound(untold is null && said.ChildLsn == 20, "what is believed of a countersignature speaks of the part that was sent");
                }

                (state, var effects) = Stepped(state, new SenderInput.Responded(frame), now);
                ways.Add($"{frame.FrameCase} {phase}: {state.Phase} {string.Join(',', effects.Select(effect => effect.GetType().Name).Distinct())}");
            }

            Reconnected(state, now);
        }

        return string.Join('|', ways);
    }

    /// <summary>One step and, as the shell does, what follows from its effects at once.</summary>
    private static (SenderState State, IReadOnlyList<SenderEffect> Effects) Stepped(SenderState state, SenderInput input, Instant now)
    {
        var all = new List<SenderEffect>();
        var inputs = new Queue<SenderInput>([input]);
        while (inputs.TryDequeue(out var next))
        {
            (state, var effects) = LinkSender.Step(state, next, now);
            all.AddRange(effects);
            FuzzTargets.Sound(all.Count < 100, "a frame has few effects");
            foreach (var effect in effects)
            {
                switch (effect)
                {
                    case SenderEffect.TakeEpoch take:
                        FuzzTargets.Sound(take.Epoch.Number - state.LastEpoch is >= 0 and <= ReceiverSettings.EpochLeapMax && take.ParentEpoch.Number >= 0, $"epoch {take.Epoch} of {take.ParentEpoch} is none that a parent grants");
                        inputs.Enqueue(new SenderInput.EpochStored(take.Epoch));
                        break;
                    case SenderEffect.StoreReceipt store:
                        FuzzTargets.Sound(store.Problems.Count <= ParentRecord.ProblemsMax && store.Mark.Lsn <= new Lsn(20), "a receipt is of what was sent, with a bounded number of problems");
                        inputs.Enqueue(new SenderInput.ReceiptStored(store.Lane, store.Mark));
                        break;
                    case SenderEffect.ReadCut read:
                        FuzzTargets.Sound(read.Grains.Length <= byte.MaxValue && read.From <= new Lsn(20), "a cut is read of grains that there are, from where the journal is");
                        break;
                    default:
                        break;
                }
            }
        }

        FuzzTargets.Sound(state.UnderWay.Count <= state.Settings.PartsUnderWayMax, "no more is under way than may be");
        FuzzTargets.Sound(state.Pause <= state.Settings.PauseMost && state.RedialWithin <= state.Settings.BackoffMost, "no parent keeps this node away for longer than may be");
        return (state, all);
    }

    /// <summary>The connection ends and a good parent answers at the next; whatever was said before, its welcome is believed.</summary>
    private static void Reconnected(SenderState state, Instant now)
    {
        (state, _) = Stepped(state, new SenderInput.Disconnected("cut", ulong.MaxValue / 2), now);
        now += state.Settings.PauseMost + Duration.FromSeconds(1);
        (state, var effects) = Stepped(state, new SenderInput.Woken(), now);
        FuzzTargets.Sound(effects.OfType<SenderEffect.Dial>().Any() && state.Phase == SenderPhase.Dialling, $"it dials again, and is {state.Phase}");
        (state, effects) = Stepped(state, new SenderInput.Connected(SenderStory.Mark(20)), now);
        FuzzTargets.Sound(effects.OfType<SenderEffect.Send>().Any(send => send.Request.Hello is not null), "it says hello");
        var good = Welcome(new Epoch(state.LastEpoch + 1, 4), new Epoch(state.ParentEpoch.Number + 1, 6));
        good.Welcome.Node = $"{state.Parent ?? NodeId.Parse("p")}";
        good.Welcome.Positions.Clear();
        (state, effects) = Stepped(state, new SenderInput.Responded(good), now);
        FuzzTargets.Sound(state.Phase == SenderPhase.Open, $"a good parent is believed, and it is {state.Phase}: {string.Join(' ', effects.OfType<SenderEffect.HangUp>())}");
    }

    /// <summary>What a province says to a city within half an hour in which cases come, an order goes down, and figures are asked for.</summary>
    private static List<ConnectResponse> MadeTraffic()
    {
        var heard = new List<ConnectResponse>();
        Live(response =>
        {
            heard.Add(response.Clone());
            return response;
        });
        return heard;
    }

    /// <summary>
    /// A whole city under a province of which one answer, which the first byte names, is another than it said. The city goes on: its writer, its folds and its link, which is open again at the end or tells why it is not.
    /// </summary>
    private static string ParentToNode(byte[] input)
    {
        if (input.Length == 0 || Parsed(input[1..]) is not { } frame)
        {
            return "no message";
        }

        var (at, count) = (input[0] % Heard.Value.Count, 0);
        var tree = Live(response =>
        {
            if (count++ == at)
            {
                // Whoever is to be heard knows which frame he answers.
                response = frame.Clone();
                response.Number = Heard.Value[at].Number;
            }

            return response;
        });
        var core = tree.City.Core!;
        FuzzTargets.Sound(core.Sequencer.StoppedBy is null && core.FoldFailures == 0, "the node goes on, and its folds with it");
        tree.Run(TimeSpan.FromMinutes(40));
        var link = core.Uplink!.Standing;
        FuzzTargets.Sound(link.State.Phase == SenderPhase.Open || link.LastError.Length > 0, $"the link is {link.State.Phase}, and nobody is told why");
        return $"{frame.FrameCase} {(link.State.Phase == SenderPhase.Open ? "open" : FuzzTargets.Shortened(link.LastError))}";
    }

    private static SmallTree Live(Func<ConnectResponse, ConnectResponse> down)
    {
        var tree = new SmallTree(twist: new Mouth(down));
        tree.Run(TimeSpan.FromMinutes(2));
        tree.Report(tree.City, 2, SmallTree.Cover, 1, EmergencyGrade.Serious);
        var city = tree.City.Place.Division;
        tree.Province.Do(core => core.Sequencer.Submit(core.OrderDesk.Issue(new OrderWish("o-1", city, OrderKind.Supervise, UInt128.Zero, "report", null, null), "desk"), _ => { }));
        tree.Run(TimeSpan.FromSeconds(5));
        var asked = new QueryRequest { By = { "month" }, Measures = { "reported" } }.ToByteString();
        tree.Province.Do(core => core.ReachDesk.Ask(new ReachWish("viewer", city, true, ReachKind.View, asked, Duration.FromSeconds(5)), (_, _) => { }));
        tree.Run(TimeSpan.FromMinutes(20));
        return tree;
    }

    private static ConnectResponse? Parsed(byte[] input)
    {
        try
        {
            return ConnectResponse.Parser.ParseFrom(input);
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }

    /// <summary>What the first city hears goes through here.</summary>
    private sealed class Mouth(Func<ConnectResponse, ConnectResponse> down) : StoryTwist
    {
        public override ConnectResponse? Down(SimulatedNode child, SimulatedNode parent, ConnectResponse response) => $"{child.Place.Node}" == "city-1-1" ? down(response) : response;
    }
}
