using CityGrid.Hub.Load;
using CityGrid.Node.Configuration;
using Serilog;
using Serilog.Events;
using Serilog.Formatting.Compact;

namespace CityGrid.Node.Hosting;

/// <summary>
/// Where the log goes: text to standard error (standard output is for the line that says where the node listens), and compact JSON to files that
/// are bounded in size and number. Ids, counts, codes and durations only: a case's content never.
/// </summary>
public static class NodeLog
{
    private const string Line = "{Timestamp:yyyy-MM-ddTHH:mm:ss.fffzzz} {Level:u3} {EventId} {SourceContext}: {Message:lj}{NewLine}{Exception}";

    public static Serilog.Core.Logger Create(LogConfiguration configuration, string node)
    {
        var logger = new LoggerConfiguration()
            .MinimumLevel.Is(configuration.Level == LogLevel.None ? LevelAlias.Off : Level(configuration.Level))
            .MinimumLevel.Override("Microsoft", Max(LogEventLevel.Warning, Level(configuration.Level)))
            .MinimumLevel.Override("Grpc", Max(LogEventLevel.Warning, Level(configuration.Level)))
            .MinimumLevel.Override("Quartz", Max(LogEventLevel.Warning, Level(configuration.Level)))
            // The exception of a failed call is logged by RefusalInterceptor with the id that the caller was told; once is enough.
            .MinimumLevel.Override("Grpc.AspNetCore.Server.ServerCallHandler", LogEventLevel.Fatal)
            // A start that fails, for a port that is taken say, ends the process with its message and a code; a stack says nothing to an operator.
            .MinimumLevel.Override("Microsoft.Extensions.Hosting.Internal.Host", LogEventLevel.Fatal)
            .Enrich.WithProperty("node", node)
            .WriteTo.Console(outputTemplate: Line, formatProvider: System.Globalization.CultureInfo.InvariantCulture, standardErrorFromLevel: LogEventLevel.Verbose);
        if (configuration.Folder is { } folder)
        {
            logger.WriteTo.File(
                new CompactJsonFormatter(),
                Path.Combine(folder, $"{node}-.log"),
                rollingInterval: RollingInterval.Day,
                fileSizeLimitBytes: configuration.FileBytes,
                rollOnFileSizeLimit: true,
                retainedFileCountLimit: configuration.Files);
        }

        return logger.CreateLogger();
    }

    /// <summary>That a node under pressure lets go of something else than before.</summary>
    public static void Pressure(Microsoft.Extensions.Logging.ILogger log, int level, Pressure pressure)
    {
        if (level == 0)
        {
            Log.ShedsNothing(log, pressure.What, pressure.Percent);
        }
        else
        {
            Log.Sheds(log, pressure.What, pressure.Percent, string.Join(", ", Shedding.Words(level)));
        }
    }

    private static LogEventLevel Max(LogEventLevel one, LogEventLevel other) => one > other ? one : other;

    private static LogEventLevel Level(LogLevel level) => level switch
    {
        LogLevel.Trace => LogEventLevel.Verbose,
        LogLevel.Debug => LogEventLevel.Debug,
        LogLevel.Information => LogEventLevel.Information,
        LogLevel.Warning => LogEventLevel.Warning,
        LogLevel.Error => LogEventLevel.Error,
        _ => LogEventLevel.Fatal,
    };
}
