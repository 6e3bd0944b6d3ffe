using CityGrid.Hub.Seams;

namespace CityGrid.Hub.Storage;

/// <summary>A folder that a power cut does not take away again.</summary>
internal static class DurableFolder
{
    /// <summary>Creates the folder and those above it where they are missing, and makes their entries durable.</summary>
    public static void Create(IDisk disk, string folder)
    {
        disk.CreateFolder(folder);
        for (var at = folder; at.Length > 0;)
        {
            at = at.LastIndexOf('/') is var slash and > 0 ? at[..slash] : string.Empty;
            disk.SyncFolder(at);
        }
    }
}
