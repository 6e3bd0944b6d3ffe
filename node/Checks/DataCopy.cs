using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;

namespace CityGrid.Node.Checks;

/// <summary>
/// A copy of parts of a data directory in a temporary folder: opening a journal or views settles what a crash left, and a check must change
/// nothing. It needs as much room as the parts have.
/// </summary>
internal sealed class DataCopy : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("citygrid-check-").FullName;

    public DataCopy(string dataFolder, params string[] parts)
    {
        foreach (var part in parts.Where(part => Directory.Exists(Path.Combine(dataFolder, part))))
        {
            Directory.CreateDirectory(Path.Combine(_folder, part));
            foreach (var file in Directory.EnumerateFiles(Path.Combine(dataFolder, part)))
            {
                File.Copy(file, Path.Combine(_folder, part, Path.GetFileName(file)));
            }
        }

        Disk = PosixDisk.At(_folder);
    }

    public IDisk Disk { get; }

    /// <summary>The journal in the copy, without a writer's background work.</summary>
    public FileJournal Journal(NodeId node) => FileJournal.Open(Disk, new SystemEntropy(), node);

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
