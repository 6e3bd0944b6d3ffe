using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;

namespace CityGrid.Hub.Reception;

/// <summary>The hello (L2, L3, L7, L8, L13): is this the node its certificate names, in our subtree, and does it speak for the stream in office?</summary>
internal static class Greeting
{
    public static LinkDecision Decide(ReceiverSettings settings, ChildRow? row, IPeerIdentity peer, ConnectRequest request, Epoch parentEpoch, ulong nonce, Attestation? found)
    {
        var hello = request.Hello;
        if (!TryRead(hello, out var who, out var fault))
        {
            return Answers.Refuse(request.Number, LinkRefusalCode.Malformed, fault);
        }

        if (hello.ProtocolMin > settings.ProtocolNewest || hello.ProtocolMax < ReceiverSettings.ProtocolMin)
        {
            return Answers.Refuse(
                request.Number,
                LinkRefusalCode.Version,
                $"{who.Node} speaks protocol {hello.ProtocolMin} to {hello.ProtocolMax}, {settings.Node} speaks {ReceiverSettings.ProtocolMin} to {settings.ProtocolNewest}. Upgrade the older of the two.");
        }

        if (Denied(settings, peer, who) is { } denial)
        {
            return Answers.Refuse(request.Number, LinkRefusalCode.PermissionDenied, denial);
        }

        var protocol = Math.Min(settings.ProtocolNewest, hello.ProtocolMax);
        if (SignedHeads.Fault(settings.Signatures, row, who.Node, protocol, found) is { } unsigned)
        {
            return Answers.Refuse(request.Number, LinkRefusalCode.Signature, unsigned);
        }

        if (row?.Quarantine is { } quarantine)
        {
            return Answers.Quarantined(request.Number, row.Node, quarantine);
        }

        var standing = Standing(settings, row, who, nonce);
        if (standing.Epoch is { } epoch)
        {
            var seat = (standing.Grant is null ? row! : ChildRow.After(row, standing.Grant, default)!).Seat(who.Incarnation, epoch)!;
            return Regressed(seat, hello, request.Number)
                ?? Welcome(settings, seat, request, parentEpoch, protocol, protocol < SignedHeads.Protocol ? null : found?.Signer) with { Change = standing.Grant };
        }

        return standing.Code == LinkRefusalCode.Fork
            ? LinkReceiver.Fork(row!, request.Number, Lane.Unspecified, standing.Message)
            : Answers.Refuse(request.Number, standing.Code, standing.Message);
    }

    private static bool TryRead(Hello hello, out Caller who, out string fault)
    {
        who = default;
        fault = string.Empty;
        if (!NodeId.TryParse(hello.Node, out var node))
        {
            fault = "Hello.node is no node name.";
        }
        else if (!DivisionCode.TryParse(hello.Division, out var division))
        {
            fault = "Hello.division is no division code.";
        }
        else if (Incarnation.FromBytes(hello.Incarnation.Span) is var incarnation && incarnation.IsNone)
        {
            fault = "Hello.incarnation is not 16 bytes of identity.";
        }
        else if (hello.Epoch < 0 || hello.LastEpoch < 0 || !StreamMark.TryRead(hello.HeadLsn, hello.HeadChainHash, out _))
        {
            fault = "Hello names no valid epoch or head.";
        }
        else
        {
            who = new Caller(node, division, incarnation, new Epoch(hello.Epoch, hello.EpochNonce), Math.Max(hello.Epoch, hello.LastEpoch), hello is { KeepsEpoch: true, Epoch: > 0 });
        }

        return fault.Length == 0;
    }

    private static string? Denied(ReceiverSettings settings, IPeerIdentity peer, Caller who)
    {
        if (peer.Node != who.Node)
        {
            return $"The certificate is that of {peer.Node}; the hello names {who.Node}.";
        }

        if (who.Node == settings.Parent || who.Node == settings.Node)
        {
            return $"{who.Node} is the parent of {settings.Node}, or itself: a node does not lie below itself. Mend the register or the configuration of one of them.";
        }

        if (who.Division == settings.Division || !settings.Register.Contains(who.Division) || !settings.Register.IsAtOrBelow(who.Division, settings.Division))
        {
            return $"{who.Division} does not lie below {settings.Division} in the register of {settings.Node} today.";
        }

        return peer.Divisions.Any(covered => settings.Register.IsAtOrBelow(who.Division, covered))
            ? null
            : $"The certificate of {peer.Node} does not cover {who.Division}.";
    }

