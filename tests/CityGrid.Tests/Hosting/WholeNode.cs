using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Children;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Sealing;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Node;
using CityGrid.Node.Configuration;
using CityGrid.Node.Enrolment;
using CityGrid.Node.Hosting;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;

namespace CityGrid.Tests.Hosting;

/// <summary>A whole node with all its doors on loopback, on a model disk; children's certificates are made as they are wanted.</summary>
internal sealed class WholeNode : IAsyncDisposable
{
    private readonly NodeFolder _folder;
    private readonly CertificateAuthority _network;
    private readonly FileJournal _journal;
    private readonly NodeCredentials _credentials;
    private readonly WebApplication _app;
    private readonly ProjectorThread _projecting;

    private WholeNode(NodeFolder folder, CertificateAuthority network, FileJournal journal, NodeCore core, NodeCredentials credentials, WebApplication app, QuietLog log)
    {
        (_folder, _network, _journal, _credentials, Core, _app, Log) = (folder, network, journal, credentials, core, app, log);
        _projecting = new ProjectorThread(core.Projector, failure => Failure = failure);
        core.FoldFailed = (fold, journalEvent, failure) => FoldFailure = $"{fold.Name} does not take an event of kind {journalEvent.Kind}: {failure}";
        Addresses = NodeHost.Addresses(app);
        Http = new HttpClient { BaseAddress = new Uri(Addresses.Operator) };
        Grpc = GrpcChannel.ForAddress(Addresses.Grpc);
    }

    public NodeCore Core { get; }

    public QuietLog Log { get; }

    public NodeAddresses Addresses { get; }

    public HttpClient Http { get; }

    public GrpcChannel Grpc { get; }

    public Exception? Failure { get; private set; }

    /// <summary>The last event that a fold could not take; null while all were taken.</summary>
    public string? FoldFailure { get; private set; }

    public WebApplication App => _app;

