using CityGrid.Cli;
using CityGrid.Cli.Network;
using CityGrid.Hub.Seams;

namespace CityGrid.Tests.EndToEnd;

/// <summary>A city as it stands written in a tree of which nothing runs, in a folder that goes with it.</summary>
internal sealed class LoneCity : IDisposable
{
    public LoneCity()
    {
        Folder = Directory.CreateTempSubdirectory("citygrid-e2e-").FullName;
        Node = TreeWriter.Write(Folder, TreePlans.Generated(new TreeShape(1, 1), 1), TimeProvider.System.GetUtcNow(), new SystemEntropy()).Cities.Single();
    }

    public string Folder { get; }

    public TreeNode Node { get; }

    /// <summary>The folder of its configuration, its data and its log.</summary>
    public string Home => Path.GetDirectoryName(Node.Configuration)!;

    public string Data => Folders.DataOf(Node);

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