    /// <summary>
    /// Compare-and-set on the child's row (RULE-8). The child never chooses its epoch; it only shows which one it holds, and how far its history
    /// has come.
    /// </summary>
    private static Stand Standing(ReceiverSettings settings, ChildRow? row, Caller who, ulong nonce)
    {
        if (row is null)
        {
            return who.KeepsEpoch ? Taken(null, who) : Granted(null, who, nonce);
        }

        if (row.Retired.Contains(who.Incarnation))
        {
            return Stand.No(LinkRefusalCode.Fenced, $"Data directory {who.Incarnation} of {who.Node} is out of office. Restore it as a new one (--restored) or take the right one.");
        }

        if (row.Seat(who.Incarnation, who.Epoch) is not null)
        {
            return Stand.Seated(who.Epoch);
        }

        if (row.Offer is { } offer && offer.Incarnation == who.Incarnation && offer.Epoch.Number > who.LastEpoch)
        {
            // The welcome that carried the grant was lost; the same answer again.
            return Stand.Seated(offer.Epoch);
        }

        if (who.Epoch.IsGranted && who.Epoch.Number == row.Epoch.Number)
        {
            return Stand.No(LinkRefusalCode.Fork, $"Epoch {row.Epoch.Number} of {who.Node} was granted twice: {row.Epoch} here, {who.Epoch} there.");
        }

        if (settings.Policy == EpochPolicy.Asked && !row.Incarnation.IsNone && row.Incarnation != who.Incarnation && row.Offer?.Incarnation != who.Incarnation)
        {
            return Stand.No(
                LinkRefusalCode.IncarnationUnknown,
                $"Data directory {who.Incarnation} of {who.Node} is new here; {row.Incarnation} is in office. A person must grant it its epoch at {settings.Node}: citygrid link grant {who.Node} {who.Incarnation}");
        }

        if (who.KeepsEpoch && row.Epoch.Number < who.Epoch.Number && who.Epoch.Number < row.LastEpoch)
        {
            // What is above may hold cells of the later life already, and this one is an old copy: to take its epoch would forget the later number, which would be granted once more.
            return Stand.No(LinkRefusalCode.Fenced, $"{who.Node} has had epoch {row.LastEpoch} since; {who.Epoch} may not report. Take its last data directory, or restore this one as a new one (--restored).");
        }

        if (who.Epoch.Number > row.Epoch.Number)
        {
            // A grant that this node does not know: it was restored from a copy (INV-22) or withdrew it, or another parent gave it.
            return who.KeepsEpoch ? Taken(row, who) : Granted(row, who, nonce);
        }

        if (row.Incarnation == who.Incarnation || who.Epoch.IsGranted)
        {
            return Stand.No(LinkRefusalCode.Fenced, $"Epoch {row.Epoch} of {who.Node} is in office; {who.Epoch} may not report. Restore the directory as a new one (--restored).");
        }

        return Granted(row, who, nonce);
    }

    /// <summary>
    /// The epoch that the child shows is taken as it is. Its number and nonce say which grant it was, whoever gave it, so what is above keeps the cells that
    /// it has: a parent that begins anew comes to the same figures in the same revisions.
    /// </summary>
    private static Stand Taken(ChildRow? row, Caller who) =>
        TooFar(row, who) ?? Stand.With(new EpochGrant(who.Node, who.Division, who.Incarnation, who.Epoch) { LastEpoch = who.LastEpoch });

    private static Stand Granted(ChildRow? row, Caller who, ulong nonce)
    {
        var known = Known(row);
        return TooFar(row, who) ?? Stand.With(new EpochGrant(who.Node, who.Division, who.Incarnation, new Epoch(Math.Max(known, who.LastEpoch) + 1, nonce)) { LastEpoch = who.LastEpoch });
    }

    internal static long Known(ChildRow? row) => row is null ? 0 : Math.Max(Math.Max(row.Epoch.Number, row.LastEpoch), row.Offer?.Epoch.Number ?? 0);

