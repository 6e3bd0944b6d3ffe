using System.Text.Json.Nodes;
using CityGrid.Cli;
using CityGrid.Cli.Network;
using CityGrid.Hub.Seams;

namespace CityGrid.Tests.EndToEnd;

/// <summary>Trees of real processes for a test, each in a folder of its own that goes with it.</summary>
internal sealed class Trees : IAsyncDisposable
{
    private Trees(WrittenTree tree) => Running = new RunningTree(tree);

    public RunningTree Running { get; }

    public WrittenTree Tree => Running.Tree;

    /// <param name="provinces">Below the one ministry.</param>
    /// <param name="cities">Below each province.</param>
    /// <param name="before">What is done to the written tree before anything runs.</param>
    public static async Task<Trees> StartAsync(int provinces, int cities, Action<WrittenTree>? before = null)
    {
        var folder = Directory.CreateTempSubdirectory("citygrid-e2e-").FullName;
        var tree = TreeWriter.Write(folder, TreePlans.Generated(new TreeShape(provinces, cities), 1), TimeProvider.System.GetUtcNow(), new SystemEntropy());
        before?.Invoke(tree);
        var trees = new Trees(tree);
        try
        {
            await trees.Running.StartAsync();
            return trees;
        }
        catch
        {
            await trees.DisposeAsync();
            throw;
        }
    }

    /// <summary>Writes another configuration for a node, which it goes by from its next start on.</summary>
    public static void Change(TreeNode node, Action<JsonNode> change)
    {
        var configuration = JsonNode.Parse(File.ReadAllText(node.Configuration))!;
        change(configuration);
        File.WriteAllText(node.Configuration, configuration.ToJsonString());
    }

    public async ValueTask DisposeAsync()
    {
        await Running.DisposeAsync();
        Directory.Delete(Tree.Folder, recursive: true);
    }
}
