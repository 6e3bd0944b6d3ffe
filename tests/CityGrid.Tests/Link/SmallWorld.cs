using System.Buffers.Binary;
using System.Collections.Immutable;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;

namespace CityGrid.Tests.Link;

/// <summary>What may go wrong in a small world, and how often.</summary>
internal readonly record struct Faults(int Crashes, int Losses, int Duplicates, int Breaks, int Restores)
{
    /// <summary>As often as you like: then a line has no order at all, and there is no end to the worlds in which one frame overtakes another.</summary>
    public const int Always = int.MaxValue;

    public static readonly Faults None = new() { Overtakings = 0 };

    /// <summary>How often a frame comes before one that was sent before it on the same connection.</summary>
    public int Overtakings { get; init; } = Always;

    /// <summary>How often the parent has no room for a part and says so (BUSY): its disk is full, or it has too much to do.</summary>
    public int Fulls { get; init; }

    /// <summary>Copies of a running directory that are taken, and changes from one copy to the other, together.</summary>
    public int Clones { get; init; }

    /// <summary>Both of what may go wrong, where neither goes wrong always.</summary>
    public static Faults operator +(Faults one, Faults other) =>
        new(one.Crashes + other.Crashes, one.Losses + other.Losses, one.Duplicates + other.Duplicates, one.Breaks + other.Breaks, one.Restores + other.Restores)
        {
            Overtakings = one.Overtakings + other.Overtakings,
            Fulls = one.Fulls + other.Fulls,
            Clones = one.Clones + other.Clones,
        };
}

/// <summary>A fault planted beside the code, to show that the search finds it.</summary>
internal enum Planted
{
    Nothing,
    GapAccepted,
    NoDedupe,
    CursorBeforeTheEffect,
    DeltaForAbsolute,
    DroppedTombstone,
    EpochChosenByChild,
    ReceiptBeforeDurable,
    OldSessionNotFenced,
    ChainNotCompared,
    ReceiptBelievedUnchecked,
    LastPartAlone,
    HeardNotShown,
    ReadNotShown,
}

/// <summary>An event in a child's journal: a cell's new absolute value, an escalation's version, or an epoch taken.</summary>
internal sealed record Entry(char Kind, int Name, int Value, Hash256 Chain)
{
    public static Entry After(IReadOnlyList<Entry> journal, Incarnation incarnation, char kind, int name, int value)
    {
        var before = journal.Count == 0 ? 0x9E3779B97F4A7C15UL : (ulong)journal[^1].Chain.Low;
        var mixed = new Fingerprint();
        mixed.Add(before);
        mixed.Add((ulong)incarnation.Value);
        mixed.Add(kind);
        mixed.Add((ulong)name);
        mixed.Add((ulong)value);
        return new Entry(kind, name, value, new Hash256(UInt128.One, mixed.Value | 1));
    }
}

internal readonly record struct ModelCell(int Origin, int Name, Revision Revision, int Value);

/// <summary>One child: what is durable (journal, epoch, receipts) and what a crash takes (the sender).</summary>
internal sealed record ChildSide(int Index, ImmutableArray<Entry> Journal, Incarnation Incarnation, Epoch Epoch, long LastEpoch)
{
    public StreamMark AckedEscalations { get; init; }

    public StreamMark AckedCells { get; init; }

    /// <summary>No alarm is ever raised in a small world: their lane is the escalations' lane under another name.</summary>
    public StreamMark AckedOf(Lane lane) => lane switch
    {
        Lane.Cells => AckedCells,
        Lane.Escalations => AckedEscalations,
        _ => StreamMark.Start,
    };

    public required SenderState Sender { get; init; }

    /// <summary>The number of the connection at hand; 0 for none.</summary>
    public int Session { get; init; }

    public int Sessions { get; init; }

    /// <summary>Events of the script that have happened.</summary>
    public int Happened { get; init; }

    /// <summary>An old copy runs under its old name: a person has to open it as a restored one.</summary>
    public bool IsOldCopy { get; init; }

    /// <summary>A copy of this directory that does not run now; null for none.</summary>
    public ChildSide? Other { get; init; }

    /// <summary>Of an old copy: the history that it was copied from, or that goes on beside it.</summary>
    public ImmutableArray<Entry> Original { get; init; } = [];

    /// <summary>Whether a position is of this history and not of the one that it was copied from.</summary>
    public bool IsAlone(StreamMark mark) => !mark.IsStart && MarkAt(mark.Lsn.Value) == mark && (mark.Lsn.Value > Original.Length || Original[(int)mark.Lsn.Value - 1].Chain != mark.ChainHash);

