using System.Collections.Concurrent;
using System.Collections.Immutable;
using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Load;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reach;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Hub.Reception;

/// <summary>
/// One connection of a child, as the parent has it: who it is, the stream it speaks for once its hello was welcomed, and the orders and queries that go down on it.
/// </summary>
/// <param name="peer">Who the certificate says is there.</param>
/// <param name="push">Sends a frame that answers none, after whatever was sent before.</param>
public sealed class LinkConnection(IPeerIdentity peer, Action<ConnectResponse> push)
{
    private readonly InTurn<OrderFeedInput> _orderInputs = new();
    private readonly InTurn<PackageFeedInput> _packageInputs = new();
    private OrderFeedState? _orders;
    private PackageFeedState? _packages;
    private (long Number, int Bytes) _lastOrders;

    private double _downBytesASecond;

    /// <summary>Bytes a second at which the last part or chunk that went down was answered: an estimate, for people (O1). 0 before the first answer.</summary>
    internal double DownBytesASecond => Volatile.Read(ref _downBytesASecond);

    public IPeerIdentity Peer { get; } = peer;

    /// <summary>That of the last answer.</summary>
    public LinkSession? Session { get; internal set; }

    /// <summary>The signer of this node that the welcome showed; null where it showed none.</summary>
    internal OwnSigner? Shown { get; set; }

    /// <summary>True once an answer ended the conversation.</summary>
    public bool IsOver { get; internal set; }

    /// <summary>What the child said that it has of the orders, until they begin.</summary>
    internal StreamMark? OrdersFrom { get; set; }

    /// <summary>What the child said that it has of the packages, until they begin; null for one that takes none.</summary>
    internal PackagesHeard? PackagesFrom { get; set; }

    /// <summary>The child reports here beside its own tree: neither orders nor queries of this node go to it (L17).</summary>
    internal bool TakesNothingFromAbove { get; set; }

    /// <summary>Sends a query after whatever was sent before.</summary>
    internal void Ask(ReachQuery query) => push(new ConnectResponse { ReachQuery = query });

    internal void BeginOrders(StreamMark cursor) => _orders = OrderFeed.Start(cursor);

    /// <summary>The chunk that waits for its answer, and which package it is of; null for none.</summary>
    internal (long Number, PackageName Name)? PackageUnderWay => _packages is { UnderWay: { } parcel } state ? (state.Number, parcel.Name) : null;

    internal void BeginPackages(PackagesHeard heard) => _packages = PackageFeed.Start(heard);

    internal void Feed(OrderFeedInput input, Func<LinkSession, OrderFeedState, OrdersPart?> read, Instant now)
    {
        if (_orders is not null)
        {
            _orderInputs.Bring(input, next => Take(next, read, now));
        }
    }

    internal void Feed(PackageFeedInput input, Func<PackageFeedState, PackageParcel?> read, Instant now)
    {
        if (_packages is not null)
        {
            _packageInputs.Bring(input, next => Take(next, read, now));
        }
    }

    private void Take(OrderFeedInput input, Func<LinkSession, OrderFeedState, OrdersPart?> read, Instant now)
    {
        if (input is OrderFeedInput.Answered { Receipt.Number: var number } && _orders is { UnderWay: not null } asked && asked.Number == number && _lastOrders.Number == number)
        {
            Carried(_lastOrders.Bytes, asked.SentAt, now);
        }

        (_orders, var send, var wanted) = OrderFeed.Step(_orders!, input, now);
        if (send is not null)
        {
            _lastOrders = (send.Number, send.CalculateSize());
            Failpoint.Hit("orders.send.before", send.Orders.Count > 0);
            push(new ConnectResponse { Orders = send });
            Failpoint.Hit("orders.send.after", send.Orders.Count > 0);
        }

        if (wanted && Session is { } session)
        {
            _orderInputs.Then(new OrderFeedInput.PartReady(read(session, _orders)));
        }
    }

    private void Take(PackageFeedInput input, Func<PackageFeedState, PackageParcel?> read, Instant now)
    {
        if (input is PackageFeedInput.Answered { Receipt.Number: var number } && _packages is { UnderWay: { } parcel } asked && asked.Number == number)
        {
            Carried(Math.Min(PackageFeed.ChunkBytes, parcel.Bytes.Length - asked.Offset), asked.SentAt, now);
        }

        (_packages, var send, var wanted) = PackageFeed.Step(_packages!, input, now);
        if (send is not null)
        {
            Failpoint.Hit("package.chunk.send.before");
            push(new ConnectResponse { Package = send });
            Failpoint.Hit("package.chunk.send.after");
        }

        if (wanted)
        {
            _packageInputs.Then(new PackageFeedInput.ParcelReady(read(_packages)));
        }
    }

