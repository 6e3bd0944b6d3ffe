using System.Text.Json;
using System.Text.Json.Nodes;
using CityGrid.Cli.Mappings;
using CityGrid.Node.Intake.Import;
using NUnit.Framework;

namespace CityGrid.Tests.Import;

public sealed class When_a_mapping_is_wrong
{
    private static string[] Faults(Action<JsonObject> change) =>
        [.. ImportMapping.Read(Given.MappingJson(change)).Faults.Select(f => $"{f.Code} {f.Where}")];

    [Test]
    public void Every_fault_is_told_at_once_with_its_path()
    {
        var faults = Faults(m =>
        {
            m.Remove("zone");
            m["city"] = "new york";
            m["format"] = "xlsx";
            m["colour"] = "red";
            m["columns"]!["when"] = "x";
            m["columns"]!["id"] = "";
            m["columns"]!["latitude"] = "lat";
            m["dateFormats"] = new JsonArray("yyyy-MM-dd", 5, "HH:mm");
            m["types"] = new JsonObject { ["codes"] = new JsonObject { ["Pot hole"] = "a b" }, ["missing"] = "generate" };
        });
        Assert.That(faults, Is.EquivalentTo(new[]
        {
            "MAPPING_KEY_MISSING $.zone",
            "MAPPING_VALUE_INVALID $.city",
            "MAPPING_VALUE_INVALID $.format",
            "MAPPING_KEY_UNKNOWN $.colour",
            "MAPPING_KEY_UNKNOWN $.columns.when",
            "MAPPING_VALUE_INVALID $.columns.id",
            "MAPPING_VALUE_INVALID $.columns.latitude",
            "MAPPING_VALUE_INVALID $.dateFormats[1]",
            "MAPPING_VALUE_INVALID $.dateFormats[2]",
            "MAPPING_VALUE_INVALID $.types.codes[\"Pot hole\"]",
            "MAPPING_VALUE_INVALID $.types.missing",
        }));
    }

    [TestCase("")]
    [TestCase("{")]
    [TestCase("{\"format\": csv}")]
    public void What_is_no_json_is_told(string text) =>
        Assert.That(ImportMapping.Read(text).Faults.Single().Code, Is.EqualTo("MAPPING_NOT_JSON"));

    [TestCase("[]")]
    [TestCase("null")]
    [TestCase("7")]
    public void What_is_no_object_is_told(string text) =>
        Assert.That(ImportMapping.Read(text).Faults.Select(f => (f.Code, f.Where)), Does.Contain(("MAPPING_VALUE_INVALID", "$")));

    [Test]
    public void A_key_that_stands_twice_is_told() => Assert.That(
        ImportMapping.Read(Given.MappingJson().Replace("{\"format\"", "{\"zone\":\"UTC\",\"format\"", StringComparison.Ordinal)).Faults.Select(f => f.Code),
        Does.Contain("MAPPING_KEY_TWICE"));

    [TestCase("dd HH:mm")]
    [TestCase("MM/dd/yyyy hh:mm")]
    [TestCase("yyyy-MM-dd'T'HH:mm:ss'Z'")]
    [TestCase("ISO")]
    [TestCase("%")]
    public void A_date_format_that_cannot_hold_a_time_is_told(string format) =>
        Assert.That(Faults(m => m["dateFormats"] = format), Is.EqualTo(new[] { "MAPPING_VALUE_INVALID $.dateFormats" }));

    [TestCase("delimiter", "ab")]
    [TestCase("delimiter", "\"")]
    [TestCase("delimiter", "，")]
    [TestCase("encoding", "utf-9")]
    [TestCase("zone", "Mars/Olympus")]
    [TestCase("city", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")]
    [TestCase("datum", "wgs84")]
    [TestCase("statusVoid", null)]
    [TestCase("system", "")]
    [TestCase("system", "0123456789012345678901234567890123456789012345678901234567890123x")]
    public void A_value_that_cannot_be_used_is_told(string key, string? value) =>
        Assert.That(Faults(m => m[key] = value is null ? new JsonArray(1) : value).Select(f => f.Split(' ', '[')[1]), Has.All.EqualTo("$." + key));

    [Test]
    public void Words_without_the_column_they_speak_of_are_told()
    {
        var faults = Faults(m =>
        {
            m["columns"]!.AsObject().Remove("status");
            m["columns"]!.AsObject().Remove("district");
            m["statusVoid"] = "void";
            m["districts"] = new JsonObject();
            m["sources"] = new JsonObject { ["codes"] = new JsonObject { ["Phone"] = "hotline" } };
        });
        Assert.That(faults.Select(f => f.Split(' ')[1]), Is.EquivalentTo(new[] { "$.statusVoid", "$.districts", "$.sources" }));
    }

    [Test]
    public void Two_keys_for_one_name_are_told() => Assert.That(
        Faults(m => m["types"] = new JsonObject { ["codes"] = new JsonObject { ["Caf\u00e9"] = "1", ["Cafe\u0301"] = "2" } }), Has.Length.EqualTo(1));

    [Test]
    public void The_schema_and_the_reader_know_the_same_keys()
    {
        using var schema = JsonDocument.Parse(ImportMapping.Schema);
        foreach (var (path, properties) in ObjectsOf(schema.RootElement))
        {
            // The reader names every key that it knows where it meets one that it does not.
            var faults = ImportMapping.Read(Given.MappingJson(m =>
            {
                m["districts"] = new JsonObject();
                m["types"] = new JsonObject();
                m["sources"] = new JsonObject();
                (path.Length == 0 ? m : m[path]!.AsObject())["nonsense"] = 1;
            })).Faults;
            var known = faults.Single(f => f.Code == "MAPPING_KEY_UNKNOWN").Message.Split(": ")[1].TrimEnd('.').Split(", ");
            Assert.That(known, Is.EquivalentTo(properties), path);
        }
    }

    [Test]
    public void The_document_shows_the_schema()
    {
        var document = File.ReadAllText(Path.Combine(Machine.Repository, "docs", "import.md"));
        Assert.That(document, Does.Contain(ImportMapping.Schema.Trim()));
    }

    [TestCaseSource(typeof(ShippedMapping), nameof(ShippedMapping.All))]
    public void The_mappings_that_ship_are_right_and_keep_types_apart(ShippedMapping shipped)
    {
        var reading = ImportMapping.Read(shipped.Json);
        Assert.That(reading.Faults, Is.Empty);
        Assert.That(reading.Mapping!.Types.Codes.Values, Is.Unique, "two types of a source under one code could not be told apart again");
    }

    private static IEnumerable<(string Path, string[] Properties)> ObjectsOf(JsonElement schema)
    {
        var properties = schema.GetProperty("properties");
        yield return (string.Empty, [.. properties.EnumerateObject().Select(p => p.Name)]);
        foreach (var property in properties.EnumerateObject().Where(p => p.Value.TryGetProperty("properties", out _)))
        {
            yield return (property.Name, [.. property.Value.GetProperty("properties").EnumerateObject().Select(p => p.Name)]);
        }
    }
}
