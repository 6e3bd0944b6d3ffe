using System.Collections.Frozen;
using CityGrid.Hub.Cells;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using Google.Protobuf;

namespace CityGrid.Hub.Reception;

/// <summary>
/// What this node has received: a row for each child, the newest statement of each origin below, and the records kept aside. It puts the cells
/// that its events accept into the <see cref="CellFold"/>, so both are one function of the journal.
/// </summary>
public sealed class ReceptionFold : IFold
{
    /// <summary>
    /// Parked records of one child that are listed, so that they can be driven again: 10,000 of 200 B. Of a child that has more, everything is asked for again
    /// instead. All of them stay in the journal, and all are counted. None takes another's room.
    /// </summary>
    public const int ParkedMax = 10_000;

    /// <summary>Refused records of one child that are listed: the newest.</summary>
    public const int RefusedMax = 200;

    private static readonly FrozenSet<CellKey> NoCells = FrozenSet<CellKey>.Empty;
    internal static readonly Grain[] AllGrains = [Grain.Detail, Grain.National];

    private readonly CellFold _cells;
    private readonly SortedDictionary<NodeId, ChildRow> _children = [];
    private readonly SortedDictionary<NodeId, OriginRow> _origins = [];
    private readonly List<SetAside> _parked = [];
    private readonly Dictionary<NodeId, int> _parkedOf = [];
    private readonly SortedDictionary<NodeId, Queue<SetAside>> _refused = [];
    private readonly SortedSet<NodeId> _unlisted = [];
    private readonly SortedDictionary<NodeId, DivisionCode> _given = [];
    private readonly SortedDictionary<NodeId, long> _letGo = [];

    public ReceptionFold(CellFold cells) => _cells = cells;

    public string Name => "reception";

    /// <summary>4: with the names that persons gave, and whose cells were let go of; an image that an older program made has forgotten them.</summary>
    public int Version => 4;

    public bool Takes(ushort kind) => kind < EventKinds.NodeFirst;

    /// <summary>The children heard of, in order of name.</summary>
    public IReadOnlyCollection<ChildRow> Children => _children.Values;

    /// <summary>The origins heard of, in order of name.</summary>
    public IReadOnlyCollection<OriginRow> Origins => _origins.Values;

    /// <summary>The newest statement of each origin, for views.</summary>
    public IReadOnlyList<OriginWatermark> Watermarks => [.. _origins.Values.Select(o => o.Watermark)];

    /// <summary>The records that are kept aside, oldest first.</summary>
    public IReadOnlyList<SetAside> Parked => _parked;

    /// <summary>The newest records that were refused, by child, oldest first.</summary>
    public IEnumerable<SetAside> Refused => _refused.Values.SelectMany(of => of);

    /// <summary>How many records of a child are kept aside, as far as they are listed.</summary>
    public int ParkedOf(NodeId child) => _parkedOf.GetValueOrDefault(child);

    /// <summary>More records of the child are kept aside than are listed.</summary>
    public bool HasUnlisted(NodeId child) => _unlisted.Contains(child);

    public long ParkedInAll { get; private set; }

    public long RefusedInAll { get; private set; }

    /// <summary>The position of the newest statement of an origin: where nothing else has changed, that is what must go up.</summary>
    public Lsn NewestStatement { get; private set; }

    public ChildRow? Child(NodeId node) => _children.GetValueOrDefault(node);

    public OriginRow? Origin(NodeId node) => _origins.GetValueOrDefault(node);

    /// <summary>The division that a person gave a name to; null for a name that nobody gave.</summary>
    public DivisionCode? GivenTo(NodeId name) => _given.TryGetValue(name, out var division) ? division : null;

    /// <summary>
    /// How many cells that a child brought were let go of (L13). Their places in memory stay, so they go on counting against its measure (<see cref="Load.ChildBounds.Cells"/>). One that comes to life again is not
    /// subtracted, for nothing tells of a cell who brought it, and one that is let go of again counts again.
    /// </summary>
    public long LetGoOf(NodeId child) => _letGo.GetValueOrDefault(child);