    /// <param name="limits">What stands in the section limits, such as <c>"callsPerUser": 1000000</c>.</param>
    /// <param name="pressure">What the node takes for the pressure that it is under.</param>
    /// <param name="inATree">Whether it has a parent, which nobody reaches, and takes children in by a register and an authority of its own.</param>
    public static async Task<WholeNode> StartAsync(string limits, Hub.Load.PressureGauge? pressure = null, bool inATree = false)
    {
        var entropy = new SystemEntropy();
        var (root, rootKey) = CertificateAuthority.NewRoot(NodeId.Parse("cn"), [DivisionCode.Parse("CN")], TimeProvider.System.GetUtcNow(), entropy);
        var network = CertificateAuthority.Open(root, rootKey, root);
        const string Tree = """
              "parent": { "url": "https://127.0.0.1:1", "node": "zhejiang", "division": "330000" },
              "children": { "authority": "ca.pem", "authorityKey": "ca.key", "approval": "one", "enrolmentPort": 0 },
            """;
        var folder = new NodeFolder($$"""
            {
              "node": "hangzhou", "division": "330100", "tier": "city", "zone": "Asia/Shanghai",
              "link": { "port": 0, "certificate": "node.pem", "key": "node.key", "authority": "authority.pem" },
              "operator": { "port": 0, "grpcPort": 0 },
              {{(inATree ? Tree : string.Empty)}}
              "limits": { {{limits}} }
            }
            """);
        foreach (var (kind, name) in new[] { (CertificateKind.Link, "node"), (CertificateKind.Authority, "ca") })
        {
            using var issued = Issued(network, kind, "hangzhou", "330100");
            folder.Write($"{name}.pem", issued.ExportCertificatePem());
            folder.Write($"{name}.key", issued.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        }

        folder.Write("authority.pem", root);

        var configuration = ConfigurationFile.Load(folder.ConfigurationFile);
        var disk = new ModelDisk();
        var journal = FileJournal.Open(disk, entropy, configuration.Node);
        var settings = NodeServer.SettingsOf(configuration);
        var credentials = new NodeCredentials(configuration, settings.Register, TimeProvider.System);
        if (inATree)
        {
            settings = settings with { Children = (new ChildrenSettings(configuration.Node, configuration.Division, settings.Register) { Approval = ApprovalRule.One }, credentials.Authority) };
        }

        var core = new NodeCore(
            settings, new NodeSeams(disk, journal, new MemoryViewStore(), new AesGcmSeal(), inATree ? new NoLine() : null, TimeProvider.System, entropy), pressure);
        credentials.Admission = core.Children?.Admission;
        core.Sequencer.Start();
        var log = new QuietLog();
        var watch = new CertificateWatch(configuration, credentials, core.ChildrenFold, TimeProvider.System, entropy);
        var app = NodeServer.Build(
            configuration, core, credentials, watch, TimeProvider.System, logging => logging.AddProvider(log).SetMinimumLevel(LogLevel.Information));
        await app.StartAsync();
        return new WholeNode(folder, network, journal, core, credentials, app, log);
    }

    /// <summary>A certificate of this network's authority for another node.</summary>
    public X509Certificate2 CertificateOf(string node, string division) => Issued(_network, CertificateKind.Link, node, division);

    /// <summary>What this node shows.</summary>
    public X509Certificate2 Certificate => _credentials.Credential().Certificate;

    /// <summary>Opens a place for a child, with keys of its own for it; the request with which it takes the place, and the keys.</summary>
    public async Task<(EnrolRequest Request, IReadOnlyDictionary<CertificateKind, ECDsa> Keys)> OpenAsync(string node, string division)
    {
        var opened = await Core.Sequencer.SubmitAsync(Core.Children!.Open(NodeId.Parse(node), [DivisionCode.Parse(division)], issues: false, replaces: false, "keeper"));
        var request = new EnrolRequest { Node = node, Division = division, Secret = UnsafeByteOperations.UnsafeWrap(opened.Code!.Secret) };
        var keys = new[] { CertificateKind.Link, CertificateKind.Signer }.ToDictionary(kind => kind, _ => ECDsa.Create(ECCurve.NamedCurves.nistP256));
        request.Requests.AddRange(keys.Select(key => new KeyRequest { Kind = key.Key, Request = UnsafeByteOperations.UnsafeWrap(CertificateAuthority.AskFor(NodeId.Parse(node), key.Value)) }));
        return (request, keys);
    }

    /// <summary>Takes a child in, and what it shows from then on.</summary>
    public async Task<LinkCredential> TakeInAsync(string node, string division)
    {
        var (request, keys) = await OpenAsync(node, division);
        var given = await Core.Sequencer.SubmitAsync(Core.Children!.Enrol(NodeId.Parse(node), DivisionCode.Parse(division), request.Secret.Memory, [.. request.Requests]));
        var shown = given.Certificates.Single(one => one.Kind == CertificateKind.Link).Der;
        return LinkCredential.Read(string.Concat(given.Between.Prepend(shown).Select(Children.Network.PemOf)), keys[CertificateKind.Link].ExportPkcs8PrivateKeyPem());
    }

    /// <summary>A channel to the port of enrolment, as somebody who has no certificate.</summary>
    public GrpcChannel EnrolmentChannel() => ChannelTo(Addresses.Enrolment!, new SocketsHttpHandler());

    /// <summary>A channel to the link, as a child that was taken in.</summary>
    public GrpcChannel LinkChannel(LinkCredential credential) => ChannelTo(Addresses.Link!, new SocketsHttpHandler { SslOptions = { ClientCertificateContext = credential.Context } });

    /// <summary>A channel of its own connection to the link.</summary>
    /// <param name="certificate">What the child shows.</param>
    /// <param name="keeps">Where its sockets are kept: they stay open, without a word, when the channel is gone. Null closes them with it.</param>
    public GrpcChannel LinkChannel(X509Certificate2 certificate, Action<Socket>? keeps = null)
    {
        var handler = new SocketsHttpHandler();
        if (keeps is not null)
        {
            handler.ConnectCallback = async (connecting, stop) =>
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                keeps(socket);
                await socket.ConnectAsync(connecting.DnsEndPoint, stop);
                return new Muted(socket);
            };
        }

        handler.SslOptions.ClientCertificates = [certificate];
        return ChannelTo(Addresses.Link!, handler);
    }

    private static GrpcChannel ChannelTo(string door, SocketsHttpHandler handler)
    {
        handler.SslOptions.RemoteCertificateValidationCallback = (_, _, _, _) => true;
        return GrpcChannel.ForAddress($"https://{door}", new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true });
    }

    private static X509Certificate2 Issued(CertificateAuthority network, CertificateKind kind, string node, string division)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var issued = network.Issue(kind, NodeId.Parse(node), [DivisionCode.Parse(division)], new PublicKey(key), TimeProvider.System.GetUtcNow(), TimeSpan.FromDays(397), CertificateAuthority.SerialFrom(new SystemEntropy()));
        return X509Certificate2.CreateFromPem(Children.Network.PemOf(issued.Der), key.ExportPkcs8PrivateKeyPem());
    }

    public async ValueTask DisposeAsync()
    {
        Grpc.Dispose();
        Http.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
        _projecting.Dispose();
        Core.Dispose();
        _journal.Dispose();
        _network.Dispose();
        _folder.Dispose();
        Log.Verify();
    }

    /// <summary>A stream that, once it is disposed of, says nothing more and closes nothing.</summary>
    private sealed class Muted(Socket socket) : Stream
    {
        private readonly NetworkStream _inner = new(socket, ownsSocket: false);
        private bool _isMute;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => _inner.Read(buffer, offset, count);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => _inner.ReadAsync(buffer, cancellationToken);

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count)
        {
            if (!_isMute)
            {
                _inner.Write(buffer, offset, count);
            }
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => _isMute ? default : _inner.WriteAsync(buffer, cancellationToken);

        protected override void Dispose(bool disposing) => _isMute = true;
    }
}
