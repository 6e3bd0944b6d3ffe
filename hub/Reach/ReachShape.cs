using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Hub.Reach;

/// <summary>What a query, and an answer, may have (clauses P1, P5).</summary>
public static class ReachShape
{
    /// <summary>A view of a thousand places by name is 20 kB.</summary>
    public const int RequestBytesMax = 64 << 10;

    /// <summary>One place's answer: about 2,000 rows of a view.</summary>
    public const int AnswerBytesMax = 256 << 10;

    /// <summary>A result as it travels: one answer, or what several places that did not answer are told by.</summary>
    public const int ResultBytesMax = 512 << 10;

    /// <summary>What a child may have sent in pieces that make no whole result yet.</summary>
    public const int PiecesBytesMax = 1 << 20;

    /// <summary>Results of one child to one query: the nation has about 400 places.</summary>
    public const int ResultsMax = 10_000;

    /// <summary>Places named as missing; where there are more, the last one says so.</summary>
    public const int MissingMax = 2_000;

    /// <summary>One for each origin below: the nation has about 400.</summary>
    public const int HeldMax = 10_000;

    /// <summary>Characters of an actor.</summary>
    public const int ActorMax = 128;

    /// <summary>The longest that anybody waits.</summary>
    public static readonly Duration WaitMost = Duration.FromSeconds(30);

    /// <summary>What is wrong with the form of a query; null for nothing.</summary>
    public static string? Fault(ReachQuery query) =>
        query.Id.Length != 16 ? "id"
        : !NodeId.TryParse(query.Asker, out _) ? "asker"
        : !DivisionCode.TryParse(query.AskerDivision, out _) ? "asker_division"
        : !DivisionCode.TryParse(query.TargetDivision, out _) ? "target_division"
        : query.Actor.Length > ActorMax ? "actor"
        : query.Request.Length > RequestBytesMax ? "request"
        : query.RemainingMs <= 0 || query.RemainingMs > (long)WaitMost.TotalMilliseconds ? "remaining_ms"
        : query.Held.Count > HeldMax ? "held"
        : null;

    /// <summary>A list that may travel: where too many are missing, the last says how many more there are.</summary>
    public static IReadOnlyList<ReachMissing> Bounded(IReadOnlyList<ReachMissing> missing, DivisionCode division)
    {
        if (missing.Count <= MissingMax)
        {
            return missing;
        }

        var more = missing.Skip(MissingMax - 1).ToArray();
        return
        [
            .. missing.Take(MissingMax - 1),
            new ReachMissing
            {
                Division = division.ToString(),
                Code = ReachCodes.AnswerTooLarge,
                Message = $"{more.Length} more places did not answer; at most {MissingMax} are named. Ask a smaller place.",
                Origins = more.Sum(one => one.Origins),
            },
        ];
    }

    /// <summary>Characters of a name or a code, and of a message: what is longer is cut.</summary>
    public const int WordMax = 200;

    public const int MessageMax = 1_000;

    /// <summary>The part as it may travel: an answer past the bound is refused with what to do, and words have an end.</summary>
    public static ReachPart Bounded(ReachPart part)
    {
        if (part.Answer.Length <= AnswerBytesMax && part.Node.Length <= WordMax && part.Code.Length <= WordMax && part.Message.Length <= MessageMax)
        {
            return part;
        }

        var bounded = part.Clone();
        (bounded.Node, bounded.Code, bounded.Message) = (Cut(part.Node, WordMax), Cut(part.Code, WordMax), Cut(part.Message, MessageMax));
        if (part.Answer.Length > AnswerBytesMax)
        {
            (bounded.Answer, bounded.Code) = (Google.Protobuf.ByteString.Empty, ReachCodes.AnswerTooLarge);
            bounded.Message = $"The answer of {bounded.Node} has {part.Answer.Length} bytes, and at most {AnswerBytesMax} travel. Ask for fewer dimensions, fewer types, a shorter period or a smaller place.";
        }

        return bounded;
    }

    /// <summary>What a child says is missing, with words that have an end.</summary>
    public static ReachMissing Bounded(ReachMissing missing)
    {
        if (missing.Node.Length <= WordMax && missing.Code.Length <= WordMax && missing.Message.Length <= MessageMax)
        {
            return missing;
        }

        var bounded = missing.Clone();
        (bounded.Node, bounded.Code, bounded.Message) = (Cut(missing.Node, WordMax), Cut(missing.Code, WordMax), Cut(missing.Message, MessageMax));
        return bounded;
    }

    private static string Cut(string text, int most) => text.Length <= most ? text : text[..most];
}
