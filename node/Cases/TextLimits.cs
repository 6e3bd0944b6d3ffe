namespace CityGrid.Node.Cases;

/// <summary>The most characters (UTF-16) of the texts that come with a case, by whichever way it comes in.</summary>
public static class TextLimits
{
    /// <summary>The name of the system that imported rows are from.</summary>
    public const int System = 64;

    /// <summary>A row's id there, and its names of types and districts; the longest known has 57.</summary>
    public const int ExternalId = 200;

    /// <summary>The name of a type that an import brings.</summary>
    public const int TypeName = 200;

    public const int ReporterName = 200;

    public const int Contact = 200;

    public const int Address = 500;

    /// <summary>A report may tell a story; the longest known has 3,993.</summary>
    public const int FreeText = 20_000;
}
