using CityGrid.Hub.Escalations;
using CityGrid.Hub.Reception;
using CityGrid.Node.Configuration;
using CityGrid.Node.Hosting;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;
using NodaTime.Text;

namespace CityGrid.Node;

/// <summary>What a node tells of itself: health, digests, what waits, and how its links stand. Read from the folds, kept nowhere.</summary>
public sealed class NodeStatus(NodeCore core, NodeConfiguration configuration)
{
    /// <summary>Less than this free on the data disk and the node says so before it fails: a day of the largest city is about 100 MB.</summary>
    public const long FreeBytesMin = 256L << 20;

    public NodeReports Reports() => new()
    {
        Health = Health,
        Digest = Digest,
        Outbox = Outbox,
        Figures = Figures,
        Release = async (child, actor) =>
            core.Sequencer.Read(() => core.Reception.Child(child)) is null ? null : await core.Sequencer.SubmitAsync(core.ReceptionDesk.Release(child, actor)),
    };

    public GetStatusResponse Status()
    {
        var health = Health();
        var response = new GetStatusResponse
        {
            Node = configuration.Node.ToString(),
            Division = configuration.Division.ToString(),
            Tier = configuration.Tier.ToString().ToLowerInvariant(),
            Health = health.Status.ToString(),
            HealthReason = health.Reason,
            Version = Hosting.NodeProcess.Version,
            ViewLsn = core.Projector.Status.Applied.Value,
        };
        core.Sequencer.Read(() =>
        {
            response.Lsn = core.Sequencer.Applied.Value;
            response.Cells = core.Cells.Count;
            response.OpenCases = core.Book.Open.Count;
            response.Children.AddRange(core.Reception.Children.Select(StatusOf));
            return true;
        });
        if (core.Uplink is { } uplink)
        {
            var standing = uplink.Standing;
            response.Uplink = new UplinkStatus
            {
                Parent = configuration.Parent!.Node.ToString(),
                Connected = standing.State.Phase == Uplink.SenderPhase.Open,
                CellsLsn = standing.State.Cells.Acked.Lsn.Value,
                EscalationsLsn = standing.State.Escalations.Acked.Lsn.Value,
                AlarmsLsn = standing.State.Alarms.Acked.Lsn.Value,
                ClockSkewMs = (long)(standing.State.Skew?.TotalMilliseconds ?? 0),
                WindowBytes = Math.Min(standing.State.Pace.Window, standing.State.Credit),
                PendingCells = PendingCells(),
                PendingEscalations = PendingEscalations(),
                LastSuccess = Iso(standing.LastSuccess),
                LastError = standing.LastError,
                Epoch = core.OwnEpoch.Number,
            };
        }

        return response;
    }

    private ChildStatus StatusOf(ChildRow row) => new()
    {
        Node = row.Node.ToString(),
        Division = row.Division.ToString(),
        LastHeard = Iso(row.LastHeard),
        Epoch = row.Epoch.Number,
        CellsLsn = row.Cells.Mark.Lsn.Value,
        EscalationsLsn = row.Escalations.Mark.Lsn.Value,
        Connected = core.Presence.IsConnected(row.Node),
        Quarantine = row.Quarantine?.Reason ?? string.Empty,
        Parked = core.Reception.Aside.Count(a => a.Child == row.Node),
    };

    private HealthReport Health() =>
        core.Sequencer.StoppedBy is { } failure ? new HealthReport(Hosting.Health.NotServing, $"The storage failed: {failure.Message}")
        : core.FreeBytes < FreeBytesMin ? new HealthReport(Hosting.Health.DiskFull, $"{core.FreeBytes} bytes are free on the data disk; make room.")
        : core.FoldFailures > 0 ? new HealthReport(Hosting.Health.ReadOnly, $"{core.FoldFailures} events could not be folded; see the log.")
        : new HealthReport(Hosting.Health.Serving, string.Empty);

    private DigestReport Digest()
    {
        var (lsn, digest) = core.OwnDigest();
        var children = core.Sequencer.Read(() => core.Reception.Children.ToArray())
            .Select(c => new ChildDigest(c.Division.ToString(), c.Node.ToString(), c.Epoch.ToString(), c.Cells.Mark.Lsn.Value, core.DigestOfChild(c.Node).ToString()))
            .ToArray();
        return new DigestReport(
            configuration.Division.ToString(), configuration.Node.ToString(), core.OwnEpoch.ToString(), core.UplinkFold.ParentEpoch.ToString(),
            lsn.Value, core.Cells.Count, digest.ToString(), children);
    }

    private OutboxReport Outbox()
    {
        var success = core.Uplink?.Standing.LastSuccess;
        var pending = PendingCells() + PendingEscalations();
        var oldest = pending == 0 || success is null ? 0 : (long)(core.Now - success.Value).TotalSeconds;
        return new OutboxReport(pending, oldest, core.Sequencer.Read(() => core.Reception.ParkedInAll + core.Reception.RefusedInAll));
    }

    private NodeFigures Figures()
    {
        var outbox = Outbox();
        return core.Sequencer.Read(() => new NodeFigures
        {
            Lsn = core.Sequencer.Applied.Value,
            ViewLsn = core.Projector.Status.Applied.Value,
            Cells = core.Cells.Count,
            CellBytes = core.Cells.Bytes,
            OpenCases = core.Book.Open.Count,
            OpenEscalations = core.Escalations.Count,
            WaitingCommands = core.Sequencer.Waiting,
            Pending = outbox.Pending,
            OldestPendingSeconds = outbox.OldestSeconds,
            Parked = outbox.DeadLetter,
            Children = core.Reception.Children.Count,
            ChildrenConnected = core.Presence.Count,
            ParentConnected = core.Uplink?.Standing.State.Phase == Uplink.SenderPhase.Open,
            DiskFreeBytes = core.FreeBytes,
        });
    }

    private long PendingCells() => core.Uplink is not { } uplink ? 0 : core.Sequencer.Read(() =>
        core.Cells.CountChanged(uplink.Standing.State.Cells.From.Lsn, core.Sequencer.Applied, (origin, grain) => origin == configuration.Node || grain == Grain.National));

    private long PendingEscalations() => core.Uplink is not { } uplink ? 0 : core.Sequencer.Read(() =>
        Waiting(uplink.Standing.State));

    /// <summary>Escalations that have not been sent, each on the lane that it goes by. Under the sequencer's lock.</summary>
    private long Waiting(Uplink.SenderState state)
    {
        var apart = state.Carries(state.Alarms);
        var (alarms, others) = (state.Alarms.From.Lsn, state.Escalations.From.Lsn);
        return core.Escalations.ChangedSince(alarms < others && apart ? alarms : others, core.Sequencer.Applied)
            .LongCount(record => core.Reach.GoesUp(record) && record.Local > (apart && EscalationReach.IsAlarm(record) ? alarms : others));
    }

    private static string Iso(Instant? at) => at is { } some ? InstantPattern.ExtendedIso.Format(some) : string.Empty;
}
