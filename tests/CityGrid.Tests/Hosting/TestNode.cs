using System.Net.Http.Headers;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Seams;
using CityGrid.Node.Configuration;
using CityGrid.Node.Hosting;
using CityGrid.Protocol.Names;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace CityGrid.Tests.Hosting;

/// <summary>A node's surroundings on real ports of loopback, with case calls that do little. Errors that are logged unannounced fail the test.</summary>
internal sealed class TestNode : IAsyncDisposable
{
    private readonly NodeFolder _folder;
    private readonly WebApplication _app;

    private TestNode(NodeFolder folder, WebApplication app, QuietLog log)
    {
        _folder = folder;
        _app = app;
        Log = log;
        Addresses = NodeHost.Addresses(app);
        Http = new HttpClient { BaseAddress = new Uri(Addresses.Operator) };
        Grpc = GrpcChannel.ForAddress(Addresses.Grpc);
    }

    public QuietLog Log { get; }

    public NodeAddresses Addresses { get; }

    public NodeFolder Folder => _folder;

    public HttpClient Http { get; }

    public GrpcChannel Grpc { get; }

    public IHostApplicationLifetime Lifetime => _app.Lifetime;

    public T Services<T>()
        where T : notnull => _app.Services.GetRequiredService<T>();

    public static async Task<TestNode> StartAsync(
        NodeReports? reports = null, string? settings = null, TimeProvider? clock = null, Action<WebApplication>? map = null, bool link = false, Hub.Load.PressureGauge? pressure = null)
    {
        var folder = new NodeFolder();
        using (var authority = DevelopmentAuthority.Create("test", TimeProvider.System.GetUtcNow(), new SystemEntropy()))
        {
            var (certificate, key) = authority.Issue(NodeId.Parse("hangzhou"), [DivisionCode.Parse("330100")]);
            folder.Write("node.pem", certificate);
            folder.Write("node.key", key);
            folder.Write("authority.pem", authority.RootPem);
        }

        if (settings is not null)
        {
            folder.Write("node.json", File.ReadAllText(folder.ConfigurationFile).TrimEnd().TrimEnd('}') + $", {settings} }}");
        }

        if (link)
        {
            folder.Write("node.json", File.ReadAllText(folder.ConfigurationFile).Replace("\"link\": {", "\"link\": { \"port\": 0,", StringComparison.Ordinal));
        }

        var configuration = ConfigurationFile.Load(folder.ConfigurationFile);
        var log = new QuietLog();
        var builder = NodeHost.CreateBuilder(
            configuration,
            clock ?? TimeProvider.System,
            new LinkDoors(listen => listen.UseHttps(tls => Trust(tls, configuration))),
            logging => logging.AddProvider(log).SetMinimumLevel(LogLevel.Information));
        if (pressure is not null)
        {
            builder.Services.AddSingleton(pressure);
        }

        var app = builder.Build();
        NodeHost.Map(app, reports ?? Figures.Usual);
        app.MapGrpcService<LittleCases>();
        map?.Invoke(app);
        await app.StartAsync();
        return new TestNode(folder, app, log);
    }

    public async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string? token = null, string? json = null)
    {
        using var request = new HttpRequestMessage(method, path);
        if (token is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        if (json is not null)
        {
            request.Content = new StringContent(json, new MediaTypeHeaderValue("application/json"));
        }

        return await Http.SendAsync(request);
    }

    public Task<HttpResponseMessage> GetAsync(string path, string? token = null) => SendAsync(HttpMethod.Get, path, token);

    public async ValueTask DisposeAsync()
    {
        Grpc.Dispose();
        Http.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
        _folder.Dispose();
        Log.Verify();
    }

    private static void Trust(HttpsConnectionAdapterOptions tls, NodeConfiguration configuration)
    {
        tls.ServerCertificate = System.Security.Cryptography.X509Certificates.X509Certificate2.CreateFromPemFile(
            configuration.Link.CertificateFile, configuration.Link.KeyFile);
    }
}
