using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;

namespace CityGrid.Hub.Reception;

/// <summary>The hello (L2, L3, L6 to L9): is this the node its certificate names, in our subtree, and does it speak for the stream in office?</summary>
internal static class Greeting
{
    public static LinkDecision Decide(ReceiverSettings settings, ChildRow? row, IPeerIdentity peer, ConnectRequest request, Epoch parentEpoch, ulong nonce)
    {
        var hello = request.Hello;
        if (!TryRead(hello, out var who, out var fault))
        {
            return Answers.Refuse(request.Number, LinkRefusalCode.Malformed, fault);
        }

        if (hello.ProtocolMin > ReceiverSettings.ProtocolMax || hello.ProtocolMax < ReceiverSettings.ProtocolMin)
        {
            return Answers.Refuse(
                request.Number,
                LinkRefusalCode.Version,
                $"{who.Node} speaks protocol {hello.ProtocolMin} to {hello.ProtocolMax}, {settings.Node} speaks {ReceiverSettings.ProtocolMin} to {ReceiverSettings.ProtocolMax}. Upgrade the older of the two.");
        }

        if (Denied(settings, peer, who) is { } denial)
        {
            return Answers.Refuse(request.Number, LinkRefusalCode.PermissionDenied, denial);
        }

        if (row?.Quarantine is { } quarantine)
        {
            return Answers.Refuse(request.Number, LinkRefusalCode.Fork, $"{row.Node} is quarantined since {quarantine.Since}: {quarantine.Reason} A person must release it.");
        }

        var standing = Standing(settings, row, who, nonce);
        return standing switch
        {
            { Grant: { } grant } => Welcome(settings, ChildRow.After(row, grant, default)!, request, parentEpoch) with { Change = grant },
            { Code: LinkRefusalCode.Fork } => LinkReceiver.Fork(row!, request.Number, Lane.Unspecified, standing.Message),
            { Code: LinkRefusalCode.Unspecified } => Regressed(row!, hello, request.Number) ?? Welcome(settings, row!, request, parentEpoch),
            _ => Answers.Refuse(request.Number, standing.Code, standing.Message),
        };
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
        else if (hello.Epoch < 0 || !StreamMark.TryRead(hello.HeadLsn, hello.HeadChainHash, out var head))
        {
            fault = "Hello names no valid epoch or head.";
        }
        else
        {
            who = new Caller(node, division, incarnation, new Epoch(hello.Epoch, hello.EpochNonce), head);
        }

        return fault.Length == 0;
    }

    private static string? Denied(ReceiverSettings settings, IPeerIdentity peer, Caller who)
    {
        if (peer.Node != who.Node)
        {
            return $"The certificate is that of {peer.Node}; the hello names {who.Node}.";
        }

        if (who.Division == settings.Division || !settings.Register.IsAtOrBelow(who.Division, settings.Division))
        {
            return $"{who.Division} does not lie below {settings.Division} in the register of {settings.Node}.";
        }

        return peer.Divisions.Any(covered => settings.Register.IsAtOrBelow(who.Division, covered))
            ? null
            : $"The certificate of {peer.Node} does not cover {who.Division}.";
    }

    /// <summary>Compare-and-set on the child's row (RULE-8). The child never chooses its epoch; it only shows which one it holds.</summary>
    private static Stand Standing(ReceiverSettings settings, ChildRow? row, Caller who, ulong nonce)
    {
        if (row is null)
        {
            return Granted(null, who, nonce);
        }

        if (row.Retired.Contains(who.Incarnation))
        {
            return Stand.No(LinkRefusalCode.Fenced, $"Data directory {who.Incarnation} of {who.Node} is out of office. Restore it as a new one (--restored) or take the right one.");
        }

        var sameDirectory = row.Incarnation == who.Incarnation;
        if (sameDirectory && row.Epoch == who.Epoch)
        {
            return Stand.Seated;
        }

        if (who.Epoch.IsGranted && who.Epoch.Number == row.Epoch.Number)
        {
            return Stand.No(LinkRefusalCode.Fork, $"Epoch {row.Epoch.Number} of {who.Node} was granted twice: {row.Epoch} here, {who.Epoch} there.");
        }

        if (who.Epoch.Number > row.Epoch.Number)
        {
            // This node was restored from a copy that did not know the grant yet: it grants past it and is refilled (INV-22).
            return Granted(row, who, nonce);
        }

        if (sameDirectory && !row.HasSpoken)
        {
            // The welcome that carried the grant was lost; the same answer again.
            return Stand.Seated;
        }

        if (sameDirectory || who.Epoch.IsGranted)
        {
            return Stand.No(LinkRefusalCode.Fenced, $"Epoch {row.Epoch} of {who.Node} is in office; {who.Epoch} may not report. Restore the directory as a new one (--restored).");
        }

        return settings.Policy == EpochPolicy.AutoGrant
            ? Granted(row, who, nonce)
            : Stand.No(LinkRefusalCode.IncarnationUnknown, $"Another data directory of {who.Node} is in office. A person at {settings.Node} must grant this one its epoch.");
    }

