using CityGrid.Hub.Bundles;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Node.Uplink;

/// <summary>What an answer of the parent came to.</summary>
/// <param name="Epoch">The epoch that this node holds now.</param>
/// <param name="Orders">Orders that it brought, known ones among them.</param>
/// <param name="Refusal">Why the parent took nothing, or no more; null where it took all.</param>
/// <param name="Disbelieved">Why this node takes nothing of the answer; null where it does.</param>
public sealed record BundleOutcome(Epoch Epoch, int Orders, LinkRefusal? Refusal, Refusal? Disbelieved);

/// <summary>
/// The child's side of the link by files (clauses B1 to B4): what the parent is not known to have applied, as the sender would say it; and the parent's answer,
/// believed as far as the sender would believe it.
/// </summary>
public sealed class BundleUplink(SenderSettings settings, UplinkGround ground, TimeProvider clock)
{
    /// <summary>Parts of a bundle are about this large.</summary>
    private const int PartBytes = 100_000;

    /// <summary>What does not fit any more goes with the next bundle.</summary>
    public const int ContentBytesMax = 64 << 20;

    private static readonly Grain[] Grains = [Grain.Detail, Grain.National];

    /// <summary>What there is to say, signed where this node signs, and the position up to which it is said.</summary>
    public (BundleContent Content, Lsn End) Make()
    {
        var ((content, end), state, parent) = ground.Sequencer.Read(() => (Read(), Stream(), ground.Parent.Node));
        if (ground.Signatures is { } signatures)
        {
            var notary = new ParentNotary(signatures, clock);
            foreach (var request in content.Requests)
            {
                notary.Sign(request, state, parent);
            }
        }

        return (content, end);
    }

    /// <summary>Under the sequencer's lock.</summary>
    private (BundleContent Content, Lsn End) Read()
    {
        var incarnation = ground.Journal.Incarnation;
        var epoch = ground.Uplink.EpochOf(incarnation);
        var acked = LinkWords.Lanes.ToDictionary(lane => lane, lane => ground.Parent.ReceiptOf(lane, incarnation).Mark);
        var state = SenderState.Start(settings, incarnation, ground.Uplink);
        var hello = LinkSender.HelloOf(state, ground.Head(), ground.Orders.Stands(), clock.Now(), ground.Packages?.Said);
        var content = new BundleContent { ReachesHead = epoch.IsGranted };
        content.Requests.Add(new ConnectRequest { Number = 1, Hello = hello });
        if (!epoch.IsGranted)
        {
            // The parent grants it in its answer; until then nothing could be taken.
            return (content, Lsn.Zero);
        }

        var bytes = 0L;
        foreach (var lane in LinkWords.Lanes)
        {
            foreach (var part in PartsOf(lane, acked[lane], incarnation))
            {
                bytes += part.Bytes;
                if (bytes > ContentBytesMax)
                {
                    content.ReachesHead = false;
                    return (content, Lsn.Zero);
                }

                var request = new ConnectRequest { Number = content.Requests.Count + 1 };
                if (part.Cells is not null)
                {
                    request.Cells = part.Cells;
                }
                else
                {
                    request.Escalations = part.Escalations;
                }

                content.Requests.Add(request);
            }
        }

        return (content, ground.Head().Lsn);
    }

    /// <summary>Notes that a bundle was made up to a position: the next is cut there.</summary>
    public Command<bool> Made(Lsn end, string actor) => new NoteBundle(ground, end) { Actor = actor };

    /// <summary>Takes the parent's answer: all of it in one record, or nothing where it is not to be believed.</summary>
    /// <param name="parent">The parent, as the bundle's certificate says.</param>
    /// <param name="content">The answer.</param>
    /// <param name="actor">Who brought it.</param>
    public Command<BundleOutcome> Take(NodeId parent, BundleContent content, string actor) =>
        new TakeAnswer(ground, Stream, ground.Signatures is { } signatures ? new ParentNotary(signatures, clock) : null, parent, content) { Actor = actor };

    /// <summary>The packages that an answer brings, for an answer that is believed.</summary>
    public BundledPackages PackagesOf(NodeId parent, BundleContent answer) => new(ground.Packages, parent, answer);

