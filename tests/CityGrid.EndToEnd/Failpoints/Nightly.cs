using System.Globalization;

namespace CityGrid.Tests.EndToEnd.Failpoints;

/// <summary>How much of it is done (docs/failpoints.md): once at each place without more words, and round after round at night.</summary>
internal static class Nightly
{
    /// <summary>CITYGRID_FAILPOINT_ROUNDS; 1 where it is not given.</summary>
    public static int Rounds { get; } =
        int.TryParse(Environment.GetEnvironmentVariable("CITYGRID_FAILPOINT_ROUNDS"), NumberStyles.None, CultureInfo.InvariantCulture, out var rounds) ? rounds : 1;

    /// <summary>Every round with kills; at night every third also with each of the other deeds.</summary>
    public static IEnumerable<object[]> Cases =>
        from round in Enumerable.Range(1, Rounds)
        from deed in Enum.GetValues<Deed>()
        where deed == Deed.Kill || (Rounds > 1 && round % 3 == 1)
        select new object[] { deed, round };
}
