using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Tests.Crashes;

namespace CityGrid.Tests.Journal;

/// <summary>
/// Lives of a journal: appends, snapshots, packing, room for the next segment, failing syncs, killed processes and power cuts. Of each disk that a power cut could leave it asks
/// whether a restart keeps what was acknowledged.
/// </summary>
internal sealed class CrashSearch(JournalFaults faults) : LivesOnADisk(drawn: 6)
{
    private readonly List<string> _attempted = [];
    private readonly HeldSpawner _behind = new();
    private FileJournal? _journal;
    private int _acknowledged;
    private Lsn _snapshot;
    private bool _mayKill;

    public int Restarts { get; private set; }

    public int CrashesInRecovery { get; private set; }

    public int LongestJournal { get; private set; }

    /// <summary>Segments that were begun in room made for them.</summary>
    public int BegunInRoom { get; private set; }

    private JournalOptions Options => new() { SegmentBytes = 2500, BlockBytes = 900, FrameBytesMax = 4000, ReadAhead = false, Faults = faults };

    protected override void Begin(ulong seed)
    {
        base.Begin(seed);
        (_journal, _acknowledged, _snapshot) = (null, 0, Lsn.Zero);
        _attempted.Clear();
    }

    protected override void Ended() => _journal = null;

    protected override bool EndsTheProcess(Exception failure) => failure is KilledException || base.EndsTheProcess(failure);

    protected override void Step()
    {
        _journal ??= Restarted();
        MayFail();
        _mayKill = true;
        try
        {
            Turn(_journal);
        }
        finally
        {
            _mayKill = false;
        }
    }

    private void Turn(FileJournal journal)
    {
        switch (Seed.Below(14))
        {
            case 0:
                journal.SaveSnapshot(journal.Head.Lsn, [new("fold", 1, new byte[Seed.Below(900)])]);
                _snapshot = journal.Head.Lsn;
                break;
            case 1:
                journal.PackSealed(CancellationToken.None);
                break;
            case 3:
                _behind.Work("room");
                break;
            case 2 when Seed.OneIn(3):
                Disk.Cut(Seed);
                _journal = null;
                break;
            default:
                var batch = Drafts.Batch(Seed, 3, Seed.OneIn(6) ? 1500 : 250);
                _attempted.AddRange(batch.Select(Drafts.Plain));
                var hadRoom = Disk.Files.Contains(SegmentRoom.Path);
                journal.Append(batch, Drafts.Noon);
                BegunInRoom += hadRoom && !Disk.Files.Contains(SegmentRoom.Path) ? 1 : 0;
                _acknowledged = _attempted.Count;
                break;
        }
    }

    /// <summary>Opens the journal of this life; what it shows is promised from now on, whether or not it was acknowledged.</summary>
    private FileJournal Restarted()
    {
        _behind.Forget();
        var journal = FileJournal.Open(Disk, Seed, Drafts.Node, Options, _behind);
        var kept = journal.ReadFrom(Lsn.Zero).Count();
        if (kept < _acknowledged)
        {
            throw new BrokenPromiseException($"{_acknowledged} records were promised, {kept} are there.");
        }

        _attempted.RemoveRange(kept, _attempted.Count - kept);
        _acknowledged = kept;
        LongestJournal = Math.Max(LongestJournal, kept);
        return journal;
    }

    protected override void AfterOperation()
    {
        base.AfterOperation();
        if (_mayKill && Seed.OneIn(30))
        {
            throw new KilledException();
        }
    }

    protected override void Examine(ModelDisk state)
    {
        var verdict = JournalVerifier.Verify(state);
        if (Seed.OneIn(12))
        {
            CrashInRecovery(state.Copy());
        }

        var kept = Restart(state, out var journal);
        if (verdict is JournalVerdict.Damaged or JournalVerdict.Sound && (verdict as JournalVerdict.Sound)?.Records != kept.Count)
        {
            throw new BrokenPromiseException($"the verifier says {verdict} where a restart finds {kept.Count} records.");
        }

        if ((journal.LoadSnapshot()?.Lsn ?? Lsn.Zero) < _snapshot)
        {
            throw new BrokenPromiseException($"the snapshot at {_snapshot} is gone.");
        }

        var at = new Lsn(1 + Seed.Below((int)journal.Head.Lsn.Value + 1));
        if (journal.ReadAt(at)?.Hash != journal.ReadFrom(new Lsn(at.Value - 1)).FirstOrDefault()?.Hash)
        {
            throw new BrokenPromiseException($"position {at} reads in two ways.");
        }

        GoOnAndCut(state, journal, kept);
    }

    /// <summary>Whatever was kept, what is appended to it now must survive the next cut that spares nothing unsynced.</summary>
    private void GoOnAndCut(ModelDisk state, FileJournal journal, List<string> kept)
    {
        var next = Drafts.Drawn(Seed, 200);
        journal.Append([next], Drafts.Noon);
        var again = Open(state.CrashStates(Seed, 0).First(), out _);
        if (!again.SequenceEqual(kept.Append(Drafts.Plain(next))))
        {
            throw new BrokenPromiseException($"{kept.Count} records and one after a restart became {again.Count} after the next cut.");
        }
    }

    /// <summary>Restarts, and checks that what is there is a beginning of what was attempted, and not shorter than what was acknowledged.</summary>
    private List<string> Restart(ModelDisk state, out FileJournal journal)
    {
        var kept = Open(state, out journal);
        return kept.Count < _acknowledged ? throw new BrokenPromiseException($"{_acknowledged} records were promised, {kept.Count} are there.")
            : !kept.SequenceEqual(_attempted.Take(kept.Count)) ? throw new BrokenPromiseException("records are there that nobody appended.")
            : kept;
    }

    private List<string> Open(ModelDisk state, out FileJournal journal)
    {
        Restarts++;
        try
        {
            journal = FileJournal.Open(state, new SeededEntropy(7), Drafts.Node, Options);
            return journal.ReadFrom(Lsn.Zero).Select(Drafts.Plain).ToList();
        }
        catch (JournalDamagedException refused)
        {
            throw new BrokenPromiseException($"a crash was taken for damage: {refused.Message}");
        }
    }

    /// <summary>Cuts the power after every operation of the recovery itself: a second recovery must end where an undisturbed one does.</summary>
    private void CrashInRecovery(ModelDisk state)
    {
        var undisturbed = Restart(state.Copy(), out _);
        var inner = new SeededEntropy(Seed.Next());
        state.Happened = _ =>
        {
            foreach (var crashed in state.CrashStates(inner, drawn: 2))
            {
                CrashesInRecovery++;
                if (!Restart(crashed, out FileJournal again).SequenceEqual(undisturbed))
                {
                    throw new BrokenPromiseException("a crash in the recovery changed what it keeps.");
                }
            }
        };
        Restart(state, out _);
    }

    private sealed class KilledException : Exception;
}
