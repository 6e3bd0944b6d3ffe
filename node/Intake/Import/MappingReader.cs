using System.Text;
using System.Text.Json;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using NodaTime;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Node.Intake.Import;

/// <summary>Reads the JSON of a mapping and collects every fault with its JSON path.</summary>
internal sealed class MappingReader
{
    private static readonly Dictionary<string, OtherwisePolicy> Policies = new(StringComparer.Ordinal)
    {
        ["generate"] = OtherwisePolicy.Generate,
        ["none"] = OtherwisePolicy.None,
        ["park"] = OtherwisePolicy.Park,
    };

    private static readonly Dictionary<string, ImportFormat> Formats = new(StringComparer.Ordinal)
    {
        ["csv"] = ImportFormat.Csv,
        ["ndjson"] = ImportFormat.Ndjson,
    };

    private static readonly string[] DatumNames = ["CGCS2000", "WGS84", "GCJ02", "BD09"];

    /// <summary>The most characters of a city's code, so that <c>-NONE</c> and a hash have room behind it.</summary>
    private const int CityCharsMax = DivisionCode.LengthMax - 7;

    private readonly List<Refusal> _faults = [];

    private const int DepthMax = 16;

    public MappingReading Read(string json)
    {
        ImportMapping? mapping = null;
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = DepthMax });
            if (JsonTexts.FirstHalf(json, new JsonReaderOptions { MaxDepth = DepthMax }) is { } line)
            {
                return new MappingReading(null, [new Refusal("MAPPING_NOT_JSON", "A text has half of a character: an escape from \\uD800 to \\uDFFF stands in pairs; write the character itself.", $"line {line}")]);
            }

            mapping = ReadMapping(new JsonObjectReader(document.RootElement, "$", _faults));
        }
        catch (JsonException e)
        {
            _faults.Add(new Refusal("MAPPING_NOT_JSON", $"The mapping is no JSON: {e.Message}", "$"));
        }

        return _faults.Count == 0 ? new MappingReading(mapping, []) : new MappingReading(null, _faults);
    }

    private ImportMapping? ReadMapping(JsonObjectReader root)
    {
        root.Text("$schema", required: false);
        var format = root.Word("format", Formats, ImportFormat.Csv, required: true);
        var delimiter = ReadDelimiter(root, format);
        var encoding = ReadEncoding(root);
        var city = root.Parsed<DivisionCode>("city", DivisionCode.TryParse, "a division code (A-Z, 0-9, '-')", required: true);
        if (!city.IsNone && city.ToString().Length > CityCharsMax)
        {
            root.Fault("city", $"has more than {CityCharsMax} characters, which leaves no room for its districts");
        }

        var zone = root.Parsed<DateTimeZone>("zone", TryZone, "a zone of the IANA database, such as Asia/Shanghai", required: true);
        var dateFormats = root.Texts(
            "dateFormats", required: true, faultOf: format => DateFormats.FaultOf(format) is { } fault ? $"('{format}') cannot be used: {fault}" : null);
        var columns = root.Object("columns", required: true) is { } below ? ReadColumns(below) : null;
        var point = columns is { } c && (c.Point is not null || c.Latitude is not null);
        var mapping = new ImportMapping
        {
            Format = format,
            Delimiter = delimiter,
            Encoding = encoding,
            City = city,
            System = ReadSystem(root),
            Zone = zone ?? DateTimeZone.Utc,
            DateFormats = dateFormats,
            Datum = root.Text("datum", required: false) ?? "WGS84",
            Missing = Words(root, "missing", StringComparer.Ordinal),
            StatusVoid = Words(root, "statusVoid", StringComparer.OrdinalIgnoreCase),
            StatusOpen = Words(root, "statusOpen", StringComparer.OrdinalIgnoreCase),
            StatusClosed = Words(root, "statusClosed", StringComparer.OrdinalIgnoreCase),
            Columns = columns ?? new ImportColumns { Id = string.Empty, Reported = string.Empty, Type = string.Empty },
            Types = ReadTypes(root.Object("types", required: false)),
            Districts = ReadDistricts(root.Object("districts", required: false)),
            Sources = ReadSources(root.Object("sources", required: false)),
        };
        CheckTogether(root, mapping, point);
        root.RefuseOthers();
        return mapping;
    }

    private static string? ReadSystem(JsonObjectReader root)
    {
        var system = root.Text("system", required: false);
        if (system?.Length > TextLimits.System)
        {
            root.Fault("system", $"has more than {TextLimits.System} characters");
        }

        return system;
    }

    private static void CheckTogether(JsonObjectReader root, ImportMapping mapping, bool hasPoint)
    {
        if (!DatumNames.Contains(mapping.Datum, StringComparer.Ordinal))
        {
            root.Fault("datum", $"is none of {string.Join(", ", DatumNames)}");
        }
        else if (root.Has("datum") && !hasPoint)
        {
            root.Fault("datum", "stands without a column for the point");
        }

        var needStatus = new[] { ("statusVoid", mapping.StatusVoid), ("statusOpen", mapping.StatusOpen), ("statusClosed", mapping.StatusClosed) };
        foreach (var (key, words) in needStatus)
        {
            if (words.Count > 0 && mapping.Columns.Status is null)
            {
                root.Fault(key, "stands without a column for the status (columns.status)");
            }
        }

        foreach (var word in mapping.StatusVoid.Where(w => mapping.StatusClosed.Contains(w) || mapping.StatusOpen.Contains(w)))
        {
            root.Fault("statusVoid", $"holds '{word}', which is also a word for open or closed");
        }

        if (mapping.Columns.District is null && root.Has("districts"))
        {
            root.Fault("districts", "stands without a column for the district (columns.district)");
        }

        if (mapping.Columns.Source is null && mapping.Sources.Codes.Count > 0)
        {
            root.Fault("sources", "maps words, but there is no column for the source (columns.source)");
        }
    }

    private static char ReadDelimiter(JsonObjectReader root, ImportFormat format)
    {
        var text = root.Text("delimiter", required: false);
        if (text is null)
        {
            return ',';
        }

        if (format != ImportFormat.Csv)
        {
            root.Fault("delimiter", "belongs to the format csv only");
        }
        else if (text.Length != 1 || !char.IsAscii(text[0]) || char.IsLetterOrDigit(text[0]) || text[0] is '"' or '\r' or '\n' or '\0')
        {
            root.Fault("delimiter", "must be one ASCII character that is no letter, digit, quote or line end, such as ',', ';', '|' or a tab (\"\\t\")");
        }

        return text.Length == 1 ? text[0] : ',';
    }

    private static Encoding? ReadEncoding(JsonObjectReader root)
    {
        var name = root.Text("encoding", required: false);
        if (name is null || name.Equals("utf-8", StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        try
        {
            // GB 18030, Windows and DOS code pages come from this provider; a bad byte must show, not vanish.
            var bad = new DecoderReplacementFallback(ByteSource.BadByte.ToString());
            return CodePagesEncodingProvider.Instance.GetEncoding(name, EncoderFallback.ReplacementFallback, bad)
                ?? Encoding.GetEncoding(name, EncoderFallback.ReplacementFallback, bad);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            root.Fault("encoding", "names no known encoding; utf-8, utf-16, gb18030, big5 and windows-1252 are some");
            return null;
        }
    }

    private static ImportColumns ReadColumns(JsonObjectReader columns)
    {
        var read = new ImportColumns
        {
            Id = columns.Text("id", required: true) ?? string.Empty,
            Reported = columns.Text("reported", required: true) ?? string.Empty,
            Type = columns.Text("type", required: true) ?? string.Empty,
            Closed = columns.Text("closed", required: false),
            Due = columns.Text("due", required: false),
            Updated = columns.Text("updated", required: false),
            District = columns.Text("district", required: false),
            Source = columns.Text("source", required: false),
            Status = columns.Text("status", required: false),
            Text = columns.Texts("text", required: false),
            Reporter = columns.Text("reporter", required: false),
            Contact = columns.Text("contact", required: false),
            Address = columns.Text("address", required: false),
            Point = columns.Text("point", required: false),
            Latitude = columns.Text("latitude", required: false),
            Longitude = columns.Text("longitude", required: false),
        };
        if (read.Latitude is null != read.Longitude is null)
        {
            columns.Fault(read.Latitude is null ? "longitude" : "latitude", "needs its other half: latitude and longitude go together");
        }

        if (read.Point is not null && read.Latitude is not null)
        {
            columns.Fault("point", "stands beside latitude and longitude; name either");
        }

        columns.RefuseOthers();
        return read;
    }

    private static TypeRules ReadTypes(JsonObjectReader? types)
    {
        if (types is null)
        {
            return new TypeRules(new Dictionary<string, TypeCode>(), OtherwisePolicy.Generate, OtherwisePolicy.None);
        }

        var rules = new TypeRules(
            types.Map<TypeCode>("codes", TypeCode.TryParse, "a type code", SourceNames.Canonical),
            types.Word("unknown", Policies, OtherwisePolicy.Generate, required: false),
            types.Word("missing", Policies, OtherwisePolicy.None, required: false));
        RefuseGenerate(types, rules.Missing);
        types.RefuseOthers();
        return rules;
    }

    private static DistrictRules ReadDistricts(JsonObjectReader? districts)
    {
        if (districts is null)
        {
            return new DistrictRules(
                new Dictionary<string, DivisionCode>(), OtherwisePolicy.Generate, OtherwisePolicy.None, "{0}", false, new HashSet<string>());
        }

        var part = districts.Text("part", required: false);
        var rules = new DistrictRules(
            districts.Map<DivisionCode>("codes", DivisionCode.TryParse, "a division code (A-Z, 0-9, '-')", SourceNames.Canonical),
            districts.Word("unknown", Policies, OtherwisePolicy.Generate, required: false),
            districts.Word("missing", Policies, OtherwisePolicy.None, required: false),
            districts.Text("name", required: false) ?? "{0}",
            part is not null,
            districts.Texts("none", required: false).Select(SourceNames.Canonical).ToHashSet(StringComparer.Ordinal));
        if (part is not null && part != "afterLastComma")
        {
            districts.Fault("part", "can only be afterLastComma");
        }

        if (!rules.Name.Contains("{0}", StringComparison.Ordinal))
        {
            districts.Fault("name", "must hold {0}, the place of the source's value");
        }

        RefuseGenerate(districts, rules.Missing);
        districts.RefuseOthers();
        return rules;
    }

    private static SourceRules ReadSources(JsonObjectReader? sources)
    {
        var import = SourceCode.Parse("import");
        if (sources is null)
        {
            return new SourceRules(new Dictionary<string, SourceCode>(), import);
        }

        const string Expected = "a source code (a-z, 0-9, '-', '_', '.')";
        var otherwise = sources.Parsed<SourceCode>("otherwise", SourceCode.TryParse, Expected, required: false);
        var rules = new SourceRules(
            sources.Map<SourceCode>("codes", SourceCode.TryParse, Expected, SourceNames.Canonical), otherwise.IsNone ? import : otherwise);
        if (rules.Codes.Values.Append(rules.Otherwise).Any(c => !c.IsNone && c.ToString() == "all"))
        {
            sources.Fault("codes", "uses the code 'all', which means every source in sums");
        }

        sources.RefuseOthers();
        return rules;
    }

    private static void RefuseGenerate(JsonObjectReader rules, OtherwisePolicy missing)
    {
        if (missing == OtherwisePolicy.Generate)
        {
            rules.Fault("missing", "cannot be 'generate': there is nothing to make a code from; use 'none' or 'park'");
        }
    }

    private static HashSet<string> Words(JsonObjectReader root, string key, StringComparer comparer) =>
        root.Texts(key, required: false, emptyAllowed: true).Select(w => w.Trim()).ToHashSet(comparer);

    private static bool TryZone(string? text, out DateTimeZone zone)
    {
        zone = (text is null ? null : DateTimeZoneProviders.Tzdb.GetZoneOrNull(text))!;
        return zone is not null;
    }
}
