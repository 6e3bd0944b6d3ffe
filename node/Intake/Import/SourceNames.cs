using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using CityGrid.Hub.Catalogue;
using CityGrid.Protocol.Names;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Node.Intake.Import;

/// <summary>Codes for what a source only has names for: the same name gives the same code on every machine and in every run.</summary>
public static class SourceNames
{
    private static readonly SearchValues<char> CodeLetters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");

    /// <summary>
    /// The form of a name that codes are made from: NFC, without space around it. The library's NFC refuses a text with U+FFFE or half of a surrogate pair,
    /// which a broken file may have; each counts as U+FFFD, the character for what is none.
    /// </summary>
    public static string Canonical(string name)
    {
        var text = name.Trim();
        return (text.Contains('\uFFFE') || text.Any(char.IsSurrogate) ? Readable(text) : text).Normalize(NormalizationForm.FormC);
    }

    private static string Readable(string text)
    {
        var readable = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            readable.Append(rune.Value == 0xFFFE ? Rune.ReplacementChar.ToString() : rune.ToString());
        }

        return readable.ToString();
    }

    /// <summary>The code of a local type: <c>x</c> and the first 8 hexadecimal digits of the SHA-256 of its canonical name in UTF-8.</summary>
    public static TypeCode LocalType(string name) => TypeCatalogue.LocalCodeOf(Canonical(name));

    /// <summary>Where a city counts the cases whose district is not known.</summary>
    public static DivisionCode NoDistrict(DivisionCode city) => DivisionCode.Parse($"{city}-NONE");

    /// <summary>
    /// The code of a district that has only a name: the city's code, '-', and the name in upper case with everything but letters and digits
    /// of ASCII turned into '-'. Where that is too long, or letters of another script would be lost, it is cut and ends in '-' and 6
    /// hexadecimal digits of the SHA-256 of the canonical name. Accents are dropped. Names that differ only in case, accents or
    /// punctuation share a code.
    /// </summary>
    public static DivisionCode District(DivisionCode city, string name)
    {
        var canonical = Canonical(name);
        var slug = Slug(canonical, out var isLossy);
        var room = DivisionCode.LengthMax - city.ToString().Length - 1;
        if (isLossy || slug.Length > room || slug.Length == 0 || slug == "NONE")
        {
            var hash = Convert.ToHexString(HashOf(canonical))[..6];
            var kept = slug[..Math.Min(slug.Length, Math.Max(0, room - hash.Length - 1))].TrimEnd('-');
            slug = kept.Length == 0 ? hash : $"{kept}-{hash}";
        }

        return DivisionCode.Parse($"{city}-{slug}");
    }

    private static string Slug(string canonical, out bool isLossy)
    {
        isLossy = false;
        var slug = new StringBuilder();
        foreach (var c in canonical.Normalize(NormalizationForm.FormD).ToUpperInvariant())
        {
            if (CodeLetters.Contains(c))
            {
                slug.Append(c);
            }
            else if (char.IsLetterOrDigit(c) || char.IsSurrogate(c))
            {
                isLossy = true;
            }
            else if (c is not '\'' && !IsMark(c) && slug.Length > 0 && slug[^1] != '-')
            {
                slug.Append('-');
            }
        }

        return slug.ToString().TrimEnd('-');
    }

    private static bool IsMark(char c) => char.GetUnicodeCategory(c) == System.Globalization.UnicodeCategory.NonSpacingMark;

    private static byte[] HashOf(string canonical) => SHA256.HashData(Encoding.UTF8.GetBytes(canonical));
}
