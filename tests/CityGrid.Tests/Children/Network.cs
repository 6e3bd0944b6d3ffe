using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Threading.Channels;
using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Children;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Sealing;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Node;
using CityGrid.Node.Cases;
using CityGrid.Node.Enrolment;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Reception;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Children;

/// <summary>A clock that a test moves; timers stay those of the system.</summary>
internal sealed class MovableClock : TimeProvider
{
    private long _ahead;

    public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + TimeSpan.FromTicks(Volatile.Read(ref _ahead));

    public void Move(TimeSpan by) => Interlocked.Add(ref _ahead, by.Ticks);
}

/// <summary>A root, the province Hubei with an authority below it, and Hubei's node on two real ports of loopback: the real services, core and writer over a memory journal.</summary>
internal sealed class Network : IAsyncDisposable
{
    public static readonly NodeId Hubei = NodeId.Parse("hubei");
    public static readonly NodeId Wuhan = NodeId.Parse("wuhan");

    /// <summary>Only so that a fault ends the test instead of holding it up.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("citygrid-children-");
    private readonly MemoryJournal _journal;
    private WebApplication? _app;

    private Network(ApprovalRule approval, TimeSpan life)
    {
        var now = Clock.GetUtcNow();
        var (root, rootKey) = CertificateAuthority.NewRoot(NodeId.Parse("ministry"), [DivisionCode.Parse("CN")], now, Entropy);
        Ministry = CertificateAuthority.Open(root, rootKey, root);
        Roots = [X509Certificate2.CreateFromPem(root)];
        Province = Below(Ministry, "hubei", "42");
        Credential = Issue(Ministry, "hubei", "42");
        _journal = new MemoryJournal(Entropy);
        var (node, division) = (Hubei, DivisionCode.Parse("42"));
        var zone = DateTimeZoneProviders.Tzdb["Asia/Shanghai"];
        var rules = new CaseRules { Place = division, Divisions = Registers.Tempting, Catalogue = CatalogueShelf.BuiltIn, Calendar = new WorkCalendar(zone), OverdueSteps = [] };
        var children = new ChildrenSettings(node, division, Registers.Tempting) { Approval = approval, CertificateLife = NodaTime.Duration.FromTimeSpan(life) };
        Core = new NodeCore(
            new NodeSettings(node, division, zone, Registers.Tempting, rules) { Children = (children, () => Province) },
            new NodeSeams(PosixDisk.At(Path.Combine(_folder.FullName, "hubei")), _journal, new MemoryViewStore(), new StandInSeal(), null, Clock, Entropy) { Signatures = new CertificateSignatures(() => Roots) });
        Core.Sequencer.Start();
    }

    public MovableClock Clock { get; } = new();

    public IEntropy Entropy { get; } = new SystemEntropy();

    public CertificateAuthority Ministry { get; }

    public CertificateAuthority Province { get; }

    public X509Certificate2Collection Roots { get; }

    /// <summary>The codes with which Hubei's node refused certificates, in order.</summary>
    public ConcurrentQueue<string> Refused { get; } = new();

    /// <summary>What Hubei's node shows at its ports.</summary>
    public LinkCredential Credential { get; set; }

    public NodeCore Core { get; }

    public ChildrenDesk Desk => Core.Children!;

    public Uri Link { get; private set; } = null!;

    public Uri Enrolment { get; private set; } = null!;

    public NetworkTrust Trust => new(Roots, Registers.Tempting);

    public static async Task<Network> StartAsync(ApprovalRule approval = ApprovalRule.One, TimeSpan? life = null)
    {
        var network = new Network(approval, life ?? TimeSpan.FromDays(397));
        await network.ServeAsync();
        return network;
    }

    public async ValueTask DisposeAsync()
    {
        await _app!.StopAsync();
        await _app.DisposeAsync();
        Core.Dispose();
        _journal.Dispose();
        Ministry.Dispose();
        Province.Dispose();
        _folder.Delete(true);
    }

