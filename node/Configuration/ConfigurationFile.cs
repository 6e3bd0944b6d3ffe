using System.Text.Json;

namespace CityGrid.Node.Configuration;

/// <summary>The outcome of reading a configuration: all faults, or the configuration; and the keys that a file may have.</summary>
public sealed record ConfigurationReading(NodeConfiguration? Configuration, IReadOnlyList<ConfigurationFault> Faults, IReadOnlyList<ConfigurationKey> Keys);

/// <summary>Reads a node's configuration file: JSON, with comments allowed, unknown keys refused, and all faults told at once.</summary>
public static class ConfigurationFile
{
    /// <summary>A file with every key and a hundred holidays has about 4 kB.</summary>
    public const int BytesMax = 256 * 1024;

    private const int DepthMax = 8;

    /// <summary>Reads the file, or throws <see cref="ConfigurationException"/> with everything that is wrong with it.</summary>
    public static NodeConfiguration Load(string path)
    {
        var file = Path.GetFullPath(path);
        var reading = Read(TextOf(file), file, File.Exists);
        return reading.Configuration ?? throw new ConfigurationException(file, reading.Faults);
    }

    /// <summary>The same before the node is enrolled: the files of its certificates and tokens are not there yet.</summary>
    public static NodeConfiguration LoadUnenrolled(string path)
    {
        var file = Path.GetFullPath(path);
        var reading = Read(TextOf(file), file, _ => true);
        return reading.Configuration ?? throw new ConfigurationException(file, reading.Faults);
    }

    /// <summary>Reads the text of a file that would stand at <paramref name="file"/>; nothing is touched but <paramref name="exists"/>.</summary>
    public static ConfigurationReading Read(string text, string file, Func<string, bool> exists)
    {
        var findings = new Findings();
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(text, new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, MaxDepth = DepthMax });
        }
        catch (JsonException e)
        {
            findings.Fault($"line {(e.LineNumber ?? 0) + 1}", $"no JSON at byte {(e.BytePositionInLine ?? 0) + 1} of the line", "a comma or a quote before it may be missing");
            return new ConfigurationReading(null, findings.Faults, findings.Keys);
        }

        using (document)
        {
            if (JsonTexts.FirstHalf(text, new JsonReaderOptions { CommentHandling = JsonCommentHandling.Skip, MaxDepth = DepthMax }) is { } line)
            {
                findings.Fault($"line {line}", "a text with half of a character", "an escape from \\uD800 to \\uDFFF stands in pairs; write the character itself");
                return new ConfigurationReading(null, findings.Faults, findings.Keys);
            }

            var configuration = new ConfigurationBinding(file, exists).Bind(new JsonSection(document.RootElement, string.Empty, findings));
            return new ConfigurationReading(findings.Faults.Count == 0 ? configuration : null, findings.Faults, findings.Keys);
        }
    }

    /// <summary>Every key that a file may have, in the order in which they are read, with what is allowed and the default (of a city).</summary>
    public static IReadOnlyList<ConfigurationKey> Keys { get; } = Read("""{ "tier": "city", "parent": {}, "sectorParent": {}, "children": {} }""", "/node.json", _ => true).Keys;

    private static string TextOf(string file)
    {
        try
        {
            var length = new FileInfo(file).Length;
            return length <= BytesMax
                ? File.ReadAllText(file)
                : throw new ConfigurationException(file, [new("the file", $"{length} bytes long", $"at most {BytesMax} bytes are allowed")]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException(file, [new("the file", "not readable", e is FileNotFoundException or DirectoryNotFoundException
                ? "there is no such file; give its path with --config"
                : "the node's user must be able to read it")]);
        }
    }
}
