using System.CommandLine;
using CityGrid.Cli.Network;

namespace CityGrid.Cli;

/// <summary>The node that a command calls, and the token that it shows there: the options <c>--node</c> and <c>--token-file</c>, fresh for each command.</summary>
internal sealed class NodeCall
{
    /// <summary>Administers a node of a written tree, and sees what everybody may see.</summary>
    public const string Keeper = "admin";

    /// <summary>Takes in cases and works them.</summary>
    public const string Desk = "desk";

    private readonly string _actor;
    private readonly Option<string> _node = new("--node");
    private readonly Option<FileInfo?> _token = new("--token-file") { Description = Texts.Get("OptionToken") };

    /// <param name="actor">Whose token of a written tree is shown where none is named: somebody who may do what the command asks for.</param>
    /// <param name="required">False for a command that can do without a node.</param>
    /// <param name="description">The name of the text that says what the node is asked.</param>
    public NodeCall(string actor = Keeper, bool required = true, string description = "OptionNode")
    {
        _actor = actor;
        (_node.Required, _node.Description) = (required, Texts.Get(description));
        _node.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && !IsAddress(result.Tokens[0].Value))
            {
                result.AddError(Texts.Get("NodeBad", result.Tokens[0].Value));
            }
        });
    }

    public void AddTo(Command command)
    {
        command.Options.Add(_node);
        command.Options.Add(_token);
    }

    /// <summary>The address that was given; null for none.</summary>
    public string? AddressIn(ParseResult parsed) => parsed.GetValue(_node);

    /// <summary>A client of the node that was named. Throws <see cref="IOException"/> where no token can be found.</summary>
    public NodeClient Open(ParseResult parsed)
    {
        var address = parsed.GetRequiredValue(_node);
        return new NodeClient(address, TokenFor(address, parsed.GetValue(_token), _actor));
    }

    /// <summary>Makes the call and tells what was refused.</summary>
    public Task<int> RunAsync(ParseResult parsed, Func<NodeClient, Task<int>> call) => Commands.Guarded(async () =>
    {
        using var client = Open(parsed);
        return await call(client);
    });

    public static bool IsAddress(string text) => Uri.TryCreate(text, UriKind.Absolute, out var url) && (url.Scheme == Uri.UriSchemeHttp || url.Scheme == Uri.UriSchemeHttps);

    /// <summary>
    /// The token for a node: that in the file; else that of CITYGRID_TOKEN; else, where the folder that one is in or one above it holds a tree that was written (<c>demo-tree</c>, <c>demo --dir</c>) with
    /// this node in it, the actor's there.
    /// </summary>
    public static string TokenFor(string address, FileInfo? file, string actor, string? folder = null) =>
        file is { Exists: false } ? throw new IOException(Texts.Get("TokenFileMissing", file.FullName))
        : file is not null ? File.ReadAllText(file.FullName).Trim()
        : Environment.GetEnvironmentVariable("CITYGRID_TOKEN") is { Length: > 0 } token ? token
        : TreeAtHand(folder ?? Environment.CurrentDirectory)?.Nodes.FirstOrDefault(node => IsAt(node, address)) is { } known ? known.Tokens[actor]
        : throw new IOException(Texts.Get("TokenMissing"));

    private static WrittenTree? TreeAtHand(string folder)
    {
        for (var at = new DirectoryInfo(folder); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, WrittenTree.FileName)))
            {
                try
                {
                    return WrittenTree.Load(at.FullName);
                }
                catch (Exception other) when (other is FormatException or UnauthorizedAccessException)
                {
                    // A file of that name may be anybody's; what is no tree of this user's has no token for him.
                }
            }
        }

        return null;
    }

    private static bool IsAt(TreeNode node, string address) =>
        Uri.TryCreate(address, UriKind.Absolute, out var url) && url.IsLoopback && (url.Port == node.GrpcPort || url.Port == node.OperatorPort);
}
