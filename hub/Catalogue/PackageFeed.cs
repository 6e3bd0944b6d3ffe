using System.Collections.Immutable;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Hub.Catalogue;

/// <summary>Where the packages of one connection stand: pure, as the feed of orders is. One chunk is under way at a time.</summary>
/// <param name="Has">The newest package of each issuer that the child has, as it says.</param>
/// <param name="Told">Packages that it gave its last word on, on this connection or before it.</param>
/// <param name="Number">The number of the last chunk sent on this connection.</param>
/// <param name="UnderWay">The package that is being sent; null for none.</param>
/// <param name="Offset">Where the chunk under way begins.</param>
/// <param name="SentAt">When it was sent.</param>
/// <param name="Stalls">How often the child has asked for bytes that it was sent before.</param>
/// <param name="Due">There may be something to send.</param>
/// <param name="Refused">Those of them that it refused, but for forks: what comes after one does not wait for it.</param>
/// <param name="Missed">Packages that the child once answered with a gap, on this connection: each is sent once more.</param>
public sealed record PackageFeedState(
    ImmutableSortedDictionary<NodeId, PackageName> Has, ImmutableHashSet<Hash256> Told, long Number, PackageParcel? UnderWay, int Offset, Instant SentAt, int Stalls, bool Due,
    ImmutableHashSet<Hash256> Refused, ImmutableHashSet<Hash256> Missed);

/// <summary>What happens to the packages of one connection.</summary>
public abstract record PackageFeedInput
{
    /// <summary>There may be new packages.</summary>
    public sealed record Nudged : PackageFeedInput;

    /// <summary>The child was heard of: a chunk that was lost on the way is noticed by it.</summary>
    public sealed record Heard : PackageFeedInput;

    /// <summary>What was asked for with the state; null for nothing.</summary>
    public sealed record ParcelReady(PackageParcel? Parcel) : PackageFeedInput;

    public sealed record Answered(PackageChunkReceipt Receipt) : PackageFeedInput;
}

/// <summary>The parent's side of packages as a pure function (clause K3).</summary>
public static class PackageFeed
{
    /// <summary>Half a second of a line of 256 kbit/s: whatever else goes down stands behind no more than that.</summary>
    public const int ChunkBytes = 16 << 10;

    /// <summary>A chunk that was not answered for so long is sent again when the child is heard of.</summary>
    public static readonly Duration AnswerWait = Duration.FromSeconds(30);

    /// <summary>A child that asks for the same bytes more often is left alone with this package until it dials again.</summary>
    private const int StallsMax = 8;

    /// <summary>What the child refused on an earlier connection has its answer already.</summary>
    public static PackageFeedState Start(PackagesHeard heard) =>
        new(heard.Heads.ToImmutableSortedDictionary(head => head.Issuer, head => head), [.. heard.Refused.Select(refused => refused.Name.Hash)], 0, null, 0, Instant.MinValue, 0, true,
            [.. heard.Refused.Where(refused => refused.Refusal.Code != PackageJudge.Fork).Select(refused => refused.Name.Hash)], []);

    /// <summary>The next state, the chunk to send, and whether to read what the child lacks.</summary>
    public static (PackageFeedState State, PackageChunk? Send, bool Read) Step(PackageFeedState state, PackageFeedInput input, Instant now)
    {
        switch (input)
        {
            case PackageFeedInput.Nudged:
                state = state with { Due = true };
                break;
            case PackageFeedInput.Heard when state.UnderWay is not null && now - state.SentAt >= AnswerWait:
                return Sent(state, state.Offset, now);
            case PackageFeedInput.ParcelReady { Parcel: { } parcel } when state.UnderWay is null:
                return Sent(state with { UnderWay = parcel, Stalls = 0 }, 0, now);
            case PackageFeedInput.Answered { Receipt: var receipt } when state.UnderWay is { } parcel && receipt.Number == state.Number:
                if (receipt.Outcome == PackageOutcome.More && receipt.Have >= 0 && receipt.Have < parcel.Bytes.Length)
                {
                    var stalls = receipt.Have > state.Offset ? state.Stalls : state.Stalls + 1;
                    if (stalls <= StallsMax)
                    {
                        return Sent(state with { Stalls = stalls }, receipt.Have, now);
                    }
                }

                state = After(state, parcel, receipt);
                break;
            default:
                break;
        }

        return state.Due && state.UnderWay is null ? (state with { Due = false }, null, true) : (state, null, false);
    }

    private static (PackageFeedState State, PackageChunk Send, bool Read) Sent(PackageFeedState state, int offset, Instant now)
    {
        var parcel = state.UnderWay!;
        var chunk = new PackageChunk
        {
            Number = state.Number + 1,
            Package = parcel.Name.ToHead(),
            Offset = offset,
            Total = parcel.Bytes.Length,
            Content = ByteString.CopyFrom(parcel.Bytes.Span.Slice(offset, Math.Min(ChunkBytes, parcel.Bytes.Length - offset))),
        };
        return (state with { Number = chunk.Number, Offset = offset, SentAt = now }, chunk, false);
    }

    /// <summary>
    /// The child has said what it has now. A package whose answer changed nothing of that is not sent again on this connection, and one that it lacked something before is sent once
    /// more: a child that says ever other things is not sent for ever.
    /// </summary>
    private static PackageFeedState After(PackageFeedState state, PackageParcel parcel, PackageChunkReceipt receipt)
    {
        var isLastWord = receipt.Outcome is PackageOutcome.Taken or PackageOutcome.Known or PackageOutcome.Refused or PackageOutcome.Gap;
        var has = isLastWord ? PackageDesk.HeadsOf(receipt.Heads).ToImmutableSortedDictionary(head => head.Issuer, head => head) : state.Has;
        var hash = parcel.Name.Hash;
        var isSentAgain = receipt.Outcome == PackageOutcome.Gap && !has.SequenceEqual(state.Has) && !state.Missed.Contains(hash);
        state = isSentAgain ? state with { Missed = state.Missed.Add(hash) } : state with { Told = state.Told.Add(hash) };
        var isPassedOver = receipt.Outcome == PackageOutcome.Refused && receipt.Code != PackageJudge.Fork;
        return state with { Has = has, Refused = isPassedOver ? state.Refused.Add(hash) : state.Refused, UnderWay = null, Due = true };
    }
}
