using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Children;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Load;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Sealing;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Node.Cases;
using CityGrid.Node.Configuration;
using CityGrid.Node.Enrolment;
using CityGrid.Node.Escalations;
using CityGrid.Node.Hosting;
using CityGrid.Node.Intake;
using CityGrid.Node.Journey;
using CityGrid.Node.Schedule;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;

namespace CityGrid.Node;

/// <summary>A node as a server process: the core with its production seams, behind its doors, from configuration to a clean end.</summary>
public static class NodeServer
{
    /// <summary>Runs until the process is asked to end. A storage failure ends it at once and comes out as the exception that it was (INV-2).</summary>
    public static async Task RunAsync(NodeConfiguration configuration)
    {
        using var signals = new EndingSignals();
        using var lifetime = new CancellationTokenSource();
        var failed = new TaskCompletionSource<Exception>(TaskCreationOptions.RunContinuationsAsynchronously);
        var clock = TimeProvider.System;
        var entropy = new SystemEntropy();
        using var owner = DataFolder.Take(configuration, entropy, clock);
        var spawner = new PoolSpawner(lifetime.Token, (_, failure) => failed.TrySetResult(failure));
        var settings = SettingsOf(configuration);
        var credentials = new NodeCredentials(configuration, settings.Register, clock);
        if (configuration.Children is { } taking)
        {
            settings = settings with { Children = (ChildrenOf(configuration, taking, settings.Register), credentials.Authority) };
        }

        var disk = owner.Guard(PosixDisk.At(configuration.DataFolder));
        var segmentBytes = (long)configuration.Limits.SegmentBytes;
        Failpoint.Shorten("segment-bytes", ref segmentBytes);
        var options = new JournalOptions { CopyLastSegment = owner.IsExchanged, SegmentBytes = segmentBytes };
        if (configuration.IsRestored)
        {
            Console.WriteLine($"citygrid-node {configuration.Node} goes on with its restored data directory as incarnation {DirectoryLife.Renew(disk, entropy, configuration.Node)}");
        }

        using var journal = FileJournal.Open(disk, entropy, configuration.Node, options, spawner);
        owner.Name(journal.Incarnation);
        var damaged = new DamagedShelves();
        using var views = new LiteViewStore(disk, journal.Incarnation, new LiteViewOptions { PutAside = damaged.Add });
        GrpcWire? WireTo(ParentKind kind, ParentConfiguration? parent) => parent is null ? null
            : new GrpcWire(new GrpcWireSettings(parent.Url, parent.Node, parent.Division, () => credentials.CredentialFor(kind), () => credentials.TrustOf(kind)) { Proxy = parent.Proxy }, spawner, clock);
        using var core = NodeCore.Open(settings, new NodeSeams(disk, journal, views, new AesGcmSeal(), WireTo(ParentKind.Territorial, configuration.Parent), clock, entropy)
        {
            SectorWire = WireTo(ParentKind.Sector, configuration.SectorParent),
            Signatures = credentials.Signatures,
            Damaged = damaged,
        });
        core.Sequencer.Fatal = failure => failed.TrySetResult(failure);
        credentials.Admission = core.Children?.Admission;
        var watch = new CertificateWatch(configuration, credentials, core.ChildrenFold, clock, entropy);

        await using var app = Build(configuration, core, credentials, watch, clock);
        Report(app, configuration, core, watch, journal.Notices);
        core.Sequencer.Start();
        await TakeRootEpochAsync(configuration, core, entropy);
        core.ReachDesk.Work = answer => spawner.Spawn("answer a query", stop => core.Readers.ReadAsync(
            () =>
            {
                answer();
                return true;
            },
            stop));
        core.Projector.GapFound = gap => spawner.Spawn("fill a view", _ =>
        {
            core.Fill(gap);
            return Task.CompletedTask;
        });
        using var projecting = new ProjectorThread(core.Projector, failure => failed.TrySetResult(failure));
        Failpoint.Hit("serve.before");
        await app.StartAsync();
        signals.Hold();
        Failpoint.Hit("serve.after");
        core.StartUplinks();

        var addresses = NodeHost.Addresses(app);
        Console.WriteLine($"citygrid-node {configuration.Node} ready link={addresses.Link ?? "none"} operator={addresses.Operator} grpc={addresses.Grpc}{(addresses.Enrolment is { } enrolment ? $" enrolment={enrolment}" : string.Empty)}");

        var ended = app.WaitForShutdownAsync();
        var first = await Task.WhenAny(ended, failed.Task);
        await lifetime.CancelAsync();
        if (first == failed.Task)
        {
            await app.StopAsync(new CancellationToken(true));
            throw new NodeFailedException(await failed.Task);
        }

        Failpoint.Hit("end.before");
        try
        {
            core.SaveSnapshot();
        }
        catch (DiskFullException full)
        {
            Console.WriteLine($"citygrid-node {configuration.Node} ends without a last snapshot, and its next start reads more of the journal: {full.Message}");
        }
    }

