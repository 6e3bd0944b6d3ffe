namespace CityGrid.Tests.Wire;

/// <summary>The contract in words, whose tables and vectors the tests read.</summary>
internal static class Contract
{
    public static string Text { get; } = File.ReadAllText(Path.Combine(Machine.Repository, "protocol", "README.md"));

    /// <summary>The rows of the table that stands first after <paramref name="heading"/>, cells trimmed and without backticks.</summary>
    public static IReadOnlyList<string[]> TableAfter(string heading)
    {
        var lines = Text.Split('\n').SkipWhile(line => line != heading).Skip(1)
            .SkipWhile(line => !line.StartsWith('|')).TakeWhile(line => line.StartsWith('|')).Skip(2).ToList();
        return lines.Count > 0
            ? lines.ConvertAll(line => line.Trim('|').Split('|').Select(cell => cell.Trim().Trim('`')).ToArray())
            : throw new InvalidOperationException($"protocol/README.md has no table after '{heading}'.");
    }
}
