using CityGrid.Hub.Seams;

namespace CityGrid.Cli.Generate;

/// <summary>Draws in whole numbers from seeded entropy.</summary>
internal sealed class Dice(SeededEntropy entropy)
{
    /// <summary>Evenly from 0 to below <paramref name="count"/>.</summary>
    public int Below(int count) => entropy.Below(count);

    /// <summary>Evenly from <paramref name="least"/> to <paramref name="most"/>, both in.</summary>
    public int Between(int least, int most) => least + Below(most - least + 1);

    public bool Percent(int chance) => Below(100) < chance;

    /// <summary>From 0 to below <paramref name="count"/>, the early ones far more often: the first tenth has almost half of the draws.</summary>
    public int Skewed(int count)
    {
        var (a, b, c) = ((long)Below(1000), (long)Below(1000), (long)Below(1000));
        return (int)(count * a * b * c / 1_000_000_000);
    }

    public int Weighted(IReadOnlyList<int> shares)
    {
        var at = Below(shares.Sum());
        var i = 0;
        for (; at >= shares[i]; i++)
        {
            at -= shares[i];
        }

        return i;
    }

    public string OneOf(IReadOnlyList<(string Word, int Share)> words) => words[Weighted([.. words.Select(w => w.Share)])].Word;
}