    /// <summary>
    /// A root is granted its epoch by nobody, and its children must not go back to the life before (INV-24): a new life that has no epoch yet takes its own before it serves
    /// anybody. So it is at whatever start comes next where the first was cut short.
    /// </summary>
    private static async Task TakeRootEpochAsync(NodeConfiguration configuration, NodeCore core, IEntropy entropy)
    {
        if (configuration.Parent is null && core.Journal.IsRestored && !core.OwnEpoch.IsGranted)
        {
            Failpoint.Hit("root-epoch.before");
            await core.Sequencer.SubmitAsync(new TakeRootEpoch(core.UplinkFold, core.Journal, configuration.Node, entropy) { Actor = "restore" });
            Failpoint.Hit("root-epoch.after");
        }
    }

    private static ChildrenSettings ChildrenOf(NodeConfiguration configuration, ChildrenConfiguration children, Hub.Divisions.DivisionRegister register) =>
        new(configuration.Node, configuration.Division, register) { Approval = children.Approval, CodeLife = children.CodeLife, CertificateLife = children.CertificateLife };

    internal static NodeSettings SettingsOf(NodeConfiguration configuration)
    {
        var register = RegisterCheck.Read(configuration);
        var calendar = new WorkCalendar(
            configuration.Zone,
            [.. configuration.Calendar.Hours.Select(h => new Shift(h.FromMinute, h.ToMinute))],
            configuration.Calendar.WorkDays,
            configuration.Calendar.Holidays,
            configuration.Calendar.MakeUpDays);
        var escalation = EscalationRules.BuiltIn;
        var rules = new CaseRules
        {
            Place = configuration.Division,
            Divisions = register,
            Catalogue = CatalogueShelf.BuiltIn,
            Calendar = calendar,
            OverdueSteps = escalation.OverdueSteps,
        };
        return new NodeSettings(configuration.Node, configuration.Division, configuration.Zone, register, rules)
        {
            ClosingDelay = configuration.ClosingDelay,
            Parent = configuration.Parent?.Node,
            SectorParent = configuration.SectorParent?.Node,
            SectorMatters = configuration.SectorParent?.Matters ?? Matters.All,
            ParentDivision = configuration.Parent?.Division,
            EscalationRules = escalation,
            Signatures = configuration.Link.Signatures,
            NewDirectories = configuration.Link.NewDirectories,
            AnchorRequired = configuration.AnchorRequired,
            ViewLagRecords = configuration.Limits.ViewLagRecords,
            EachChild = new ChildBounds(configuration.Limits.EscalationsPerHour, configuration.Limits.CellsPerChild),
            DiskReserve = (long)configuration.Limits.DiskReserveMegabytes << 20,
            MemoryMax = configuration.Limits.MemoryMegabytes is > 0 and var megabytes ? (long)megabytes << 20 : GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4 * 3,
            MemoryNow = () => GC.GetGCMemoryInfo(GCKind.Any).HeapSizeBytes,
        };
    }

    /// <summary>The doors of a node around its core, not yet open.</summary>
    internal static WebApplication Build(NodeConfiguration configuration, NodeCore core, NodeCredentials credentials, CertificateWatch watch, TimeProvider clock, Action<ILoggingBuilder>? logging = null)
    {
        var builder = NodeHost.CreateBuilder(configuration, clock, new LinkDoors(credentials.SecureLink, credentials.SecureEnrolment), logging);
        builder.Services.AddSingleton(core);
        builder.Services.AddSingleton(core.Desk);
        builder.Services.AddSingleton(core.Lists);
        builder.Services.AddSingleton(core.Readers);
        builder.Services.AddSingleton(core.Door);
        builder.Services.AddSingleton(core.Presence);
        builder.Services.AddSingleton(core.Pressure);
        builder.Services.AddSingleton<PeerJudge>(credentials.Judge);
        builder.Services.AddSingleton(new BundleKeys(credentials.Credential, credentials.Trust, configuration.Parent, clock, new SystemEntropy()));
        builder.Services.AddSingleton(new RowIntake(core.Desk, core.Sequencer, clock, core.Pressure, core.Room));
        builder.Services.AddSingleton(new NodeStatus(core, configuration, parent => credentials.CredentialFor(parent).Certificate.NotAfter, watch));
        builder.Services.AddSingleton(watch);
        builder.Services.AddNodeSchedule(configuration);
        if (core.Children is { } desk)
        {
            builder.Services.AddSingleton(desk);
            builder.Services.AddSingleton(core.Sequencer);
        }

        var app = builder.Build();
        NodeHost.Map(app, app.Services.GetRequiredService<NodeStatus>().Reports());
        app.MapGrpcService<CasesGrpcService>();
        app.MapGrpcService<NodeViewsService>();
        app.MapGrpcService<NodeOrdersService>();
        app.MapGrpcService<NodeCatalogueService>();
        app.MapGrpcService<NodeReachService>();
        app.MapGrpcService<NodeBundlesService>();
        app.MapGrpcService<NodeLinksService>();
        app.MapGrpcService<ChildrenGrpcService>();
        app.MapGrpcService<ReconcileGrpcService>();
        app.MapGrpcService<WhyGrpcService>();
        app.MapGrpcService<LinkGrpcService>().WithMetadata(new OnDoor(Door.Link)).AllowAnonymous();
        if (core.Children is { } children)
        {
            app.MapGrpcService<RenewalGrpcService>().WithMetadata(new OnDoor(Door.Link)).AllowAnonymous();
            app.MapGrpcService<EnrolmentGrpcService>().WithMetadata(new OnDoor(Door.Enrolment)).AllowAnonymous();
        }

        return app;
    }

