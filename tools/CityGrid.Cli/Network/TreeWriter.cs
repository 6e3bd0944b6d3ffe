using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;

namespace CityGrid.Cli.Network;

/// <summary>A node of a written tree: its configuration, where it listens, and the token of each role.</summary>
public sealed record TreeNode(string Node, string Division, string Name, string Tier, string? Parent, string Configuration, int LinkPort, int OperatorPort, int GrpcPort, IReadOnlyDictionary<string, string> Tokens)
{
    public string OperatorUrl => $"http://127.0.0.1:{OperatorPort}";

    public string GrpcUrl => $"http://127.0.0.1:{GrpcPort}";
}

/// <summary>A tree of nodes as it was written: tree.json.</summary>
public sealed record WrittenTree(string Folder, IReadOnlyList<TreeNode> Nodes)
{
    public const string FileName = "tree.json";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    /// <summary>Parents before their children.</summary>
    public IEnumerable<TreeNode> Children(string? parent) => Nodes.Where(n => n.Parent == parent);

    public TreeNode Root => Nodes.Single(n => n.Parent is null);

    public IEnumerable<TreeNode> Cities => Nodes.Where(n => n.Tier == "city");

    public void Save() => DevelopmentAuthority.WriteSecret(Path.Combine(Folder, FileName), JsonSerializer.Serialize(Nodes, Json));

    /// <summary>Reads the tree of a folder.</summary>
    /// <exception cref="FormatException">The file of that name is no tree that was written: it may be anybody's.</exception>
    public static WrittenTree Load(string folder)
    {
        TreeNode?[]? nodes;
        try
        {
            nodes = JsonSerializer.Deserialize<TreeNode?[]>(File.ReadAllText(Path.Combine(folder, FileName)), Json);
        }
        catch (JsonException other)
        {
            throw new FormatException($"{folder}/{FileName} is no tree.", other);
        }

        return nodes is not null && Array.TrueForAll(nodes, IsWhole) ? new WrittenTree(Path.GetFullPath(folder), nodes!) : throw new FormatException($"{folder}/{FileName} is no tree.");
    }

    private static bool IsWhole(TreeNode? node) =>
        node is { Node: not null, Division: not null, Tier: not null, Configuration: not null, Tokens: { } tokens }
        && tokens.GetValueOrDefault(NodeCall.Keeper) is not null && tokens.GetValueOrDefault(NodeCall.Desk) is not null;
}

/// <summary>What tree to write: which divisions, in which zone each, and how often they report.</summary>
/// <param name="Register">The divisions of the tree, written beside it for every node.</param>
/// <param name="Places">The divisions that get a node, each with its tier and zone; parents first.</param>
public sealed record TreePlan(DivisionRegister Register, IReadOnlyList<TreePlace> Places)
{
    /// <summary>Seconds between two scheduled pushes.</summary>
    public int PushSeconds { get; init; } = 5;
}

public sealed record TreePlace(DivisionCode Division, string Node, string Tier, string Zone);

/// <summary>Writes a tree that runs on this machine: an authority, a certificate, a configuration and tokens for every node, on free loopback ports.</summary>
public static class TreeWriter
{
    private const int FirstPort = 20_000;
    private const int LastPort = 31_999;
    private const int Ports = LastPort - FirstPort + 1;

    private static readonly Lock Giving = new();

    /// <summary>Where the next search for free ports begins, counted from the first; begun at random, so that two processes rarely meet.</summary>
    private static int? _nextPort;

    public static readonly IReadOnlyList<string> Roles = ["desk", "handler", "inspector", "viewer", "admin"];

    public static WrittenTree Write(string folder, TreePlan plan, DateTimeOffset now, IEntropy entropy)
    {
        Directory.CreateDirectory(folder);
        folder = Path.GetFullPath(folder);
        using var authority = DevelopmentAuthority.Create("CityGrid development authority", now, entropy);
        File.WriteAllText(Path.Combine(folder, "authority.pem"), authority.RootPem);
        File.WriteAllText(Path.Combine(folder, "register.csv"), Csv(plan.Register), new UTF8Encoding(false));
        var ports = FreePorts(plan.Places.Count * 3, entropy);
        var nodes = new List<TreeNode>();
        for (var i = 0; i < plan.Places.Count; i++)
        {
            var place = plan.Places[i];
            var parent = ParentOf(plan, place, nodes);
            nodes.Add(WriteNode(folder, plan, place, parent, authority, entropy, ports.AsSpan(i * 3, 3)));
        }

        var tree = new WrittenTree(folder, nodes);
        tree.Save();
        return tree;
    }

    /// <summary>The nearest node above, by the register.</summary>
    private static TreeNode? ParentOf(TreePlan plan, TreePlace place, List<TreeNode> written) => plan.Register.UpFrom(place.Division).Skip(1)
        .Select(above => written.FirstOrDefault(n => n.Division == above.Code.ToString()))
        .FirstOrDefault(n => n is not null);