    private static Stand Granted(ChildRow? row, Caller who, ulong nonce)
    {
        var known = row?.Epoch.Number ?? 0;
        if (who.Epoch.Number > known && who.Epoch.Number - known > ReceiverSettings.EpochLeapMax)
        {
            return Stand.No(LinkRefusalCode.Malformed, $"{who.Node} claims epoch {who.Epoch.Number}; {known} is the newest known here.");
        }

        return new Stand(new EpochGrant(who.Node, who.Division, who.Incarnation, new Epoch(Math.Max(known, who.Epoch.Number) + 1, nonce)), LinkRefusalCode.Unspecified, string.Empty);
    }

    /// <summary>Null where the child's journal still holds everything that was applied from it (INV-21).</summary>
    private static LinkDecision? Regressed(ChildRow row, Hello hello, long number)
    {
        foreach (var lane in new[] { Lane.Escalations, Lane.Cells })
        {
            var mark = row.Lane(lane).Mark;
            if (hello.HeadLsn < mark.Lsn.Value)
            {
                return Answers.Refuse(
                    number,
                    LinkRefusalCode.EpochRegression,
                    $"{row.Node} ends at {hello.HeadLsn}, but {mark.Lsn} is applied here: it was restored from a copy. Open the directory as a restored one (--restored).",
                    lane,
                    mark.ToPosition(lane, row.Incarnation, row.Epoch));
            }

            foreach (var claimed in hello.Positions.Where(p => p.Lane == lane && p.IsOf(row.Incarnation, row.Epoch)).Append(HeadOf(hello, lane, row)))
            {
                if (claimed.Lsn == mark.Lsn.Value && StreamMark.TryRead(claimed.Lsn, claimed.ChainHash, out var theirs) && theirs != mark)
                {
                    return LinkReceiver.Fork(row, number, lane, $"The chain of {row.Node} at {mark.Lsn} is {theirs.ChainHash}, but {mark.ChainHash} was applied.");
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

    private static LinkDecision Welcome(ReceiverSettings settings, ChildRow row, ConnectRequest request, Epoch parentEpoch)
    {
        var welcome = new Welcome
        {
            Node = settings.Node.ToString(),
            Protocol = Math.Min(ReceiverSettings.ProtocolMax, request.Hello.ProtocolMax),
            ParentEpoch = parentEpoch.Number,
            ParentEpochNonce = parentEpoch.Nonce,
            ChildEpoch = row.Epoch.Number,
            ChildEpochNonce = row.Epoch.Nonce,
        };
        foreach (var lane in new[] { Lane.Escalations, Lane.Cells })
        {
            welcome.Positions.Add(row.Lane(lane).Mark.ToPosition(lane, row.Incarnation, row.Epoch));
        }

        welcome.Grains.AddRange(settings.Grains.Select(g => (int)g.Number));
        return new LinkDecision(null, new ConnectResponse { Number = request.Number, Welcome = welcome }, new LinkSession(row.Node, row.Incarnation, row.Epoch));
    }

    private readonly record struct Caller(NodeId Node, DivisionCode Division, Incarnation Incarnation, Epoch Epoch, StreamMark Head);

    private sealed record Stand(EpochGrant? Grant, LinkRefusalCode Code, string Message)
    {
        public static readonly Stand Seated = new(null, LinkRefusalCode.Unspecified, string.Empty);

        public static Stand No(LinkRefusalCode code, string message) => new(null, code, message);
    }
}
