using System.Buffers.Binary;
using CityGrid.Hub.Cells;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Storage;
using CityGrid.Node.Stored;
using CityGrid.Node.Tally;
using CityGrid.Protocol.Names;
using Google.Protobuf;
using NodaTime;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Node.Cases;

/// <summary>
/// The cases of this place as the fold of their events: every open case in memory, the ended ones by way of <see cref="Changed"/> in the view
/// store. It keeps the request keys of creation for ever, the times at which time alone changes something, and adds what each event counts to
/// the cells. Changed by the sequencer only.
/// </summary>
public sealed class CaseBook : IFold
{
    private readonly CellFold _cells;
    private readonly OwnPlace _own;
    private readonly Func<long> _epoch;
    private readonly Func<Lsn, JournalRecord?> _recordAt;
    private readonly OpenCases _open = new();
    private readonly PriorityQueue<CaseId, Instant> _due = new();
    private readonly SortedDictionary<TypeCode, string> _localTypes = [];
    private readonly SortedSet<long> _erased = [];
    private readonly SortedSet<long> _toErase = [];
    private readonly Contribution[] _room = new Contribution[Counting.ContributionsMax];

    /// <param name="cells">Where the counts go.</param>
    /// <param name="node">This node, the origin of its cells.</param>
    /// <param name="place">The division that it keeps cases for.</param>
    /// <param name="epoch">The epoch number that own cells carry as the event is applied.</param>
    /// <param name="recordAt">Reads the journal at a position: the history of a closed case is walked there.</param>
    public CaseBook(CellFold cells, NodeId node, DivisionCode place, Func<long> epoch, Func<Lsn, JournalRecord?> recordAt) =>
        (_cells, _own, _epoch, _recordAt) = (cells, new OwnPlace(node, place), epoch, recordAt);

    public string Name => "cases";

    public int Version => 3;

    /// <summary>The cases that are open, in no order.</summary>
    public IReadOnlyDictionary<CaseId, CaseState> Open => _open.States;

    /// <summary>At most so many open cases with ids greater than <paramref name="after"/>, in order of id. Costs what it answers.</summary>
    public IReadOnlyList<CaseState> OpenAfter(UInt128 after, int most) => _open.After(after, most);

    public RequestKeys Keys { get; } = new();

    /// <summary>Types that imports brought, by code; they stand below <c>other</c>.</summary>
    public IReadOnlyDictionary<TypeCode, string> LocalTypes => _localTypes;

    /// <summary>
    /// Slots whose erasure is in the journal and whose keys may still be there: at a start all that ever were, because a backup of the key files may
    /// have brought them back. Erased before anybody is answered.
    /// </summary>
    public IReadOnlyCollection<long> ToErase => _toErase;

    /// <summary>The highest key slot that an event names; slots up to it are never given out again. Slot 1 is the node's own.</summary>
    public long SlotsUsed { get; private set; }

    /// <summary>Cases in all, open and ended.</summary>
    public long Count { get; private set; }

    /// <summary>The shelves of the view store that hold cases, each with the position of the last change in it.</summary>
    public ShelfPositions Shelves { get; } = new();

    /// <summary>Is shown every state of a case that the view store is to hold (<see cref="CaseDocuments"/>), but those that a replay goes through.</summary>
    public Action<CaseState>? Changed { get; set; }

    /// <summary>The earliest time at which time alone changes a case; null for never.</summary>
    public Instant? NextDueAt => _due.TryPeek(out _, out var at) ? at : null;

    /// <summary>At most <paramref name="most"/> cases for which something is due by <paramref name="now"/>.</summary>
    public IReadOnlyList<CaseId> DueBy(Instant now, int most)
    {
        var due = new List<CaseId>();
        while (due.Count < most && _due.TryPeek(out var id, out var at) && at <= now)
        {
            _due.Dequeue();
            if (Open.TryGetValue(id, out var state) && state.NextDueAt is { } really)
            {
                if (really <= now)
                {
                    due.Add(id);
                }

                // Asked again where the command that is made of it should fail.
                _due.Enqueue(id, Instant.Max(really, now + Duration.FromSeconds(30)));
            }
        }

        return due;
    }

