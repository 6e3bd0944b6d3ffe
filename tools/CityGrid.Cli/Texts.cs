using System.Globalization;
using System.Resources;
using CityGrid.Node.Checks;
using CityGrid.Node.Hosting;

namespace CityGrid.Cli;

/// <summary>What people see of the tool, in 简体中文 or English: by <c>--lang</c>, else by the locale.</summary>
public static class Texts
{
    private static readonly ResourceManager Resources = new("CityGrid.Cli.Texts", typeof(Texts).Assembly);

    private static CultureInfo _culture = Of(null);

    public static bool IsChinese => _culture.TwoLetterISOLanguageName == "zh";

    /// <summary>The names of all texts.</summary>
    public static IEnumerable<string> Names =>
        Resources.GetResourceSet(CultureInfo.InvariantCulture, true, false)!.Cast<System.Collections.DictionaryEntry>().Select(e => (string)e.Key).Order(StringComparer.Ordinal);

    /// <summary>Chooses the language by its name; any other word, and null, by the locale. The command-line library speaks the same.</summary>
    public static void Choose(string? language)
    {
        _culture = Of(language is "zh" or "en" ? language : null);
        CultureInfo.CurrentUICulture = IsChinese ? _culture : CultureInfo.GetCultureInfo("en");
    }

    public static string Get(string name, params object[] values) =>
        string.Format(CultureInfo.InvariantCulture, Resources.GetString(name, _culture) ?? throw new ArgumentException($"There is no text '{name}'.", nameof(name)), values);

    /// <summary>The verdict of a check as a line.</summary>
    public static string Verdict(CheckVerdict verdict) => verdict.ExitCode switch
    {
        CheckVerdict.SoundCode => Get("VerdictSound", verdict.What),
        CheckVerdict.DamagedCode => Get("VerdictDamaged", verdict.Place!, verdict.What),
        _ => Get("VerdictUndecided", verdict.What),
    };

    /// <summary>The message that goes with a code.</summary>
    public static string Refusal(string code, string message) => IsChinese ? RefusalWords.InChinese(code, message) : message;

    private static CultureInfo Of(string? language) => (language ?? CultureInfo.CurrentUICulture.TwoLetterISOLanguageName) switch
    {
        "zh" => CultureInfo.GetCultureInfo("zh-Hans"),
        _ => CultureInfo.InvariantCulture,
    };
}