    /// <summary>A folder of its own below the test's.</summary>
    public string Folder(string name) => Path.Combine(_folder.FullName, name);

    /// <summary>An authority for a place below another.</summary>
    public CertificateAuthority Below(CertificateAuthority issuer, string node, params string[] divisions)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var issued = issuer.Issue(
            CertificateKind.Authority, NodeId.Parse(node), [.. divisions.Select(DivisionCode.Parse)], new(key), Clock.GetUtcNow(), TimeSpan.FromDays(1000), CertificateAuthority.SerialFrom(Entropy));
        return CertificateAuthority.Open(PemOf(issued, issuer), key.ExportPkcs8PrivateKeyPem(), PemOf(issuer.Root));
    }

    /// <summary>A node's credential, issued past the register of children.</summary>
    public LinkCredential Issue(CertificateAuthority issuer, string node, params string[] divisions)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var issued = issuer.Issue(
            CertificateKind.Link, NodeId.Parse(node), [.. divisions.Select(DivisionCode.Parse)], new(key), Clock.GetUtcNow(), TimeSpan.FromDays(397), CertificateAuthority.SerialFrom(Entropy));
        return LinkCredential.Read(PemOf(issued, issuer), key.ExportPkcs8PrivateKeyPem());
    }

    public static string PemOf(IssuedCertificate issued, CertificateAuthority issuer) => PemOf(issued.Der) + string.Concat(issuer.Between.Select(PemOf));

    public static string PemOf(ReadOnlyMemory<byte> der) => PemEncoding.WriteString("CERTIFICATE", der.Span) + "\n";

    public Task<TAnswer> DoAsync<TAnswer>(Command<TAnswer> command) => Core.Sequencer.SubmitAsync(command);

    /// <summary>A node's signer, issued past the register of children (PEM).</summary>
    public (string Certificate, string Key) SignerOf(string node, params string[] divisions)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var issued = Province.Issue(
            CertificateKind.Signer, NodeId.Parse(node), [.. divisions.Select(DivisionCode.Parse)], new(key), Clock.GetUtcNow(), TimeSpan.FromDays(397), CertificateAuthority.SerialFrom(Entropy));
        return (PemOf(issued, Province), key.ExportPkcs8PrivateKeyPem());
    }

    /// <summary>Opens a place with one approval; its code.</summary>
    public Task<EnrolmentCode> OpenAsync(string node, params string[] divisions) => OpenAsync(node, false, divisions);

    /// <summary>The same, with an authority of its own where <paramref name="issues"/> is true.</summary>
    public async Task<EnrolmentCode> OpenAsync(string node, bool issues, params string[] divisions)
    {
        var answer = await DoAsync(Desk.Open(NodeId.Parse(node), [.. divisions.Select(DivisionCode.Parse)], issues, replaces: true, "keeper"));
        if (answer.Refusal is { Code: "CHILD_UNKNOWN" })
        {
            answer = await DoAsync(Desk.Open(NodeId.Parse(node), [.. divisions.Select(DivisionCode.Parse)], issues, replaces: false, "keeper"));
        }

        Assert.That(answer.Refusal, Is.Null);
        return answer.Code!;
    }

    public Enrollee Enrollee(string node, string division, string? folder = null) =>
        new(NodeId.Parse(node), DivisionCode.Parse(division), Registers.Tempting, CredentialFiles.In(Folder(folder ?? node), authority: false));

    public Task<DateTimeOffset> EnrolAsync(EnrolmentCode code, Enrollee enrollee) => new EnrolmentClient(Clock).EnrolAsync(Enrolment, code, enrollee, CancellationToken.None);

    /// <summary>Opens a place, enrols, and reads what came.</summary>
    public async Task<LinkCredential> TakeInAsync(string node, string division)
    {
        var enrollee = Enrollee(node, division);
        await EnrolAsync(await OpenAsync(node, division), enrollee);
        return CredentialOf(enrollee);
    }

    public static LinkCredential CredentialOf(Enrollee enrollee)
    {
        var pair = enrollee.Files.Pairs.Single(p => p.Kind == CertificateKind.Link);
        return LinkCredential.Read(File.ReadAllText(pair.Certificate), File.ReadAllText(pair.Key));
    }

    /// <summary>A child's wire to Hubei.</summary>
    public GrpcWire Wire(Func<LinkCredential> credential, NetworkTrust? trust = null) => new(
        new GrpcWireSettings(Link, Hubei, DivisionCode.Parse("42"), credential, () => trust ?? Trust),
        new PoolSpawner(CancellationToken.None, (_, failure) => Assert.Fail(failure.ToString())),
        Clock);

    public Heard Dial(LinkCredential credential, NetworkTrust? trust = null)
    {
        var heard = new Heard();
        Wire(() => credential, trust).Dial(heard);
        return heard;
    }

    private async Task ServeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(System.Net.IPAddress.Loopback, 0, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                listen.UseMutualTls(() => Credential, Judge);
            });
            kestrel.Listen(System.Net.IPAddress.Loopback, 0, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                listen.UseEnrolmentTls(() => Credential);
            });
        });
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(Core.Door);
        builder.Services.AddSingleton(Core.Presence);
        builder.Services.AddSingleton(Core.Sequencer);
        builder.Services.AddSingleton(Desk);
        builder.Services.AddSingleton<PeerJudge>(Judge);
        _app = builder.Build();
        _app.MapGrpcService<LinkGrpcService>();
        _app.MapGrpcService<RenewalGrpcService>();
        _app.MapGrpcService<EnrolmentGrpcService>();
        await _app.StartAsync();
        var bound = _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Select(a => new Uri($"https://127.0.0.1:{new Uri(a).Port}")).ToArray();
        (Link, Enrolment) = (bound[0], bound[1]);
    }

    private IPeerIdentity? Judge(X509Certificate2? certificate, X509Certificate2Collection between, out Refusal? refusal)
    {
        var now = Clock.GetUtcNow();
        var peer = PeerCertificate.Read(certificate, between, Trust, PeerUse.Client, now, out refusal);
        var admitted = peer is null ? null : Desk.Admission.Admit(peer, Instant.FromDateTimeOffset(now), out refusal);
        if (refusal is not null)
        {
            Refused.Enqueue(refusal.Code);
        }

        return admitted;
    }
}