    /// <summary>Of what is smaller, the way there and back takes longest and says nothing of the line.</summary>
    private const int TellingBytes = 1 << 10;

    private void Carried(int bytes, Instant sentAt, Instant now)
    {
        if (bytes >= TellingBytes)
        {
            Volatile.Write(ref _downBytesASecond, bytes / Math.Max((now - sentAt).TotalSeconds, 0.001));
        }
    }
}

/// <summary>Inputs from any thread, taken one at a time, in order, by whoever brought one while nobody else was at it.</summary>
internal sealed class InTurn<TInput>
{
    private readonly ConcurrentQueue<TInput> _inputs = new();
    private int _taking;

    public void Bring(TInput input, Action<TInput> take)
    {
        _inputs.Enqueue(input);
        while (!_inputs.IsEmpty && Interlocked.CompareExchange(ref _taking, 1, 0) == 0)
        {
            try
            {
                while (_inputs.TryDequeue(out var next))
                {
                    take(next);
                }
            }
            finally
            {
                Volatile.Write(ref _taking, 0);
            }
        }
    }

    /// <summary>From within a taking: what comes of it, behind what waits already.</summary>
    public void Then(TInput input) => _inputs.Enqueue(input);
}

/// <summary>What a parent has seen of a child's line since it started.</summary>
/// <param name="Skew">How far the child's clock is ahead of this one, and how long its hello took; null where it did not say.</param>
/// <param name="CertificateEnds">When the certificate ends that it showed; null where none stands behind it.</param>
/// <param name="Refused">Why it was refused after its last welcome; null where it was not.</param>
public readonly record struct ChildLine(Duration? Skew, DateTimeOffset? CertificateEnds, string? Refused);

/// <summary>
/// Where children's frames come in, one after the other on each connection: the effect and the new cursor are one record, and the answer leaves only
/// when that is durable. Orders and packages go out by it.
/// </summary>
public sealed class LinkDoor(ReceptionDesk desk, Sequencer sequencer, IEntropy entropy, LinkPresence presence, OrderReader orders, TimeProvider clock, ChildNotary? notary = null)
{
    /// <summary>What all children together may have under way: of that many bytes of parts this node's memory is sure to have room.</summary>
    public const long UnderWayInAll = 64 << 20;

    /// <summary>What a child may always have under way, and all that it may while this node is busy: a few small parts, so that what cannot wait still comes.</summary>
    public const long CreditLeast = 16 << 10;

    /// <summary>What a line is taken to carry before it has shown it: what a child begins with (L14).</summary>
    private const double FirstBytesASecond = 64 << 10;

    /// <summary>Of more packages than this the rest goes with the next answer by file.</summary>
    private const int PackagesByFileBytes = 8 << 20;

    /// <summary>Lines that are remembered: whoever has a certificate of this network is remembered where he is refused, and an authority below may issue any number.</summary>
    private const int LinesMax = 4096;

    /// <summary>The first protocol that has orders, and queries.</summary>
    public const int ProtocolOfOrders = 2;

    /// <summary>With the number of its opening: orders go out in that order, the same in every run of a simulation.</summary>
    private readonly ConcurrentDictionary<LinkConnection, long> _open = [];

    /// <summary>The newest connection of each child that was welcomed, whichever protocol it speaks.</summary>
    private readonly ConcurrentDictionary<NodeId, LinkConnection> _standing = [];
    private long _opened;

    private readonly ConcurrentDictionary<NodeId, ChildLine> _lines = [];

    /// <summary>Is told of a child whose signer or signature was refused, which only a person can explain.</summary>
    public Action<NodeId, string>? SignatureRefused { get; set; }

    /// <summary>Is told of a piece of an answer that a child sends to a query (clause P5).</summary>
    public Action<NodeId, ReachAnswer>? ReachAnswered { get; set; }

    /// <summary>Is told of a child whose connection has ended.</summary>
    public Action<NodeId>? ConnectionEnded { get; set; }

    /// <summary>What goes down of catalogue packages, and where it is noted what children say of them; null where none go down.</summary>
    public (PackageReader Reader, PackageDesk Desk)? Packages { get; init; }

    /// <summary>What this node is under, and lets go of.</summary>
    public PressureGauge Pressure { get; init; } = PressureGauge.Calm;

