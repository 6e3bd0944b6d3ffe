using System.Globalization;

namespace CityGrid.Node.Intake.Import;

/// <summary>A point as sources write it: <c>(lat, long)</c>, <c>POINT (long lat)</c>, or two numbers. Read in decimal, so that no digit is lost to binary.</summary>
/// <param name="IsValid">False where the text is no point.</param>
/// <param name="Latitude">1e-7 degree.</param>
/// <param name="Longitude">1e-7 degree.</param>
internal readonly record struct PointText(bool IsValid, int Latitude, int Longitude)
{
    private const decimal Unit = 10_000_000m;

    /// <summary>False for the point (0, 0) too, which sources write for a place they do not know.</summary>
    public bool IsSomewhere => IsValid && (Latitude != 0 || Longitude != 0);

    public static PointText ReadBoth(string text)
    {
        var isWellKnownText = text.StartsWith("POINT", StringComparison.OrdinalIgnoreCase);
        var inner = (isWellKnownText ? text[5..] : text).Trim();
        if (inner.StartsWith('(') && inner.EndsWith(')'))
        {
            inner = inner[1..^1];
        }

        var parts = inner.Split([',', ' '], StringSplitOptions.RemoveEmptyEntries);
        return parts.Length != 2 ? default : isWellKnownText ? Read(parts[1], parts[0]) : Read(parts[0], parts[1]);
    }

    public static PointText Read(string latitude, string longitude) =>
        TryRead(latitude, 90, out var lat) && TryRead(longitude, 180, out var lon) ? new PointText(true, lat, lon) : default;

    private static bool TryRead(string text, int most, out int units)
    {
        const NumberStyles Styles = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent
            | NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite;
        units = 0;
        if (!decimal.TryParse(text, Styles, CultureInfo.InvariantCulture, out var degrees) || degrees < -most || degrees > most)
        {
            return false;
        }

        units = (int)decimal.Round(degrees * Unit, MidpointRounding.ToEven);
        return true;
    }
}
