using CityGrid.Hub.Reach;
using CityGrid.Hub.Reception;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Link;

/// <summary>Clauses P5, L14: answers to queries from above go up in pieces beside the lanes, within the window, and keep nothing off the line.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class Answers_to_queries_share_the_line
{
    private static readonly Incarnation Directory = new(9);
    private static readonly Epoch Granted = new(1, 5);

    private SenderState _state = SenderState.Start(new SenderSettings(NodeId.Parse("a"), DivisionCode.Parse("A")), Directory, Granted, 1, _ => default);
    private IReadOnlyList<SenderEffect> _last = [];
    private Instant _now = Instant.FromUtc(2026, 11, 29, 4, 0);
    private readonly List<ConnectRequest> _sent = [];

    [Test]
    public void In_pieces_that_make_the_whole()
    {
        Open();
        var result = ResultOf(40_000);
        Step(new SenderInput.ResultReady(7, 1, result, _now + Duration.FromSeconds(5)));
        AnswerAll();
        var pieces = ReachPieces.None;
        ReachResult? whole = null;
        foreach (var piece in _sent.Select(request => request.ReachAnswer))
        {
            Assert.That(piece.Content.Length, Is.LessThanOrEqualTo(Pace.First), "A quarter of the window, which grows while answers come quickly.");
            pieces = pieces.With(piece, out var made)!;
            whole = made ?? whole;
        }

        Assert.That(_sent, Has.Count.GreaterThan(2));
        Assert.That(_sent[0].ReachAnswer.Content.Length, Is.EqualTo(Pace.Start.PartBytes));
        Assert.That(whole, Is.EqualTo(result));
        Assert.That((_state.UnderWay.Count, _state.AnswerBy, _state.Answers.Bytes), Is.EqualTo((0, (Instant?)null, 0L)));
    }

    [Test]
    public void No_more_than_the_window_is_under_way()
    {
        Open();
        Step(new SenderInput.ResultReady(7, 1, ResultOf(400_000), _now + Duration.FromSeconds(5)));
        Assert.That(_state.UnderWay.Sum(one => one.Bytes), Is.LessThanOrEqualTo(Pace.First));
        Assert.That(_state.UnderWay, Has.Count.GreaterThan(1));
    }

    [Test]
    public void Beside_cells_with_three_times_their_share_and_behind_alarms()
    {
        Open();
        Step(new SenderInput.CutReady(Heavy(Lane.Cells)));
        Step(new SenderInput.CutReady(Heavy(Lane.Alarms)));
        for (var i = 1; i <= 10; i++)
        {
            Step(new SenderInput.ResultReady((UInt128)(ulong)i, 1, ResultOf(200_000), _now + Duration.FromSeconds(1000)));
        }

        // A line that carries a window in less than half a second and more than a quarter: the window stays as it is.
        _sent.Clear();
        while (_sent.Sum(request => request.CalculateSize()) < 600_000)
        {
            _now += Duration.FromMilliseconds(100);
            AnswerOne();
        }

        var bytes = _sent.GroupBy(LaneOf).ToDictionary(group => group.Key, group => (double)group.Sum(request => request.CalculateSize()));
        Assert.That(bytes[Lane.Unspecified] / bytes[Lane.Cells], Is.EqualTo(3).Within(0.6));
        Assert.That(bytes[Lane.Alarms] / bytes[Lane.Unspecified], Is.EqualTo(4).Within(0.8));
    }

    [Test]
    public void And_no_less_where_they_came_while_the_cells_waited_for_the_end_of_a_cut()
    {
        Open();
        Step(new SenderInput.CutReady(Heavy(Lane.Cells, reachesHead: false)));
        while (_state.Cells is { Sent: < 400 })
        {
            _now += Duration.FromMilliseconds(100);
            AnswerOne();
        }

        for (var i = 1; i <= 10; i++)
        {
            Step(new SenderInput.ResultReady((UInt128)(ulong)i, 1, ResultOf(200_000), _now + Duration.FromSeconds(1000)));
        }

        while (_state.Cells.Phase == LanePhase.Sending)
        {
            _now += Duration.FromMilliseconds(100);
            AnswerOne();
        }

        Step(new SenderInput.CutReady(Heavy(Lane.Cells, from: 400)));
        _sent.Clear();
        while (_sent.Sum(request => request.CalculateSize()) < 400_000)
        {
            _now += Duration.FromMilliseconds(100);
            AnswerOne();
        }

        var bytes = _sent.GroupBy(LaneOf).ToDictionary(group => group.Key, group => (double)group.Sum(request => request.CalculateSize()));
        Assert.That(bytes[Lane.Unspecified] / bytes[Lane.Cells], Is.EqualTo(3).Within(0.6));
    }

    [Test]
    public void One_whose_time_is_over_is_not_sent()
    {
        Open();
        Step(new SenderInput.CutReady(Heavy(Lane.Cells)));
        Step(new SenderInput.ResultReady(7, 1, ResultOf(200_000), _now + Duration.FromSeconds(1)));
        _now += Duration.FromSeconds(2);
        _sent.Clear();
        AnswerOne();
        AnswerOne();
        Assert.That(_sent.Count(request => request.ReachAnswer is not null), Is.Zero);
        Assert.That(_state.Answers.Results, Is.Empty);
    }

    [Test]
    public void One_that_finds_no_room_to_wait_is_told_in_a_few_words()
    {
        Open();
        for (var i = 1; i <= 30; i++)
        {
            Step(new SenderInput.ResultReady((UInt128)(ulong)i, 1, ResultOf(200_000), _now + Duration.FromSeconds(30)));
        }

        Assert.That(_state.Answers.Bytes, Is.LessThan(AnswersState.BytesMax + 10_000));
        var told = ReachResult.Parser.ParseFrom(_state.Answers.Results[^1].Content);
        Assert.That((told.Parts[0].Code, told.Parts[0].Node, told.Parts[0].Answer.Length, told.Results), Is.EqualTo((ReachCodes.LineBusy, "a", 0, 1)));
    }

    [Test]
    public void None_outlives_its_connection()
    {
        Open();
        Step(new SenderInput.ResultReady(7, 1, ResultOf(400_000), _now + Duration.FromSeconds(30)));
        Step(new SenderInput.Disconnected("gone", 0));
        Assert.That((_state.Answers.Results.Count, _state.UnderWay.Count), Is.EqualTo((0, 0)));
        Step(new SenderInput.ResultReady(8, 1, ResultOf(10), _now + Duration.FromSeconds(30)));
        Assert.That(_state.Answers.Results, Is.Empty, "Whoever asked has given this node up.");
    }

    [Test]
    public void Towards_a_parent_of_protocol_1_a_query_is_not_heard_and_nothing_is_told()
    {
        Open(protocol: 1);
        Step(new SenderInput.Responded(new ConnectResponse { ReachQuery = new ReachQuery() }));
        Assert.That(_last.OfType<SenderEffect.TakeQuery>(), Is.Empty);
        Step(new SenderInput.ResultReady(7, 1, ResultOf(10), _now + Duration.FromSeconds(30)));
        Assert.That(_sent.Count(request => request.ReachAnswer is not null), Is.Zero);
    }

    [Test]
    public void A_query_is_heard_on_an_open_connection_alone()
    {
        Step(new SenderInput.Woken());
        Step(new SenderInput.Responded(new ConnectResponse { ReachQuery = new ReachQuery() }));
        Assert.That(_last.OfType<SenderEffect.TakeQuery>(), Is.Empty);
        Open();
        Step(new SenderInput.Responded(new ConnectResponse { ReachQuery = new ReachQuery() }));
        Assert.That(_last.OfType<SenderEffect.TakeQuery>().Count(), Is.EqualTo(1));
    }

    [Test]
    public void A_receipt_or_a_gap_for_a_piece_is_no_receipt_of_any_lane()
    {
        Open();
        Step(new SenderInput.ResultReady(7, 1, ResultOf(100), _now + Duration.FromSeconds(30)));
        var number = _state.UnderWay[0].Number;
        Step(new SenderInput.Responded(new ConnectResponse { Number = number, Receipt = new Receipt { Lane = Lane.Cells, Position = default(StreamMark).ToPosition(Lane.Cells, Directory, Granted) } }));
        Assert.That((_state.UnderWay.Count, _state.Phase), Is.EqualTo((1, SenderPhase.Open)));
        Step(new SenderInput.Responded(new ConnectResponse { Number = number, Refusal = new LinkRefusal { Code = LinkRefusalCode.Gap, Lane = Lane.Cells } }));
        Assert.That(_last.OfType<SenderEffect.HangUp>().Count(), Is.EqualTo(1));
    }

    [Test]
    public void One_that_is_never_taken_ends_the_connection()
    {
        Open();
        Step(new SenderInput.ResultReady(7, 1, ResultOf(100), _now + Duration.FromSeconds(3)));
        _now += Duration.FromSeconds(30);
        Step(new SenderInput.Woken());
        Assert.That(_last.OfType<SenderEffect.HangUp>().Count(), Is.EqualTo(1));
    }

    private void Open(int protocol = 2)
    {
        Step(new SenderInput.Woken());
        Step(new SenderInput.Connected(Mark(500)));
        var welcome = new Welcome { Node = "p", Protocol = protocol, ChildEpoch = Granted.Number, ChildEpochNonce = Granted.Nonce, Grains = { 1, 2 } };
        welcome.Positions.AddRange(new[] { Lane.Alarms, Lane.Escalations, Lane.Cells }.Select(lane => default(StreamMark).ToPosition(lane, Directory, Granted)));
        Step(new SenderInput.Responded(new ConnectResponse { Number = 1, Welcome = welcome }));
        Assert.That(_state.Phase, Is.EqualTo(SenderPhase.Open));
        _sent.Clear();
    }

    private void Step(SenderInput input)
    {
        (_state, _last) = LinkSender.Step(_state, input, _now);
        _sent.AddRange(_last.OfType<SenderEffect.Send>().Select(send => send.Request));
    }

    private void AnswerAll()
    {
        while (_state.UnderWay.Count > 0)
        {
            AnswerOne();
        }
    }

    /// <summary>What has waited longest is answered as it was due.</summary>
    private void AnswerOne()
    {
        var oldest = _state.UnderWay[0];
        Step(new SenderInput.Responded(oldest.Lane == Lane.Unspecified
            ? new ConnectResponse { Number = oldest.Number, ReachTaken = new ReachTaken() }
            : new ConnectResponse
            {
                Number = oldest.Number,
                Receipt = new Receipt { Lane = oldest.Lane, Position = _state.Lane(oldest.Lane).Cut!.Parts[oldest.Part].After.ToPosition(oldest.Lane, Directory, Granted) },
            }));
    }

    private static Lane LaneOf(ConnectRequest request) => request.ReachAnswer is not null ? Lane.Unspecified : request.Escalations?.LaneOf() ?? Lane.Cells;

    private static ReachResult ResultOf(int bytes) => new() { Results = 1, Parts = { new ReachPart { Node = "a", Division = "A", Answer = ByteString.CopyFrom(new byte[bytes]) } } };

    private static StreamMark Mark(long lsn) => lsn == 0 ? default : new StreamMark(new Lsn(lsn), new Hash256(1, (UInt128)(ulong)lsn));

    /// <summary>A cut of 400 parts of two kilobytes.</summary>
    private static Cut Heavy(Lane lane, int from = 0, bool reachesHead = true)
    {
        var (filling, to) = (new string('x', 2000), from + 400);
        return new Cut(lane, Mark(from), Mark(to), reachesHead, [.. Enumerable.Range(1, 400).Select(i => lane == Lane.Cells
            ? new CutPart(i == 400 ? Mark(to) : Mark(from), new CellsPart { Part = i, Parts = 400, Symbols = { filling } }, null)
            : new CutPart(Mark(from + i), null, new EscalationsPart { Lane = lane, From = from + i - 1, To = from + i, Escalations = { new EscalationEnvelope { Hops = { new Hop { Node = filling } } } } }))]);
    }
}