    public StreamMark Head => MarkAt(Journal.Length);

    public StreamMark MarkAt(long lsn) => lsn == 0 ? StreamMark.Start : new StreamMark(new Lsn(lsn), Journal[(int)lsn - 1].Chain);

    /// <summary>This child's own cells: newest value, revision and the position of the last change.</summary>
    public List<(ModelCell Cell, long Local)> Cells(int upTo = int.MaxValue)
    {
        var cells = new List<(ModelCell Cell, long Local)>();
        long epoch = 0;
        for (var i = 0; i < Journal.Length && i < upTo; i++)
        {
            var entry = Journal[i];
            if (entry.Kind == 'e')
            {
                epoch = entry.Value;
                for (var k = 0; k < cells.Count; k++)
                {
                    cells[k] = (cells[k].Cell with { Revision = new Revision(epoch, i + 1) }, i + 1);
                }
            }
            else if (entry.Kind == 'c')
            {
                cells.RemoveAll(c => c.Cell.Name == entry.Name);
                cells.Add((new ModelCell(Index, entry.Name, new Revision(epoch, i + 1), entry.Value), i + 1));
            }
        }

        return cells;
    }
}

/// <summary>A frame on its way. One that comes <paramref name="Again"/> has come before, and does so whenever it likes.</summary>
internal abstract record Frame(int Child, int Session, ulong Print, bool Again);

internal sealed record UpFrame(int Child, int Session, ConnectRequest Request, ulong Print, bool Again = false) : Frame(Child, Session, Print, Again);

internal sealed record DownFrame(int Child, int Session, ConnectResponse Response, ulong Print, bool Again = false) : Frame(Child, Session, Print, Again);

internal sealed record Seat(int Child, int Session, LinkSession Link);

/// <summary>An escalation's version as it took effect at the parent, and how often it did.</summary>
internal readonly record struct Applied(int Origin, int Name, int Version, int Times);

/// <summary>The parent: what is durable, and the connections that a crash takes.</summary>
internal sealed record ParentSide
{
    public ImmutableArray<ChildRow?> Rows { get; init; } = [null, null];

    public ImmutableArray<ModelCell> Cells { get; init; } = [];

    public ImmutableArray<Applied> Escalations { get; init; } = [];

    public ImmutableArray<Seat> Seats { get; init; } = [];

    /// <summary>How many epochs each child was granted.</summary>
    public ImmutableArray<int> Grants { get; init; } = [0, 0];

    /// <summary>Only with a planted fault: what was answered and is not durable yet.</summary>
    public ImmutableArray<ReceptionChange> Unsynced { get; init; } = [];
}

/// <summary>Everything there is: two children, their parent, and the frames on their way.</summary>
internal sealed record SmallWorld(ImmutableArray<ChildSide> Children, ParentSide Parent, ImmutableArray<UpFrame> Up, ImmutableArray<DownFrame> Down, Faults Left);

/// <summary>128 bits of a state, by a multiply-and-fold over its words.</summary>
internal sealed class Fingerprint
{
    private ulong _a = 0x243F6A8885A308D3;
    private ulong _b = 0x13198A2E03707344;

    public ulong Value => _a ^ (_b << 1);

    public UInt128 Whole => new(_a, _b);

    public void Add(ulong word)
    {
        unchecked
        {
            _a = (_a ^ word) * 0x9FB21C651E98DF25;
            _a ^= _a >> 32;
            _b = (_b + word) * 0xD6E8FEB86659FD93;
            _b ^= _b >> 29;
        }
    }

    public void Add(bool flag) => Add(flag ? 3UL : 5UL);

    public void Add(StreamMark mark)
    {
        Add((ulong)mark.Lsn.Value);
        Add((ulong)mark.ChainHash.Low);
    }

    public void Add(IMessage message)
    {
        var bytes = message.ToByteArray();
        Add((ulong)bytes.Length);
        Span<byte> last = stackalloc byte[8];
        for (var i = 0; i < bytes.Length; i += 8)
        {
            if (i + 8 <= bytes.Length)
            {
                Add(BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(i)));
                continue;
            }

            last.Clear();
            bytes.AsSpan(i).CopyTo(last);
            Add(BinaryPrimitives.ReadUInt64LittleEndian(last));
        }
    }
}

/// <summary>The peer that a certificate would name.</summary>
internal sealed record NamedPeer(NodeId Node, IReadOnlyList<DivisionCode> Divisions) : IPeerIdentity;