    private static TreeNode WriteNode(string folder, TreePlan plan, TreePlace place, TreeNode? parent, DevelopmentAuthority authority, IEntropy entropy, Span<int> ports)
    {
        var home = Path.Combine(folder, place.Node);
        Directory.CreateDirectory(home);
        var (certificate, key) = authority.Issue(NodeId.Parse(place.Node), [place.Division]);
        File.WriteAllText(Path.Combine(home, "node.pem"), certificate);
        DevelopmentAuthority.WriteSecret(Path.Combine(home, "node.key"), key);
        var (signer, signingKey) = authority.IssueSigner(NodeId.Parse(place.Node), [place.Division]);
        File.WriteAllText(Path.Combine(home, "signer.pem"), signer);
        DevelopmentAuthority.WriteSecret(Path.Combine(home, "signer.key"), signingKey);
        var tokens = Roles.ToDictionary(role => role, _ => Token(entropy));
        DevelopmentAuthority.WriteSecret(Path.Combine(home, "tokens"), string.Concat(tokens.Select(t => $"{t.Key} {RolesOf(t.Key)} {t.Value}\n")));

        var takesChildren = place.Tier != "city";
        var link = new JsonObject
        {
            ["certificate"] = "node.pem",
            ["key"] = "node.key",
            ["authority"] = "../authority.pem",
            ["signingCertificate"] = "signer.pem",
            ["signingKey"] = "signer.key",
        };
        if (takesChildren)
        {
            link["port"] = ports[0];
        }

        var configuration = new JsonObject
        {
            ["node"] = place.Node,
            ["division"] = place.Division.ToString(),
            ["tier"] = place.Tier,
            ["zone"] = place.Zone,
            ["register"] = "../register.csv",
            ["data"] = "data",
            ["tokens"] = "tokens",
            ["link"] = link,
            ["operator"] = new JsonObject { ["port"] = ports[1], ["grpcPort"] = ports[2] },
            ["log"] = new JsonObject { ["folder"] = "log", ["level"] = "information" },
        };
        if (parent is not null)
        {
            configuration["parent"] = new JsonObject
            {
                ["url"] = $"https://127.0.0.1:{parent.LinkPort}",
                ["node"] = parent.Node,
                ["division"] = parent.Division,
                ["schedule"] = $"0/{plan.PushSeconds} * * * * ?",
                ["jitter"] = "1s",
            };
        }

        var file = Path.Combine(home, "node.json");
        File.WriteAllText(file, configuration.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
        var division = plan.Register.Find(place.Division)!;
        var name = division.NameEn.Length > 0 ? $"{division.NameZh} {division.NameEn}".Trim() : division.NameZh;
        return new TreeNode(place.Node, place.Division.ToString(), name, place.Tier, parent?.Node, file, takesChildren ? ports[0] : 0, ports[1], ports[2], tokens);
    }

    private static string RolesOf(string name) => name switch
    {
        "viewer" => "viewer",
        "admin" => "admin,operator",
        _ => "operator",
    };

    private static string Token(IEntropy entropy)
    {
        Span<byte> bytes = stackalloc byte[24];
        entropy.Fill(bytes);
        return Convert.ToHexStringLower(bytes);
    }

    /// <summary>
    /// Ports that are free now, all different, below those that the system gives to outgoing connections (32768 and up): a node that dials while
    /// its tree is still starting cannot take the port of another. A process gives none twice before it has given all of them, for a tree's nodes
    /// listen only once they are started, and stop for a while where they are restarted. Chance says where a process begins, and after that nothing.
    /// </summary>
    /// <exception cref="InvalidOperationException">So many are not free.</exception>
    public static int[] FreePorts(int count, IEntropy entropy)
    {
        var ports = new List<int>(count);
        lock (Giving)
        {
            _nextPort ??= (int)(entropy.NextUInt64() % Ports);
            for (var step = 0; ports.Count < count && step < Ports; step++)
            {
                var port = FirstPort + _nextPort.Value;
                _nextPort = (_nextPort.Value + 1) % Ports;
                if (IsFree(port))
                {
                    ports.Add(port);
                }
            }
        }

        return ports.Count == count
            ? [.. ports]
            : throw new InvalidOperationException($"The tree needs {count} ports from {FirstPort} to {LastPort} of loopback, and only {ports.Count} are free. End other trees first.");
    }

    private static bool IsFree(int port)
    {
        using var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static string Csv(DivisionRegister register)
    {
        var text = new StringBuilder("code,parent,name_zh,name_en,kind,valid_from,valid_to\n");
        foreach (var d in register.All)
        {
            text.Append(CultureInfo.InvariantCulture, $"{d.Code},{d.Parent?.ToString()},{Quote(d.NameZh)},{Quote(d.NameEn)},{KindOf(d.Kind)},,\n");
        }

        return text.ToString();
    }

    private static string KindOf(DivisionKind kind) => kind == DivisionKind.DirectCounty ? "direct-county" : kind.ToString().ToLowerInvariant();

    private static string Quote(string text) => text.AsSpan().ContainsAny(",\"\n") ? $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : text;
}
