using System.Text;
using System.Text.Json;
using CityGrid.Cli.Mappings;
using CityGrid.Hub.Divisions;
using CityGrid.Node.Configuration;
using CityGrid.Node.Escalations;
using CityGrid.Node.Hosting;
using CityGrid.Node.Intake.Import;
using CityGrid.Protocol.Names;
using CityGrid.Tests.Hosting;
using CityGrid.Tests.Import;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using NodaTime;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Tests.Fuzz;

/// <summary>Everything of the product that reads what others wrote (reliability, 5.4), each with good inputs to begin with.</summary>
internal static class FuzzTargets
{
    public static IReadOnlyList<FuzzTarget> All { get; } =
    [
        .. StoredTargets.All, .. KeptTargets.All, .. WireTargets.All, .. CarriedTargets.All, .. HeardTargets.All, .. IssuedTargets.All, .. TakenInTargets.All,
        new("division-csv", Shape.Text, 3_000, () => [Text("code,parent,name_zh,name_en,kind,valid_from,valid_to\nCN,,中国,China,nation,,\n33,CN,浙江,Zhejiang,province,1949-10-01,\n3301,33,\"杭,州\",Hangzhou,city,,2026-01-01\n")], DivisionCsv)
        {
            Words = ["nation", "province", "municipality", "direct-county", "unknown", "code", "CN", "33", "3301"],
        },
        new("import-csv", Shape.Text, 3_000, () => [Text(Given.Header + "7,2015-11-01 00:59:59,2015-11-02 00:00:00,pothole,N 1,closed\n8,2015-11-01 01:30:00,,\"a \"\"quoted\"\" type\",,open\n")], input => Import(Given.Mapping(), input)) { BytesPerByte = 20_000 },
        new("import-ndjson", Shape.Text, 3_000, () => [Text("{\"id\":\"7\",\"reported\":\"2015-11-01 00:59:59\",\"type\":\"pothole\",\"text\":\"x\\u00e9\"}\n{\"id\":8,\"reported\":\"2015-11-01 01:30:00\",\"type\":\"t\",\"text\":null}\n")], input => Import(Given.Narrow("ndjson"), input)) { BytesPerByte = 20_000 },
        new("mapping-json", Shape.Text, 2_000, () => [Text(Given.MappingJson()), .. ShippedMapping.All.Select(mapping => Text(mapping.Json))], MappingJson),
        new("configuration", Shape.Text, 2_000, Configurations, Configuration),
        new("escalation-rules", Shape.Text, 3_000, () => [Rules()], EscalationRulesJson),
        new("token-file", Shape.Text, 5_000, () => [Text($"# who\ndesk-1 operator {NodeFolder.OperatorToken}\nkeeper admin,operator {TokenFile.HashOf(NodeFolder.AdminToken)}\n")], Tokens) { Words = ["operator", "admin", "viewer", "sha256:", "#"] },
        new("json-body", Shape.Text, 5_000, JsonBodies, JsonBody) { Words = [.. Requests.SelectMany(type => type.Fields.InDeclarationOrder().Select(field => field.JsonName))] },
        new("query-value", Shape.Text, 5_000, () => [Text("2026-11-24"), Text("-1"), Text("STAGE"), Text("AAAA")], QueryValue),
        new("date-formats", Shape.Text, 5_000, () => [Text("yyyy-MM-dd HH:mm:ss\n2015-11-01 00:59:59"), Text("iso\n2018-01-02T00:00:09-08:00"), Text("unix-seconds\n1514851209"), Text("unix-milliseconds\n1514851209250"), Text("MM/dd/yyyy hh:mm:ss tt\n12/31/2017 11:59:58 PM")], Dates),
        new("matters", Shape.Text, 10_000, () => [Text("01,06010"), Text("other,x,99"), Text("01,01001,0")], MattersChosen),
        new("names", Shape.Text, 10_000, () => [Text("330102"), Text("hangzhou"), Text("gb47678-2026"), Text("hotline"), Text("01001"), Text("2026-11-24"), Text("0197c0de000070008000000000000001"), Text("01J0000000ABCDEFGHJKMNPQRS")], Names),
    ];

