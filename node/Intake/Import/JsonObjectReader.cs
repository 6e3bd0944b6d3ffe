using System.Text.Json;
using CityGrid.Protocol.Names;

namespace CityGrid.Node.Intake.Import;

internal delegate bool TryParseText<T>(string? text, out T value);

/// <summary>An object of the mapping file: every key is asked for once, what was not asked for is refused, and every fault is kept with its path.</summary>
internal sealed class JsonObjectReader
{
    private readonly Dictionary<string, JsonElement> _members = new(StringComparer.Ordinal);
    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);
    private readonly string _path;
    private readonly List<Refusal> _faults;

    public JsonObjectReader(JsonElement element, string path, List<Refusal> faults)
    {
        _path = path;
        _faults = faults;
        if (element.ValueKind != JsonValueKind.Object)
        {
            faults.Add(new Refusal("MAPPING_VALUE_INVALID", "An object { … } is expected here.", path));
            return;
        }

        foreach (var member in element.EnumerateObject())
        {
            if (!_members.TryAdd(member.Name, member.Value))
            {
                faults.Add(new Refusal("MAPPING_KEY_TWICE", "The key stands here twice; leave one out.", PathOf(member.Name)));
            }
        }
    }

    public bool Has(string key) => _members.ContainsKey(key);

    public void Fault(string key, string what) => _faults.Add(new Refusal("MAPPING_VALUE_INVALID", $"The value {what}.", PathOf(key)));

    public JsonObjectReader? Object(string key, bool required) => Member(key, required) is { } value ? new(value, PathOf(key), _faults) : null;

    /// <summary>A text that is not empty; null where there is none, or none that can be used.</summary>
    public string? Text(string key, bool required)
    {
        if (Member(key, required) is not { } value)
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } text)
        {
            return text;
        }

        Fault(key, "must be a text that is not empty");
        return null;
    }

    /// <summary>A text or a list of texts, each of them asked <c>faultOf</c> what is wrong with it (null: nothing).</summary>
    public List<string> Texts(string key, bool required, bool emptyAllowed = false, Func<string, string?>? faultOf = null)
    {
        if (Member(key, required) is not { } value)
        {
            return [];
        }

        var items = value.ValueKind == JsonValueKind.Array ? value.EnumerateArray().ToList() : [value];
        var texts = new List<string>();
        for (var i = 0; i < items.Count; i++)
        {
            var text = items[i].ValueKind == JsonValueKind.String ? items[i].GetString() : null;
            var fault = text is null || (text.Length == 0 && !emptyAllowed)
                ? emptyAllowed ? "must be a text" : "must be a text that is not empty"
                : faultOf?.Invoke(text);
            if (fault is null)
            {
                texts.Add(text!);
            }
            else
            {
                Fault(value.ValueKind == JsonValueKind.Array ? $"{key}[{i}]" : key, fault);
            }
        }

        if (required && items.Count == 0)
        {
            Fault(key, "must name at least one");
        }

        return texts;
    }

    public T Word<T>(string key, Dictionary<string, T> words, T otherwise, bool required)
    {
        if (Text(key, required) is not { } text)
        {
            return otherwise;
        }

        if (words.TryGetValue(text, out var word))
        {
            return word;
        }

        Fault(key, $"is none of {string.Join(", ", words.Keys)}");
        return otherwise;
    }

    public T? Parsed<T>(string key, TryParseText<T> parse, string expected, bool required)
    {
        if (Text(key, required) is not { } text)
        {
            return default;
        }

        if (parse(text, out var parsed))
        {
            return parsed;
        }

        Fault(key, $"('{text}') is not {expected}");
        return default;
    }

    /// <summary>An object whose every value is a code. Keys are brought into one form, and two that become the same are a fault.</summary>
    public Dictionary<string, T> Map<T>(string key, TryParseText<T> parse, string expected, Func<string, string> canonical)
    {
        var map = new Dictionary<string, T>(StringComparer.Ordinal);
        if (Object(key, required: false) is not { } below)
        {
            return map;
        }

        foreach (var name in below._members.Keys)
        {
            if (below.Parsed(name, parse, expected, required: true) is { } code && !map.TryAdd(canonical(name), code))
            {
                below.Fault(name, "stands for a name that another key stands for too");
            }
        }

        return map;
    }

    /// <summary>Refuses every key that was not asked for.</summary>
    public void RefuseOthers()
    {
        foreach (var key in _members.Keys.Where(k => !_asked.Contains(k)))
        {
            _faults.Add(new Refusal(
                "MAPPING_KEY_UNKNOWN", $"There is no such key here; there are: {string.Join(", ", _asked.Order(StringComparer.Ordinal))}.", PathOf(key)));
        }
    }

    private JsonElement? Member(string key, bool required)
    {
        _asked.Add(key);
        if (_members.TryGetValue(key, out var value))
        {
            return value;
        }

        if (required)
        {
            _faults.Add(new Refusal("MAPPING_KEY_MISSING", "The key must be here.", PathOf(key)));
        }

        return null;
    }

    private string PathOf(string key) =>
        key.All(c => char.IsAsciiLetterOrDigit(c) || c is '$' or '[' or ']' or '_') ? $"{_path}.{key}" : $"{_path}[{JsonSerializer.Serialize(key)}]";
}
