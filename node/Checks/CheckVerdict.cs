using CityGrid.Hub.Journal;

namespace CityGrid.Node.Checks;

/// <summary>What a check of a data directory found: exit code 0 sound, 2 damaged, 3 cannot decide; what was found, and of damage the place.</summary>
public sealed record CheckVerdict(int ExitCode, string What, string? Place = null)
{
    public const int SoundCode = 0;
    public const int DamagedCode = 2;

    public static CheckVerdict Sound(string what) => new(SoundCode, what);

    public static CheckVerdict Damaged(string place, string what) => new(DamagedCode, what, place);

    public static CheckVerdict CannotDecide(string reason) => new(3, reason);

    /// <summary>Where and what, for a sentence that says the rest.</summary>
    public override string ToString() => Place is null ? What : $"{Place}: {What}";

    public static CheckVerdict Of(JournalVerdict verdict) => verdict switch
    {
        JournalVerdict.Sound sound => Sound($"{sound.Records} records of {sound.Node} up to {sound.Head.Lsn}, chain {sound.Head.ChainHash}"),
        JournalVerdict.Damaged damaged => Damaged($"{damaged.File}:{damaged.Offset}" + (damaged.FirstBad is { } index ? $" (index {index})" : string.Empty), damaged.What),
        JournalVerdict.CannotDecide undecided => CannotDecide(undecided.Reason),
        _ => throw new InvalidOperationException($"An unknown verdict {verdict.GetType().Name}."),
    };
}
