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

    /// <summary>The part as it may travel: an answer past the bound is refused with what to do.</summary>
    public static ReachPart Bounded(ReachPart part)
    {
        if (part.Answer.Length <= AnswerBytesMax)
        {
            return part;
        }

        var refused = part.Clone();
        (refused.Answer, refused.Code) = (Google.Protobuf.ByteString.Empty, ReachCodes.AnswerTooLarge);
        refused.Message = $"The answer of {part.Node} has {part.Answer.Length} bytes, and at most {AnswerBytesMax} travel. Ask for fewer dimensions, fewer types, a shorter period or a smaller place.";
        return refused;
    }
}
