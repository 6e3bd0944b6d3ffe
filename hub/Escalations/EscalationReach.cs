using CityGrid.Hub.Divisions;
using CityGrid.Protocol.V1;

namespace CityGrid.Hub.Escalations;

/// <summary>The tiers that must be told of an event (突发事件应对法: by grade, hop by hop). A tier is configuration, never read off a code.</summary>
public enum GradeTier
{
    City = 1,
    Province = 2,
    Ministry = 3,
}

/// <summary>
/// Which escalations a node hands on to its parent: those whose grade demands a tier that lies above, and of its own also those that a rule
/// sends to the parent.
/// </summary>
public sealed record EscalationReach(GradeTier Parent, Func<string, bool> RuleGoesToParent)
{
    /// <summary>The reach of a node whose parent stands for a division of this kind, by the register; null for none that it knows. Never by a number or a code.</summary>
    public static EscalationReach Towards(DivisionKind? parent, Func<string, bool> ruleGoesToParent) => new(
        parent switch
        {
            DivisionKind.Nation => GradeTier.Ministry,
            DivisionKind.Province or DivisionKind.Municipality => GradeTier.Province,
            _ => GradeTier.City,
        },
        ruleGoesToParent);

    /// <summary>The tier that a grade demands: larger to the province, serious and especially serious to the ministry. An unknown grade is taken for the gravest.</summary>
    public static GradeTier Demanded(EmergencyGrade grade) => grade switch
    {
        EmergencyGrade.Unspecified or EmergencyGrade.General => GradeTier.City,
        EmergencyGrade.Larger => GradeTier.Province,
        _ => GradeTier.Ministry,
    };

    /// <summary>Whether it goes on the lane that overtakes the others: the grades that the law wants a superior to know at once.</summary>
    public static bool IsAlarm(EscalationRecord record) => Demanded(record.Content.Grade) > GradeTier.City;

    public bool GoesUp(EscalationRecord record) =>
        Demanded(record.Content.Grade) >= Parent || (record.Via is null && RuleGoesToParent(record.Content.Rule));
}
