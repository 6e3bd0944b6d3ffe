namespace CityGrid.Protocol.Names;

/// <summary>The version of a catalogue (目录版本), such as <c>gb47678-2026</c>. Two versions may give one code different meanings, so every key carries it.</summary>
public readonly record struct CatalogueVersion : IComparable<CatalogueVersion>
{
    private readonly string? _text;

    private CatalogueVersion(string text) => _text = text;

    /// <summary>The most characters it may have.</summary>
    public const int LengthMax = 32;

    /// <summary>True only for <c>default</c>, which is no name.</summary>
    public bool IsNone => _text is null;

    /// <summary>Reads the name, or throws <see cref="FormatException"/> with what is wrong.</summary>
    public static CatalogueVersion Parse(string text) =>
        TryParse(text, out var name)
            ? name
            : throw new FormatException($"'{text}' is no CatalogueVersion: 1 to {LengthMax} characters of a-z, 0-9, '-', '_' and '.' are expected.");

    /// <summary>Reads the name; false when the text is none.</summary>
    public static bool TryParse(string? text, out CatalogueVersion name)
    {
        name = default;
        if (text is null || !Token.IsSlug(text, LengthMax))
        {
            return false;
        }

        name = new CatalogueVersion(text);
        return true;
    }

    public int CompareTo(CatalogueVersion other) => string.CompareOrdinal(_text, other._text);

    public override string ToString() => _text ?? throw new InvalidOperationException("The default CatalogueVersion is no name.");
}
