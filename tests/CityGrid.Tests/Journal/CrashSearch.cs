using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;

namespace CityGrid.Tests.Journal;

/// <summary>
/// Lives of a journal on a model disk: appends, snapshots, packing, failing syncs, killed processes and power cuts, drawn from a seed. After every
/// operation on the disk it looks at the states that a power cut there could leave, and asks of each whether a restart keeps what was acknowledged.
/// </summary>
internal sealed class CrashSearch(JournalFaults faults)
{
    private readonly HashSet<Hash256> _seen = [];
    private readonly List<string> _attempted = [];
    private SeededEntropy _seed = new(0);
    private ModelDisk _disk = new();
    private FileJournal? _journal;
    private int _acknowledged;
    private Lsn _snapshot;
    private bool _mayKill;

    /// <summary>How many different disks were restarted from.</summary>
    public int States => _seen.Count;

    public int Restarts { get; private set; }

    public int CrashesInRecovery { get; private set; }

    public int LongestJournal { get; private set; }

    public string? Violation { get; private set; }

    private JournalOptions Options => new() { SegmentBytes = 2500, BlockBytes = 900, FrameBytesMax = 4000, ReadAhead = false, Faults = faults };

    /// <summary>Lives one life; false when a promise was broken (<see cref="Violation"/> says which).</summary>
    public bool Live(ulong seed, int steps)
    {
        (_seed, _disk, _journal, _acknowledged, _snapshot, _mayKill) = (new SeededEntropy(seed), new ModelDisk(), null, 0, Lsn.Zero, false);
        _attempted.Clear();
        _disk.Happened = _ => AfterOperation();
        try
        {
            for (var step = 0; step < steps; step++)
            {
                Guarded(Step);
            }
        }
        catch (BrokenPromiseException broken)
        {
            Violation = $"seed {seed}: {broken.Message}";
        }

        return Violation is null;
    }

    private void Step()
    {
        _journal ??= Restarted();
        if (_seed.OneIn(25))
        {
            _disk.Fail(new DiskFault(_disk.Operations + 1 + _seed.Below(8), 5, TakesEffect: _seed.OneIn(4)));
        }

        _mayKill = true;
        switch (_seed.Below(14))
        {
            case 0:
                _journal.SaveSnapshot(_journal.Head.Lsn, [new("fold", 1, new byte[_seed.Below(900)])]);
                _snapshot = _journal.Head.Lsn;
                break;
            case 1:
                _journal.PackSealed(CancellationToken.None);
                break;
            case 2 when _seed.OneIn(3):
                _disk.Cut(_seed);
                _journal = null;
                break;
            default:
                var batch = Drafts.Batch(_seed, 3, _seed.OneIn(6) ? 1500 : 250);
                _attempted.AddRange(batch.Select(Drafts.Plain));
                _journal.Append(batch, Drafts.Noon);
                _acknowledged = _attempted.Count;
                break;
        }
    }

    /// <summary>Does a step; a failing disk or a killed process ends the journal, and the next step starts it again.</summary>
    private void Guarded(Action step)
    {
        try
        {
            step();
        }
        catch (Exception stopped) when (stopped is DiskFailedException or JournalClosedException or KilledException)
        {
            _disk.Kill();
            _journal = null;
        }
        catch (JournalDamagedException damaged)
        {
            throw new BrokenPromiseException($"the running journal found damage: {damaged.Message}");
        }
        finally
        {
            _mayKill = false;
        }
    }

    /// <summary>Opens the journal of this life; what it shows is promised from now on, whether or not it was acknowledged.</summary>
    private FileJournal Restarted()
    {
        var journal = FileJournal.Open(_disk, _seed, Drafts.Node, Options);
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

    private void AfterOperation()
    {
        foreach (var state in _disk.CrashStates(_seed, drawn: 6))
        {
            if (_seen.Add(state.Fingerprint()))
            {
                Examine(state);
            }
        }

        if (_mayKill && _seed.OneIn(30))
        {
            throw new KilledException();
        }
    }

    private void Examine(ModelDisk state)
    {
        var verdict = JournalVerifier.Verify(state);
        if (_seed.OneIn(12))
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

        var at = new Lsn(1 + _seed.Below((int)journal.Head.Lsn.Value + 1));
        if (journal.ReadAt(at)?.Hash != journal.ReadFrom(new Lsn(at.Value - 1)).FirstOrDefault()?.Hash)
        {
            throw new BrokenPromiseException($"position {at} reads in two ways.");
        }

        GoOnAndCut(state, journal, kept);
    }

    /// <summary>Whatever was kept, what is appended to it now must survive the next cut that spares nothing unsynced.</summary>
    private void GoOnAndCut(ModelDisk state, FileJournal journal, List<string> kept)
    {
        var next = Drafts.Drawn(_seed, 200);
        journal.Append([next], Drafts.Noon);
        var again = Open(state.CrashStates(_seed, 0).First(), out _);
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
        var inner = new SeededEntropy(_seed.Next());
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

    private sealed class BrokenPromiseException(string message) : Exception(message);
}