    public static FuzzTarget Of(string name) => All.Single(target => target.Name == name);

    private static IReadOnlyList<MessageDescriptor> Requests => [.. GoodRequests.OperatorCalls.Select(call => call.InputType)];

    public static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);

    private static string DivisionCsv(byte[] input)
    {
        var reading = DivisionFile.Read(new StringReader(Encoding.UTF8.GetString(input)));
        Sound(reading.Register is null == reading.Faults.Count > 0, "a register is there exactly where there is no fault");
        return string.Join('|', reading.Faults.Select(fault => $"{fault.Column}:{fault.Allowed}").Distinct().Order(StringComparer.Ordinal).Take(4));
    }

    private static string Import(ImportMapping mapping, byte[] input)
    {
        using var stream = new MemoryStream(input);
        var ways = new SortedSet<string>(StringComparer.Ordinal);
        var items = 0;
        foreach (var item in ImportReader.Read(stream, mapping))
        {
            items++;
            ways.Add(item switch { ImportFault fault => fault.Code, Node.Intake.Import.ImportRow row => $"row {row.Dirt.Count}", _ => item.GetType().Name });
        }

        Sound(items <= input.Length + 1, "no more rows than bytes");
        return string.Join('|', ways);
    }

    private static string MappingJson(byte[] input)
    {
        var reading = ImportMapping.Read(Encoding.UTF8.GetString(input));
        Sound(reading.Mapping is null == reading.Faults.Count > 0, "a mapping is there exactly where there is no fault");
        return string.Join('|', reading.Faults.Select(fault => fault.Code).Distinct().Order(StringComparer.Ordinal));
    }

    private static IReadOnlyList<byte[]> Configurations() =>
        [.. Directory.GetFiles(Path.Combine(Machine.Repository, "tests", "CityGrid.Tests", "Configuration"), "*.good.json").Order(StringComparer.Ordinal).Select(File.ReadAllBytes)];

    private static string Configuration(byte[] input)
    {
        var reading = ConfigurationFile.Read(Encoding.UTF8.GetString(input), "/etc/citygrid/node.json", path => !path.EndsWith('x'));
        Sound(reading.Configuration is null == reading.Faults.Count > 0, "a configuration is there exactly where there is no fault");
        return string.Join('|', reading.Faults.Select(fault => fault.Path).Distinct().Order(StringComparer.Ordinal).Take(4));
    }

    private static byte[] Rules()
    {
        using var stream = typeof(EscalationRules).Assembly.GetManifestResourceStream(typeof(EscalationRules).Assembly.GetManifestResourceNames().Single(name => name.EndsWith("escalation-rules.json", StringComparison.Ordinal)))!;
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return bytes.ToArray();
    }

    private static string EscalationRulesJson(byte[] input)
    {
        try
        {
            return $"{EscalationRules.Read(Encoding.UTF8.GetString(input)).Rules.Count}";
        }
        catch (FormatException refused)
        {
            return Shortened(refused.Message);
        }
    }

    private static string Tokens(byte[] input)
    {
        var file = TokenFile.Parse(Encoding.UTF8.GetString(input).Split('\n'));
        foreach (var owner in file.Owners)
        {
            Sound(owner.Actor.Length is > 0 and <= 64 && owner.Roles.Count > 0, "an owner has a name and a role");
        }

        Sound(file.OwnerOf(string.Empty) is null, "an empty token is nobody's");
        return $"{Math.Min(file.Owners.Count, 3)} {string.Join('|', file.Faults.Select(fault => fault.Allowed).Distinct().Order(StringComparer.Ordinal))}";
    }

    /// <summary>The first line names the call.</summary>
    private static IReadOnlyList<byte[]> JsonBodies() => [.. GoodRequests.Operators().Select(one => Text($"{one.Call}\n{JsonFormatter.Default.Format(one.Request)}"))];

    private static string JsonBody(byte[] input)
    {
        var line = input.AsSpan().IndexOf((byte)'\n');
        if (line < 0 || GoodRequests.OperatorCalls.SingleOrDefault(one => one.Name == Encoding.UTF8.GetString(input[..line])) is not { } call)
        {
            return "no call";
        }

        try
        {
            using var document = JsonDocument.Parse(input.AsMemory(line + 1), new JsonDocumentOptions { MaxDepth = StrictJson.DepthMax });
            var fault = new StrictMessage(field => field == "case_id").FaultOf(document.RootElement, call.InputType);
            return fault is null ? $"{call.Name} good" : $"{call.Name} {fault.Code}";
        }
        catch (JsonException)
        {
            return "no JSON";
        }
        catch (InvalidOperationException half) when (half.Message.Contains("UTF-", StringComparison.Ordinal) || half.Message.Contains("surrogate", StringComparison.Ordinal))
        {
            return "half of a character";
        }
    }

    private static string QueryValue(byte[] input)
    {
        var text = Encoding.UTF8.GetString(input);
        return string.Join('|', Requests.SelectMany(type => type.Fields.InDeclarationOrder()).Select(field => (field.FieldType, Good: StrictMessage.FaultOfText(text, field, "x") is null)).Distinct().Order());
    }

    private static string Dates(byte[] input)
    {
        var (format, text) = Encoding.UTF8.GetString(input).Split('\n', 2) is [var first, var rest] ? (first, rest) : (DateFormats.Iso, Encoding.UTF8.GetString(input));
        if (DateFormats.FaultOf(format) is { } fault)
        {
            return Shortened(fault);
        }

        var zone = DateTimeZoneProviders.Tzdb["America/New_York"];
        return new DateFormats([format], zone).TryRead(text, out var instant) ? $"read {instant.InUtc().Year > 1900}" : "not read";
    }

    private static string MattersChosen(byte[] input)
    {
        var texts = Encoding.UTF8.GetString(input).Split(',');
        if (Matters.Of(texts) is not { } matters)
        {
            return "none";
        }

        Sound(matters.Beginnings.Length is > 0 and <= Matters.CountMax, "a selection that was read names something");
        Sound(matters.Equals(Matters.Of(matters.Beginnings)), "one selection has one form");
        Sound(texts.Where(text => text != Matters.Other).All(text => matters.Includes(TypeCode.Parse(text))), "each beginning that was read tells of itself");
        return $"{Math.Min(matters.Beginnings.Length, 4)} {matters.Includes(TypeCode.Parse("01001"))} {matters.Includes(TypeCode.Parse("x0a1b2c3d"))}";
    }

    private static string Names(byte[] input)
    {
        var text = Encoding.UTF8.GetString(input);
        var read = new StringBuilder();
        void Same<T>(bool parsed, T name)
        {
            read.Append(parsed ? '1' : '0');
            if (parsed)
            {
                Sound($"{name}" == text, $"'{text}' was read as '{name}'");
            }
        }

        Same(DivisionCode.TryParse(text, out var division), division);
        Same(NodeId.TryParse(text, out var node), node);
        Same(CatalogueVersion.TryParse(text, out var version), version);
        Same(SourceCode.TryParse(text, out var source), source);
        Same(TypeCode.TryParse(text, out var type), type);
        Same(StatDay.TryParse(text, out var day), day);
        read.Append(CaseId.TryParse(text, out var id) ? Node.Cases.CaseDesk.ShelfOf(id)[..7] : "0");
        return read.ToString();
    }

    /// <summary>A message without what an input put into it.</summary>
    public static string Shortened(string message)
    {
        var shape = System.Text.RegularExpressions.Regex.Replace(message, "'[^']*'|\"[^\"]*\"|[0-9a-f]{16,}|[0-9]+", "_");
        return shape[..Math.Min(shape.Length, 80)];
    }

    /// <summary>What must hold after any input.</summary>
    public static void Sound(bool holds, string what)
    {
        if (!holds)
        {
            throw new NotSoundException(what);
        }
    }
}

/// <summary>Something that must hold does not.</summary>
internal sealed class NotSoundException(string what) : Exception(what);