    /// <summary>The stream that this node speaks for.</summary>
    private SenderState Stream() => SenderState.Start(settings, ground.Journal.Incarnation, ground.Uplink) with { Speaks = settings.ProtocolNewest };

    /// <summary>A lane from what the parent has applied to the head, cut where earlier bundles ended.</summary>
    private IEnumerable<CutPart> PartsOf(Lane lane, StreamMark acked, Incarnation incarnation)
    {
        var head = ground.Head();
        var from = acked;
        foreach (var end in ground.Parent.BundlesAfter(acked.Lsn, incarnation).Where(end => end < head.Lsn).Select(ground.MarkAt).Append(head))
        {
            for (var reached = false; !reached;)
            {
                var cut = ground.Read(lane, from, end, Grains, PartBytes, isLast: end == head);
                foreach (var part in cut.Parts)
                {
                    yield return part;
                }

                (from, reached) = (cut.To, cut.ReachesHead);
            }
        }
    }

    private sealed class NoteBundle(UplinkGround ground, Lsn end) : Command<bool>
    {
        public override IReadOnlyCollection<Touched> Touches => [.. LinkWords.Lanes.Select(lane => Touched.By("uplink", lane.ToString()))];

        public override Decision<bool> Decide(Instant now) =>
            Decision<bool>.Of(new RecordDraft(Actor, [UplinkFold.BundleMadeEvent(ground.Journal.Incarnation, end)]), _ => true);
    }

    private sealed class TakeAnswer(UplinkGround ground, Func<SenderState> stream, ParentNotary? notary, NodeId parent, BundleContent content) : Command<BundleOutcome>
    {
        private readonly Incarnation _incarnation = ground.Journal.Incarnation;
        private readonly Dictionary<ConnectResponse, IReadOnlyList<OrderFinding>> _found =
            content.Responses.Where(response => response.Orders is not null).Distinct().ToDictionary(response => response, response => ground.Orders.Look(response.Orders));

        /// <summary>The parent is heard for the first time in this epoch of its own.</summary>
        private bool _stands;

        public override IReadOnlyCollection<Touched> Touches =>
        [
            .. LinkWords.Lanes.Select(lane => Touched.By("uplink", lane.ToString())),
            .. content.Responses.Where(response => response.Orders is not null).SelectMany(response => OrderDesk.TouchedBy(response.Orders)).Distinct(),
        ];

        public override Decision<BundleOutcome> Decide(Instant now)
        {
            var events = new List<EventDraft>();
            var outcome = new BundleOutcome(ground.Uplink.EpochOf(_incarnation), 0, null, null);
            foreach (var response in content.Responses)
            {
                outcome = After(outcome, response, now, events);
                if (outcome.Disbelieved is not null)
                {
                    return Decision<BundleOutcome>.Nothing(outcome);
                }
            }

            return events.Count == 0 ? Decision<BundleOutcome>.Nothing(outcome) : Decision<BundleOutcome>.Of(new RecordDraft(Actor, events), _ => outcome);
        }

        private BundleOutcome After(BundleOutcome outcome, ConnectResponse response, Instant now, List<EventDraft> events)
        {
            switch (response.FrameCase)
            {
                case ConnectResponse.FrameOneofCase.Welcome:
                    return Greeted(outcome, response.Welcome, events);
                case ConnectResponse.FrameOneofCase.Receipt:
                    return outcome with { Disbelieved = Kept(response.Receipt.Position, [.. response.Receipt.Records], events, response.Countersignature) };
                case ConnectResponse.FrameOneofCase.Refusal:
                    return outcome with { Refusal = response.Refusal };
                case ConnectResponse.FrameOneofCase.Orders:
                    events.AddRange(ground.Orders.EventsOf(response.Orders, _found[response], parent, now, out var taken));
                    return taken.Refusal == LinkRefusalCode.Fork
                        ? outcome with { Disbelieved = new Refusal("FORK", taken.Message) }
                        : outcome with { Orders = outcome.Orders + response.Orders.Orders.Count };
                default:
                    return outcome;
            }
        }

