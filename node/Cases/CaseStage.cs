namespace CityGrid.Node.Cases;

/// <summary>
/// Where a case stands in the loop 上报 → 核实 → 立案 → 派遣 → 处置 → 核查 → 结案. Suspension is no stage: the case keeps its stage and its clock
/// stands. Numbers are stored and never reused.
/// </summary>
public enum CaseStage : byte
{
    /// <summary>上报: reported, to be checked before filing.</summary>
    Reported = 1,

    /// <summary>核实 passed: it may be filed.</summary>
    Verified = 2,

    /// <summary>立案: filed, to be dispatched; also after a return.</summary>
    Filed = 3,

    /// <summary>派遣: with a unit that handles it; also after rework.</summary>
    Dispatched = 4,

    /// <summary>处置 finished, to be checked before closing.</summary>
    Handled = 5,

    /// <summary>核查 passed: it may be closed.</summary>
    Checked = 6,

    /// <summary>结案.</summary>
    Closed = 7,

    /// <summary>作废: the filing condition was not met, or there was nothing.</summary>
    Voided = 8,
}

public static class CaseStages
{
    /// <summary>True until the case is closed or voided.</summary>
    public static bool IsOpen(this CaseStage stage) => stage is not (CaseStage.Closed or CaseStage.Voided);

    /// <summary>The word for a stage in messages, views and escalations.</summary>
    public static string Word(this CaseStage stage) => stage switch
    {
        CaseStage.Reported => "reported",
        CaseStage.Verified => "verified",
        CaseStage.Filed => "filed",
        CaseStage.Dispatched => "dispatched",
        CaseStage.Handled => "handled",
        CaseStage.Checked => "checked",
        CaseStage.Closed => "closed",
        CaseStage.Voided => "voided",
        _ => throw new ArgumentOutOfRangeException(nameof(stage), stage, "no stage"),
    };
}
