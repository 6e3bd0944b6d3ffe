namespace CityGrid.Node.Hosting;

/// <summary>
/// The oldest runtime that a node runs on. Before 10.0.9: request smuggling in Kestrel (CVE-2025-55315, in 10.0 release candidates), forged
/// data-protection payloads (CVE-2026-40372), and links followed out of a folder by TarFile (CVE-2026-45491).
/// </summary>
public static class RuntimeFloor
{
    public static readonly Version Oldest = new(10, 0, 9);

    /// <summary>Throws <see cref="RuntimeTooOldException"/> for a runtime below the floor.</summary>
    public static void Check(Version runtime)
    {
        if (runtime < Oldest)
        {
            throw new RuntimeTooOldException(runtime);
        }
    }
}

/// <summary>The .NET runtime has known holes. The node ends with exit code 64.</summary>
public sealed class RuntimeTooOldException(Version runtime)
    : Exception($"This is .NET {runtime}; a node needs {RuntimeFloor.Oldest} or newer, because older ones have known security holes. Update the .NET runtime.");