        private BundleOutcome Greeted(BundleOutcome outcome, Welcome welcome, List<EventDraft> events)
        {
            var granted = new Epoch(welcome.ChildEpoch, welcome.ChildEpochNonce);
            if (welcome.Node != parent.ToString() || !granted.IsGranted)
            {
                return outcome with { Disbelieved = new Refusal(BundleFile.Malformed, "The parent's welcome does not name its maker, or grants no epoch. Have the answer made again.") };
            }

            var parentEpoch = new Epoch(welcome.ParentEpoch, welcome.ParentEpochNonce);
            if (LinkSender.OutOfOffice(parent, parentEpoch, ground.Parent.Node, ground.Parent.Epoch) is { } fenced)
            {
                return outcome with { Disbelieved = new Refusal(LinkSender.ParentFenced, $"{fenced} Nothing of the answer is taken. Have the parent make a new one; if it is the old directory, stop it; if there is no other any more, POST /ops/parent/forget?parent={parent}.") };
            }

            if (LinkSender.Leaps(parent, granted, ground.Uplink.RevisionEpoch, parentEpoch, ground.Parent.Node == parent ? ground.Parent.Epoch : Epoch.NotGranted) is { } leap)
            {
                return outcome with { Disbelieved = new Refusal(LinkSender.EpochLeaps, $"{leap} Nothing of the answer is taken. Look at the parent: its directory, or the answer, was made by something else.") };
            }

            var signer = notary?.Meet(welcome, out _);
            if (granted != outcome.Epoch && granted.Number > ground.Uplink.RevisionEpoch)
            {
                events.Add(UplinkFold.EpochTakenEvent(ground.Kind, _incarnation, granted, parent, parentEpoch));
                NoteSigner(signer, events);
                return outcome with { Epoch = granted };
            }

            if (ground.Parent.Node == parent)
            {
                NoteSigner(signer, events);
            }

            if (granted != outcome.Epoch)
            {
                // An answer from before the epoch in office is out of date, and no harm.
                return outcome;
            }

            // A parent in a new epoch of its own was restored: it has what it says and no more (L6).
            _stands = parent != ground.Parent.Node || parentEpoch != ground.Parent.Epoch;
            if (_stands)
            {
                events.Add(UplinkFold.ParentEpochHeardEvent(ground.Kind, parent, parentEpoch, forgotten: false));
            }

            return outcome with { Disbelieved = welcome.Positions.Select(position => Kept(position, [], events)).FirstOrDefault(fault => fault is not null) };
        }

        /// <summary>Once per change (A4).</summary>
        private void NoteSigner(Signer? signer, List<EventDraft> events)
        {
            if (signer is not null && signer.Fingerprint != ground.Parent.Signer)
            {
                events.Add(ReceptionEvents.SignerShownEvent(signer.Node, signer.Algorithm, signer.Certificates));
            }
        }

        /// <summary>Keeps what the parent has applied, backwards only where it was restored; a position that this journal does not have is not believed.</summary>
        private Refusal? Kept(StreamPosition position, IReadOnlyList<RecordReceipt> problems, List<EventDraft> events, Countersignature? said = null)
        {
            var epoch = ground.Uplink.EpochOf(_incarnation);
            if (!epoch.IsGranted || !position.IsOf(_incarnation, epoch) || !LinkWords.Lanes.Contains(position.Lane) || !StreamMark.TryRead(position.Lsn, position.ChainHash, out var mark))
            {
                return null;
            }

            if (!mark.IsStart && (mark.Lsn > ground.Journal.Head.Lsn || ground.Journal.ChainHashAt(mark.Lsn) != mark.ChainHash))
            {
                return new Refusal("FORK", $"The parent says that it has applied {mark.Lsn} with another history than this journal's. Look at both before anything else is done.");
            }

            if (_stands || mark.Lsn > ground.Parent.ReceiptOf(position.Lane, _incarnation).Mark.Lsn || problems.Count > 0)
            {
                var proof = said is not null && notary is not null && notary.Fault(said, stream(), position.Lane, mark, null) is null ? said : null;
                events.Add(UplinkFold.ReceiptKeptEvent(ground.Kind, position.Lane, _incarnation, epoch, mark, problems, proof));
            }

            return null;
        }
    }
}