    /// <summary>Whether there is room for what children bring; null where that is not asked.</summary>
    public DiskRoom? Room { get; init; }

    /// <summary>What this process has seen of a child's line.</summary>
    public ChildLine LineOf(NodeId child) => _lines.GetValueOrDefault(child, default);

    /// <summary>At what rate the line to a child carried what went down last.</summary>
    public double DownBytesASecond(NodeId child) => _standing.TryGetValue(child, out var connection) && connection.DownBytesASecond is > 0 and var rate ? rate : FirstBytesASecond;

    /// <summary>How many bytes of parts a child may have under way now (L14). As soon as anything is let go of, it is the least: children slow down before they are turned away.</summary>
    public long Credit => Pressure.Now.Level > 0 ? CreditLeast : CreditOf(presence.Count, sequencer.Waiting);

    /// <summary>Why a frame is not taken now; null where it is. Cells can wait: they are absolute values, and the next cut has them all.</summary>
    public Refusal? Shed(ConnectRequest request) =>
        request.FrameCase == ConnectRequest.FrameOneofCase.Cells ? Room?.Short ?? Pressure.Shed(CallKind.IndicatorPush) : null;

    internal static long CreditOf(int connected, int waiting) =>
        waiting > Sequencer.QueueMax / 2 ? CreditLeast : Math.Max(UnderWayInAll / Math.Max(connected, 1), CreditLeast);

    /// <summary>Takes a frame; null where it has no answer. What there is no room for now is answered BUSY, and the connection goes on.</summary>
    public async Task<ConnectResponse?> TakeAsync(LinkConnection connection, ConnectRequest request)
    {
        if (TakeReceipt(connection, request))
        {
            return null;
        }

        if (TakeAnswer(connection, request) is { } taken)
        {
            return taken;
        }

        if (BusyFor(connection, request) is { } busy)
        {
            return busy;
        }

        var found = notary?.Look(connection.Session, request);
        return Turn(connection, request, await sequencer.SubmitAsync(CommandOf(connection, request, found)), found);
    }

    /// <summary>The same for a caller that pumps the sequencer by hand.</summary>
    public void Take(LinkConnection connection, ConnectRequest request, Action<ConnectResponse> answered)
    {
        if (TakeReceipt(connection, request))
        {
            return;
        }

        if (TakeAnswer(connection, request) is { } taken)
        {
            answered(taken);
        }
        else if (BusyFor(connection, request) is { } busy)
        {
            answered(busy);
        }
        else
        {
            var found = notary?.Look(connection.Session, request);
            sequencer.Submit(CommandOf(connection, request, found), decision => answered(Turn(connection, request, decision, found)));
        }
    }

    /// <summary>There are new orders: each connection sends what is its own. On any thread.</summary>
    public void SendOrders()
    {
        foreach (var (connection, _) in _open.OrderBy(open => open.Value))
        {
            Feed(connection, new OrderFeedInput.Nudged());
        }
    }

    /// <summary>There are new packages: each connection sends what its child lacks. On any thread.</summary>
    public void SendPackages()
    {
        foreach (var (connection, _) in _open.OrderBy(open => open.Value))
        {
            Feed(connection, new PackageFeedInput.Nudged());
        }
    }

    /// <summary>Whether a connection's stream is the one in office.</summary>
    public bool IsInOffice(LinkSession session) => sequencer.Read(() => desk.IsInOffice(session));

    /// <summary>The connection has ended.</summary>
    public void Close(LinkConnection connection)
    {
        _open.TryRemove(connection, out _);
        if (_standing.TryRemove(new KeyValuePair<NodeId, LinkConnection>(connection.Peer.Node, connection)))
        {
            ConnectionEnded?.Invoke(connection.Peer.Node);
        }
    }

    /// <summary>Whether a child could be sent a query now: its connection stands, speaks the protocol, and the stream on it is the one in office.</summary>
    public ReachStanding StandingOf(NodeId child) =>
        !_standing.TryGetValue(child, out var connection) || connection is not { IsOver: false, Session: { } session } ? ReachStanding.Absent
        : session.Protocol < ProtocolOfOrders ? ReachStanding.OldProtocol
        : connection.TakesNothingFromAbove ? ReachStanding.TakesNone
        : IsInOffice(session) ? ReachStanding.Connected
        : ReachStanding.Absent;

