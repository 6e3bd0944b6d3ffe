using CityGrid.Hub.Views;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;

namespace CityGrid.Hub.Reach;

/// <summary>What a node answers to a query, and where its journal stood; or why it answers nothing.</summary>
public sealed record ReachReply(ByteString Answer, Lsn At, Refusal? Refusal)
{
    public static ReachReply Of(IMessage answer, Lsn at) => new(answer.ToByteString(), at, null);

    public static ReachReply No(Refusal refusal) => new(ByteString.Empty, Lsn.Zero, refusal);
}

/// <summary>
/// Answers queries of one kind from what this node has. It reads and changes nothing, gives nothing personal away, and speaks of the target alone, whatever
/// the request says (clauses P3, P6).
/// </summary>
public interface IAnswerer
{
    /// <param name="request">What the asker's node sent; anything.</param>
    /// <param name="target">The place that may be spoken of: at or below this node.</param>
    ReachReply Answer(ByteString request, DivisionCode target);
}

/// <summary>A view of this node's own figures.</summary>
public sealed class ViewAnswerer(ViewDesk views, DivisionCode own, Func<Divisions.DivisionRegister> register) : IAnswerer
{
    /// <summary>Nothing of what is asked lies in the place that may be spoken of.</summary>
    private static ReachReply Nothing => ReachReply.Of(new QueryResponse { Coverage = new Coverage(), State = ViewState.Provisional }, Lsn.Zero);

    public ReachReply Answer(ByteString request, DivisionCode target)
    {
        QueryRequest query;
        try
        {
            query = QueryRequest.Parser.ParseFrom(request);
        }
        catch (InvalidProtocolBufferException)
        {
            return ReachReply.No(new Refusal(ReachCodes.Malformed, "The request is no QueryRequest.", "request"));
        }

        // What is asked and what may be spoken of are intersected: a hop narrows, and never widens.
        var today = register();
        var named = query.Divisions.Select(code => DivisionCode.TryParse(code, out var division) ? division : default).Where(division => !division.IsNone).ToArray();
        var above = named.Where(division => today.HasBeenAtOrBelow(target, division)).ToArray();
        var within = named.Where(division => today.HasBeenAtOrBelow(division, target)).Except(above).ToArray();
        if (query.Divisions.Count > 0 && above.Length + within.Length == 0)
        {
            return Nothing;
        }

        // On which days this place was below a division that is named, the view's trees know; of a place below this one it is that of today.
        var isWhole = query.Divisions.Count == 0 || above.Any(division => today.IsAtOrBelow(target, division));
        DivisionCode[] asked = target == own ? [.. above, .. within] : isWhole ? [target] : within;
        if (asked.Length == 0 && target != own)
        {
            return Nothing;
        }

        query.Divisions.Clear();
        query.Divisions.AddRange(asked.Select(division => division.ToString()));

        // The position is of the asker's own journal.
        query.AtLeastLsn = 0;
        return views.Answer(query, out var refusal, amongOthers: true) is { } answer ? ReachReply.Of(answer, new Lsn(answer.Revision)) : ReachReply.No(refusal!);
    }
}
