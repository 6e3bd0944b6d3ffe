using CityGrid.Hub.Journal;
using CityGrid.Hub.Sealing;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Node.Configuration;
using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Node.Checks;

/// <summary>
/// <c>citygrid rebuild</c>: makes everything of a stopped node anew that is a fold of its journal (cells, cases, links, views), from the journal alone, and
/// compares it with what the node would have started from. The journal is read and never written.
/// </summary>
public static class DirectoryRebuild
{
    /// <summary>
    /// Sound where the folds of the whole journal are those that the snapshot led to; damaged where they were not, and are now. Cut short it may be
    /// run again; so may the node, which makes what is missing itself. <paramref name="progress"/> is told positions read, of how many.
    /// </summary>
    public static CheckVerdict Rebuild(NodeConfiguration configuration, Action<long, long> progress)
    {
        try
        {
            var entropy = new SystemEntropy();
            using (var owner = DirectoryLock.Take(configuration.DataFolder, entropy, TimeProvider.System))
            {
                if (Rebuild(configuration, owner, entropy, progress) is { ExitCode: not CheckVerdict.SoundCode } failed)
                {
                    return failed;
                }
            }

            return ViewCheck.Verify(configuration.DataFolder);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or JournalDamagedException)
        {
            return CheckVerdict.CannotDecide(failure.Message);
        }
    }

    private static CheckVerdict Rebuild(NodeConfiguration configuration, DirectoryLock owner, IEntropy entropy, Action<long, long> progress)
    {
        var disk = owner.Guard(PosixDisk.At(configuration.DataFolder));
        var judged = JournalVerifier.Verify(disk);
        if (judged is JournalVerdict.Damaged { File: var file } damaged && !file.StartsWith("snapshots/", StringComparison.Ordinal))
        {
            return CheckVerdict.Of(damaged);
        }

        if (judged is JournalVerdict.CannotDecide undecided)
        {
            return CheckVerdict.Of(undecided);
        }

        // One snapshot is kept, the new one: whatever the others are, they are not needed any more.
        using var journal = FileJournal.Open(disk, entropy, configuration.Node, new JournalOptions { SnapshotsKept = 1, CopyLastSegment = owner.IsExchanged });
        var before = Before(configuration, disk, journal, entropy);
        Failpoint.Hit("rebuild.before");
        foreach (var view in disk.List("views"))
        {
            disk.Delete($"views/{view}");
            Failpoint.Hit("rebuild.view.deleted");
        }

        using var views = new LiteViewStore(disk, journal.Incarnation);
        var after = Figures(configuration, disk, new ToldJournal(journal, progress), views, entropy, replaysAll: true);
        Failpoint.Hit("rebuild.after");
        return before == after.ToString()
            ? CheckVerdict.Sound(after.ToString())
            : CheckVerdict.Damaged("snapshots", $"the node would have started from {before}; its journal says {after}. Snapshot and views were made anew from the journal.");
    }

    /// <summary>What the node would have started with: its figures, or why its snapshot cannot be read.</summary>
    private static string Before(NodeConfiguration configuration, IDisk disk, IJournal journal, IEntropy entropy)
    {
        try
        {
            return Figures(configuration, disk, journal, new MemoryViewStore(), entropy, replaysAll: false).ToString();
        }
        catch (FoldImageException unreadable)
        {
            return $"its journal alone ({unreadable.Message})";
        }
    }

    private static FoldFigures Figures(NodeConfiguration configuration, IDisk disk, IJournal journal, IViewStore views, IEntropy entropy, bool replaysAll)
    {
        using var core = new NodeCore(NodeServer.SettingsOf(configuration), new NodeSeams(disk, journal, views, new AesGcmSeal(), null, TimeProvider.System, entropy) { ReplaysAll = replaysAll });
        if (core.FoldFailures > 0)
        {
            throw new IOException($"{core.FoldFailures} events could not be folded by this program; nothing that rests on them was replaced. Run the program that wrote them, or a newer one.");
        }

        if (replaysAll)
        {
            core.SaveSnapshot();
        }

        return new FoldFigures(
            core.Sequencer.Applied, core.Cells.Whole([.. Enumerable.Range(1, 2).Select(number => new Grain((byte)number))]), core.Cells.Count, core.Book.Count, core.Book.Open.Count, core.Escalations.Count,
            core.Reception.Children.Count);
    }

    private sealed record FoldFigures(Lsn Lsn, Hash256 Digest, long Cells, long Cases, long Open, long Escalations, long Children)
    {
        public override string ToString() => $"{Cells} cells of digest {Digest}, {Cases} cases, {Open} of them open, {Escalations} escalations and {Children} children at {Lsn}";
    }

    /// <summary>A journal that tells how far it was read.</summary>
    private sealed class ToldJournal(IJournal journal, Action<long, long> progress) : IJournal
    {
        public Incarnation Incarnation => journal.Incarnation;

        public bool IsRestored => journal.IsRestored;

        public JournalHead Head => journal.Head;

        public AppendResult Append(IReadOnlyList<RecordDraft> records, Instant recordedAt, Lsn? expectedHead = null) =>
            throw new InvalidOperationException("A rebuild appends nothing.");

        public IEnumerable<JournalRecord> ReadFrom(Lsn after) => journal.ReadFrom(after);

        public IEnumerable<T> Replay<T>(Lsn after, Func<JournalRecord, T> make)
        {
            long told = 0;
            foreach (var (made, at) in journal.Replay(after, record => (make(record), record.Last.Value)))
            {
                yield return made;
                if (at - told >= 100_000 || at == Head.Lsn.Value)
                {
                    told = at;
                    progress(at, Head.Lsn.Value);
                }
            }
        }

        public JournalRecord? ReadAt(Lsn lsn) => journal.ReadAt(lsn);

        public Hash256? ChainHashAt(Lsn lsn) => journal.ChainHashAt(lsn);

        public void SaveSnapshot(Lsn lsn, IReadOnlyList<FoldImage> folds) => journal.SaveSnapshot(lsn, folds);

        public Snapshot? LoadSnapshot() => journal.LoadSnapshot();

        public void Dispose()
        {
        }
    }
}
