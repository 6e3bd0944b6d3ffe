namespace CityGrid.Protocol.Names;

/// <summary>
/// A five-digit type code (类别代码: large class 2 + small class 3) or a local one: 1 to 32 characters of <c>[A-Za-z0-9.-]</c>.
/// Alone it says nothing: 01001 is both a component and a matter, so keys use <see cref="TypeKey"/>.
/// </summary>
public readonly record struct TypeCode : IComparable<TypeCode>
{
    private readonly string? _text;

    private TypeCode(string text) => _text = text;

    /// <summary>The most characters it may have.</summary>
    public const int LengthMax = 32;

    /// <summary>The large class of what fits nowhere (其他, 99000), below which every local type hangs.</summary>
    public const string OtherClass = "99";

    /// <summary>The large class (大类): the first two of five digits, as GB/T 47678.5 builds its codes; that of 99000 for a local type.</summary>
    public string LargeClass
    {
        get
        {
            var code = ToString();
            return code.Length == 5 && code.All(char.IsAsciiDigit) ? code[..2] : OtherClass;
        }
    }

    /// <summary>True only for <c>default</c>, which is no code.</summary>
    public bool IsNone => _text is null;

    /// <summary>Reads the code, or throws <see cref="FormatException"/> with what is wrong.</summary>
    public static TypeCode Parse(string text) =>
        TryParse(text, out var code)
            ? code
            : throw new FormatException($"'{text}' is no type code: 1 to {LengthMax} characters of letters, digits, '.' and '-' are expected.");

    /// <summary>Reads the code; false when the text is none.</summary>
    public static bool TryParse(string? text, out TypeCode code)
    {
        code = default;
        if (text is null || !Token.IsMadeOf(text, LengthMax, static c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-'))
        {
            return false;
        }

        code = new TypeCode(text);
        return true;
    }

    public int CompareTo(TypeCode other) => string.CompareOrdinal(_text, other._text);

    public override string ToString() => _text ?? throw new InvalidOperationException("The default TypeCode is no code.");
}