    /// <summary>Sends a query on a child's connection; false where it has none that could carry it.</summary>
    public bool Ask(NodeId child, ReachQuery query)
    {
        if (StandingOf(child) != ReachStanding.Connected || !_standing.TryGetValue(child, out var connection))
        {
            return false;
        }

        connection.Ask(query);
        return true;
    }

    /// <summary>A piece of an answer is passed on and nothing is made durable of it; null for any other frame. Whoever was not welcomed is refused as with all frames.</summary>
    private ConnectResponse? TakeAnswer(LinkConnection connection, ConnectRequest request)
    {
        if (request.FrameCase != ConnectRequest.FrameOneofCase.ReachAnswer || connection.Session is not { Protocol: >= ProtocolOfOrders } session)
        {
            return null;
        }

        ReachAnswered?.Invoke(session.Child, request.ReachAnswer);
        return new ConnectResponse { Number = request.Number, ReachTaken = new ReachTaken() };
    }

    private ConnectResponse? BusyFor(LinkConnection connection, ConnectRequest request) =>
        connection.Session is not null && Shed(request) is { } shed ? Answers.Busy(request, shed.Message, Shedding.PauseOf(CallKind.IndicatorPush)) : null;

    private bool TakeReceipt(LinkConnection connection, ConnectRequest request)
    {
        if (connection.Session is { } session && request.FrameCase == ConnectRequest.FrameOneofCase.OrdersReceipt)
        {
            Failpoint.Hit("orders.receipt.heard");
            Feed(connection, new OrderFeedInput.Answered(request.OrdersReceipt));
            Failpoint.Hit("orders.cursor.trimmed");
            return true;
        }

        if (connection.Session is { Protocol: >= ProtocolOfOrders } standing && request.FrameCase == ConnectRequest.FrameOneofCase.PackageReceipt)
        {
            Hear(standing.Child, request.PackageReceipt, connection);
            return true;
        }

        Feed(connection, new OrderFeedInput.Heard());
        Feed(connection, new PackageFeedInput.Heard());
        return false;
    }

    /// <summary>What the child says of a package goes on, and where it is its last word it is noted.</summary>
    private void Hear(NodeId child, PackageChunkReceipt receipt, LinkConnection connection)
    {
        var asked = connection.PackageUnderWay;
        Failpoint.Hit("package.receipt.heard");
        Feed(connection, new PackageFeedInput.Answered(receipt));
        Failpoint.Hit("package.feed.moved");
        if (receipt.Outcome > PackageOutcome.More && asked is { } answered && receipt.Number == answered.Number)
        {
            Note(child, new PackagesHeard(PackageDesk.HeadsOf(receipt.Heads), receipt.Outcome == PackageOutcome.Refused ? [RefusedPackage.Of(answered.Name, receipt.Code, receipt.Message)] : []));
        }
    }

    /// <summary>It is a note for people: one that finds no room in the queue is left out, and the next hello says it again.</summary>
    private void Note(NodeId child, PackagesHeard heard)
    {
        if (Packages is { } packages)
        {
            sequencer.Submit(packages.Desk.Hear(child, heard), _ => { });
        }
    }

    /// <summary>For an answer by file: every package that the child lacks, each as one chunk, in the order in which they are to be taken; as many as there is room for.</summary>
    internal IReadOnlyList<PackageChunk> PackagesInWhole(LinkConnection connection)
    {
        var chunks = new List<PackageChunk>();
        if (Packages is not { } packages || connection is not { PackagesFrom: { } from, Session: { Protocol: >= ProtocolOfOrders } session })
        {
            return chunks;
        }

        Note(session.Child, from);
        var has = from.Heads.ToDictionary(head => head.Issuer);
        var (told, refused) = (PackageFeed.Start(from).Told, PackageFeed.Start(from).Refused);
        for (var bytes = 0; bytes < PackagesByFileBytes && Next(packages.Reader, has, told, refused) is { } parcel; bytes += parcel.Bytes.Length)
        {
            chunks.Add(new PackageChunk { Number = chunks.Count + 1, Package = parcel.Name.ToHead(), Total = parcel.Bytes.Length, Content = Google.Protobuf.ByteString.CopyFrom(parcel.Bytes.Span) });
            told = told.Add(parcel.Name.Hash);
            has[parcel.Name.Issuer] = parcel.Name;
        }

        return chunks;
    }