/// <summary>What a wire tells, awaited.</summary>
internal sealed class Heard : IWireEvents
{
    private readonly TaskCompletionSource<IWireLine> _line = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<string> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Channel<ConnectResponse> _heard = Channel.CreateUnbounded<ConnectResponse>();

    public bool WasConnected => _line.Task.IsCompletedSuccessfully;

    public void Connected(IWireLine line) => _line.TrySetResult(line);

    public void Received(ConnectResponse response) => _heard.Writer.TryWrite(response);

    public void Ended(string reason)
    {
        _end.TrySetResult(reason);
        _line.TrySetException(new InvalidOperationException(reason));
        _ = _line.Task.Exception;
    }

    public Task<IWireLine> LineAsync() => _line.Task.WaitAsync(Network.Patience);

    public Task<string> EndAsync() => _end.Task.WaitAsync(Network.Patience);

    public async Task<ConnectResponse> NextAsync() => await _heard.Reader.ReadAsync().AsTask().WaitAsync(Network.Patience);

    /// <summary>True where the parent let this child in and welcomed it; else it ended.</summary>
    public async Task<bool> IsWelcomeAsync(Child child)
    {
        var ended = EndAsync();
        if (await Task.WhenAny(_line.Task, ended) == ended || !WasConnected)
        {
            return false;
        }

        var line = await LineAsync();
        line.Send(child.Hello());
        var welcome = (await NextAsync()).Welcome;
        if (welcome is not null)
        {
            child.Epoch = new Epoch(welcome.ChildEpoch, welcome.ChildEpochNonce);
        }

        return welcome is not null;
    }
}
