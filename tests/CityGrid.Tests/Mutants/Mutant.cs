using CityGrid.Cli.Simulation;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Tests.Mutants;

/// <summary>A bug planted in front of the real code or behind it, to see that the stories find it.</summary>
/// <param name="Area">What it is a bug of.</param>
/// <param name="Name">What is wrong.</param>
/// <param name="Twist">Plants it, anew for each story.</param>
internal sealed record Mutant(string Area, string Name, Func<StoryTwist> Twist)
{
    /// <summary>Why it may live, where it may.</summary>
    public string? Harmless { get; init; }

    /// <summary>Only a liar meets it: each of its stories has one.</summary>
    public bool NeedsALiar { get; init; }

    /// <summary>How many stories it takes to find it, from a seed on; null where none of <paramref name="most"/> does.</summary>
    public int? KilledBy(ulong firstSeed, int most)
    {
        for (var told = 1; told <= most; told++)
        {
            var seed = firstSeed + (ulong)told - 1;
            var plan = NeedsALiar ? StoryPlan.WithHostile(seed, StoryBounds.Brief) : StoryPlan.Drawn(seed, StoryBounds.Short);
            if (StoryOutcome.Of(plan, Twist()).Broken is not null)
            {
                return told;
            }
        }

        return null;
    }

    public override string ToString() => $"{Area}: {Name}";
}

/// <summary>A twist made of delegates; what is not given changes nothing.</summary>
internal sealed class Planting : StoryTwist
{
    public Action<SimulatedNode, SimulatedNode, ConnectRequest>? OnUp { get; init; }

    public Func<SimulatedNode, SimulatedNode, ConnectResponse, ConnectResponse?>? OnDown { get; init; }

    public Func<IJournal, SimulatedNode, IJournal>? OnJournal { get; init; }

    public Func<JournalOptions, JournalOptions>? OnOptions { get; init; }

    public Func<IDisk, IDisk>? OnDisk { get; init; }

    public Func<IPeerIdentity, IPeerIdentity>? OnPeer { get; init; }

    public Func<NodeSettings, NodeSettings>? OnSettings { get; init; }

    public bool RenewsNothing { get; init; }

    public override ConnectRequest? Up(SimulatedNode child, SimulatedNode parent, ConnectRequest request)
    {
        OnUp?.Invoke(child, parent, request);
        return request;
    }

    public override ConnectResponse? Down(SimulatedNode child, SimulatedNode parent, ConnectResponse response) => OnDown is null ? response : OnDown(child, parent, response);

    public override IJournal Journal(SimulatedNode node, IJournal journal) => OnJournal?.Invoke(journal, node) ?? journal;

    public override JournalOptions Options(JournalOptions options) => OnOptions?.Invoke(options) ?? options;

    public override IDisk Disk(ModelDisk disk) => OnDisk?.Invoke(disk) ?? disk;

    public override IPeerIdentity Peer(IPeerIdentity peer) => OnPeer?.Invoke(peer) ?? peer;

    public override NodeSettings Settings(NodeSettings settings) => OnSettings?.Invoke(settings) ?? settings;

    public override void Renew(ModelDisk disk, IEntropy entropy, NodeId node)
    {
        if (!RenewsNothing)
        {
            base.Renew(disk, entropy, node);
        }
    }
}

/// <summary>A journal of which one thing is wrong.</summary>
internal sealed class WrongJournal(IJournal real) : IJournal
{
    private IReadOnlyList<FoldImage>? _before;

    /// <summary>What is written of a record instead.</summary>
    public Func<RecordDraft, RecordDraft>? Written { get; init; }

    /// <summary>A snapshot holds the folds of the one before.</summary>
    public bool SnapshotsLag { get; init; }

    public Func<Snapshot, Snapshot>? Loaded { get; init; }

    public Func<Hash256, Hash256>? Chain { get; init; }

    public bool FindsNothing { get; init; }

    public Incarnation Incarnation => real.Incarnation;

    public bool IsRestored => real.IsRestored;

    public JournalHead Head => real.Head;

    public AppendResult Append(IReadOnlyList<RecordDraft> records, Instant recordedAt, Lsn? expectedHead = null) =>
        real.Append(Written is null ? records : [.. records.Select(Written)], recordedAt, expectedHead);

    public IEnumerable<JournalRecord> ReadFrom(Lsn after) => real.ReadFrom(after);

    public IEnumerable<T> Replay<T>(Lsn after, Func<JournalRecord, T> make) => real.Replay(after, make);

    public JournalRecord? ReadAt(Lsn lsn) => FindsNothing ? null : real.ReadAt(lsn);

    public Hash256? ChainHashAt(Lsn lsn) => real.ChainHashAt(lsn) is { } hash ? Chain?.Invoke(hash) ?? hash : null;

    public void SaveSnapshot(Lsn lsn, IReadOnlyList<FoldImage> folds)
    {
        real.SaveSnapshot(lsn, SnapshotsLag ? _before ?? folds : folds);
        _before = folds;
    }

    public Snapshot? LoadSnapshot() => real.LoadSnapshot() is { } snapshot ? Loaded?.Invoke(snapshot) ?? snapshot : null;

    public void Dispose() => real.Dispose();
}

/// <summary>A peer who may speak of everything in certain frames.</summary>
internal sealed class WidePeer(IPeerIdentity real, Func<bool> isWide) : IPeerIdentity
{
    private static readonly DivisionCode[] Nation = [DivisionCode.Parse("CN")];

    public NodeId Node => real.Node;

    public IReadOnlyList<DivisionCode> Divisions => isWide() ? Nation : real.Divisions;
}

/// <summary>A peer who is whomever its hello names.</summary>
internal sealed class NamelessPeer(IPeerIdentity real, Func<Hello?> said) : IPeerIdentity
{
    public NodeId Node => said() is { } hello ? NodeId.Parse(hello.Node) : real.Node;

    public IReadOnlyList<DivisionCode> Divisions => real.Divisions;
}

/// <summary>A disk that says it has synced.</summary>
internal sealed class LyingDisk(IDisk real, bool files, bool folders) : IDisk
{
    public long FreeBytes => real.FreeBytes;

    public IReadOnlyList<string> List(string folder) => real.List(folder);

    public bool Exists(string path) => real.Exists(path);

    public void CreateFolder(string folder) => real.CreateFolder(folder);

    public IDiskFile Open(string path, DiskAccess access) => files ? new LyingFile(real.Open(path, access)) : real.Open(path, access);

    public void Rename(string from, string to) => real.Rename(from, to);

    public void Delete(string path) => real.Delete(path);

    public void SyncFolder(string folder)
    {
        if (!folders)
        {
            real.SyncFolder(folder);
        }
    }

    private sealed class LyingFile(IDiskFile real) : IDiskFile
    {
        public long Length => real.Length;

        public int Read(long offset, Span<byte> target) => real.Read(offset, target);

        public void Write(long offset, ReadOnlySpan<byte> bytes) => real.Write(offset, bytes);

        public void Sync()
        {
            // It says that it has.
        }

        public void Truncate(long length) => real.Truncate(length);

        public void DropCache() => real.DropCache();

        public void Dispose() => real.Dispose();
    }
}
