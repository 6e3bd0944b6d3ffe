namespace CityGrid.Protocol.Names;

/// <summary>The one rule behind every short name: a bounded length and a closed alphabet.</summary>
internal static class Token
{
    public static bool IsMadeOf(string text, int lengthMax, Func<char, bool> allowed)
    {
        if (text.Length == 0 || text.Length > lengthMax)
        {
            return false;
        }

        foreach (var c in text)
        {
            if (!allowed(c))
            {
                return false;
            }
        }

        return true;
    }

    public static bool IsSlug(string text, int lengthMax) =>
        IsMadeOf(text, lengthMax, static c => c is >= 'a' and <= 'z' or >= '0' and <= '9' or '-' or '_' or '.');
}
