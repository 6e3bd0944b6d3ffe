using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Sealing;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Node.Cases;
using CityGrid.Node.Configuration;
using CityGrid.Node.Escalations;
using CityGrid.Node.Hosting;
using CityGrid.Node.Intake;
using CityGrid.Node.Schedule;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace CityGrid.Node;

/// <summary>A node as a server process: the core with its production seams, behind its doors, from configuration to a clean end.</summary>
public static class NodeServer
{
    /// <summary>Runs until the process is asked to end. A storage failure ends it at once and comes out as the exception that it was (INV-2).</summary>
    public static async Task RunAsync(NodeConfiguration configuration)
    {
        using var lifetime = new CancellationTokenSource();
        var failed = new TaskCompletionSource<Exception>(TaskCreationOptions.RunContinuationsAsynchronously);
        var clock = TimeProvider.System;
        var entropy = new SystemEntropy();
        using var owner = DataFolder.Take(configuration, entropy, clock);
        var spawner = new PoolSpawner(lifetime.Token, (_, failure) => failed.TrySetResult(failure));
        var credentials = new NodeCredentials(configuration);

        var disk = owner.Guard(PosixDisk.At(configuration.DataFolder));
        var options = new JournalOptions { CopyLastSegment = owner.IsExchanged };
        if (configuration.IsRestored)
        {
            Console.WriteLine($"citygrid-node {configuration.Node} goes on with its restored data directory as incarnation {Renew(configuration, disk, entropy, clock)}");
        }

        using var journal = FileJournal.Open(disk, entropy, configuration.Node, options, spawner);
        owner.Name(journal.Incarnation);
        using var views = new LiteViewStore(disk, journal.Incarnation);
        var wire = configuration.Parent is { } parent
            ? new GrpcWire(new GrpcWireSettings(parent.Url, parent.Node, parent.Division, credentials.Certificate, credentials.Authorities), spawner, clock)
            : null;
        using var core = new NodeCore(SettingsOf(configuration), new NodeSeams(disk, journal, views, new AesGcmSeal(), wire, clock, entropy));
        core.Sequencer.Fatal = failure => failed.TrySetResult(failure);

        await using var app = Build(configuration, core, credentials, clock);
        Report(app, core);
        core.Sequencer.Start();
        core.Projector.GapFound = gap => spawner.Spawn("fill a view", _ =>
        {
            core.Fill(gap);
            return Task.CompletedTask;
        });
        using var projecting = new ProjectorThread(core.Projector, failure => failed.TrySetResult(failure));
        await app.StartAsync();
        core.Uplink?.Start();
        var addresses = NodeHost.Addresses(app);
        Console.WriteLine($"citygrid-node {configuration.Node} ready link={addresses.Link ?? "none"} operator={addresses.Operator} grpc={addresses.Grpc}");

        var ended = app.WaitForShutdownAsync();
        var first = await Task.WhenAny(ended, failed.Task);
        await lifetime.CancelAsync();
        if (first == failed.Task)
        {
            await app.StopAsync(new CancellationToken(true));
            throw new NodeFailedException(await failed.Task);
        }

        try
        {
            core.SaveSnapshot();
        }
        catch (DiskFullException full)
        {
            Console.WriteLine($"citygrid-node {configuration.Node} ends without a last snapshot, and its next start reads more of the journal: {full.Message}");
        }
    }

