using CityGrid.Hub.Load;
using CityGrid.Node.Configuration;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Serilog;

namespace CityGrid.Node.Hosting;

/// <summary>
/// The web host of a node: its ports and their limits, who may come in, how errors look, and what the node tells of itself. The services that do
/// the work are added by whoever builds the node.
/// </summary>
public static class NodeHost
{
    /// <summary>Three requests of a key are about 1 kB.</summary>
    private const int EnrolmentBytes = 16 << 10;

    /// <summary>
    /// A builder that reads the configuration given and nothing else: no environment, no appsettings. <paramref name="doors"/> set the TLS of
    /// the ports that are open to other places.
    /// </summary>
    public static WebApplicationBuilder CreateBuilder(
        NodeConfiguration configuration, TimeProvider clock, LinkDoors doors, Action<ILoggingBuilder>? logging = null)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory, ApplicationName = "citygrid-node" });
        if (logging is null)
        {
            builder.Logging.AddSerilog(NodeLog.Create(configuration.Log, configuration.Node.ToString()), dispose: true);
            builder.Logging.SetMinimumLevel(configuration.Log.Level);
        }
        else
        {
            logging(builder.Logging);
        }

        // It would make an activity of every call, for spans that nobody reads.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel((_, _) => { });
        builder.Services.AddOptions<Microsoft.AspNetCore.Server.Kestrel.Core.KestrelServerOptions>()
            .Configure<ILoggerFactory, PeerPlaces>((kestrel, logs, peers) => Listeners.Configure(kestrel, configuration, doors, peers, clock, logs.CreateLogger("CityGrid.Node.Hosting")));
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = configuration.Limits.Shutdown.ToTimeSpan());
        builder.Services.AddSingleton(configuration);
        builder.Services.AddSingleton(clock);
        AddDoors(builder.Services, configuration);
        AddGrpc(builder.Services, configuration);
        return builder;
    }

    /// <summary>Puts everything in order that a call passes before it reaches the work, and maps what the node tells of itself.</summary>
    public static void Map(WebApplication app, NodeReports reports)
    {
        app.UseMiddleware<ErrorShape>();
        app.UseRouting();
        app.Use(KeepToTheDoor);
        app.UseMiddleware<PeerStreams>();
        app.UseMiddleware<Doorkeeper>();
        app.UseMiddleware<Admission>();
        app.UseMiddleware<StrictJson>();
        var metrics = new MetricsText();
        var meter = new NodeMeter(reports);
        app.Lifetime.ApplicationStopped.Register(() =>
        {
            meter.Dispose();
            metrics.Dispose();
        });
        OpsEndpoints.Map(app, reports, metrics, meter);
    }

    /// <summary>Where the node listens; call it once the host has started.</summary>
    public static NodeAddresses Addresses(WebApplication app) =>
        NodeAddresses.Of([.. app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses]);

    private static void AddDoors(IServiceCollection services, NodeConfiguration configuration)
    {
        services.AddSingleton(provider => new TokenBook(
            configuration.TokensFile, provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<TokenBook>>()));
        services.AddSingleton(provider => new CallLimits(configuration.Limits, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(provider => new PeerPlaces(configuration.Limits, provider.GetRequiredService<ILogger<PeerPlaces>>()));
        services.TryAddSingleton(PressureGauge.Calm);
        services.AddRouting();
        // The doorkeeper handles what endpoints say of who may; the library looks for its own.
        services.Configure<RouteOptions>(routing => routing.SuppressCheckForUnhandledSecurityMetadata = true);
    }

    private static void AddGrpc(IServiceCollection services, NodeConfiguration configuration)
    {
        // What each report passes is there once, and not made anew for it.
        services.AddSingleton<RefusalInterceptor>().AddSingleton<Intake.CasesGrpcService>();
        services.AddGrpc(grpc =>
        {
            grpc.EnableDetailedErrors = false;
            grpc.IgnoreUnknownServices = true; // Unknown ones are then no endpoints: the answer is 404, which clients read as UNIMPLEMENTED.
            grpc.MaxReceiveMessageSize = configuration.Limits.RequestBytes;
            grpc.MaxSendMessageSize = configuration.Limits.LinkMessageBytes;
            grpc.Interceptors.Add<RefusalInterceptor>();
        }).AddServiceOptions<Hub.Reception.LinkGrpcService>(link => link.MaxReceiveMessageSize = configuration.Limits.LinkMessageBytes)
        .AddServiceOptions<Hub.Children.EnrolmentGrpcService>(enrolment => enrolment.MaxReceiveMessageSize = EnrolmentBytes)
        .AddServiceOptions<Hub.Children.RenewalGrpcService>(renewal => renewal.MaxReceiveMessageSize = EnrolmentBytes)
        .AddJsonTranscoding(json =>
        {
            json.JsonSettings.WriteInt64sAsStrings = false;
            json.JsonSettings.IgnoreDefaultValues = false;
        });
    }

    /// <summary>An endpoint of the link or of enrolment is there for those alone who came in by its door, and nothing else is there for them.</summary>
    private static Task KeepToTheDoor(HttpContext context, RequestDelegate next)
    {
        var door = context.Features.Get<OnDoor>()?.Door;
        var wanted = context.GetEndpoint()?.Metadata.GetMetadata<OnDoor>()?.Door;
        if (door is not null && (wanted is null ? door is Door.Link or Door.Enrolment : door != wanted))
        {
            context.SetEndpoint(null);
            context.Refuse(StatusCodes.Status404NotFound, new Protocol.Names.Refusal("NO_SUCH_CALL", "There is no such call on this port."));
            return Task.CompletedTask;
        }

        return next(context);
    }
}
