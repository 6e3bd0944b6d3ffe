using System.Text;
using System.Text.Json.Nodes;
using CityGrid.Node.Intake.Import;

namespace CityGrid.Tests.Import;

/// <summary>Small files and mappings for the tests of the import.</summary>
internal static class Given
{
    public const string Header = "id,reported,closed,type,district,status\n";

    /// <summary>A mapping for <see cref="Header"/> in New York, changed as the test likes.</summary>
    public static ImportMapping Mapping(Action<JsonObject>? change = null)
    {
        var reading = ImportMapping.Read(MappingJson(change));
        return reading.Mapping ?? throw new AssertionFailed(string.Join("\n", reading.Faults));
    }

    public static string MappingJson(Action<JsonObject>? change = null)
    {
        var json = new JsonObject
        {
            ["format"] = "csv",
            ["city"] = "X",
            ["zone"] = "America/New_York",
            ["dateFormats"] = new JsonArray("yyyy-MM-dd HH:mm:ss"),
            ["columns"] = new JsonObject
            {
                ["id"] = "id",
                ["reported"] = "reported",
                ["closed"] = "closed",
                ["type"] = "type",
                ["district"] = "district",
                ["status"] = "status",
            },
        };
        change?.Invoke(json);
        return json.ToJsonString();
    }

    /// <summary>A mapping whose file has these columns only, all of them mapped.</summary>
    public static ImportMapping Narrow(string format = "csv", Action<JsonObject>? change = null) => Mapping(m =>
    {
        m["format"] = format;
        m["columns"] = new JsonObject { ["id"] = "id", ["reported"] = "reported", ["type"] = "type", ["text"] = "text" };
        change?.Invoke(m);
    });

    public static List<ImportItem> Read(ImportMapping mapping, string file) => Read(mapping, Encoding.UTF8.GetBytes(file));

    public static List<ImportItem> Read(ImportMapping mapping, byte[] file)
    {
        using var stream = new MemoryStream(file);
        return [.. ImportReader.Read(stream, mapping)];
    }

    /// <summary>The one row of a file of <see cref="Header"/>.</summary>
    public static ImportItem Row(string row, Action<JsonObject>? change = null) => Read(Mapping(change), Header + row + "\n").Single();

    public static ImportRow Case(string row, Action<JsonObject>? change = null) =>
        Row(row, change) is ImportRow read ? read : throw new AssertionFailed($"No case: {Row(row, change)}");

    public static IEnumerable<string> Codes(ImportFault fault) => fault.Also.Prepend(fault).Select(f => f.Code);

    public sealed class AssertionFailed(string message) : Exception(message);
}
