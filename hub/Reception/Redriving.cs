using CityGrid.Hub.Journal;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Reception;

/// <summary>
/// What is kept aside of the children is judged again (L10), record of the journal by record, until nothing more of it can be settled: when time has passed, and
/// when a person says so or has said whose a name is (L13).
/// </summary>
public sealed class Redriving(Sequencer sequencer, ReceptionDesk desk, ReceptionFold reception, Func<Lsn, JournalRecord?> readAt)
{
    /// <summary>A day may have come, the register may have grown: what is kept aside of every child. Returns at once.</summary>
    public void Begin()
    {
        foreach (var child in ChildrenWithAside())
        {
            Begin(child);
        }
    }

    /// <summary>All that is kept aside of a child, for a person. Answers how many records were settled.</summary>
    public async Task<int> RedriveAsync(NodeId child, string actor)
    {
        var inAll = 0;
        for (var settled = -1; settled != 0; inAll += settled)
        {
            settled = await sequencer.SubmitAsync(desk.Redrive(child, readAt, actor));
        }

        return inAll;
    }

    /// <summary>A person gives a name to a division, and what is kept aside is judged by it. Answers how many records were settled.</summary>
    public async Task<(NameOutcome Outcome, int Settled)> GiveNameAsync(NodeId name, DivisionCode division, string actor)
    {
        var outcome = await sequencer.SubmitAsync(desk.GiveName(name, division, actor));
        var settled = 0;
        foreach (var child in outcome is NameOutcome.Given or NameOutcome.HadIt ? ChildrenWithAside() : [])
        {
            settled += await RedriveAsync(child, actor);
        }

        return (outcome, settled);
    }

    private void Begin(NodeId child) => sequencer.Submit(desk.Redrive(child, readAt, "clock"), settled =>
    {
        if (settled > 0)
        {
            Begin(child);
        }
    });

    private NodeId[] ChildrenWithAside() => sequencer.Read(() => reception.Parked.Select(aside => aside.Child).Distinct().ToArray());
}