    private static Stand? TooFar(ChildRow? row, Caller who) => who.LastEpoch - Known(row) > ReceiverSettings.EpochLeapMax
        ? Stand.No(LinkRefusalCode.Malformed, $"{who.Node} claims epoch {who.LastEpoch}; {Known(row)} is the newest known here.")
        : null;

    /// <summary>Null where the child's journal still holds everything that was applied from it (INV-21).</summary>
    private static LinkDecision? Regressed(ChildRow row, Hello hello, long number)
    {
        foreach (var lane in LinkWords.Lanes)
        {
            var (mark, heard) = (row.Lane(lane).Mark, row.Lane(lane).Heard);
            if (hello.HeadLsn < heard.Lsn.Value)
            {
                return Answers.Refuse(
                    number,
                    LinkRefusalCode.EpochRegression,
                    $"{row.Node} ends at {hello.HeadLsn}, but {heard.Lsn} was sent here: it was restored from a copy. Open the directory as a restored one (--restored).",
                    lane,
                    mark.ToPosition(lane, row.Incarnation, row.Epoch));
            }

            foreach (var claimed in hello.Positions.Where(p => p.Lane == lane && p.IsOf(row.Incarnation, row.Epoch)).Append(HeadOf(hello, lane, row)))
            {
                if (StreamMark.TryRead(claimed.Lsn, claimed.ChainHash, out var theirs) && row.Lane(lane).Against(theirs) is not null)
                {
                    return LinkReceiver.Fork(row, number, lane, $"The chain of {row.Node} at {theirs.Lsn} is {theirs.ChainHash}; another was sent here before.");
                }
            }
        }

        return null;
    }

    private static StreamPosition HeadOf(Hello hello, Lane lane, ChildRow row) => new()
    {
        Lane = lane,
        Incarnation = hello.Incarnation,
        Epoch = row.Epoch.Number,
        EpochNonce = row.Epoch.Nonce,
        Lsn = hello.HeadLsn,
        ChainHash = hello.HeadChainHash,
    };

    private static LinkDecision Welcome(ReceiverSettings settings, ChildRow row, ConnectRequest request, Epoch parentEpoch, int protocol, Signer? signer)
    {
        var welcome = new Welcome
        {
            Node = settings.Node.ToString(),
            Protocol = protocol,
            ParentEpoch = parentEpoch.Number,
            ParentEpochNonce = parentEpoch.Nonce,
            ChildEpoch = row.Epoch.Number,
            ChildEpochNonce = row.Epoch.Nonce,
            ReadsMatters = true,
        };
        foreach (var lane in LinkWords.Lanes)
        {
            welcome.Positions.Add(row.Lane(lane).Mark.ToPosition(lane, row.Incarnation, row.Epoch));
        }

        if (row.Cells.Ahead is { } ahead && request.Hello.ProvesHeard)
        {
            welcome.CellsHeard = ahead.ToPosition(Lane.Cells, row.Incarnation, row.Epoch);
        }

        welcome.Grains.AddRange(settings.Grains.Select(g => (int)g.Number));
        var session = new LinkSession(row.Node, row.Incarnation, row.Epoch) { Protocol = protocol, Division = row.Division, Signer = signer, ProvesHeard = request.Hello.ProvesHeard };
        return new LinkDecision(null, new ConnectResponse { Number = request.Number, Welcome = welcome }, session)
        {
            NewSigner = signer is null || signer.Fingerprint == row.Signer ? null : new SignerChange(row.Node, signer.Algorithm, signer.Certificates),
        };
    }

    private readonly record struct Caller(NodeId Node, DivisionCode Division, Incarnation Incarnation, Epoch Epoch, long LastEpoch, bool KeepsEpoch);

    /// <summary>The epoch that the child is seated in, with the grant that makes it so where it is new; or why it is not.</summary>
    private sealed record Stand(EpochGrant? Grant, Epoch? Epoch, LinkRefusalCode Code, string Message)
    {
        public static Stand Seated(Epoch epoch) => new(null, epoch, LinkRefusalCode.Unspecified, string.Empty);

        public static Stand With(EpochGrant grant) => new(grant, grant.Epoch, LinkRefusalCode.Unspecified, string.Empty);

        public static Stand No(LinkRefusalCode code, string message) => new(null, null, code, message);
    }
}
