using CityGrid.Hub.Journal;
using CityGrid.Node.Stored;
using Body = CityGrid.Node.Stored.StoredCaseEvent.BodyOneofCase;

namespace CityGrid.Node.Cases;

/// <summary>The journal kinds of case events. Numbers are never reused.</summary>
public static class CaseEventKinds
{
    public const ushort Reported = EventKinds.NodeFirst;
    public const ushort PreFilingChecked = 1001;
    public const ushort Filed = 1002;
    public const ushort Dispatched = 1003;
    public const ushort HandlingFinished = 1004;
    public const ushort PreClosingChecked = 1005;
    public const ushort Closed = 1006;
    public const ushort Voided = 1007;
    public const ushort Returned = 1008;
    public const ushort Reworked = 1009;
    public const ushort Extended = 1010;
    public const ushort Suspended = 1011;
    public const ushort Resumed = 1012;
    public const ushort Reopened = 1013;
    public const ushort Corrected = 1014;
    public const ushort Moved = 1015;
    public const ushort DeadlinePassed = 1016;
    public const ushort DeadlineWithdrawn = 1017;
    public const ushort OverdueReached = 1018;
    public const ushort Escalated = 1019;
    public const ushort ReporterErased = 1020;
    public const ushort Imported = 1021;
    public const ushort ImportRenewed = 1022;
    public const ushort CalledBack = 1023;
    public const ushort DeadlineMoved = 1024;

    /// <summary>The kinds from <see cref="Reported"/> to this one are case events.</summary>
    public const ushort Last = DeadlineMoved;

    /// <summary>Not of a case: a local type was added to the catalogue (<see cref="StoredLocalTypeAdded"/>).</summary>
    public const ushort LocalTypeAdded = 1100;

    /// <summary>Not of a case's life: somebody read what is personal of it (<see cref="StoredPersonalRead"/>).</summary>
    public const ushort PersonalRead = 1101;

    /// <summary>The schema version that is written, and the newest that is read.</summary>
    public const ushort Schema = 1;

    public static bool IsCaseEvent(ushort kind) => kind is >= Reported and <= Last;

    /// <summary>The kind of a stored body: the bodies stand in the message in the order of the kinds, from field 16 on.</summary>
    internal static ushort Of(Body body) => body is >= Body.Reported and <= Body.DeadlineMoved
        ? (ushort)(Reported + (int)body - (int)Body.Reported)
        : throw new FormatException("A case event without a body.");
}