    private ConnectResponse Turn(LinkConnection connection, ConnectRequest request, LinkDecision decision, Attestation? found)
    {
        if (decision.Response.Receipt is { } receipt)
        {
            receipt.WindowBytes = Credit;
        }
        else if (decision.Response.Welcome is { } welcome)
        {
            welcome.WindowBytes = Credit;
        }

        if (found is not null)
        {
            connection.Shown = notary!.Answer(decision, found, connection.Shown);
        }

        if (decision.Response.Refusal is { Code: LinkRefusalCode.Signature } refusal)
        {
            SignatureRefused?.Invoke(connection.Peer.Node, refusal.Message);
        }

        Remember(connection.Peer, request, decision.Response);
        desk.Asks.PutOn(decision.Response, decision.Session);
        connection.Session = decision.Session;
        // The child learns of another signer with its next welcome alone; what it has under way it says again there.
        connection.IsOver = decision.HangUp || notary?.IsReplaced(connection.Shown) == true;
        if (request.Hello is { } hello)
        {
            connection.OrdersFrom = hello.TakesNoOrders ? null : orders.CursorOf(hello);
            connection.TakesNothingFromAbove = hello.TakesNoOrders;
            connection.PackagesFrom = hello.TakesPackages && !hello.TakesNoOrders ? PackagesHeard.Of(hello) : null;
        }

        return decision.Response;
    }

    private void Remember(IPeerIdentity peer, ConnectRequest request, ConnectResponse response)
    {
        if (response.Welcome is { } welcome)
        {
            var skew = request.Hello.SentAt is > 0 and < 253_402_300_800_000 ? Duration.FromMilliseconds(request.Hello.SentAt - welcome.ReceivedAt) : (Duration?)null;
            _lines[peer.Node] = new ChildLine(skew, peer.Mark?.NotAfter, null);
        }
        else if (response.Refusal is { Code: not (LinkRefusalCode.Gap or LinkRefusalCode.Busy) } refusal && (_lines.Count < LinesMax || _lines.ContainsKey(peer.Node)))
        {
            _lines[peer.Node] = LineOf(peer.Node) with { CertificateEnds = peer.Mark?.NotAfter, Refused = $"{LinkWords.NameOf(refusal.Code)}: {refusal.Message}" };
        }
    }

    /// <summary>
    /// The answer is on its way: orders may follow it. They begin once the stream of this connection is in office, for then nothing that an earlier life of
    /// the child decided can come in any more (clause O3).
    /// </summary>
    public void Answered(LinkConnection connection)
    {
        if (connection.Session is { } standing && !connection.IsOver)
        {
            Stand(standing.Child, connection);
        }

        if (connection.Session is not { Protocol: >= ProtocolOfOrders } session || (connection.OrdersFrom is null && connection.PackagesFrom is null) || !IsInOffice(session))
        {
            return;
        }

        if (connection.OrdersFrom is { } from)
        {
            connection.OrdersFrom = null;
            connection.BeginOrders(from);
            _open[connection] = Interlocked.Increment(ref _opened);
            Feed(connection, new OrderFeedInput.Nudged());
        }

        if (connection.PackagesFrom is { } heard)
        {
            connection.PackagesFrom = null;
            Note(session.Child, heard);
            connection.BeginPackages(heard);
            Feed(connection, new PackageFeedInput.Nudged());
        }
    }

    /// <summary>A newer connection of a child takes the place of the one before, on which nothing more comes.</summary>
    private void Stand(NodeId child, LinkConnection connection)
    {
        var before = _standing.GetValueOrDefault(child);
        _standing[child] = connection;
        if (before is not null && before != connection)
        {
            ConnectionEnded?.Invoke(child);
        }
    }

    private void Feed(LinkConnection connection, OrderFeedInput input) =>
        connection.Feed(input, (session, state) => sequencer.Read(() => orders.Read(session.Division, state.Cursor, sequencer.Applied, state.KnowsHead)), clock.Now());

    private void Feed(LinkConnection connection, PackageFeedInput input) =>
        connection.Feed(input, state => Packages is { } packages ? Next(packages.Reader, state.Has, state.Told, state.Refused) : null, clock.Now());

    /// <summary>The lock is held to find it, and not while its bytes are made.</summary>
    private PackageParcel? Next(PackageReader reader, IReadOnlyDictionary<NodeId, PackageName> has, ImmutableHashSet<Hash256> told, ImmutableHashSet<Hash256> refused) =>
        sequencer.Read(() => reader.Lacking(has, told, refused)) is { } lacking ? reader.ParcelOf(lacking) : null;

    private Command<LinkDecision> CommandOf(LinkConnection connection, ConnectRequest request, Attestation? found) =>
        desk.Receive(connection.Peer, connection.Session, request, entropy.NextUInt64(), found);
}
