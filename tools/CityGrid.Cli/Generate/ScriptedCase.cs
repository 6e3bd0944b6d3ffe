using NodaTime;

namespace CityGrid.Cli.Generate;

/// <summary>
/// The life of a case that never was: its report and what people then do, in order of time. Words are those of the case calls
/// (node/citygrid/node/v1/cases.proto). The key is the request key of the report; the division is empty where the place is not known; the grade
/// is a name of EmergencyGrade without its prefix, such as <c>SERIOUS</c>, and null, with the summary, for a case that is no emergency.
/// </summary>
public sealed record ScriptedCase(
    string Key,
    string Type,
    string Division,
    string Source,
    string? Grade,
    string? Summary,
    ScriptedReporter Reporter,
    Instant ReportedAt,
    IReadOnlyList<ScriptedStep> Steps);

/// <summary>Nobody: names, numbers and streets are made so that none can be a real one.</summary>
public sealed record ScriptedReporter(string Name, string Contact, string Address, string Text);

/// <summary>Who takes a step. Who handled a case may not close it, so a player needs at least two actors.</summary>
public enum ScriptedRole
{
    /// <summary>Takes in, files, dispatches and closes.</summary>
    Desk,

    /// <summary>The unit that handles the case.</summary>
    Handler,

    /// <summary>Checks on the spot.</summary>
    Inspector,
}

/// <summary>A step with its request key. The kind is the step as cases.proto names it: <c>check_before_filing</c>, <c>file</c>, <c>return_case</c> …</summary>
public sealed record ScriptedStep(string Key, string Kind, Instant At, ScriptedRole Role)
{
    public string? Reason { get; init; }

    /// <summary>For the two checks.</summary>
    public bool Passed { get; init; }

    /// <summary>For dispatch.</summary>
    public string? Unit { get; init; }

    /// <summary>For file: 0 is the type's default row.</summary>
    public int Row { get; init; }

    /// <summary>For suspend.</summary>
    public Instant? Until { get; init; }

    /// <summary>For correct: what the type always was.</summary>
    public string? Type { get; init; }

    /// <summary>For move: where the case is from now on.</summary>
    public string? Division { get; init; }
}
