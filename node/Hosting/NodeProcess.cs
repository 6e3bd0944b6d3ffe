using System.Reflection;
using CityGrid.Node.Configuration;

namespace CityGrid.Node.Hosting;

/// <summary>From a command line to an exit code: what is the same for every way in which a node can run or fail.</summary>
public static class NodeProcess
{
    public static string Version { get; } =
        typeof(NodeProcess).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";

    /// <summary>
    /// Reads the command line and the configuration, and runs the node. Whatever ends it becomes one message on <paramref name="error"/> that
    /// says what to do, and an exit code of <see cref="ExitCodes"/>; nothing is thrown.
    /// </summary>
    public static async Task<int> RunAsync(
        IReadOnlyList<string> arguments, TextWriter output, TextWriter error, Func<NodeConfiguration, Task> run)
    {
        try
        {
            RuntimeFloor.Check(Environment.Version);
            var line = NodeCommandLine.Parse(arguments);
            switch (line.Verb)
            {
                case NodeVerb.Help:
                    await output.WriteLineAsync(NodeCommandLine.Usage);
                    return ExitCodes.Clean;
                case NodeVerb.Version:
                    await output.WriteLineAsync($"citygrid-node {Version}");
                    return ExitCodes.Clean;
                case NodeVerb.Check:
                    var configuration = Load(line.ConfigurationFile!);
                    await output.WriteLineAsync($"The configuration of {configuration.Node} is in order.");
                    return ExitCodes.Clean;
                default:
                    await run(Load(line.ConfigurationFile!) with { IsRestored = line.IsRestored });
                    return ExitCodes.Clean;
            }
        }
        catch (Exception e)
        {
            var code = ExitCodes.Of(e);
            if (code != ExitCodes.Clean)
            {
                await error.WriteLineAsync(code == ExitCodes.Unforeseen ? e.ToString() : Innermost(e, code));
            }

            return code;
        }
    }

    /// <summary>The configuration and the files it names that must be right before anything starts.</summary>
    private static NodeConfiguration Load(string file)
    {
        var configuration = ConfigurationFile.Load(file);
        var faults = SecretFiles.Faults(configuration);
        if (faults.Count > 0)
        {
            throw new ConfigurationException(configuration.File, faults);
        }

        RegisterCheck.Read(configuration);
        return configuration;
    }

    /// <summary>The message nearest to the cause: wrappers say less.</summary>
    private static string Innermost(Exception exception, int code)
    {
        var at = exception;
        while (at.InnerException is { } inner && ExitCodes.Of(inner) == code)
        {
            at = inner;
        }

        return at is System.Net.Sockets.SocketException
            ? $"{exception.Message} Choose another port for the node (operator.port, operator.grpcPort or link.port; 0 is a free one), or stop what listens there."
            : at.Message;
    }
}