    /// <summary>
    /// Whether the cells held of an origin are what it says they are (RULE-9). Null where that cannot be told: it is not known, or newer cells than
    /// its statement are in.
    /// </summary>
    public bool? DigestAgrees(NodeId origin) =>
        Origin(origin) is not { } row || Child(origin) is not { Cells.Cut: null } ? null : _cells.DigestOf(origin, Grain.National) == row.Watermark.Digest;

    /// <summary>What is known of the ranges of the children (L16).</summary>
    public RangeBook Ranges { get; } = new();

    public void Apply(in JournalEvent journalEvent)
    {
        if (Ranges.Apply(journalEvent))
        {
            return;
        }

        if (journalEvent.Kind == EventKinds.ParkedSettled)
        {
            Settle(ParkedSettled.Parser.ParseFrom(journalEvent.Payload.Span), journalEvent.Lsn);
            return;
        }

        if (journalEvent.Kind == EventKinds.NameGiven)
        {
            Give(NameGiven.Parser.ParseFrom(journalEvent.Payload.Span), journalEvent.Lsn);
            return;
        }

        if (ReceptionEvents.Read(journalEvent) is not { } change)
        {
            return;
        }

        if (change is ChildRewind)
        {
            // Whatever is parked of it comes again.
            Unlist(change.Child, _ => true);
            _unlisted.Remove(change.Child);
        }

        var row = Child(change.Child);
        if (change is CellsTaken cells && row?.Seat(cells.Incarnation, cells.Epoch) is not null)
        {
            Take(cells, journalEvent.Lsn);
        }
        else if (change is EscalationsTaken escalations)
        {
            Note(escalations.Child, escalations.Part.LaneOf(), escalations.Verdicts, journalEvent.Lsn);
        }

        if (ChildRow.After(row, change, journalEvent.RecordedAt) is { } after)
        {
            _children[change.Child] = after;
        }
    }

    public void Save(Stream target)
    {
        var image = new ReceptionImage { ParkedInAll = ParkedInAll, RefusedInAll = RefusedInAll, Ranges = Ranges.ToImage() };
        image.Children.AddRange(_children.Values.Select(Images.Of));
        image.Origins.AddRange(_origins.Values.Select(o => new OriginImage
        {
            Watermark = o.Message.ToByteString(),
            Via = o.Via.ToString(),
            CompleteEpoch = o.CompleteEpoch,
            LocalLsn = o.Local.Value,
        }));
        image.Given.AddRange(_given.Select(given => new GivenNameImage { Name = given.Key.ToString(), Division = given.Value.ToString() }));
        image.LetGo.AddRange(_letGo.Select(of => new LetGoImage { Child = of.Key.ToString(), Cells = of.Value }));
        image.Unlisted.AddRange(_unlisted.Select(child => child.ToString()));
        image.Parked.AddRange(_parked.Concat(Refused).Select(s => new ParkedImage
        {
            Child = s.Child.ToString(),
            Lane = (int)s.Lane,
            Lsn = s.Event.Value,
            Verdict = ReceptionEvents.ToVerdict(s.Verdict),
        }));
        image.WriteTo(target);
    }

