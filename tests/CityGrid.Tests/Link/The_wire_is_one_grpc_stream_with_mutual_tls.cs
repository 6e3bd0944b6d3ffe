using System.Security.Cryptography.X509Certificates;
using System.Threading.Channels;
using CityGrid.Hub.Cells;
using CityGrid.Hub.Escalations;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Reception;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace CityGrid.Tests.Link;

/// <summary>Clauses L1, L2, L4 and L14; INV-29, SEC-01, SEC-19: the real wire on loopback, with real certificates, a real writer and a memory journal.</summary>
public sealed class The_wire_is_one_grpc_stream_with_mutual_tls
{
    private readonly SystemEntropy _entropy = new();
    private DevelopmentAuthority _authority = null!;
    private X509Certificate2Collection _roots = null!;
    private WebApplication _app = null!;
    private Sequencer _sequencer = null!;
    private MemoryJournal _journal = null!;
    private readonly OrderFold _orders = new(NodeId.Parse("hubei"));
    private Uri _address = null!;

    [OneTimeSetUp]
    public async Task Serve()
    {
        _authority = DevelopmentAuthority.Create("test network", TimeProvider.System.GetUtcNow(), _entropy);
        _roots = [X509Certificate2.CreateFromPem(_authority.RootPem)];
        _journal = new MemoryJournal(_entropy);
        var cells = new CellFold();
        var reception = new ReceptionFold(cells);
        var escalations = new EscalationFold(NodeId.Parse("hubei"));
        _sequencer = new Sequencer(_journal, [cells, reception, escalations, _orders], TimeProvider.System);
        _sequencer.Recover();
        _sequencer.Start();
        var settings = new ReceiverSettings(NodeId.Parse("hubei"), DivisionCode.Parse("42"), Registers.Tempting);
        var desk = new ReceptionDesk(settings, reception, cells, escalations, () => Epoch.NotGranted);

        var builder = Hubei();
        var presence = new LinkPresence();
        builder.Services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = 1 << 20);
        builder.Services.AddSingleton(new LinkDoor(desk, _sequencer, _entropy, presence, new OrderReader(_orders, () => settings.Register, _journal, () => Epoch.NotGranted, true), TimeProvider.System));
        builder.Services.AddSingleton(presence);
        builder.Services.AddSingleton<PeerJudge>(Judge);
        _app = builder.Build();
        _app.MapGrpcService<LinkGrpcService>();
        await _app.StartAsync();
        _address = AddressOf(_app);
    }

    [OneTimeTearDown]
    public async Task Stop()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        _sequencer.Dispose();
        _journal.Dispose();
        _authority.Dispose();
    }

    [Test]
    public async Task A_child_with_the_right_certificate_is_welcome_and_its_frames_are_answered()
    {
        var heard = new Listener();
        Wire(Issue(_authority, "wuhan", "4201")).Dial(heard);
        var line = await heard.LineAsync();
        var child = new Child("wuhan", "4201");
        line.Send(child.Hello());
        var welcome = (await heard.NextAsync()).Welcome;
        child.Epoch = new Epoch(welcome.ChildEpoch, welcome.ChildEpochNonce);
        line.Send(child.Cut(0, 5, [child.Cell(3, 1)]));
        Assert.That((await heard.NextAsync()).Receipt.Accepted, Is.EqualTo(1));
        line.HangUp();
        Assert.That(await heard.EndAsync(), Does.Contain("Hung up"));
    }

    /// <summary>T2: a city whose only way out is a proxy. It carries TLS and sees nothing of it; who answers behind it is judged as ever.</summary>
    [Test]
    public async Task Through_a_forward_proxy_it_is_the_same_stream()
    {
        using var proxy = new ForwardProxy();
        var heard = new Listener();
        Wire(Issue(_authority, "tianmen", "429004"), proxy: proxy.Address).Dial(heard);
        var line = await heard.LineAsync();
        line.Send(new Child("tianmen", "429004").Hello());
        Assert.That((await heard.NextAsync()).Welcome.Node, Is.EqualTo("hubei"));
        line.HangUp();
        await heard.EndAsync();
        Assert.That(proxy.Asked, Is.EqualTo(new[] { $"CONNECT 127.0.0.1:{_address.Port} HTTP/1.1" }));

        var fooled = new Listener();
        Wire(Issue(_authority, "wuhan", "4201"), "hunan", "43", proxy.Address).Dial(fooled);
        Assert.That(await fooled.EndAsync(), Does.Contain("PARENT_IS_ANOTHER"));
    }

    [Test]
    public async Task A_frame_of_another_node_than_the_certificates_is_denied_and_the_stream_ends()
    {
        var heard = new Listener();
        Wire(Issue(_authority, "xiantao", "429004")).Dial(heard);
        var line = await heard.LineAsync();
        line.Send(new Child("wuhan", "4201").Hello());
        Assert.That((await heard.NextAsync()).Refusal.Code, Is.EqualTo(LinkRefusalCode.PermissionDenied));
        Assert.That(await heard.EndAsync(), Does.Contain("parent ended"));
    }

    [Test]
    public async Task A_child_of_another_authority_does_not_get_in()
    {
        using var other = DevelopmentAuthority.Create("another network", TimeProvider.System.GetUtcNow(), _entropy);
        var heard = new Listener();
        Wire(Issue(other, "wuhan", "4201")).Dial(heard);
        await heard.EndAsync();
        Assert.That(heard.WasConnected, Is.False);
    }

    [Test]
    public async Task A_child_without_a_certificate_does_not_get_in()
    {
        using var channel = Channel(null);
        using var call = new LinkService.LinkServiceClient(channel).Connect();
        await Assert.ThrowsAsync<RpcException>(async () => await call.ResponseHeadersAsync.WaitAsync(Patience));
    }

    [TestCase("hunan", "42")]
    [TestCase("hubei", "43")]
    public async Task A_parent_that_is_another_than_configured_is_not_told_anything(string node, string division)
    {
        var heard = new Listener();
        Wire(Issue(_authority, "wuhan", "4201"), node, division).Dial(heard);
        Assert.That(await heard.EndAsync(), Does.Contain("PARENT_IS_ANOTHER"));
        Assert.That(heard.WasConnected, Is.False);
    }

    [Test]
    public async Task Nobody_at_the_address_is_said_in_the_systems_words()
    {
        var heard = new Listener();
        var settings = new GrpcWireSettings(new Uri("https://127.0.0.1:1"), NodeId.Parse("hubei"), DivisionCode.Parse("42"), () => Issue(_authority, "wuhan", "4201"), () => new NetworkTrust(_roots, null));
        new GrpcWire(settings, new PoolSpawner(CancellationToken.None, (_, failure) => Assert.Fail(failure.ToString())), TimeProvider.System).Dial(heard);
        Assert.That(await heard.EndAsync(), Does.Contain("refused"));
    }

    /// <summary>INV-26: a parent, too, may have gone mad.</summary>
    [Test]
    public async Task An_answer_beyond_the_bounds_is_not_parsed_and_the_stream_ends()
    {
        var builder = Hubei();
        builder.Services.AddGrpc();
        await using var mad = builder.Build();
        mad.MapGrpcService<MadParent>();
        await mad.StartAsync();

        var heard = new Listener();
        Wire(Issue(_authority, "wuhan", "4201"), address: AddressOf(mad)).Dial(heard);
        (await heard.LineAsync()).Send(new Child("wuhan", "4201").Hello());
        Assert.That(await heard.EndAsync(), Does.Contain("MALFORMED").And.Contain("10000"));
        Assert.That(heard.Count, Is.Zero);
    }

    [Test]
    public async Task A_newer_connection_of_a_child_takes_the_place_of_the_one_before()
    {
        var certificate = Issue(_authority, "qianjiang", "429004");
        var (first, second) = (new Listener(), new Listener());
        Wire(certificate).Dial(first);
        await first.LineAsync();
        Wire(certificate).Dial(second);
        Assert.That(await first.EndAsync(), Does.Contain("taken the place"));
        (await second.LineAsync()).HangUp();
        await second.EndAsync();
    }

    [Test]
    public async Task Bytes_that_are_no_message_are_an_invalid_argument_and_too_many_are_too_many()
    {
        // Groups within groups, deeper than any parser goes; a field that promises more than there is; more than a message may have.
        var deep = Enumerable.Repeat((byte)0x0B, 5000).ToArray();
        foreach (var (bytes, status) in new[]
        {
            (deep, StatusCode.InvalidArgument),
            ([0x12, 0xFF, 0x01, 0x00], StatusCode.InvalidArgument),
            (new byte[2 << 20], StatusCode.ResourceExhausted),
        })
        {
            using var channel = Channel(Issue(_authority, "wuhan", "4201"));
            var raw = Marshallers.Create<byte[]>(b => b, b => b);
            var method = new Method<byte[], byte[]>(MethodType.DuplexStreaming, "citygrid.v1.LinkService", "Connect", raw, raw);
            using var call = channel.CreateCallInvoker().AsyncDuplexStreamingCall(method, null, default);
            // The parent may end the stream before it has read all of a message. The writing fails then, or never ends (seen in one of some hundred
            // calls on busy cores, after the call was disposed too): only the reading says why, and nothing waits for the writing.
            _ = call.RequestStream.WriteAsync(bytes).ContinueWith(written => written.Exception, TaskScheduler.Default);
            var ended = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Patience));
            Assert.That(ended!.StatusCode, Is.EqualTo(status));
        }
    }

    /// <summary>A server with Hubei's certificate on a free port of loopback, without its services.</summary>
    private WebApplicationBuilder Hubei()
    {
        var builder = WebApplication.CreateSlimBuilder();
        var own = Issue(_authority, "hubei", "42");
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(System.Net.IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            listen.UseMutualTls(() => own, Judge);
        }));
        return builder;
    }

    private static Uri AddressOf(WebApplication app) =>
        new($"https://127.0.0.1:{new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port}");

    private IPeerIdentity? Judge(X509Certificate2? certificate, X509Certificate2Collection between, out Refusal? refusal) =>
        PeerCertificate.Read(certificate, _roots, PeerUse.Client, TimeProvider.System.GetUtcNow(), out refusal);

    private GrpcWire Wire(LinkCredential certificate, string parent = "hubei", string division = "42", Uri? proxy = null, Uri? address = null) => new(
        new GrpcWireSettings(address ?? _address, NodeId.Parse(parent), DivisionCode.Parse(division), () => certificate, () => new NetworkTrust(_roots, null)) { Proxy = proxy },
        new PoolSpawner(CancellationToken.None, (_, failure) => Assert.Fail(failure.ToString())),
        TimeProvider.System);

    private GrpcChannel Channel(LinkCredential? certificate)
    {
        var handler = new SocketsHttpHandler { SslOptions = LinkTls.Client(certificate, (_, _) => true) };

        return GrpcChannel.ForAddress(_address, new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true });
    }

    private static LinkCredential Issue(DevelopmentAuthority authority, string node, string division)
    {
        var (certificate, key) = authority.Issue(NodeId.Parse(node), [DivisionCode.Parse(division)]);
        return LinkCredential.Read(certificate, key);
    }

    /// <summary>Only so that a fault ends the test instead of holding it up.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>Answers a hello with more positions than any list has.</summary>
    private sealed class MadParent : LinkService.LinkServiceBase
    {
        public override async Task Connect(IAsyncStreamReader<ConnectRequest> requestStream, IServerStreamWriter<ConnectResponse> responseStream, ServerCallContext context)
        {
            await context.WriteResponseHeadersAsync([]);
            await requestStream.MoveNext(context.CancellationToken);
            var welcome = new Welcome();
            welcome.Positions.AddRange(Enumerable.Range(0, 10_001).Select(_ => new StreamPosition()));
            await responseStream.WriteAsync(new ConnectResponse { Number = 1, Welcome = welcome });
        }
    }

    /// <summary>What a wire tells, awaited.</summary>
    private sealed class Listener : IWireEvents
    {
        private readonly TaskCompletionSource<IWireLine> _line = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource<string> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly Channel<ConnectResponse> _heard = System.Threading.Channels.Channel.CreateUnbounded<ConnectResponse>();

        public int Count => _heard.Reader.Count;

        public bool WasConnected => _line.Task.IsCompletedSuccessfully;

        public void Connected(IWireLine line) => _line.TrySetResult(line);

        public void Received(ConnectResponse response) => _heard.Writer.TryWrite(response);

        public void Ended(string reason)
        {
            _end.TrySetResult(reason);
            _line.TrySetException(new InvalidOperationException(reason));
        }

        public Task<IWireLine> LineAsync() => _line.Task.WaitAsync(Patience);

        public Task<string> EndAsync() => _end.Task.WaitAsync(Patience);

        public async Task<ConnectResponse> NextAsync() => await _heard.Reader.ReadAsync().AsTask().WaitAsync(Patience);
    }
}
