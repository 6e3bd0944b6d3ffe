using CityGrid.Hub.Reception;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;
using static CityGrid.Tests.Link.SenderStory;

namespace CityGrid.Tests.Link;

/// <summary>What the stories of one sender are made of: a node with a parent, their marks, and cuts of all lanes.</summary>
internal static class SenderStory
{
    public static readonly Instant Start = Instant.FromUtc(2026, 11, 24, 0, 0);
    public static readonly Epoch Granted = new(1, 7);
    public static readonly Incarnation Life = new(5);
    public static readonly SenderSettings Settings = new(NodeId.Parse("a"), DivisionCode.Parse("A"));

    public static StreamMark Mark(long lsn) => lsn == 0 ? default : new StreamMark(new Lsn(lsn), new Hash256(1, (UInt128)(ulong)lsn));

    public static SenderState HeardParent(Epoch epoch) =>
        SenderState.Start(Settings, Life, Granted, 1, lane => lane == Lane.Cells ? Mark(9) : Mark(8)) with { Parent = NodeId.Parse(Welcomed().Welcome.Node), ParentEpoch = epoch };

    public static Sender Opened()
    {
        var story = new Sender(SenderState.Start(Settings, Life, Granted, 1, _ => default));
        story.Step(new SenderInput.Woken());
        story.Step(new SenderInput.Connected(Mark(20)));
        story.Step(new SenderInput.Responded(Welcomed()));
        story.Sent.Clear();
        return story;
    }

    /// <summary>Opened towards a parent that wishes this, and with nothing to say.</summary>
    public static Sender Quiet(long redialWithinMs)
    {
        var story = new Sender(SenderState.Start(Settings, Life, Granted, 1, _ => default));
        story.Step(new SenderInput.Woken());
        story.Step(new SenderInput.Connected(Mark(20)));
        story.Step(new SenderInput.Responded(Welcomed(twist: welcome => welcome.RedialWithinMs = redialWithinMs)));
        foreach (var lane in LinkWords.Lanes)
        {
            story.Step(new SenderInput.CutReady(new Cut(lane, Mark(0), Mark(20), true, [])));
        }

        return story;
    }

    public static ConnectResponse Welcomed(long cells = 0, long escalations = 0, long alarms = 0, Epoch? epoch = null, Action<Welcome>? twist = null)
    {
        var granted = epoch ?? Granted;
        var welcome = new Welcome { Node = "p", Protocol = 2, ChildEpoch = granted.Number, ChildEpochNonce = granted.Nonce, Grains = { 1, 2 } };
        welcome.Positions.Add(Mark(alarms).ToPosition(Lane.Alarms, Life, granted));
        welcome.Positions.Add(Mark(escalations).ToPosition(Lane.Escalations, Life, granted));
        welcome.Positions.Add(Mark(cells).ToPosition(Lane.Cells, Life, granted));
        twist?.Invoke(welcome);
        return new ConnectResponse { Number = 1, Welcome = welcome };
    }

    public static ConnectResponse Receipt(long number, Lane lane, long lsn) =>
        new() { Number = number, Receipt = new Receipt { Lane = lane, Position = Mark(lsn).ToPosition(lane, Life, Granted) } };

    public static Cut CellsCut(long from, long to, int parts) => new(
        Lane.Cells, Mark(from), Mark(to), true, [.. Enumerable.Range(1, parts).Select(i => new CutPart(i == parts ? Mark(to) : Mark(from), new CellsPart { Part = i, Parts = parts }, null))]);

    public static Cut Raised(long from, long to, Lane lane = Lane.Escalations) => new(lane, Mark(from), Mark(to), true, [new CutPart(Mark(to), null, new EscalationsPart { From = from, To = to, Lane = lane })]);

    /// <summary>A cut of 400 parts of two kilobytes.</summary>
    public static Cut Heavy(Lane lane)
    {
        var filling = new string('x', 2000);
        return new Cut(lane, Mark(0), Mark(400), true, [.. Enumerable.Range(1, 400).Select(i => lane == Lane.Cells
            ? new CutPart(i == 400 ? Mark(400) : Mark(0), new CellsPart { Part = i, Parts = 400, Symbols = { filling } }, null)
            : new CutPart(Mark(i), null, new EscalationsPart { Lane = lane, From = i - 1, To = i, Escalations = { new EscalationEnvelope { Hops = { new Hop { Node = filling } } } } }))]);
    }

    public static Lane LaneOf(ConnectRequest request) => request.Escalations?.LaneOf() ?? Lane.Cells;
}

/// <summary>A sender, stepped by hand.</summary>
internal sealed class Sender(SenderState? start = null)
{
    public SenderState State { get; private set; } = start ?? SenderState.Start(Settings, Life, Epoch.NotGranted, 0, _ => default);

    public Instant Now { get; set; } = Start;

    public IReadOnlyList<SenderEffect> Last { get; private set; } = [];

    public List<ConnectRequest> Sent { get; } = [];

    public void Step(SenderInput input)
    {
        (State, Last) = LinkSender.Step(State, input, Now);
        Sent.AddRange(Last.OfType<SenderEffect.Send>().Select(s => s.Request));
    }

    /// <summary>What has waited longest for its answer.</summary>
    public Outstanding Outstanding => State.UnderWay[0];

    /// <summary>Answers a part as it was due.</summary>
    public void Answer(Outstanding part, long credit = 0)
    {
        var response = Receipt(part.Number, part.Lane, State.Lane(part.Lane).Cut!.Parts[part.Part].After.Lsn.Value);
        response.Receipt.WindowBytes = credit;
        Step(new SenderInput.Responded(response));
    }

    public void Answer(ConnectRequest request, Lane lane, long lsn) => Step(new SenderInput.Responded(Receipt(request.Number, lane, lsn)));
}
