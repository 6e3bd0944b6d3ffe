using System.Security.Cryptography;
using CityGrid.Cli.Network;

namespace CityGrid.Tests.EndToEnd;

/// <summary>What tests do with the folders of nodes.</summary>
internal static class Folders
{
    /// <summary>Where a node of a written tree keeps what it must not lose.</summary>
    public static string DataOf(TreeNode node) => Path.Combine(Path.GetDirectoryName(node.Configuration)!, "data");

    public static void Copy(string from, string to)
    {
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }

    /// <summary>Every file with the hash of what is in it.</summary>
    public static Dictionary<string, string> Contents(string folder) => Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
        .ToDictionary(file => Path.GetRelativePath(folder, file), file => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(file))));

    /// <summary>Makes a segment one of a newer program: the format stands after the magic, and the checksum at the end of the header covers it (hub/Journal/README.md).</summary>
    public static void MakeNewer(string segment)
    {
        var bytes = File.ReadAllBytes(segment);
        bytes[8] = 99;
        Seal(bytes, 252);
        File.WriteAllBytes(segment, bytes);
    }

    /// <summary>Writes the checksum of the bytes before it where it stands.</summary>
    public static void Seal(byte[] bytes, int at) => System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(at), Crc(bytes.AsSpan(0, at)));

    public static uint Crc(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var at in bytes)
        {
            crc = System.Numerics.BitOperations.Crc32C(crc, at);
        }

        return ~crc;
    }
}
