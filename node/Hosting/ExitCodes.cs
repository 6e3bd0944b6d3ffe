using System.Net.Sockets;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.Configuration;

namespace CityGrid.Node.Hosting;

/// <summary>How the process ends, for whoever started it. Numbers are never reused.</summary>
public static class ExitCodes
{
    /// <summary>It was asked to end, and did so in order.</summary>
    public const int Clean = 0;

    /// <summary>Something unforeseen: a fault of the program. The log has it.</summary>
    public const int Unforeseen = 1;

    /// <summary>The command line cannot be used.</summary>
    public const int CommandLine = 2;

    /// <summary>The configuration, a file it names, or the runtime cannot be used; or an address is taken.</summary>
    public const int Configuration = 64;

    /// <summary>The disk failed, or the journal is damaged: nothing was acknowledged that is not durable.</summary>
    public const int Storage = 70;

    /// <summary>The data were written by a newer program and are untouched.</summary>
    public const int NewerFormat = 78;

    /// <summary>The code for what ended the process, looking through wrappers.</summary>
    public static int Of(Exception exception) => exception switch
    {
        NewerFormatException => NewerFormat,
        DiskFailedException or JournalDamagedException or DirectoryTakenException => Storage,
        ConfigurationException or RuntimeTooOldException => Configuration,
        CommandLineException => CommandLine,
        SocketException { SocketErrorCode: SocketError.AddressAlreadyInUse or SocketError.AddressNotAvailable or SocketError.AccessDenied } => Configuration,
        OperationCanceledException => Clean,
        AggregateException { InnerExceptions.Count: > 0 } many => many.InnerExceptions.Select(Of).Max(),
        { InnerException: { } inner } => Of(inner),
        _ => Unforeseen,
    };
}
