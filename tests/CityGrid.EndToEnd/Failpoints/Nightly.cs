using System.Globalization;

namespace CityGrid.Tests.EndToEnd.Failpoints;

/// <summary>How much of it is done (docs/failpoints.md): at some places without more words, and at all, round after round, at night.</summary>
internal static class Nightly
{
    private static readonly int? Given =
        int.TryParse(Environment.GetEnvironmentVariable("CITYGRID_FAILPOINT_ROUNDS"), NumberStyles.None, CultureInfo.InvariantCulture, out var rounds) ? rounds : null;

    /// <summary>CITYGRID_FAILPOINT_ROUNDS; 1 where it is not given.</summary>
    public static int Rounds => Given ?? 1;

    /// <summary>Every round with kills; at night every third also with each of the other deeds.</summary>
    public static IEnumerable<object[]> Cases =>
        from round in Enumerable.Range(1, Rounds)
        from deed in Enum.GetValues<Deed>()
        where deed == Deed.Kill || (Rounds > 1 && round % 3 == 1)
        select new object[] { deed, round };

    /// <summary>Of a long list of places all where rounds are given; else one side of each step, before it or after it in turn.</summary>
    public static IEnumerable<string> Of(string[] places) => Given is null ? places.Where((_, at) => at % 4 is 0 or 3) : places;
}
