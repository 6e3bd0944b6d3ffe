using CityGrid.Hub.Escalations;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Load;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Reception.V1;
using CityGrid.Node.Configuration;
using CityGrid.Node.Enrolment;
using CityGrid.Node.Hosting;
using CityGrid.Node.Uplink;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;
using NodaTime.Text;

namespace CityGrid.Node;

/// <summary>What a node tells of itself: health, digests, what waits, and how its links stand. Read from the folds, kept nowhere.</summary>
public sealed class NodeStatus(NodeCore core, NodeConfiguration configuration, Func<ParentKind, DateTimeOffset> certificateEnds, CertificateWatch certificates)
{
    /// <summary>A link without a confirmed exchange for so long stalls: three of the intervals of five minutes at which even nothing is sent.</summary>
    public static readonly Duration ProgressWithin = Duration.FromMinutes(15);

    /// <summary>A sender dials again within a minute at the latest.</summary>
    public static readonly Duration ReconnectWithin = Duration.FromMinutes(1);

    /// <summary>A cell on the line with its names and revision, about.</summary>
    private const int BytesACell = 60;

    /// <summary>Less than this free on the data disk and the node says so before it fails: a day of the largest city is about 100 MB.</summary>
    public const long FreeBytesMin = 256L << 20;

    public NodeReports Reports() => new()
    {
        Health = Health,
        Digest = Digest,
        Outbox = Outbox,
        Figures = Figures,
        Beyond = Beyond,
        ForgetParent = async (name, actor) =>
        {
            var (uplink, parent) = name is null || name == configuration.Parent?.Node ? (core.Uplink, core.UplinkFold.Territorial)
                : name == configuration.SectorParent?.Node ? (core.SectorUplink, core.UplinkFold[ParentKind.Sector])
                : (null, null);
            if (uplink is null)
            {
                return null;
            }

            var forgotten = await core.Sequencer.SubmitAsync(new ForgetParentEpoch(parent!) { Actor = actor });
            if (forgotten)
            {
                uplink.ParentForgotten();
            }

            return forgotten;
        },
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
            response.Children.AddRange(core.Reception.Children.Select(row => StatusOf(row, core.Reception.Ranges.Of(row.Node))));
            return true;
        });
        if (core.Uplink is { } territorial)
        {
            response.Uplink = StatusOf(territorial, configuration.Parent!.Node);
        }

        if (core.SectorUplink is { } sector)
        {
            response.SectorUplink = StatusOf(sector, configuration.SectorParent!.Node);
        }

        return response;
    }

    /// <summary>How each link stands. None is called well without proof of progress (O1).</summary>
    public ListLinksResponse Links()
    {
        var response = new ListLinksResponse { DiskFreeBytes = core.FreeBytes, CertificateEnds = InstantPattern.General.Format(Instant.FromDateTimeOffset(certificateEnds(ParentKind.Territorial))) };
        if (core.Uplink is { } territorial)
        {
            response.Links.Add(LinkOf(territorial, configuration.Parent!));
        }

        if (core.SectorUplink is { } sector)
        {
            response.Links.Add(LinkOf(sector, configuration.SectorParent!));
        }

        response.Links.AddRange(core.Sequencer.Read(() =>
        {
            var unheard = core.Orders.Unheard.ToArray();
            return core.Reception.Children.Select(row => LinkOf(row, unheard)).ToArray();
        }));
        return response;
    }

    /// <summary>Sends to every parent now what waits for it. Answers to whom.</summary>
    public IReadOnlyList<NodeId> Push()
    {
        var parents = new List<NodeId>();
        foreach (var (kind, parent) in new[] { (ParentKind.Territorial, configuration.Parent), (ParentKind.Sector, configuration.SectorParent) })
        {
            if (parent is not null)
            {
                core.PushDue(kind, isAsked: true);
                parents.Add(parent.Node);
            }
        }

        return parents;
    }

    /// <summary>
    /// Proof of progress is a confirmed exchange; that nothing waits is none, and where no connection stands an old one proves nothing. Nor does one of a time that is yet to come: the clock was
    /// set back since. Nor one of another lane, where <paramref name="waitsSince"/> tells of one that has had something to send all the while.
    /// </summary>
    internal static LinkState StateOf(Instant? lastProgress, Instant? waitsSince, bool connected, Instant now) =>
        lastProgress is not { } at ? LinkState.Never
        : Within(at, connected ? ProgressWithin : ReconnectWithin, now) && (waitsSince is not { } since || Within(since, ProgressWithin, now)) ? LinkState.Progressing
        : LinkState.Stalled;

    private static bool Within(Instant at, Duration most, Instant now) => Duration.FromTicks(Math.Abs((now - at).TotalTicks)) <= most;

    /// <summary>The window is what the line carries in the sender's patience; so much of it is what waits.</summary>
    internal static long DrainSeconds(long cells, long recordBytes, Uplink.Pace pace) => DrainSeconds((cells * BytesACell) + recordBytes, pace.Window / Uplink.Pace.Patience.TotalSeconds);

    private static long DrainSeconds(long bytes, double bytesASecond) => (long)Math.Ceiling(bytes / bytesASecond);

    private UplinkStatus StatusOf(Uplink.UplinkPump uplink, NodeId parent)
    {
        var standing = uplink.Standing;
        return new UplinkStatus
        {
            Parent = parent.ToString(),
            Connected = standing.State.Phase == Uplink.SenderPhase.Open,
            CellsLsn = standing.State.Cells.Acked.Lsn.Value,
            EscalationsLsn = standing.State.Escalations.Acked.Lsn.Value,
            AlarmsLsn = standing.State.Alarms.Acked.Lsn.Value,
            ClockSkewMs = (long)(standing.State.Skew?.TotalMilliseconds ?? 0),
            WindowBytes = Math.Min(standing.State.Pace.Window, standing.State.Credit),
            PendingCells = PendingCells(uplink),
            PendingEscalations = PendingRecords(uplink).Number,
            OldestPending = Iso(OldestUnsent(uplink)),
            LastSuccess = Iso(standing.LastSuccess),
            LastError = ErrorOf(standing),
            Epoch = core.OwnEpoch.Number,
            RangesCompared = Iso(standing.State.Ranges.EndedAt),
            RangesPersisting = standing.State.Ranges.Persisting,
            Matters = { MattersOf(uplink).Beginnings },
        };
    }

    private LinkView LinkOf(Uplink.UplinkPump uplink, ParentConfiguration parent)
    {
        var standing = uplink.Standing;
        var cells = PendingCells(uplink);
        var records = PendingRecords(uplink);
        return new LinkView
        {
            Node = parent.Node.ToString(),
            Division = parent.Division.ToString(),
            Up = true,
            Sector = ReferenceEquals(parent, configuration.SectorParent),
            State = StateOf(standing.LastSuccess, standing.Waits.Longest?.Since, standing.State.Phase == Uplink.SenderPhase.Open, core.Now),
            Connected = standing.State.Phase == Uplink.SenderPhase.Open,
            LastProgress = Iso(standing.LastSuccess),
            LastError = ErrorOf(standing),
            Epoch = core.OwnEpoch.Number,
            Parked = standing.State.ParkedAbove,
            PendingCells = cells,
            PendingRecords = records.Number,
            OldestUnsentSeconds = SecondsSince(OldestUnsent(uplink)),
            DrainSeconds = DrainSeconds(cells, records.Bytes, standing.State.Pace),
            ClockSkewMs = (long)(standing.State.Skew?.TotalMilliseconds ?? 0),
            CertificateEnds = InstantPattern.General.Format(Instant.FromDateTimeOffset(certificateEnds(standing.State.Settings.Kind))),
            Matters = { MattersOf(uplink).Beginnings },
        };
    }

    private Matters MattersOf(Uplink.UplinkPump uplink) => core.Sequencer.Read(() => core.UplinkFold[uplink.Standing.State.Settings.Kind].Matters);

    /// <summary>What a child tells of its own cases, as it last said. Under the sequencer's lock.</summary>
    private Matters MattersOf(NodeId child) => core.Reception.Origin(child)?.Watermark.Matters ?? Matters.All;

    /// <summary>Under the sequencer's lock.</summary>
    /// <param name="row">The child.</param>
    /// <param name="unheard">The orders that wait for a word from below.</param>
    private LinkView LinkOf(ChildRow row, IReadOnlyList<OrderStanding> unheard)
    {
        var connected = core.Presence.IsConnected(row.Node);
        var line = core.Door.LineOf(row.Node);
        var orders = unheard.Where(order => core.RegisterNow.IsAtOrBelow(order.Order!.Target, row.Division)).Select(order => order.Order!).ToArray();
        var packages = core.Packages.LackedBy(row.Node).ToArray();
        Instant?[] first = [orders is [var order, ..] ? TimeOf(order.Local) : null, packages.Length > 0 ? packages.Min(package => package.ReceivedAt) : null];
        return new LinkView
        {
            Matters = { MattersOf(row.Node).Beginnings },
            Node = row.Node.ToString(),
            Division = row.Division.ToString(),
            State = StateOf(row.LastHeard, null, connected, core.Now),
            Connected = connected,
            LastProgress = Iso(row.LastHeard),
            LastError = line.Refused ?? string.Empty,
            Epoch = row.Epoch.Number,
            Parked = core.Reception.ParkedOf(row.Node),
            PendingRecords = orders.Length + packages.Length,
            OldestUnsentSeconds = SecondsSince(first.Min()),
            DrainSeconds = DrainSeconds(orders.Sum(order => (long)order.Bytes.Length) + packages.Sum(package => (long)package.Envelope.CalculateSize()), core.Door.DownBytesASecond(row.Node)),
            ClockSkewMs = (long)(line.Skew?.TotalMilliseconds ?? 0),
            Quarantine = row.Quarantine?.Reason ?? string.Empty,
            CertificateEnds = line.CertificateEnds is { } ends ? InstantPattern.General.Format(Instant.FromDateTimeOffset(ends)) : string.Empty,
        };
    }

    /// <summary>When the first of what waits for the parent was recorded; null where nothing does.</summary>
    private Instant? OldestUnsent(Uplink.UplinkPump uplink) => core.Sequencer.Read(() =>
    {
        var state = uplink.Standing.State;
        var head = core.Sequencer.Applied;
        var first = core.Cells.FirstChange(state.Cells.From.Lsn, head, uplink.Tells, MattersOf(uplink));
        foreach (var (waiting, _) in Waiting(uplink).OrderBy(waits => waits.At).Take(1))
        {
            first = first is { } cell ? Lsn.Min(cell, waiting) : waiting;
        }

        return first is { } at ? TimeOf(at) : null;
    });

    private Instant? TimeOf(Lsn at) => core.Journal.ReadAt(at)?.RecordedAt;

    private long SecondsSince(Instant? at) => at is { } first ? Math.Max(0, (long)(core.Now - first).TotalSeconds) : 0;

    private string ErrorOf(Uplink.UplinkStanding standing) =>
        standing.ErrorAt(core.Now) is { Length: > 0 } error ? error
        : standing.Waits.Longest is { } waits && !Within(waits.Since, ProgressWithin, core.Now)
            ? $"The parent has confirmed nothing of {waits.Lane} since {Iso(waits.Since)}, though there is something to send; other lanes may go on. Look at the parent's log and at the line."
        : string.Empty;

    private ChildStatus StatusOf(ChildRow row, ChildRanges ranges) => new()
    {
        Matters = { MattersOf(row.Node).Beginnings },
        RangesCompared = ranges.ComparedLsn == Lsn.Zero ? string.Empty : Iso(ranges.ComparedAt),
        RangesDiffering = ranges.Open.Count,
        RangesPersisting = ranges.Persisting,
        Node = row.Node.ToString(),
        Division = row.Division.ToString(),
        LastHeard = Iso(row.LastHeard),
        Epoch = row.Epoch.Number,
        CellsLsn = row.Cells.Mark.Lsn.Value,
        EscalationsLsn = row.Escalations.Mark.Lsn.Value,
        Connected = core.Presence.IsConnected(row.Node),
        Quarantine = row.Quarantine?.Reason ?? string.Empty,
        Parked = core.Reception.ParkedOf(row.Node),
    };

    private HealthReport Health() =>
        core.Sequencer.StoppedBy is { } failure ? new HealthReport(Hosting.Health.NotServing, $"The storage failed: {failure.Message}")
        : core.Room.Short is { } full ? new HealthReport(Hosting.Health.DiskFull, full.Message)
        : core.FreeBytes < FreeBytesMin ? new HealthReport(Hosting.Health.DiskFull, $"{core.FreeBytes} bytes are free on the data disk; make room.")
        : core.FoldFailures > 0 ? new HealthReport(Hosting.Health.ReadOnly, $"{core.FoldFailures} events could not be folded; see the log.")
        : core.Sequencer.Read(() => core.AnchorOverdue(core.Now)) is { } overdue ? new HealthReport(Hosting.Health.ReadOnly, overdue.Message)
        : core.Pressure.Now is { Level: > 0 } now
            ? new HealthReport(Hosting.Health.Serving, $"Under pressure ({now.Pressure.What} at {now.Pressure.Percent} % of its bound): not taken are {string.Join(", ", Shedding.Words(now.Level))}.")
        : new HealthReport(Hosting.Health.Serving, Disagreement());

    /// <summary>Figures that are not what their origin says keep nobody from working, and everybody should know.</summary>
    private string Disagreement()
    {
        var persisting = core.Sequencer.Read(() => core.RangesNow.Sum(c => c.Persisting));
        var above = core.Uplinks.Sum(uplink => uplink.Standing.State.Ranges.Persisting);
        return persisting > 0 ? $"{persisting} ranges of the children differ from what the children say, after a repair; citygrid reconcile lists them."
            : above > 0 ? $"The parent holds {above} ranges otherwise than this node, after a repair; citygrid reconcile lists them."
            : string.Empty;
    }

    /// <summary>Of one instant: where a child's part came between two of these digests, this node would seem to have passed on what it has not.</summary>
    private DigestReport Digest() => core.Sequencer.Read(() =>
    {
        var (lsn, digest) = core.OwnDigest();
        var children = core.Reception.Children
            .Select(c => new ChildDigest(c.Division.ToString(), c.Node.ToString(), c.Epoch.ToString(), c.Cells.Mark.Lsn.Value, core.DigestOfChild(c.Node).ToString()))
            .ToArray();
        return new DigestReport(
            configuration.Division.ToString(), configuration.Node.ToString(), core.OwnEpoch.ToString(), core.UplinkFold.Territorial.Epoch.ToString(),
            lsn.Value, core.Cells.Count, digest.ToString(), children);
    });

    private ChildBeyond? Beyond(NodeId child, Incarnation life, Lsn past)
    {
        const int escalationsTold = 1000;

        // A city raises some tens a day: these are months, and no backup is that old.
        const int escalationsLookedAt = 10_000;
        var found = core.Sequencer.Read(() =>
        {
            if (core.Reception.Child(child) is not { } row)
            {
                return null;
            }

            var raised = core.Escalations.ChangedSince(Lsn.Zero, core.Sequencer.Applied).Where(e => e.Via == child && e.Content.Origin == child.ToString()).ToArray();
            return new { Row = row, Cells = core.Cells.CountRevisedAfter(child, past), Raised = raised };
        });
        if (found is null)
        {
            return null;
        }

        var row = found.Row;
        var report = new ChildBeyond(child.ToString(), row.Incarnation.ToString(), row.Epoch.ToString(), row.Incarnation == life, 0, 0, 0, []);
        if (!report.SameLife)
        {
            return report;
        }

        var heard = new[] { row.Cells, row.Escalations, row.Alarms }.Select(lane => lane.Heard).MaxBy(mark => mark.Lsn);

        // Alarms overtake, so their positions do not rise as they came. Each is looked up in the journal, beside the writer.
        var later = found.Raised.TakeLast(escalationsLookedAt).Select(e => (Record: e, At: PositionAtChild(e, life))).Where(e => e.At > past).OrderBy(e => e.At).ToArray();
        return report with
        {
            Heard = heard.Lsn.Value,
            HeardChain = heard.ChainHash.ToString(),
            CellsLater = found.Cells,
            EscalationsLater = later.Length,
            Escalations =
            [
                .. later.Take(escalationsTold).Select(e => new EscalationBeyond(
                    e.At.Value, e.Record.Id.ToString("x32", System.Globalization.CultureInfo.InvariantCulture), e.Record.Content.Version, e.Record.Content.Grade.ToString(), e.Record.Content.TypeCode,
                    e.Record.Content.Division, e.Record.Content.Stage, Convert.ToHexStringLower(e.Record.Content.Subject.Span))),
            ],
        };
    }

    /// <summary>Where the child raised it, by the part that brought it; zero where another life of the child did, or where it was kept aside first.</summary>
    private Lsn PositionAtChild(EscalationRecord record, Incarnation life)
    {
        if (core.Journal.ReadAt(record.Local) is not { } found || found.Events[(int)(record.Local.Value - found.First.Value)] is not { Kind: EventKinds.EscalationsReceived } brought)
        {
            return Lsn.Zero;
        }

        var received = EscalationsReceived.Parser.ParseFrom(brought.Payload.Span);
        return Incarnation.FromBytes(received.Incarnation.Span) == life
            && EscalationsPart.Parser.ParseFrom(received.Part).Escalations.FirstOrDefault(e => e.Escalation.Span.SequenceEqual(record.Bytes.Span)) is { } envelope
                ? new Lsn(envelope.Lsn)
                : Lsn.Zero;
    }

    private OutboxReport Outbox()
    {
        return new OutboxReport(
            core.Uplinks.Sum(uplink => PendingCells(uplink) + PendingRecords(uplink).Number), SecondsSince(core.Uplinks.Select(OldestUnsent).Min()), core.Sequencer.Read(() => core.Reception.ParkedInAll + core.Reception.RefusedInAll));
    }

    private NodeFigures Figures()
    {
        var outbox = Outbox();
        var (own, children) = (SecondsLeft(certificates.Own()), SecondsLeft(certificates.OfChildren()));
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
            CertificateSeconds = own,
            ChildCertificateSeconds = children,
            PressurePercent = core.Pressure.Now.Pressure.Percent,
            ShedKinds = core.Pressure.Now.Level,
            ShedCalls = Enumerable.Range(0, (int)CallKind.Essential).Sum(kind => core.Pressure.CountOf((CallKind)kind)),
            RangesDiffering = core.RangesNow.Sum(c => c.Open.Count),
            RangesPersisting = core.RangesNow.Sum(c => c.Persisting) + core.Uplinks.Sum(uplink => uplink.Standing.State.Ranges.Persisting),
            ViewsDamaged = core.Damaged.Count,
            CellsRepaired = core.Reception.Ranges.Children.Sum(c => c.CellsInAll),
        });
    }

    private long SecondsLeft(IReadOnlyList<CertificateEnd> ends) => ends.Count == 0 ? 0 : (long)ends.Min(end => (end.NotAfter - core.Now).TotalSeconds);

    private long PendingCells(Uplink.UplinkPump uplink) => core.Sequencer.Read(() =>
        core.Cells.CountChanged(uplink.Standing.State.Cells.From.Lsn, core.Sequencer.Applied, uplink.Tells, MattersOf(uplink)));

    private (long Number, long Bytes) PendingRecords(Uplink.UplinkPump uplink) => core.Sequencer.Read(() =>
        Waiting(uplink).Aggregate((Number: 0L, Bytes: 0L), (sum, waits) => (sum.Number + 1, sum.Bytes + waits.Bytes)));

    /// <summary>Where what has not been taken above stands, and its bytes: escalations, each on the lane that it goes by, and what became of orders. Under the sequencer's lock.</summary>
    private IEnumerable<(Lsn At, int Bytes)> Waiting(Uplink.UplinkPump uplink)
    {
        var state = uplink.Standing.State;
        var raised = uplink.Raised(Lsn.Min(state.Alarms.From.Lsn, state.Escalations.From.Lsn), core.Sequencer.Applied)
            .Where(told => told.At > (state.Carries(state.Alarms) && EscalationReach.IsAlarm(told.Record) ? state.Alarms : state.Escalations).From.Lsn).Select(told => (told.At, told.Record.Bytes.Length));
        return state.Settings.Kind == ParentKind.Sector ? raised
            : raised.Concat(core.Orders.ReceiptsSince(state.Alarms.From.Lsn, core.Sequencer.Applied).Where(receipt => receipt.Content.Issuer != configuration.Node.ToString()).Select(receipt => (receipt.Local, receipt.Bytes.Length)));
    }

    private static string Iso(Instant? at) => at is { } some ? InstantPattern.ExtendedIso.Format(some) : string.Empty;
}
