namespace CityGrid.Protocol.Names;

/// <summary>Which day a counter counts on.</summary>
public enum CounterFamily
{
    /// <summary>On the statistical day of the event itself. Stocks are running sums of flows.</summary>
    Flow,

    /// <summary>On the statistical day the case was reported.</summary>
    Cohort,
}

/// <summary>
/// A counter of a cell: its id on the wire (never reused), its name in views and its family. The table of what raises each stands in
/// protocol/README.md; the terms are those of GB/T 30428.4.
/// </summary>
public sealed record Counter(ushort Id, string Name, CounterFamily Family)
{
    private static readonly Dictionary<ushort, Counter> ById = [];
    private static readonly Dictionary<string, Counter> ByName = new(StringComparer.Ordinal);

    // Flows.
    public static readonly Counter Reported = Add(1, "reported", CounterFamily.Flow);
    public static readonly Counter Filed = Add(2, "filed", CounterFamily.Flow);
    public static readonly Counter Dispatched = Add(3, "dispatched", CounterFamily.Flow);
    public static readonly Counter Handled = Add(4, "handled", CounterFamily.Flow);
    public static readonly Counter HandledInTime = Add(5, "handled_in_time", CounterFamily.Flow);
    public static readonly Counter Closed = Add(6, "closed", CounterFamily.Flow);
    public static readonly Counter ClosedInTime = Add(7, "closed_in_time", CounterFamily.Flow);
    public static readonly Counter ClosedLate = Add(8, "closed_late", CounterFamily.Flow);
    public static readonly Counter Voided = Add(9, "voided", CounterFamily.Flow);
    public static readonly Counter Returned = Add(10, "returned", CounterFamily.Flow);
    public static readonly Counter Reworked = Add(11, "reworked", CounterFamily.Flow);
    public static readonly Counter Extended = Add(12, "extended", CounterFamily.Flow);
    public static readonly Counter Suspended = Add(13, "suspended", CounterFamily.Flow);
    public static readonly Counter Resumed = Add(14, "resumed", CounterFamily.Flow);
    public static readonly Counter Reopened = Add(15, "reopened", CounterFamily.Flow);
    public static readonly Counter Escalated = Add(16, "escalated", CounterFamily.Flow);
    public static readonly Counter MovedIn = Add(17, "moved_in", CounterFamily.Flow);
    public static readonly Counter MovedOut = Add(18, "moved_out", CounterFamily.Flow);
    public static readonly Counter BecameOverdue = Add(19, "became_overdue", CounterFamily.Flow);
    public static readonly Counter OverdueHandled = Add(20, "overdue_handled", CounterFamily.Flow);
    public static readonly Counter OverdueWithdrawn = Add(21, "overdue_withdrawn", CounterFamily.Flow);
    public static readonly Counter Checked = Add(22, "checked", CounterFamily.Flow);

    /// <summary>A move carries an overdue, unhandled case out of or into a cell, so that the stock of overdue cases stays a running sum.</summary>
    public static readonly Counter OverdueMovedIn = Add(23, "overdue_moved_in", CounterFamily.Flow);
    public static readonly Counter OverdueMovedOut = Add(24, "overdue_moved_out", CounterFamily.Flow);

    /// <summary>
    /// An overdue case that had been handled came back to handling (rework, reopening): it is in the stock of overdue, unhandled cases again,
    /// which is became_overdue + overdue_again + overdue_moved_in − overdue_handled − overdue_withdrawn − overdue_moved_out.
    /// </summary>
    public static readonly Counter OverdueAgain = Add(25, "overdue_again", CounterFamily.Flow);

    /// <summary>回访: that a case is closed and that its reporter finds it solved are two facts with counters of their own.</summary>
    public static readonly Counter CalledBack = Add(26, "called_back", CounterFamily.Flow);
    public static readonly Counter Solved = Add(27, "solved", CounterFamily.Flow);
    public static readonly Counter Satisfied = Add(28, "satisfied", CounterFamily.Flow);

    /// <summary>Whole seconds from report to closing, on the closing day.</summary>
    public static readonly Counter ClosedSeconds = Add(30, "closed_seconds", CounterFamily.Flow);

    // Cohorts, on the day the case was reported.
    public static readonly Counter CohortClosed = Add(100, "cohort_closed", CounterFamily.Cohort);
    public static readonly Counter CohortClosedInTime = Add(101, "cohort_closed_in_time", CounterFamily.Cohort);
    public static readonly Counter CohortClosedSeconds = Add(102, "cohort_closed_seconds", CounterFamily.Cohort);
    public static readonly Counter CohortHandled = Add(103, "cohort_handled", CounterFamily.Cohort);
    public static readonly Counter CohortHandledSeconds = Add(104, "cohort_handled_seconds", CounterFamily.Cohort);
    public static readonly Counter CohortVoided = Add(105, "cohort_voided", CounterFamily.Cohort);

    public static IReadOnlyCollection<Counter> All => ById.Values;

    /// <summary>The counter with this id; null for one that this version does not know (it is kept and relayed all the same).</summary>
    public static Counter? Find(ushort id) => ById.GetValueOrDefault(id);

    public static Counter? Find(string name) => ByName.GetValueOrDefault(name);

    private static Counter Add(ushort id, string name, CounterFamily family)
    {
        var counter = new Counter(id, name, family);
        ById.Add(id, counter);
        ByName.Add(name, counter);
        return counter;
    }
}

/// <summary>A duration histogram of a cell: its id on the wire (never reused), and the counter that its buckets must add up to.</summary>
public sealed record Histogram(ushort Id, string Name, CounterFamily Family, Counter Total, Counter Seconds)
{
    /// <summary>Elapsed time from report to closing, on the day the case was reported.</summary>
    public static readonly Histogram ReportToClose = new(1, "report_to_close", CounterFamily.Cohort, Counter.CohortClosed, Counter.CohortClosedSeconds);

    /// <summary>Elapsed time from filing to handling, on the day the case was reported.</summary>
    public static readonly Histogram FileToHandle = new(2, "file_to_handle", CounterFamily.Cohort, Counter.CohortHandled, Counter.CohortHandledSeconds);

    /// <summary>Elapsed time from report to closing, on the closing day: the flow family of <see cref="ReportToClose"/>.</summary>
    public static readonly Histogram ReportToCloseFlow = new(3, "report_to_close_flow", CounterFamily.Flow, Counter.Closed, Counter.ClosedSeconds);

    public static readonly IReadOnlyList<Histogram> All = [ReportToClose, FileToHandle, ReportToCloseFlow];

    public static Histogram? Find(ushort id) => All.FirstOrDefault(h => h.Id == id);
}