    /// <summary>A root is granted its epoch by nobody, and its children must not go back to the life before (INV-24).</summary>
    private static Incarnation Renew(NodeConfiguration configuration, IDisk disk, IEntropy entropy, TimeProvider clock)
    {
        var incarnation = DirectoryLife.Renew(disk, entropy, configuration.Node);
        if (configuration.Parent is null)
        {
            using var journal = FileJournal.Open(disk, entropy, configuration.Node);
            journal.Append([new RecordDraft("restore", [RootEpoch.Next(journal, incarnation, configuration.Node, entropy)])], clock.Now());
        }

        return incarnation;
    }

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
            Catalogue = TypeCatalogue.BuiltIn,
            Calendar = calendar,
            OverdueSteps = escalation.OverdueSteps,
        };
        return new NodeSettings(configuration.Node, configuration.Division, configuration.Zone, register, rules)
        {
            ClosingDelay = configuration.ClosingDelay,
            ParentDivision = configuration.Parent?.Division,
            EscalationRules = escalation,
        };
    }

    private static WebApplication Build(NodeConfiguration configuration, NodeCore core, NodeCredentials credentials, TimeProvider clock)
    {
        var builder = NodeHost.CreateBuilder(configuration, clock, credentials.SecureLink);
        builder.Services.AddSingleton(core);
        builder.Services.AddSingleton(core.Desk);
        builder.Services.AddSingleton(core.Lists);
        builder.Services.AddSingleton(core.Readers);
        builder.Services.AddSingleton(core.Door);
        builder.Services.AddSingleton(core.Presence);
        builder.Services.AddSingleton<PeerJudge>(credentials.Judge);
        builder.Services.AddSingleton(new BundleKeys(credentials.Certificate, credentials.Authorities, configuration.Parent?.Node, clock, new SystemEntropy()));
        builder.Services.AddSingleton(new RowIntake(core.Desk, core.Sequencer, clock));
        builder.Services.AddSingleton(new NodeStatus(core, configuration, () => credentials.Certificate().NotAfter));
        builder.Services.AddNodeSchedule(configuration);
        var app = builder.Build();
        NodeHost.Map(app, app.Services.GetRequiredService<NodeStatus>().Reports());
        app.MapGrpcService<CasesGrpcService>();
        app.MapGrpcService<NodeViewsService>();
        app.MapGrpcService<NodeOrdersService>();
        app.MapGrpcService<NodeBundlesService>();
        app.MapGrpcService<NodeLinksService>();
        app.MapGrpcService<LinkGrpcService>().WithMetadata(new OnDoor(Door.Link)).AllowAnonymous();
        return app;
    }

    /// <summary>What the core tells goes to the log; ids, counts and codes only.</summary>
    private static void Report(WebApplication app, NodeCore core)
    {
        var log = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("CityGrid.Node");
        core.FoldFailed = (fold, journalEvent, failure) => Log.FoldFailed(log, fold.Name, journalEvent.Lsn.Value, journalEvent.Kind, failure);
        if (core.Uplink is { } uplink)
        {
            uplink.Reported = (code, message) => Log.UplinkReported(log, code, message);
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

/// <summary>The node's certificate and whom it trusts, read from the files that the configuration names.</summary>
internal sealed class NodeCredentials
{
    private readonly X509Certificate2 _certificate;
    private readonly X509Certificate2Collection _authorities = [];

    public NodeCredentials(NodeConfiguration configuration)
    {
        var link = configuration.Link;
        try
        {
            using var pem = X509Certificate2.CreateFromPemFile(link.CertificateFile, link.KeyFile);
            // TLS on some platforms needs the key in a store form; a round trip through PKCS#12 gives it that, in memory.
            _certificate = X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
            _authorities.ImportFromPemFile(link.AuthorityFile);
        }
        catch (System.Security.Cryptography.CryptographicException)
        {
            throw new ConfigurationException(configuration.File, [new("link.certificate", $"\"{link.CertificateFile}\"", $"a PEM certificate that fits the key {link.KeyFile}, and an authority in {link.AuthorityFile}, are needed")]);
        }
    }

    public X509Certificate2 Certificate() => _certificate;

    public X509Certificate2Collection Authorities() => _authorities;

    public IPeerIdentity? Judge(X509Certificate2? certificate, out Refusal? refusal) =>
        PeerCertificate.Read(certificate, _authorities, PeerUse.Client, TimeProvider.System.GetUtcNow(), out refusal);

    /// <summary>Mutual TLS 1.3; who may come in is judged by our own rules alone.</summary>
    public void SecureLink(HttpsConnectionAdapterOptions https)
    {
        https.ServerCertificate = _certificate;
        https.SslProtocols = SslProtocols.Tls13;
        https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
        https.ClientCertificateValidation = (certificate, _, _) => Judge(certificate, out _) is not null;
    }
}
