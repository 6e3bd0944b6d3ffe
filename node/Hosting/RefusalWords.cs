using System.Collections;
using System.Globalization;
using System.Resources;
using CityGrid.Protocol.Names;

namespace CityGrid.Node.Hosting;

/// <summary>
/// What each code of a refusal says in 简体中文. In English a refusal speaks for itself; in Chinese these words stand first, and what is exact about it (names,
/// figures, the words that are allowed) follows in brackets as it was. The code stays what programs act on.
/// </summary>
public static class RefusalWords
{
    private static readonly ResourceManager Chinese = new("CityGrid.Node.Hosting.RefusalWords", typeof(RefusalWords).Assembly);

    /// <summary>The codes that have words.</summary>
    public static IEnumerable<string> Codes =>
        Chinese.GetResourceSet(CultureInfo.InvariantCulture, true, false)!.Cast<DictionaryEntry>().Select(entry => (string)entry.Key).Order(StringComparer.Ordinal);

    /// <summary>The message with the Chinese words of its code in front; as it is where the code has none.</summary>
    public static string InChinese(string code, string message) =>
        Chinese.GetString(code, CultureInfo.InvariantCulture) is { } words ? $"{words}（{message}）" : message;

    public static Refusal InChinese(this Refusal refusal) => refusal with { Message = InChinese(refusal.Code, refusal.Message) };

    /// <summary>The refusal in the language that the caller would rather read (Accept-Language, RFC 9110 section 12.5.4); English where it does not say.</summary>
    internal static Refusal SpokenTo(this Refusal refusal, HttpRequest caller)
    {
        var language = caller.GetTypedHeaders().AcceptLanguage.MaxBy(one => one.Quality ?? 1)?.Value.Value;
        return language?.StartsWith("zh", StringComparison.OrdinalIgnoreCase) == true ? refusal.InChinese() : refusal;
    }
}