    public void Load(Stream source)
    {
        var image = ReceptionImage.Parser.ParseFrom(source);
        _children.Clear();
        _origins.Clear();
        _parked.Clear();
        _parkedOf.Clear();
        _refused.Clear();
        _unlisted.Clear();
        _given.Clear();
        _letGo.Clear();
        foreach (var of in image.LetGo)
        {
            _letGo.Add(NodeId.Parse(of.Child), of.Cells);
        }

        foreach (var given in image.Given)
        {
            _given.Add(NodeId.Parse(given.Name), DivisionCode.Parse(given.Division));
        }

        _unlisted.UnionWith(image.Unlisted.Select(NodeId.Parse));
        ParkedInAll = image.ParkedInAll;
        RefusedInAll = image.RefusedInAll;
        Ranges.Load(image.Ranges);
        foreach (var row in image.Children.Select(Images.RowOf))
        {
            _children.Add(row.Node, row);
        }

        foreach (var origin in image.Origins)
        {
            var message = Watermark.Parser.ParseFrom(origin.Watermark);
            if (CellsPartCodec.Read(message, out var watermark) is { } refusal)
            {
                throw new FormatException($"A watermark in the snapshot is malformed: {refusal}");
            }

            var local = new Lsn(origin.LocalLsn);
            _origins.Add(watermark!.Origin, new OriginRow(watermark, message, NodeId.Parse(origin.Via), origin.CompleteEpoch, local));
            NewestStatement = local > NewestStatement ? local : NewestStatement;
        }

        var words = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var aside in image.Parked)
        {
            var verdict = ReceptionEvents.ToReceipts([aside.Verdict])[0];
            verdict.Message = Shared(words, verdict.Message);
            List(new SetAside(NodeId.Parse(aside.Child), (Lane)aside.Lane, new Lsn(aside.Lsn), verdict));
        }
    }

    private void Take(CellsTaken taken, Lsn lsn)
    {
        var leftOut = taken.Verdicts.Select(v => v.Index).ToHashSet();
        if (RangeStatements.StretchOf(taken.Part) is { } stretch)
        {
            Repair(taken, stretch.Range, leftOut, lsn);
        }
        else
        {
            Merge(taken.Part, leftOut, lsn);
        }

        for (var i = 0; i < taken.Part.Watermarks.Count; i++)
        {
            var message = taken.Part.Watermarks[i];
            if (!leftOut.Contains(PartRecords.IndexOfWatermark(taken.Part, i)) && CellsPartCodec.Read(message, out var stated) is null)
            {
                var before = Origin(stated!.Origin);
                var after = before?.After(stated, message, taken.Child, lsn) ?? new OriginRow(stated, message, taken.Child, 0, lsn);
                _origins[stated.Origin] = after;
                if (before is not null && before.Via != after.Via)
                {
                    Ranges.GoesBy(stated.Origin, before.Via);
                }

                if (before is null || !before.TellsAs(after.Watermark))
                {
                    EndOthers(after.Watermark, lsn);
                }

                NewestStatement = lsn;
            }
        }

        for (var i = 0; i < taken.Part.CompleteOrigins.Count; i++)
        {
            if (!leftOut.Contains(PartRecords.IndexOfComplete(taken.Part, i)) && PartRecords.StatementOf(taken.Part, i) is { } stated)
            {
                Complete(stated, lsn);
            }
        }

        Note(taken.Child, Lane.Cells, taken.Verdicts, lsn);
    }

    private void Repair(CellsTaken taken, RangeKey range, HashSet<int> leftOut, Lsn lsn)
    {
        if (Ranges.IsOpen(taken.Child, range))
        {
            var bound = RepairBound(range.Origin, taken.Child, taken.Epoch, taken.Part);
            RangeRepairs.Apply(_cells, [.. RangeRepairs.Plan(_cells, taken.Part, cell => leftOut.Contains(cell.Index) || IsOfAnEarlierLife(cell.Row), bound)], lsn);
        }
    }

    /// <summary>The newest revision of an origin that a child can speak for (L16): of its own, the end of its cut; of what it relays, the origin's newest statement.</summary>
    internal Revision RepairBound(NodeId origin, NodeId child, Epoch epoch, CellsPart part) =>
        origin == child ? new Revision(epoch.Number, part.CutTo)
        : Origin(origin) is { } row ? new Revision(row.Watermark.Epoch.Number, row.Watermark.Lsn.Value)
        : new Revision(0, 0);

    private void Merge(CellsPart part, HashSet<int> leftOut, Lsn lsn)
    {
        foreach (var (index, row) in PartRecords.CellsOf(part).Cells)
        {
            if ((leftOut.Count == 0 || !leftOut.Contains(index)) && !IsOfAnEarlierLife(row))
            {
                _cells.Merge(row.Key, row.Revision, row.Value.Span, lsn);
            }
        }
    }

    /// <summary>
    /// L12, L17: a cell of an older epoch than its origin's complete set, or of matters that its origin told of before, comes late, by another path; it is zero already,
    /// or was never there.
    /// </summary>
    public bool IsOfAnEarlierLife(in CellRow row) =>
        Origin(row.Key.Origin) is { } origin && (row.Revision.Epoch < origin.CompleteEpoch || origin.Watermark.Ends(row.Key.Type, row.Revision));

    /// <summary>L17: what is held of types that the origin does not tell of becomes zero, with the revision of the choice, so that it does on every path and at every tier alike.</summary>
    private void EndOthers(OriginWatermark stated, Lsn lsn)
    {
        if (!stated.Matters.IsAll)
        {
            _cells.EndOthers(stated.Origin, AllGrains, stated.Matters, new Revision(stated.Epoch.Number, stated.MattersSince.Value), lsn);
        }
    }

    /// <summary>
    /// L13: a name has its home. What is held of it elsewhere is of somebody else of that name, as are its statement and what a comparison said of its ranges. Escalations stay: what was once
    /// raised is not unsaid.
    /// </summary>
    private void Give(NameGiven given, Lsn lsn)
    {
        var name = NodeId.Parse(given.Name);
        var elsewhere = given.LetGo.Select(DivisionCode.Parse).ToHashSet();
        if (given.ByPlace)
        {
            _given.Remove(name);
        }
        else
        {
            _given[name] = DivisionCode.Parse(given.Division);
        }

        var letGo = _cells.LetGo(name, elsewhere, lsn);
        foreach (var child in letGo > 0 ? given.BroughtBy.Select(NodeId.Parse) : [])
        {
            _letGo[child] = LetGoOf(child) + letGo;
        }

        if (Origin(name) is { } row && elsewhere.Contains(row.Watermark.Division))
        {
            _origins.Remove(name);
            Ranges.GoesBy(name, row.Via);
        }
    }

    /// <summary>What was kept aside is settled: applied, unchanged or refused, it is listed no more.</summary>
    private void Settle(ParkedSettled settled, Lsn lsn)
    {
        if (!settled.Cells.IsEmpty)
        {
            Merge(CellsPart.Parser.ParseFrom(settled.Cells), [], lsn);
        }

        var done = settled.Settled.Select(s => (s.Lsn, s.Index)).ToHashSet();
        Unlist(NodeId.Parse(settled.Child), aside => done.Contains((aside.Event.Value, aside.Verdict.Index)));
        RefusedInAll += settled.Settled.Count(s => (RecordOutcome)s.Outcome == RecordOutcome.Refused);
    }

    /// <summary>
    /// L12: all that the origin has in this epoch is in, for a new epoch stamps every cell of its origin anew. What is held of older epochs is of an
    /// earlier life and becomes zero, with the first revision of the epoch, so that it does on every path and at every tier alike.
    /// </summary>
    private void Complete(OriginWatermark stated, Lsn lsn)
    {
        if (Origin(stated.Origin) is not { } row || row.CompleteEpoch >= stated.Epoch.Number)
        {
            return;
        }

        _cells.Complete(stated.Origin, AllGrains, NoCells, new Revision(stated.Epoch.Number, 1), lsn);
        _origins[stated.Origin] = row with { CompleteEpoch = stated.Epoch.Number };
    }

    private void Note(NodeId child, Lane lane, IReadOnlyList<RecordReceipt> verdicts, Lsn lsn)
    {
        var words = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var verdict in verdicts)
        {
            verdict.Message = Shared(words, verdict.Message);
            ParkedInAll += verdict.Outcome == RecordOutcome.Parked ? 1 : 0;
            RefusedInAll += verdict.Outcome == RecordOutcome.Refused ? 1 : 0;
            List(new SetAside(child, lane, lsn, verdict));
        }
    }

    /// <summary>Thousands of records are kept aside for one reason; its words stand in memory once.</summary>
    private static string Shared(Dictionary<string, string> words, string message)
    {
        if (words.TryGetValue(message, out var known))
        {
            return known;
        }

        words.Add(message, message);
        return message;
    }

    private void List(SetAside aside)
    {
        if (aside.Verdict.Outcome != RecordOutcome.Parked)
        {
            if (!_refused.TryGetValue(aside.Child, out var of))
            {
                _refused[aside.Child] = of = new Queue<SetAside>();
            }

            of.Enqueue(aside);
            if (of.Count > RefusedMax)
            {
                of.Dequeue();
            }
        }
        else if (ParkedOf(aside.Child) is var listed && listed < ParkedMax)
        {
            _parked.Add(aside);
            _parkedOf[aside.Child] = listed + 1;
        }
        else
        {
            _unlisted.Add(aside.Child);
        }
    }

    private void Unlist(NodeId child, Predicate<SetAside> which) =>
        _parkedOf[child] = ParkedOf(child) - _parked.RemoveAll(aside => aside.Child == child && which(aside));
}
