using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;

namespace CityGrid.Hub.Reception;

/// <summary>The answers of a receiver.</summary>
internal static class Answers
{
    /// <summary>A refusal; the connection ends after it unless the caller keeps the session.</summary>
    public static LinkDecision Refuse(long number, LinkRefusalCode code, string message, Lane lane = Lane.Unspecified, StreamPosition? position = null) =>
        new(null, new ConnectResponse { Number = number, Refusal = new LinkRefusal { Code = code, Message = message, Lane = lane, Position = position } }, null);

    public static LinkDecision Quarantined(long number, NodeId child, Quarantine quarantine) =>
        Refuse(number, LinkRefusalCode.Fork, $"{child} is quarantined since {quarantine.Since}: {quarantine.Reason} A person must release it.");

    /// <summary>The receiver cannot take it now: of a part, that lane waits and the others go on.</summary>
    public static ConnectResponse Busy(ConnectRequest request, string message, TimeSpan retryAfter) => new()
    {
        Number = request.Number,
        Refusal = new LinkRefusal { Code = LinkRefusalCode.Busy, Message = message, RetryAfterMs = (long)retryAfter.TotalMilliseconds, Lane = LaneOf(request) },
    };

    public static Lane LaneOf(ConnectRequest request) => request.FrameCase switch
    {
        ConnectRequest.FrameOneofCase.Cells => Lane.Cells,
        ConnectRequest.FrameOneofCase.Escalations => request.Escalations.LaneOf(),
        _ => Lane.Unspecified,
    };

    public static ConnectResponse Receipt(long number, StreamPosition position, Judgement judgement)
    {
        var receipt = new Receipt
        {
            Lane = position.Lane,
            Position = position,
            Accepted = judgement.Accepted,
            Unchanged = judgement.Unchanged,
            Parked = judgement.Named.Count(r => r.Outcome == RecordOutcome.Parked),
            Refused = judgement.Named.Count(r => r.Outcome == RecordOutcome.Refused),
        };
        receipt.Records.AddRange(judgement.Named);
        receipt.Ranges.AddRange(RangeComparison.Answers(judgement.Findings));
        return new ConnectResponse { Number = number, Receipt = receipt };
    }
}