    /// <summary>The events of a case from the first to the one at <paramref name="last"/>, walked back through the journal.</summary>
    public IReadOnlyList<CaseEntry> History(Lsn last)
    {
        var entries = new List<CaseEntry>();
        for (var at = last; at > Lsn.Zero;)
        {
            var entry = EntryAt(at) ?? throw new InvalidOperationException($"Position {at} of the journal holds no event of a case.");
            entries.Add(entry);
            at = entry.PreviousLsn;
        }

        entries.Reverse();
        return entries;
    }

    public bool Takes(ushort kind) => kind >= EventKinds.NodeFirst;

    public bool Prepares => true;

    /// <summary>
    /// Each event decoded; and what becomes of a case that begins in this record, as far as the record tells of it. A record that is the whole life of a case comes as
    /// one, with its last event: nobody could see the case in between, and no state after its end need be made.
    /// </summary>
    public object?[]? Prepare(JournalRecord record)
    {
        object?[]? made = null;
        CaseState? begun = null;
        Span<Contribution> room = stackalloc Contribution[Counting.ContributionsMax];
        for (var i = 0; i < record.Events.Length; i++)
        {
            if (CaseEventCodec.Decode(record.Events[i]) is not { } entry)
            {
                continue;
            }

            made ??= new object?[record.Events.Length];
            if (i == 1 && made is [StepAhead beginning, _] && LifeAhead.Of(this, record, beginning, entry, room) is { } life)
            {
                return [LifeAhead.ComesWithItsEnd, life];
            }

            var step = new StepAhead(entry);
            if (entry.PreviousLsn == Lsn.Zero || (begun is not null && begun.Id == entry.Event.Case && begun.LastLsn == entry.PreviousLsn))
            {
                step.Take(entry.PreviousLsn == Lsn.Zero ? null : begun, room);
                begun = step.After;
            }

            made[i] = step;
        }

        return made;
    }

    public void Apply(in JournalEvent journalEvent) => Apply(journalEvent, null);

    public void Apply(in JournalEvent journalEvent, object? prepared)
    {
        if (journalEvent.Kind == CaseEventKinds.LocalTypeAdded)
        {
            var added = StoredLocalTypeAdded.Parser.ParseFrom(journalEvent.Payload.Span);
            _localTypes[TypeCode.Parse(added.Code)] = added.Name;
        }
        else if (prepared is LifeAhead life)
        {
            life.Apply();
        }
        else if (prepared is StepAhead { After: not null } step)
        {
            Apply(step.Entry, step.Before, step.Counted, step.After);
        }
        else if (prepared != LifeAhead.ComesWithItsEnd && EntryOf(journalEvent, prepared) is { } entry)
        {
            var before = entry.PreviousLsn == Lsn.Zero ? null : BeforeOf(entry.Event.Case, entry.PreviousLsn);
            var counted = Counting.Of(before, entry.Event, _room);
            Apply(entry, before, counted, CaseFold.Apply(before, entry.Event, entry.Stamp, counted));
        }
    }

    private static CaseEntry? EntryOf(in JournalEvent journalEvent, object? prepared) => prepared switch
    {
        StepAhead step => step.Entry,
        CaseEvent begun => new CaseEntry(begun, new Stamp(journalEvent.Lsn, journalEvent.RecordedAt, journalEvent.Actor), Lsn.Zero),
        _ => CaseEventCodec.Decode(journalEvent),
    };

    /// <summary>The keys of these slots are gone.</summary>
    public void Erased(IEnumerable<long> slots) => _toErase.ExceptWith(slots);

    /// <summary>Local types and slots, open cases, request keys; numbers little-endian.</summary>
    public void Save(Stream target)
    {
        var head = new StoredBookHead { SlotsUsed = SlotsUsed, Cases = Count, Open = Open.Count };
        head.ToErase.AddRange(_erased);
        head.LocalTypes.AddRange(_localTypes.Select(t => new StoredLocalTypeAdded { Code = t.Key.ToString(), Name = t.Value }));
        Write(target, head.ToByteArray());
        foreach (var state in Open.Values.OrderBy(s => s.Id))
        {
            Write(target, CaseStateCodec.Write(state));
        }

        Shelves.Save(target);
        Keys.Save(target);
    }

