namespace CityGrid.Node.Hosting;

/// <summary>What the program was asked to do.</summary>
public enum NodeVerb
{
    Run,

    /// <summary>Read the configuration, say what is wrong with it, and end.</summary>
    Check,
    Help,
    Version,
}

/// <summary>The command line of <c>citygrid-node</c>.</summary>
public sealed record NodeCommandLine(NodeVerb Verb, string? ConfigurationFile)
{
    /// <summary>The data directory comes from a copy: it goes on as a new life (DirectoryLife).</summary>
    public bool IsRestored { get; init; }

    public const string Usage = """
        citygrid-node --config FILE           run the node until SIGTERM or Ctrl-C
        citygrid-node --config FILE --restored
                                              the same once for a data directory that was restored from a copy: it goes on
                                              under an incarnation of its own, and the parent takes back what the copy lacks
        citygrid-node --config FILE --check   say everything that is wrong with the configuration, and end
        citygrid-node --help | --version

        Exit codes: 0 clean, 2 command line, 64 configuration, 70 storage, 78 data of a newer program, 1 anything unforeseen.
        """;

    /// <summary>Reads the arguments, or throws <see cref="CommandLineException"/>.</summary>
    public static NodeCommandLine Parse(IReadOnlyList<string> arguments)
    {
        string? file = null;
        var verb = NodeVerb.Run;
        var isRestored = false;
        for (var i = 0; i < arguments.Count; i++)
        {
            switch (arguments[i])
            {
                case "--config" when file is not null:
                    throw new CommandLineException("--config stands twice; a node has one configuration file.");
                case "--config" when i + 1 == arguments.Count:
                    throw new CommandLineException("--config wants the path of the configuration file after it.");
                case "--config":
                    file = arguments[++i];
                    break;
                case "--check":
                    verb = NodeVerb.Check;
                    break;
                case "--restored":
                    isRestored = true;
                    break;
                case "--help" or "-h":
                    return new NodeCommandLine(NodeVerb.Help, null);
                case "--version":
                    return new NodeCommandLine(NodeVerb.Version, null);
                default:
                    throw new CommandLineException($"'{arguments[i]}' is no option of citygrid-node; --help lists them.");
            }
        }

        return file is null ? throw new CommandLineException("The configuration file is missing: citygrid-node --config FILE.")
            : isRestored && verb == NodeVerb.Check ? throw new CommandLineException("--check changes nothing and --restored does: give one of them; --help tells more.")
            : new NodeCommandLine(verb, file) { IsRestored = isRestored };
    }
}

/// <summary>The command line cannot be used. The node ends with exit code 2.</summary>
public sealed class CommandLineException(string message) : Exception(message);
