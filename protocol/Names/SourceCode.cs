namespace CityGrid.Protocol.Names;

/// <summary>Where a case came from (案件来源): <c>inspector</c>, <c>hotline</c>, <c>web</c>, <c>media</c>, <c>video</c>, <c>inspection</c>, <c>ai</c>, <c>leader</c>, or a local word; <c>all</c> in a grain that does not tell sources apart.</summary>
public readonly record struct SourceCode : IComparable<SourceCode>
{
    private readonly string? _text;

    private SourceCode(string text) => _text = text;

    /// <summary>The most characters it may have.</summary>
    public const int LengthMax = 32;

    /// <summary>True only for <c>default</c>, which is no name.</summary>
    public bool IsNone => _text is null;

    /// <summary>Reads the name, or throws <see cref="FormatException"/> with what is wrong.</summary>
    public static SourceCode Parse(string text) =>
        TryParse(text, out var name)
            ? name
            : throw new FormatException($"'{text}' is no SourceCode: 1 to {LengthMax} characters of a-z, 0-9, '-', '_' and '.' are expected.");

    /// <summary>Reads the name; false when the text is none.</summary>
    public static bool TryParse(string? text, out SourceCode name)
    {
        name = default;
        if (text is null || !Token.IsSlug(text, LengthMax))
        {
            return false;
        }

        name = new SourceCode(text);
        return true;
    }

    public int CompareTo(SourceCode other) => string.CompareOrdinal(_text, other._text);

    public override string ToString() => _text ?? throw new InvalidOperationException("The default SourceCode is no name.");
}
