namespace CityGrid.Protocol.Names;

/// <summary>
/// The code of a division (行政区划代码): 1 to 32 characters of <c>[A-Z0-9-]</c>. Whether a code is valid is decided by membership of
/// the node's register and never by its length or prefix (GB/T 2260 has units that sit directly under a province, and other
/// countries have other codes). The nation is <c>CN</c>.
/// </summary>
public readonly record struct DivisionCode : IComparable<DivisionCode>
{
    private readonly string? _text;

    private DivisionCode(string text) => _text = text;

    /// <summary>The most characters a code may have.</summary>
    public const int LengthMax = 32;

    /// <summary>True only for <c>default</c>, which is no code.</summary>
    public bool IsNone => _text is null;

    /// <summary>Reads a code, or throws <see cref="FormatException"/> with what is wrong.</summary>
    public static DivisionCode Parse(string text) =>
        TryParse(text, out var code)
            ? code
            : throw new FormatException($"'{text}' is no division code: 1 to {LengthMax} characters of A-Z, 0-9 and '-' are expected.");

    /// <summary>Reads a code; false when the text is none.</summary>
    public static bool TryParse(string? text, out DivisionCode code)
    {
        code = default;
        if (text is null || !Token.IsMadeOf(text, LengthMax, static c => c is >= 'A' and <= 'Z' or >= '0' and <= '9' or '-'))
        {
            return false;
        }

        code = new DivisionCode(text);
        return true;
    }

    public int CompareTo(DivisionCode other) => string.CompareOrdinal(_text, other._text);

    public override string ToString() => _text ?? throw new InvalidOperationException("The default DivisionCode is no code.");
}
