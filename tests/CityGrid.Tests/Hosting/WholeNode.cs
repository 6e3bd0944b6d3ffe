using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
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
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;

namespace CityGrid.Tests.Hosting;

/// <summary>A whole node with all its doors on loopback, on a model disk; children's certificates are made as they are wanted.</summary>
internal sealed class WholeNode : IAsyncDisposable
{
    private readonly NodeFolder _folder;
    private readonly DevelopmentAuthority _authority;
    private readonly FileJournal _journal;
    private readonly NodeCredentials _credentials;
    private readonly WebApplication _app;
    private readonly ProjectorThread _projecting;

    private WholeNode(NodeFolder folder, DevelopmentAuthority authority, FileJournal journal, NodeCore core, NodeCredentials credentials, WebApplication app, QuietLog log)
    {
        (_folder, _authority, _journal, _credentials, Core, _app, Log) = (folder, authority, journal, credentials, core, app, log);
        _projecting = new ProjectorThread(core.Projector, failure => Failure = failure);
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

    public WebApplication App => _app;

    /// <param name="limits">What stands in the section limits, such as <c>"callsPerUser": 1000000</c>.</param>
    /// <param name="pressure">What the node takes for the pressure that it is under.</param>
    /// <param name="hasParent">It has a parent, and no line ever leads there.</param>
    public static async Task<WholeNode> StartAsync(string limits, Hub.Load.PressureGauge? pressure = null, bool hasParent = false)
    {
        var entropy = new SystemEntropy();
        var authority = DevelopmentAuthority.Create("test", TimeProvider.System.GetUtcNow(), entropy);
        var folder = new NodeFolder($$"""
            {
              "node": "hangzhou", "division": "330100", "tier": "city", "zone": "Asia/Shanghai",
              "link": { "port": 0, "certificate": "node.pem", "key": "node.key", "authority": "authority.pem" },
              "operator": { "port": 0, "grpcPort": 0 },
              {{(hasParent ? """ "parent": { "url": "https://127.0.0.1:9", "node": "zhejiang", "division": "330000" }, """ : string.Empty)}}
              "limits": { {{limits}} }
            }
            """);
        var (certificate, key) = authority.Issue(NodeId.Parse("hangzhou"), [DivisionCode.Parse("330100")]);
        folder.Write("node.pem", certificate);
        folder.Write("node.key", key);
        folder.Write("authority.pem", authority.RootPem);

        var configuration = ConfigurationFile.Load(folder.ConfigurationFile);
        var disk = new ModelDisk();
        var journal = FileJournal.Open(disk, entropy, configuration.Node);
        var settings = NodeServer.SettingsOf(configuration);
        var core = new NodeCore(
            settings, new NodeSeams(disk, journal, new MemoryViewStore(), new AesGcmSeal(), hasParent ? new NoLine() : null, TimeProvider.System, entropy), pressure);
        core.Sequencer.Start();
        var log = new QuietLog();
        var credentials = new NodeCredentials(configuration, settings.Register, TimeProvider.System);
        var watch = new CertificateWatch(configuration, credentials, core.ChildrenFold, TimeProvider.System, entropy);
        var app = NodeServer.Build(
            configuration, core, credentials, watch, TimeProvider.System, logging => logging.AddProvider(log).SetMinimumLevel(LogLevel.Information));
        await app.StartAsync();
        return new WholeNode(folder, authority, journal, core, credentials, app, log);
    }

    /// <summary>A certificate of this network's authority for a child.</summary>
    public X509Certificate2 CertificateOf(string node, string division)
    {
        var (certificate, key) = _authority.Issue(NodeId.Parse(node), [DivisionCode.Parse(division)]);
        return X509Certificate2.CreateFromPem(certificate, key);
    }

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

        handler.SslOptions.RemoteCertificateValidationCallback = (_, _, _, _) => true;
        handler.SslOptions.ClientCertificates = [certificate];
        return GrpcChannel.ForAddress($"https://{Addresses.Link}", new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true });
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
        _authority.Dispose();
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
