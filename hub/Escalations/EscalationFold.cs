using System.Collections.Immutable;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Reception.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Hub.Escalations;

/// <summary>When a node on the way received it, by its own clock.</summary>
public readonly record struct EscalationHop(NodeId Node, Instant ReceivedAt);

/// <summary>
/// One version of an escalation as known here: at which local position it came, from which child (null for this node's own), the origin's bytes
/// untouched, and the hops they took.
/// </summary>
public sealed record EscalationRecord(Lsn Local, NodeId? Via, Escalation Content, ReadOnlyMemory<byte> Bytes, ImmutableArray<EscalationHop> Hops)
{
    public UInt128 Id { get; } = IdOf(Content);

    /// <summary>The id of an escalation, or 0 where it is not 16 bytes.</summary>
    public static UInt128 IdOf(Escalation content) =>
        content.Id.Length == 16 ? System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(content.Id.Span) : UInt128.Zero;
}

/// <summary>What is known here of an escalation that comes in.</summary>
public enum EscalationStanding
{
    New,

    /// <summary>This version with these bytes is known, by whichever path it came.</summary>
    Known,

    /// <summary>This version is known with other bytes: two histories claim one name.</summary>
    Conflict,
}

/// <summary>
/// Every escalation known here, this node's own and those received, version by version in the order in which they came. Versions are immutable
/// records: none is dropped, none counts twice, whichever paths it took (RULE-6, RULE-10).
/// </summary>
public sealed class EscalationFold : IFold
{
    private readonly List<EscalationRecord> _records = [];
    private readonly Dictionary<UInt128, SortedList<int, EscalationRecord>> _versions = [];
    private readonly List<(Lsn At, EscalationRecord Record)> _toldAgain = [];
    private readonly NodeId _node;

    /// <param name="node">This node: its name is the hop that it adds.</param>
    public EscalationFold(NodeId node) => _node = node;

    public string Name => "escalations";

    public int Version => 1;

    public bool Takes(ushort kind) => kind < EventKinds.NodeFirst;

    /// <summary>Escalations known, each counted once.</summary>
    public int Count => _versions.Count;

    /// <summary>The local position of the newest record.</summary>
    public Lsn NewestChange => _records.Count == 0 ? Lsn.Zero : _records[^1].Local;

    /// <summary>The newest version of an escalation, or null.</summary>
    public EscalationRecord? Find(UInt128 id) => _versions.TryGetValue(id, out var versions) ? versions.GetValueAtIndex(versions.Count - 1) : null;

    /// <summary>All versions of an escalation, oldest first.</summary>
    public IReadOnlyList<EscalationRecord> VersionsOf(UInt128 id) => _versions.TryGetValue(id, out var versions) ? [.. versions.Values] : [];

    public EscalationStanding StandingOf(UInt128 id, int version, ReadOnlySpan<byte> bytes) =>
        !_versions.TryGetValue(id, out var versions) || !versions.TryGetValue(version, out var held) ? EscalationStanding.New
        : held.Bytes.Span.SequenceEqual(bytes) ? EscalationStanding.Known : EscalationStanding.Conflict;

    /// <summary>The records that came at positions in (<paramref name="from"/>, <paramref name="to"/>], in order.</summary>
    public IEnumerable<EscalationRecord> ChangedSince(Lsn from, Lsn to)
    {
        for (var at = FirstAfter(from); at < _records.Count && _records[at].Local <= to; at++)
        {
            yield return _records[at];
        }
    }

    /// <summary>What stands in (<paramref name="from"/>, <paramref name="to"/>] of the sector's lanes, in order: records as they came, and those that it was not told before it was told of more matters (L17).</summary>
    public IEnumerable<(Lsn At, EscalationRecord Record)> ForSector(Lsn from, Lsn to) =>
        ChangedSince(from, to).Select(record => (At: record.Local, Record: record)).Concat(_toldAgain.Where(told => told.At > from && told.At <= to)).OrderBy(told => told.At);

    /// <summary>The ids of the escalations that a choice of matters adds for the sector's parent, in the order in which they came.</summary>
    public IReadOnlyList<UInt128> Added(Matters before, Matters after) =>
        [.. _records.Where(record => IsToldOf(after, record) && !IsToldOf(before, record)).Select(record => record.Id).Distinct()];

    /// <summary>Whether a parent that is told of these matters is told of an escalation: of one that this node raised, by its type; of what others raised where it is told of all.</summary>
    public static bool IsToldOf(Matters matters, EscalationRecord record) =>
        matters.IsAll || (record.Via is null && Protocol.Names.TypeCode.TryParse(record.Content.TypeCode, out var code) && matters.Includes(code));

    /// <summary>
    /// At most <paramref name="most"/> escalations in their newest version, the newest first. <paramref name="before"/> is the
    /// <see cref="EscalationPage.Next"/> of the page before; null for the first.
    /// </summary>
    public EscalationPage Page(int? before, int most, Func<EscalationRecord, bool>? includes = null)
    {
        var page = new List<EscalationRecord>();
        var at = Math.Min(before ?? _records.Count, _records.Count) - 1;
        for (; at >= 0 && page.Count < most; at--)
        {
            var record = _records[at];
            if (ReferenceEquals(Find(record.Id), record) && includes?.Invoke(record) != false)
            {
                page.Add(record);
            }
        }

        return new EscalationPage(page, at < 0 ? null : at + 1);
    }

