using System.CommandLine;
using CityGrid.Cli.Network;

namespace CityGrid.Cli.Journey;

/// <summary>Which nodes a command speaks to: addresses with a token file each (or one for all), or all nodes of a tree that was written to a folder.</summary>
internal sealed class NodesGiven
{
    private readonly Option<string[]> _nodes = new("--node") { Description = Texts.Get("OptionAddresses") };
    private readonly Option<FileInfo[]> _tokens = new("--token-file") { Description = Texts.Get("OptionTokens") };
    private readonly Option<string?> _folder = new("--dir") { Description = Texts.Get("OptionTree") };

    public NodesGiven()
    {
        _nodes.Validators.Add(result =>
        {
            foreach (var token in result.Tokens.Where(token => !NodeCall.IsAddress(token.Value)))
            {
                result.AddError(Texts.Get("NodeBad", token.Value));
            }
        });
    }

    public void AddTo(Command command)
    {
        command.Options.Add(_nodes);
        command.Options.Add(_tokens);
        command.Options.Add(_folder);
    }

    /// <summary>Clients of the nodes, and the written tree where one was named. Null with the message where the options do not fit together.</summary>
    public IReadOnlyList<NodeClient>? Open(ParseResult parsed, out WrittenTree? tree, out string? fault)
    {
        var (urls, tokens, folder) = (parsed.GetValue(_nodes) ?? [], parsed.GetValue(_tokens) ?? [], parsed.GetValue(_folder));
        (tree, fault) = (null, null);
        if (folder is not null && urls.Length == 0)
        {
            if (!File.Exists(Path.Combine(folder, WrittenTree.FileName)))
            {
                fault = Texts.Get("NoTree", folder);
                return null;
            }

            try
            {
                tree = WrittenTree.Load(folder);
            }
            catch (FormatException)
            {
                fault = Texts.Get("TreeNotOurs", folder);
                return null;
            }

            return [.. tree.Nodes.Select(n => new NodeClient(n.GrpcUrl, n.Tokens["admin"]))];
        }

        if (urls.Length == 0 || folder is not null || tokens.Length > 1 && tokens.Length != urls.Length)
        {
            fault = Texts.Get("NodesWanted");
            return null;
        }

        return [.. urls.Select((url, i) => new NodeClient(url, NodeCall.TokenFor(url, tokens.Length == 0 ? null : tokens[Math.Min(i, tokens.Length - 1)], NodeCall.Keeper)))];
    }
}