    public void Load(Stream source)
    {
        var head = StoredBookHead.Parser.ParseFrom(Read(source));
        SlotsUsed = head.SlotsUsed;
        Count = head.Cases;
        _erased.UnionWith(head.ToErase);
        _toErase.UnionWith(head.ToErase);
        foreach (var added in head.LocalTypes)
        {
            _localTypes[TypeCode.Parse(added.Code)] = added.Name;
        }

        for (var left = head.Open; left > 0; left--)
        {
            Keep(CaseStateCodec.Read(Read(source)));
        }

        Shelves.Load(source);
        Keys.Load(source);
    }

    private static void Write(Stream target, ReadOnlySpan<byte> bytes)
    {
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        target.Write(length);
        target.Write(bytes);
    }

    private static byte[] Read(Stream source)
    {
        Span<byte> length = stackalloc byte[4];
        source.ReadExactly(length);
        var count = BinaryPrimitives.ReadInt32LittleEndian(length);
        if (count < 0 || count > source.Length - source.Position)
        {
            throw new InvalidDataException($"A state of {count} bytes is announced, and {source.Length - source.Position} are left.");
        }

        var bytes = new byte[count];
        source.ReadExactly(bytes);
        return bytes;
    }

    private void Apply(CaseEntry entry, CaseState? before, ReadOnlySpan<Contribution> counted, CaseState after)
    {
        var happened = entry.Event;
        CaseTally.Add(_cells, before, happened, counted, _own, new Revision(_epoch(), entry.Stamp.Lsn.Value), entry.Stamp.Lsn);
        Count += before is null ? 1 : 0;
        Note(happened.Case, before is null ? NotedOf.Beginning(happened) : NotedOf.Change(before, happened));
        if (happened is ReporterErased erased)
        {
            _erased.UnionWith(erased.Slots);
            _toErase.UnionWith(erased.Slots);
            if (before?.Import is { } row)
            {
                Keys.Erase(RequestMark.OfRow(row.System, row.ExternalId).KeyHash);
            }
        }

        Keep(after);
        if (CaseDocuments.IsKept(before, after))
        {
            Shelves.Changed(CaseDesk.ShelfOf(after.Id), entry.Stamp.Lsn);
            Changed?.Invoke(after);
        }
    }

    /// <summary>A case that was begun and ended in one record was never open for anybody to see, and at a replay nobody is shown states (<see cref="Changed"/>).</summary>
    internal void Apply(LifeAhead life)
    {
        CaseTally.AddAt(_cells, life.Spot, life.Source, life.Counted, _own, new Revision(_epoch(), life.Last.Value), life.Last);
        Count++;
        Note(life.Id, life.Begun);
        Note(life.Id, life.Ended);
        _open.Remove(life.Id);
        Shelves.Changed(CaseDesk.ShelfOf(life.Id), life.Last);
    }

    private void Note(CaseId id, in NotedOf noted)
    {
        if (noted.Request is { } request)
        {
            Keys.Keep(request.KeyHash, id, request.Content, noted.RowSlot);
        }

        SlotsUsed = Math.Max(SlotsUsed, noted.Slot);
    }

    private void Keep(CaseState state)
    {
        if (!state.IsOpen)
        {
            _open.Remove(state.Id);
            return;
        }

        _open.Put(state);
        if (state.NextDueAt is { } due)
        {
            _due.Enqueue(state.Id, due);
        }
    }

    private CaseState BeforeOf(CaseId id, Lsn previous) =>
        Open.TryGetValue(id, out var state) && state.LastLsn == previous ? state
        : CaseState.Fold(History(previous)) ?? throw new InvalidOperationException($"The history of case {id} ends at {previous} with nothing.");

    private CaseEntry? EntryAt(Lsn lsn)
    {
        var record = _recordAt(lsn);
        return record is null ? null : CaseEventCodec.Decode(record.Events[checked((int)(lsn.Value - record.First.Value))]);
    }
}