    /// <summary>An escalation of this node's own as a journal event; it stands in the same record as its cause.</summary>
    public static EventDraft RaisedEvent(Escalation escalation) => new(EventKinds.EscalationRaised, ReceptionEvents.Schema, escalation.ToByteArray());

    public void Apply(in JournalEvent journalEvent)
    {
        if (journalEvent.Kind == EventKinds.EscalationRaised)
        {
            Put(journalEvent.Lsn, null, journalEvent.Payload, []);
        }
        else if (journalEvent.Kind == EventKinds.EscalationsReceived && ReceptionEvents.Read(journalEvent) is EscalationsTaken taken)
        {
            Receive(taken.Child, taken.Part, taken.Verdicts.Select(v => v.Index).ToHashSet(), journalEvent.Lsn, journalEvent.RecordedAt);
        }
        else if (journalEvent.Kind == EventKinds.MattersChosen)
        {
            foreach (var id in MattersChosen.Parser.ParseFrom(journalEvent.Payload.Span).Escalations)
            {
                if (Find(System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(id.Span)) is { } record)
                {
                    _toldAgain.Add((journalEvent.Lsn, record));
                }
            }
        }
        else if (journalEvent.Kind == EventKinds.ParkedSettled && ParkedSettled.Parser.ParseFrom(journalEvent.Payload.Span) is { Escalations.IsEmpty: false } settled)
        {
            Receive(NodeId.Parse(settled.Child), EscalationsPart.Parser.ParseFrom(settled.Escalations), [], journalEvent.Lsn, journalEvent.RecordedAt);
        }
    }

    public void Save(Stream target)
    {
        var image = new EscalationsImage();
        foreach (var record in _records)
        {
            image.Records.Add(new EscalationImage
            {
                Lsn = record.Local.Value,
                Via = record.Via?.ToString() ?? string.Empty,
                Escalation = UnsafeByteOperations.UnsafeWrap(record.Bytes),
                Hops = { record.Hops.Select(h => new HopImage { Node = h.Node.ToString(), ReceivedAt = h.ReceivedAt.ToUnixTimeMilliseconds() }) },
            });
        }

        image.ToldAgain.AddRange(_toldAgain.Select(told => new ToldAgainImage { Lsn = told.At.Value, Id = told.Record.Content.Id, Version = told.Record.Content.Version }));
        image.WriteTo(target);
    }

    public void Load(Stream source)
    {
        _records.Clear();
        _versions.Clear();
        _toldAgain.Clear();
        var whole = EscalationsImage.Parser.ParseFrom(source);
        foreach (var image in whole.Records)
        {
            Put(
                new Lsn(image.Lsn),
                image.Via.Length == 0 ? null : NodeId.Parse(image.Via),
                image.Escalation.Memory,
                [.. image.Hops.Select(h => new EscalationHop(NodeId.Parse(h.Node), Instant.FromUnixTimeMilliseconds(h.ReceivedAt)))]);
        }

        foreach (var told in whole.ToldAgain)
        {
            _toldAgain.Add((new Lsn(told.Lsn), _versions[System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(told.Id.Span)][told.Version]));
        }
    }

    private void Receive(NodeId child, EscalationsPart part, HashSet<int> leftOut, Lsn lsn, Instant recordedAt)
    {
        for (var i = 0; i < part.Escalations.Count; i++)
        {
            if (leftOut.Contains(i))
            {
                continue;
            }

            var envelope = part.Escalations[i];
            var hops = envelope.Hops.Select(h => new EscalationHop(NodeId.Parse(h.Node), Instant.FromUnixTimeMilliseconds(h.ReceivedAt)))
                .Append(new EscalationHop(_node, recordedAt));
            Put(lsn, child, envelope.Escalation.Memory, [.. hops]);
        }
    }

    private void Put(Lsn local, NodeId? via, ReadOnlyMemory<byte> bytes, ImmutableArray<EscalationHop> hops)
    {
        var record = new EscalationRecord(local, via, Escalation.Parser.ParseFrom(bytes.Span), bytes, hops);
        if (!_versions.TryGetValue(record.Id, out var versions))
        {
            _versions.Add(record.Id, versions = []);
        }

        // Known already, by another path: one escalation, one effect.
        if (versions.TryAdd(record.Content.Version, record))
        {
            _records.Add(record);
        }
    }

    private int FirstAfter(Lsn from)
    {
        var (low, high) = (0, _records.Count);
        while (low < high)
        {
            var middle = low + ((high - low) / 2);
            (low, high) = _records[middle].Local <= from ? (middle + 1, high) : (low, middle);
        }

        return low;
    }
}

/// <summary>A page of escalations; <see cref="Next"/> is null on the last.</summary>
public sealed record EscalationPage(IReadOnlyList<EscalationRecord> Records, int? Next);
