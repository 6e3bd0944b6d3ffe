namespace CityGrid.Hub.Cells;

/// <summary>What came of merging a cell (clause C3).</summary>
public enum MergeOutcome
{
    /// <summary>New here, or newer than what was held.</summary>
    Accepted,

    /// <summary>The same revision with the same bytes is held.</summary>
    Unchanged,

    /// <summary>A newer revision is held.</summary>
    Stale,

    /// <summary>The same revision is held with other bytes: two histories claim one name. What is held stays.</summary>
    Conflict,

    /// <summary>The bytes are no canonical value.</summary>
    Malformed,
}
