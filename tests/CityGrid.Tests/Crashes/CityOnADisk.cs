using CityGrid.Hub.Journal;
using CityGrid.Hub.Sealing;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Node;
using CityGrid.Node.Cases;
using CityGrid.Node.Stored;
using CityGrid.Node.Tally;
using CityGrid.Protocol.Names;
using CityGrid.Tests.Cases;
using CityGrid.Tests.Tally;

namespace CityGrid.Tests.Crashes;

/// <summary>A whole city node on a model disk, pumped by hand: the door through which its callers come, and what it promised them.</summary>
internal sealed class CityOnADisk : IDisposable
{
    private readonly FileJournal _journal;
    private readonly VirtualClock _clock;

    public CityOnADisk(ModelDisk disk, IEntropy entropy, VirtualTime time, JournalFaults faults, IViewStore? views = null, int viewLag = 10_000)
    {
        _clock = new VirtualClock(time);
        _journal = FileJournal.Open(disk, entropy, City.Node, new JournalOptions { SegmentBytes = 3000, BlockBytes = 900, ReadAhead = false, Faults = faults });
        Core = new NodeCore(
            new NodeSettings(City.Node, City.Place, City.Zone, City.Rules.Divisions, City.Rules) { ViewLagRecords = viewLag },
            new NodeSeams(disk, _journal, views ?? new MemoryViewStore(), new StandInSeal(), null, _clock, entropy));
        Core.FoldFailed = (fold, e, failure) => throw new BrokenPromiseException($"fold {fold.Name} failed at {e.Lsn}: {failure.Message}");
        Pump();
    }

    public NodeCore Core { get; }

    public Exception? StoppedBy => Core.Sequencer.StoppedBy;

    /// <summary>Submits and takes it to its end; false where nobody was answered.</summary>
    public bool Submit(CaseCommand command, Action<CaseAnswer> answered)
    {
        var told = false;
        Core.Desk.Submit(command, answer =>
        {
            told = true;
            answered(answer);
        });
        Pump();
        return told;
    }

    public SealedPart? Personal(CaseId id, string name) => Core.Desk.Seal(id, new PersonalPart { ReporterName = name, Contact = "13900000000" });

    /// <summary>What of a case's personal parts can still be opened, in one text.</summary>
    public string PersonalOf(CaseState state) => string.Concat(Core.Book.History(state.LastLsn)
        .Select(entry => entry.Event.Sealed).OfType<SealedPart>()
        .Select(part => Core.Desk.Unseal(state.Id, part)?.ReporterName));

    public void PackSealed() => _journal.PackSealed(CancellationToken.None);

    /// <summary>The records of the journal, from its start.</summary>
    public IEnumerable<JournalRecord> Records() => _journal.ReadFrom(Lsn.Zero);

    /// <summary>Cells and cases are one record: the cells of the node are those that a recount of its journal gives (INV-6).</summary>
    public void CheckCells()
    {
        var recount = Recount.OfJournal(Records, Core.Sequencer.Applied, City.Node, City.Place);
        if (CountedCells.Of(Core).DifferenceFrom(recount) is { } difference)
        {
            throw new BrokenPromiseException(difference);
        }
    }

    public void Dispose()
    {
        Core.Dispose();
        _journal.Dispose();
    }

    private void Pump()
    {
        while (Core.Sequencer.Pump() || Core.Projector.PumpOnce())
        {
        }
    }
}
