using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace CityGrid.Node.Configuration;

/// <summary>Reads a value out of JSON; false where it is none.</summary>
internal delegate bool TryRead<T>(JsonElement element, [MaybeNullWhen(false)] out T value);

/// <summary>A key that a file may have: what is allowed there, and what holds where it is missing (null: it must be there).</summary>
public sealed record ConfigurationKey(string Path, string Allowed, string? Default);

/// <summary>What a reading of a file finds: its faults, and the keys that it looked for.</summary>
internal sealed class Findings
{
    private readonly List<ConfigurationFault> _faults = [];
    private readonly List<ConfigurationKey> _keys = [];

    public IReadOnlyList<ConfigurationFault> Faults => _faults;

    public IReadOnlyList<ConfigurationKey> Keys => _keys;

    public void Fault(string path, string? value, string allowed) => _faults.Add(new ConfigurationFault(path, value, allowed));

    public void LookedFor(string path, string allowed, string? fallback) => _keys.Add(new ConfigurationKey(path, allowed, fallback));
}

/// <summary>
/// An object of the file while it is being bound. A value that cannot be used is noted as a fault and replaced by something harmless, so that
/// one reading finds every fault; <see cref="End"/> notes the keys that nobody asked for.
/// </summary>
internal sealed class JsonSection
{
    private const int ShownMax = 80;

    private readonly Findings _findings;
    private readonly string _path;
    private readonly Dictionary<string, JsonElement> _values = new(StringComparer.Ordinal);
    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);

    public JsonSection(JsonElement? element, string path, Findings findings)
    {
        _findings = findings;
        _path = path;
        if (element is not { } value)
        {
            return;
        }

        if (value.ValueKind != JsonValueKind.Object)
        {
            findings.Fault(path.Length == 0 ? "the file" : path, Shown(value), "an object { … } is expected");
            return;
        }

        foreach (var property in value.EnumerateObject())
        {
            if (!_values.TryAdd(property.Name, property.Value))
            {
                findings.Fault(At(property.Name), Shown(property.Value), "the key stands twice; keep one");
            }
        }
    }

    public bool Has(string key) => _values.ContainsKey(key);

    /// <summary>The section, empty where it is missing: its own required keys then speak for it.</summary>
    public JsonSection Section(string key) => new(Take(key), At(key), _findings);

    public JsonSection? OptionalSection(string key) => Take(key) is { } element ? new JsonSection(element, At(key), _findings) : null;

    public T Required<T>(string key, string allowed, TryRead<T> read, T harmless)
    {
        _findings.LookedFor(At(key), allowed, null);
        if (Take(key) is not { } element)
        {
            _findings.Fault(At(key), null, allowed);
            return harmless;
        }

        return ReadAt(At(key), element, allowed, read, harmless);
    }

    public T Optional<T>(string key, string allowed, TryRead<T> read, T fallback, string shown)
    {
        _findings.LookedFor(At(key), allowed, shown);
        return Take(key) is { } element ? ReadAt(At(key), element, allowed, read, fallback) : fallback;
    }

    public ImmutableArray<T> List<T>(string key, string allowed, TryRead<T> read, int most, ImmutableArray<T> fallback, string shown)
    {
        _findings.LookedFor(At(key), allowed, shown);
        if (Take(key) is not { } element)
        {
            return fallback;
        }

        if (element.ValueKind != JsonValueKind.Array || element.GetArrayLength() > most)
        {
            _findings.Fault(At(key), Shown(element), $"a list [ … ] of at most {most} is expected; each: {allowed}");
            return fallback;
        }

        var list = ImmutableArray.CreateBuilder<T>(element.GetArrayLength());
        foreach (var item in element.EnumerateArray())
        {
            if (read(item, out var value))
            {
                list.Add(value);
            }
            else
            {
                _findings.Fault($"{At(key)}[{list.Count}]", Shown(item), allowed);
                return fallback;
            }
        }

        return list.ToImmutable();
    }

    /// <summary>Notes a fault of a value that can be read but not be meant, beside others for example.</summary>
    public void Fault(string key, string allowed) =>
        _findings.Fault(At(key), _values.TryGetValue(key, out var value) ? Shown(value) : null, allowed);

    /// <summary>Notes the keys that mean nothing, with those that would.</summary>
    public void End()
    {
        foreach (var (key, value) in _values)
        {
            if (!_asked.Contains(key))
            {
                _findings.Fault(At(key), Shown(value), $"no such key; known here: {string.Join(", ", _asked.Order(StringComparer.Ordinal))}");
            }
        }
    }

    private JsonElement? Take(string key)
    {
        _asked.Add(key);
        return _values.TryGetValue(key, out var value) ? value : null;
    }

    private string At(string key) => _path.Length == 0 ? key : $"{_path}.{key}";

    private T ReadAt<T>(string path, JsonElement element, string allowed, TryRead<T> read, T harmless)
    {
        if (read(element, out var value))
        {
            return value;
        }

        _findings.Fault(path, Shown(element), allowed);
        return harmless;
    }

    private static string Shown(JsonElement element)
    {
        var text = string.Join(' ', element.GetRawText().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        return text.Length <= ShownMax ? text : string.Concat(text.AsSpan(0, ShownMax), "…");
    }
}
