using System.Globalization;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Journal;

/// <summary>Where a journal's files are and what they are called, relative to the node's data directory.</summary>
internal static class JournalFiles
{
    public const string Folder = "journal";
    public const string SnapshotFolder = "snapshots";

    /// <summary>A file that is not whole yet; it is deleted when the journal is opened.</summary>
    public const string TemporarySuffix = ".tmp";

    private const string RawSuffix = ".seg";
    private const string PackedSuffix = ".seg.zst";
    private const string SnapshotSuffix = ".snap";

    public static string Raw(Lsn first) => $"{Folder}/{Digits(first)}{RawSuffix}";

    public static string Packed(Lsn first) => $"{Folder}/{Digits(first)}{PackedSuffix}";

    public static string Snapshot(Lsn lsn) => $"{SnapshotFolder}/{Digits(lsn)}{SnapshotSuffix}";

    public static bool IsRaw(string name, out Lsn first) => IsNamed(name, RawSuffix, out first);

    public static bool IsPacked(string name, out Lsn first) => IsNamed(name, PackedSuffix, out first);

    public static bool IsSnapshot(string name, out Lsn lsn) => IsNamed(name, SnapshotSuffix, out lsn);

    private static string Digits(Lsn lsn) => lsn.Value.ToString("D20", CultureInfo.InvariantCulture);

    private static bool IsNamed(string name, string suffix, out Lsn lsn)
    {
        lsn = default;
        if (name.Length != 20 + suffix.Length || !name.EndsWith(suffix, StringComparison.Ordinal)
            || !long.TryParse(name.AsSpan(0, 20), NumberStyles.None, CultureInfo.InvariantCulture, out var value))
        {
            return false;
        }

        lsn = new Lsn(value);
        return true;
    }
}
