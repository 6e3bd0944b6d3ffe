using System.Diagnostics.CodeAnalysis;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;

namespace CityGrid.Hub.Reception;

/// <summary>A position in a sender's journal with the chain hash there, which proves that it is the same journal (RULE-2). Zero stands before the first event.</summary>
public readonly record struct StreamMark(Lsn Lsn, Hash256 ChainHash)
{
    public static readonly StreamMark Start;

    public bool IsStart => Lsn == Lsn.Zero;

    /// <summary>The mark on the wire; its hash is empty at the start.</summary>
    public StreamPosition ToPosition(Lane lane, Incarnation incarnation, Epoch epoch) => new()
    {
        Lane = lane,
        Incarnation = ByteString.CopyFrom(incarnation.ToBytes()),
        Epoch = epoch.Number,
        EpochNonce = epoch.Nonce,
        Lsn = Lsn.Value,
        ChainHash = HashBytes(),
    };

    /// <summary>The hash on the wire: empty at the start, where no chain has begun.</summary>
    public ByteString HashBytes() => IsStart ? ByteString.Empty : ByteString.CopyFrom(ChainHash.ToBytes());

    /// <summary>Reads a mark from the wire: a position from 0, with 32 bytes of hash, or none at 0.</summary>
    public static bool TryRead(long lsn, ByteString hash, out StreamMark mark)
    {
        mark = Start;
        if (lsn == 0)
        {
            return hash.IsEmpty || hash.Length == Hash256.Size;
        }

        if (lsn < 0 || hash.Length != Hash256.Size)
        {
            return false;
        }

        mark = new StreamMark(new Lsn(lsn), Hash256.FromBytes(hash.Span));
        return true;
    }

    /// <summary>The lane's mark among <paramref name="positions"/> where it speaks of this incarnation and epoch; the start where the lane is not named; false where it is malformed or of another stream.</summary>
    public static bool TryFind(IEnumerable<StreamPosition> positions, Lane lane, Incarnation incarnation, Epoch epoch, out StreamMark mark)
    {
        mark = Start;
        foreach (var position in positions)
        {
            if (position.Lane == lane)
            {
                return position.IsOf(incarnation, epoch) && TryRead(position.Lsn, position.ChainHash, out mark);
            }
        }

        return true;
    }
}

/// <summary>Reading what a peer sent, without believing it.</summary>
public static class LinkWords
{
    /// <summary>The lanes of a stream in the order in which they go first.</summary>
    public static readonly IReadOnlyList<Lane> Lanes = [Lane.Alarms, Lane.Escalations, Lane.Cells];

    /// <summary>The lane of a part of records.</summary>
    public static Lane LaneOf(this EscalationsPart part) => part.Lane == Lane.Alarms ? Lane.Alarms : Lane.Escalations;

    /// <summary>A refusal in the words of the contract.</summary>
    public static string NameOf(LinkRefusalCode code) => code switch
    {
        LinkRefusalCode.Gap => "GAP",
        LinkRefusalCode.Fenced => "FENCED",
        LinkRefusalCode.Fork => "FORK",
        LinkRefusalCode.EpochRegression => "EPOCH_REGRESSION",
        LinkRefusalCode.IncarnationUnknown => "INCARNATION_UNKNOWN",
        LinkRefusalCode.PermissionDenied => "PERMISSION_DENIED",
        LinkRefusalCode.Malformed => "MALFORMED",
        LinkRefusalCode.Version => "VERSION",
        LinkRefusalCode.Busy => "BUSY",
        LinkRefusalCode.NoSession => "NO_SESSION",
        LinkRefusalCode.Signature => "SIGNATURE",
        _ => $"CODE_{(int)code}",
    };

    /// <summary>True where the position speaks of exactly this stream.</summary>
    public static bool IsOf([NotNullWhen(true)] this StreamPosition? position, Incarnation incarnation, Epoch epoch) =>
        position is not null
        && position.Epoch == epoch.Number
        && position.EpochNonce == epoch.Nonce
        && Incarnation.FromBytes(position.Incarnation.Span) == incarnation;
}
