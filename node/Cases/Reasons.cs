using System.Collections.Frozen;

namespace CityGrid.Node.Cases;

/// <summary>The reasons that a step may have. Codes are stored and never reused; the words that a person adds are sealed.</summary>
public static class Reasons
{
    /// <summary>The reason of what an import changes.</summary>
    public const string SourceUpdate = "source_update";

    /// <summary>What has no code of its own; the words say it.</summary>
    public const string Other = "other";

    private static readonly FrozenDictionary<Type, string[]> ByCommand = new Dictionary<Type, string[]>
    {
        [typeof(VoidCase)] = ["condition_not_met", "duplicate", "nothing_found", "false_report", "not_ours", "test", Other],
        [typeof(ReturnCase)] = ["wrong_unit", "wrong_type", "wrong_place", "information_missing", Other],
        [typeof(ReworkCase)] = ["not_done", "partly_done", "poor_quality", "no_evidence", Other],
        [typeof(ExtendCase)] = ["engineering", "weather", "coordination", "materials", Other],
        [typeof(SuspendCase)] = ["season", "engineering", "legal_procedure", "funds", Other],
        [typeof(ResumeCase)] = ["cause_gone", Other],
        [typeof(ReopenCase)] = ["not_solved", "came_back", "reporter_not_satisfied", "closed_by_mistake", Other],
        [typeof(CorrectCase)] = ["wrong_type", "wrong_division", Other],
        [typeof(MoveCase)] = ["boundary", "responsibility", "reclassified", Other],
        [typeof(EraseReporter)] = ["reporter_request", "retention_over", "court_order", Other],
    }.ToFrozenDictionary();

    /// <summary>The codes that this kind of command may give; empty where it needs none.</summary>
    public static IReadOnlyList<string> Of(CaseCommand command) => ByCommand.TryGetValue(command.GetType(), out var codes) ? codes : [];
}
