namespace CityGrid.Hub.Seams;

/// <summary>The rule for the paths of an <see cref="IDisk"/>: names joined by '/', the root is the empty path, and nothing leads out of it.</summary>
internal static class DiskPath
{
    /// <summary>The path's names, or <see cref="ArgumentException"/> where it is none.</summary>
    public static string[] Names(string path)
    {
        if (path.Length == 0)
        {
            return [];
        }

        var names = path.Split('/');
        foreach (var name in names)
        {
            if (name is "" or "." or ".." || name.Contains('\\', StringComparison.Ordinal) || name.Contains('\0', StringComparison.Ordinal))
            {
                throw new ArgumentException($"'{path}' is no path on this disk: names joined by '/' are expected, without '.' and '..'.", nameof(path));
            }
        }

        return names;
    }

    /// <summary>The path under a root folder of the file system.</summary>
    public static string Under(string root, string path) => Path.Combine([root, .. Names(path)]);
}
