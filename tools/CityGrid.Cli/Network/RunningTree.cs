using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace CityGrid.Cli.Network;

/// <summary>The processes of a tree: started parents first, stopped children first, and nothing left behind.</summary>
public sealed class RunningTree(WrittenTree tree) : IAsyncDisposable
{
    private readonly Dictionary<string, NodeProcess> _processes = new(StringComparer.Ordinal);
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(20) };

    public WrittenTree Tree => tree;

    /// <summary>The nodes that run a program of another build, each with that.</summary>
    public IDictionary<string, string> Programs { get; } = new Dictionary<string, string>(StringComparer.Ordinal);

    public NodeProcess this[string node] => _processes[node];

    public async Task StartAsync(Action<TreeNode>? started = null, CancellationToken stop = default)
    {
        foreach (var node in tree.Nodes)
        {
            stop.ThrowIfCancellationRequested();
            await StartAsync(node);
            started?.Invoke(node);
        }
    }

    public async Task StartAsync(TreeNode node, params string[] options)
    {
        if (_processes.Remove(node.Node, out var earlier))
        {
            earlier.Dispose();
        }

        var process = Programs.TryGetValue(node.Node, out var program) ? NodeProcess.StartProgram(program, node.Configuration, options) : NodeProcess.Start(node.Configuration, null, options);
        _processes[node.Node] = process;
        await process.ReadyAsync(TimeSpan.FromSeconds(60));
    }

    /// <summary>Asks a node to end; its exit code.</summary>
    public Task<int> StopAsync(string node) => _processes[node].StopAsync(TimeSpan.FromSeconds(12));

    public void Kill(string node) => _processes[node].Kill();

    /// <summary>The digest that a node tells, its own and those of its children.</summary>
    public async Task<JsonNode> DigestAsync(TreeNode node)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{node.OperatorUrl}/ops/digest");
        request.Headers.Authorization = new("Bearer", node.Tokens["admin"]);
        using var response = await _http.SendAsync(request);
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadFromJsonAsync<JsonNode>() ?? throw new FormatException("An empty digest.");
    }

    /// <summary>True when on every edge the parent's copy of the child is the child's own, bit for bit.</summary>
    public async Task<bool> IsEqualAsync()
    {
        var digests = new Dictionary<string, JsonNode>(StringComparer.Ordinal);
        foreach (var node in tree.Nodes)
        {
            digests[node.Node] = await DigestAsync(node);
        }

        return tree.Nodes.Where(n => n.Parent is not null).All(child =>
        {
            var copy = digests[child.Parent!]["children"]!.AsArray().FirstOrDefault(c => c!["nodeId"]!.GetValue<string>() == child.Node);
            return copy is not null && copy["digest"]!.GetValue<string>() == digests[child.Node]["digest"]!.GetValue<string>();
        });
    }

    /// <summary>What a node has of each of its children, by name.</summary>
    public async Task<IReadOnlyList<string>> DigestsOfChildrenAsync(TreeNode node) =>
        [.. (await DigestAsync(node))["children"]!.AsArray().Select(child => $"{child!["nodeId"]} {child["digest"]}").Order(StringComparer.Ordinal)];

    /// <summary>Waits until every edge is equal; false when it is not in time.</summary>
    public async Task<bool> WaitUntilEqualAsync(TimeSpan atMost, CancellationToken stop)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!await IsEqualAsync())
        {
            if (TimeProvider.System.GetElapsedTime(start) > atMost)
            {
                return false;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(500), stop);
        }

        return true;
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_processes.Values.Select(process => process.StopAsync(TimeSpan.FromSeconds(30))));
        foreach (var process in _processes.Values)
        {
            process.Dispose();
        }

        _http.Dispose();
    }
}
