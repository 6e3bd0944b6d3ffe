using CityGrid.Hub.Reception.V1;
using CityGrid.Protocol.Names;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Hub.Reception;

/// <summary>Values of reception in the images that snapshots keep.</summary>
internal static class Images
{
    public static MarkImage Of(StreamMark mark) => new() { Lsn = mark.Lsn.Value, ChainHash = mark.HashBytes() };

    public static StreamMark MarkOf(MarkImage? image) =>
        image is null ? StreamMark.Start
        : StreamMark.TryRead(image.Lsn, image.ChainHash, out var mark) ? mark
        : throw new FormatException("A stream position in the snapshot is malformed.");

    public static long Of(Instant instant) => instant.ToUnixTimeTicks();

    public static Instant InstantOf(long ticks) => Instant.FromUnixTimeTicks(ticks);

    public static UplinkImage WithTimes(this UplinkImage image, Instant? escalations, Instant? cells, Instant? alarms)
    {
        if (alarms is { } alarm)
        {
            image.AlarmsKeptAt = Of(alarm);
        }

        if (escalations is { } first)
        {
            image.EscalationsKeptAt = Of(first);
        }

        if (cells is { } second)
        {
            image.CellsKeptAt = Of(second);
        }

        return image;
    }

    public static ChildImage Of(ChildRow row)
    {
        var image = new ChildImage
        {
            Node = row.Node.ToString(),
            Division = row.Division.ToString(),
            Incarnation = ByteString.CopyFrom(row.Incarnation.ToBytes()),
            Epoch = row.Epoch.Number,
            EpochNonce = row.Epoch.Nonce,
            Cells = Of(row.Cells),
            Escalations = Of(row.Escalations),
            Alarms = Of(row.Alarms),
            LastEpoch = row.LastEpoch,
            Retired = { row.Retired.Select(i => ByteString.CopyFrom(i.ToBytes())) },
        };
        if (row.Offer is { } offer)
        {
            image.OfferIncarnation = ByteString.CopyFrom(offer.Incarnation.ToBytes());
            image.OfferEpoch = offer.Epoch.Number;
            image.OfferNonce = offer.Epoch.Nonce;
            image.OfferDivision = offer.Division.ToString();
        }

        if (row.LastHeard is { } heard)
        {
            image.LastHeard = Of(heard);
        }

        if (row.Quarantine is { } quarantine)
        {
            image.QuarantineCode = quarantine.Code;
            image.QuarantineReason = quarantine.Reason;
            image.QuarantinedSince = Of(quarantine.Since);
        }

        if (row.Signer is { } signer)
        {
            image.Signer = ByteString.CopyFrom(signer.ToBytes());
        }

        return image;
    }

    public static ChildRow RowOf(ChildImage image) => new(NodeId.Parse(image.Node), DivisionCode.Parse(image.Division))
    {
        Incarnation = Incarnation.FromBytes(image.Incarnation.Span),
        Epoch = new Epoch(image.Epoch, image.EpochNonce),
        Offer = image.OfferEpoch == 0 ? null
            : new EpochOffer(Incarnation.FromBytes(image.OfferIncarnation.Span), new Epoch(image.OfferEpoch, image.OfferNonce), DivisionCode.Parse(image.OfferDivision)),
        LastEpoch = image.LastEpoch,
        Cells = LaneOf(image.Cells),
        Escalations = LaneOf(image.Escalations),
        Alarms = image.Alarms is null ? LaneRow.Start : LaneOf(image.Alarms),
        LastHeard = image.HasLastHeard ? InstantOf(image.LastHeard) : null,
        Retired = [.. image.Retired.Select(bytes => Incarnation.FromBytes(bytes.Span))],
        Signer = image.Signer.IsEmpty ? null : Hash256.FromBytes(image.Signer.Span),
        Quarantine = image.HasQuarantinedSince ? new Quarantine(image.QuarantineCode, image.QuarantineReason, InstantOf(image.QuarantinedSince)) : null,
    };

    private static LaneImage Of(LaneRow lane)
    {
        var image = new LaneImage { Mark = Of(lane.Mark) };
        if (lane.Cut is { } cut)
        {
            image.CutTo = Of(cut.To);
            image.CutParts = cut.Parts;
            image.CutApplied = cut.Applied;
            image.CutReading = cut.Reading;
        }

        if (lane.Ahead is { } ahead)
        {
            image.Ahead = Of(ahead);
        }

        return image;
    }

    private static LaneRow LaneOf(LaneImage image)
    {
        var lane = new LaneRow(MarkOf(image.Mark), null) { Ahead = image.Ahead is null ? null : MarkOf(image.Ahead) };
        return image.CutTo is null ? lane : lane.During(new CutProgress(MarkOf(image.CutTo), image.CutParts, image.CutApplied, image.CutReading));
    }
}