    /// <summary>What the core tells goes to the log; ids, counts and codes only.</summary>
    private static void Report(WebApplication app, NodeConfiguration configuration, NodeCore core, CertificateWatch watch, IReadOnlyList<JournalNotice> notices)
    {
        var log = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("CityGrid.Node");
        core.FoldFailed = (fold, journalEvent, failure) => Log.FoldFailed(log, fold.Name, journalEvent.Lsn.Value, journalEvent.Kind, failure);
        watch.Told = (code, what) =>
        {
            if (code is CertificateWatch.Renewed or CertificateWatch.ReadAgain)
            {
                Log.CertificatesTold(log, code, what);
            }
            else
            {
                Log.CertificatesReported(log, code, what);
            }
        };
        foreach (var (uplink, parent) in new[] { (core.Uplink, configuration.Parent), (core.SectorUplink, configuration.SectorParent) })
        {
            if (uplink is not null)
            {
                uplink.Reported = (code, message) => Log.UplinkReported(log, code, $"{parent!.Node}: {message}");
            }
        }

        core.Door.SignatureRefused = (child, what) => Log.SignatureRefused(log, child.ToString(), what);
        core.Quota.Reached = (child, what) => Log.QuotaReached(log, child.ToString(), what);
        core.Damaged.Told = (file, why) => Log.ViewPutAside(log, $"{file}: {why}");
        core.ReachDesk.Failed = failure => Log.QueryFailed(log, failure);
        core.Pressure.Changed = (level, pressure) => NodeLog.Pressure(log, level, pressure);
        core.RangesCompared = (child, lsn, findings) =>
        {
            foreach (var finding in findings.Where(f => f.Month is not null))
            {
                var range = new RangeKey(finding.Scope, finding.Month!.Value).ToString();
                if (finding.State == Protocol.V1.RangeState.Persists)
                {
                    Log.RangePersists(log, child.ToString(), range, lsn.Value);
                }
                else
                {
                    Log.RangeCompared(log, child.ToString(), range, finding.State.ToString(), lsn.Value);
                }
            }
        };
        core.RangeRepaired = (child, lsn, stretch, counts) =>
            Log.RangeRepaired(log, child.ToString(), stretch.Range.ToString(), counts.Added, counts.Replaced, counts.Zeroed, counts.Newer, lsn.Value);
        foreach (var notice in notices)
        {
            Log.JournalNoticed(log, $"{notice.File} at {notice.Offset}: {notice.What}");
        }

        if (core.UnreadSnapshot is { } unread)
        {
            Log.SnapshotPassedOver(log, unread.Lsn.Value, unread.Message);
        }

        Log.Recovered(log, core.Sequencer.Applied.Value, core.Replayed, core.Cells.Count, core.Book.Open.Count);
    }
}

/// <summary>The node ended by itself; the cause decides the exit code.</summary>
public sealed class NodeFailedException(Exception cause) : Exception($"The node has ended: {cause.Message}", cause);

/// <summary>The data directory of a configuration, made where it is missing and taken by this process.</summary>
internal static class DataFolder
{
    public static DirectoryLock Take(NodeConfiguration configuration, IEntropy entropy, TimeProvider clock)
    {
        var folder = configuration.DataFolder;
        try
        {
            Directory.CreateDirectory(folder);
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            }
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException(
                configuration.File, [new("data", $"\"{folder}\"", "this folder cannot be made or made the node's own; name another, or give the node's user the right to it")]);
        }

        return DirectoryLock.Take(folder, entropy, clock);
    }
}
