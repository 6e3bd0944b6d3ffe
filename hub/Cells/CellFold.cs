using CityGrid.Hub.Journal;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;

namespace CityGrid.Hub.Cells;

/// <summary>A cell as held here: how new it is, the local position of its last change, and a copy of its value.</summary>
public readonly record struct CellView(Revision Revision, Lsn Local, ReadOnlyMemory<byte> Value);

/// <summary>The cells that changed in (from, <see cref="To"/>], in the order of their last change.</summary>
public sealed record CellCut(Lsn To, IReadOnlyList<CellRow> Cells);

/// <summary>
/// All cells that a node holds: its own, added up from its events, and those of the nodes below, kept unchanged. In memory, at most 100 bytes a
/// cell on average. Driven by other folds (a node's tally, the reception), so it applies no event itself. Not for two threads at once: the
/// sequencer's lock guards it, for reading too.
/// </summary>
public sealed class CellFold : IFold
{
    private readonly GatheredCells _gathered = new();
    private byte[] _scratch = new byte[1024];
    private CellStore _store;
    private CellDigests _digests;
    private CellDigests? _digestsInPart;
    private Matters _part = Matters.All;

    /// <summary>The cells with all that was added to them.</summary>
    private CellStore Store
    {
        get
        {
            Settle();
            return _store;
        }
    }

    private CellDigests Digests
    {
        get
        {
            Settle();
            return _digests;
        }
    }

    public CellFold()
    {
        _store = new CellStore();
        _digests = new CellDigests(_store, Matters.All);
    }

    public string Name => "cells";

    /// <summary>3: cells may be let go of; an image that an older program made still counts them. 2: a snapshot says when the values of each origin's days last changed.</summary>
    public int Version => 3;

    /// <summary>Other folds call <see cref="Add(in CellChange, Revision, Lsn)"/> and <see cref="Merge"/>; no event by itself changes anything here.</summary>
    public bool Takes(ushort kind) => false;

    public long Count => Store.Count;

    /// <summary>Bytes of memory held for the cells and everything about them.</summary>
    public long Bytes => Store.Bytes + _gathered.Bytes;

    /// <summary>The local position of the newest change.</summary>
    public Lsn NewestChange => new(Store.NewestLocal);

    /// <summary>The first statistical day that a cell is held of; the beginning of time where none is.</summary>
    public StatDay FirstDay => new(Store.Days.FirstDay);

    /// <summary>The local position of the newest change to what is counted on these days (to is out); zero for none. A new revision of an equal value is no change.</summary>
    public Lsn NewestChangeOf(StatDay from, StatDay to) => new(Store.Days.NewestBetween(from.Number, to.Number));

    /// <summary>The same of some origins only, at one grain. Costs their days.</summary>
    public Lsn NewestChangeOf(Grain grain, StatDay from, StatDay to, Func<NodeId, bool> origins)
    {
        long newest = 0;
        foreach (var scope in Store.Names.Scopes)
        {
            if (scope.Grain == grain && origins(scope.Origin))
            {
                newest = Math.Max(newest, Store.NewestChangeOf(scope, from.Number, to.Number));
            }
        }

        return new Lsn(newest);
    }

    /// <summary>The origins that have at least one cell here.</summary>
    public IReadOnlyList<NodeId> Origins => [.. Store.Names.Scopes.Where(s => s.FirstSeries >= 0).Select(s => s.Origin).Distinct().Order()];

    /// <summary>The types that have a cell at the national grain.</summary>
    public IEnumerable<TypeKey> NationTypes => Store.Nation.Types.Select(type => Store.Names.Types[type]);

    public void Apply(in JournalEvent journalEvent)
    {
    }

    public void Save(Stream target) => CellSnapshot.Save(Store, target);

    public void Load(Stream source)
    {
        _store = CellSnapshot.Load(source);
        _digests = new CellDigests(_store, Matters.All);
        (_digestsInPart, _part) = (null, Matters.All);
    }

    /// <summary>How many cells are held of each origin and grain, with a division that one of them names. Those that were let go of are of nobody.</summary>
    public IEnumerable<(NodeId Origin, DivisionCode Division, long Cells)> Holdings => Store.Names.Scopes
        .Where(scope => scope.Cells > 0)
        .Select(scope => (scope.Origin, Store.Names.Divisions[Store.Names.SeriesAt(scope.FirstSeries).Division], scope.Cells));

    /// <summary>How many cells are held of an origin at a grain, zeros too, and not those that were let go of.</summary>
    public long CountOf(NodeId origin, Grain grain) =>
        Store.Names.FindScope(origin, grain) is var scope and >= 0 ? Store.Names.Scopes[scope].Cells : 0;

    /// <summary>True where some cell of the origin at the grain counts anything: of a grain that comes up no more only zeros are held (L12). Ends at the first.</summary>
    public bool Counts(NodeId origin, Grain grain)
    {
        if (Store.Names.FindScope(origin, grain) is not (>= 0 and var number))
        {
            return false;
        }

        var days = Store.Names.Scopes[number].Days;
        for (var at = days.Seek(FirstDay.Number); days.Step(ref at, int.MaxValue, out _, out var bucket);)
        {
            for (var cell = Store.BucketAt(bucket).First; cell >= 0; cell = Store.At(cell).NextInDay)
            {
                if (!CellCodec.IsZero(Store.ValueOf(cell)))
                {
                    return true;
                }
            }
        }

        return false;
    }

    /// <summary>The division of the origin itself, which its cells at the national grain name; null where none is held.</summary>
    public DivisionCode? PlaceOf(NodeId origin) =>
        Store.Names.FindScope(origin, Grain.National) is >= 0 and var scope && Store.Names.Scopes[scope].FirstSeries is >= 0 and var series
            ? Store.Names.Divisions[Store.Names.SeriesAt(series).Division]
            : null;

    /// <summary>
    /// Adds the deltas of one event to one of this node's own cells. A cell that falls to zero is kept, with its revision. Only the counters and
    /// buckets named are changed: a duration counts in its histogram, its counters are named beside it. Until the next <see cref="Settle"/>, or
    /// whatever else is asked of this fold, the cell stays taken apart.
    /// </summary>
    public void Add(in CellChange change, Revision revision, Lsn local) =>
        Add(SeriesOf(change.Key), change.Key.Day, [.. change.Counters], [.. change.Durations.Select(d => BucketChange.Of(d.Histogram, d.Seconds, d.Delta))], revision, local);

    /// <summary>By what own cells of one type, division and source at one grain are named, whatever their day: looked up once for several days. Good until an image is loaded.</summary>
    public OwnSeries SeriesOf(in CellKey key) => new(_store.Names.FindSeries(key) is >= 0 and var known ? known : _store.Names.InternSeries(key));

    /// <inheritdoc cref="Add(in CellChange, Revision, Lsn)"/>
    public void Add(OwnSeries series, StatDay day, ReadOnlySpan<CounterChange> counters, ReadOnlySpan<BucketChange> buckets, Revision revision, Lsn local)
    {
        var added = new CellAddition(counters, buckets);
        added.Check();
        var cell = _gathered.Touch(series.Number, day.Number, out var isNew);
        (cell.Revision, cell.Local) = (revision, local);
        if (isNew)
        {
            cell.Cell = _store.FindOn(series.Number, day.Number);
            if (cell.Cell >= 0)
            {
                cell.Draft.Add(_store.ValueOf(cell.Cell));
            }
        }

        if (added.ChangesValue())
        {
            added.AddTo(cell.Draft);
            cell.Changed = local.Value;
        }
        else if (isNew && cell.Cell < 0)
        {
            cell.Changed = local.Value;
        }

        if (_gathered.Count == GatheredCells.CountMax)
        {
            WriteBack();
        }
    }

    /// <summary>Writes the cells back that events were added to. Called when a batch has been applied, before anybody reads.</summary>
    public void Settle()
    {
        WriteBack();
        _gathered.Trim();
    }

    private void WriteBack()
    {
        if (_gathered.Count == 0)
        {
            return;
        }

        foreach (var cell in _gathered.InOrder())
        {
            // First: a cell that cannot be written must not hold up the others for ever.
            _gathered.Remove(cell);
            if (_scratch.Length < cell.Draft.BytesBound)
            {
                _scratch = new byte[cell.Draft.BytesBound * 2];
            }

            _store.WriteBack(cell, _scratch.AsSpan(0, cell.Draft.WriteTo(_scratch)));
        }
    }

    /// <summary>What <see cref="Merge"/> would do. Changes nothing.</summary>
    public MergeOutcome Compare(in CellKey key, Revision revision, ReadOnlySpan<byte> value) =>
        CellCodec.IsCanonical(value) ? Compare(Store.Find(key), revision, value) : MergeOutcome.Malformed;

    /// <summary>Takes in a cell of a node below: the newest revision stays, whichever way and in whichever order it came (clause C3).</summary>
    public MergeOutcome Merge(in CellKey key, Revision revision, ReadOnlySpan<byte> value, Lsn local)
    {
        if (!CellCodec.IsCanonical(value))
        {
            return MergeOutcome.Malformed;
        }

        var cell = Store.Find(key, out var series);
        var outcome = Compare(cell, revision, value);
        if (outcome == MergeOutcome.Accepted)
        {
            Put(cell, series, key, revision, value, local);
        }

        return outcome;
    }

    public CellView? Find(in CellKey key)
    {
        var cell = Store.Find(key);
        return cell < 0 || Store.IsLetGo(cell) ? null : new CellView(Store.RevisionOf(cell), new Lsn(Store.At(cell).Local), Store.ValueOf(cell).ToArray());
    }

    /// <summary>
    /// Adds up what an origin's detailed cells of one type in one division count over the days from one to another, both in, whatever the source. A
    /// look-up a day and source: where few cells of many are wanted, cheaper than <see cref="Visit"/>.
    /// </summary>
    public void SumOf(NodeId origin, TypeKey type, DivisionCode division, StatDay from, StatDay to, CellSum into)
    {
        var (store, names) = (Store, Store.Names);
        var (scope, typeNumber, divisionNumber) = (names.FindScope(origin, Grain.Detail), names.Types.Find(type), names.Divisions.Find(division));
        for (var source = 0; scope >= 0 && typeNumber >= 0 && divisionNumber >= 0 && source < names.Sources.Count; source++)
        {
            var series = names.FindSeries(new Series(scope, typeNumber, divisionNumber, source));
            for (var day = from.Number; series >= 0 && day <= to.Number; day++)
            {
                if (store.FindOn(series, day) is >= 0 and var cell)
                {
                    into.Add(store.ValueOf(cell));
                }
            }
        }
    }

    /// <summary>
    /// The cells whose last change here lies in (<paramref name="from"/>, <paramref name="to"/>], in the order of those changes. Costs the cells
    /// changed, not the cells held. Nothing may change while it is walked.
    /// </summary>
    public IEnumerable<CellRow> ChangedSince(Lsn from, Lsn to, Func<NodeId, Grain, bool>? includes = null, Matters? matters = null) =>
        Walk(from, to, includes, matters).Select(RowOf);

    /// <summary>How many cells <see cref="ChangedSince"/> would give.</summary>
    public long CountChanged(Lsn from, Lsn to, Func<NodeId, Grain, bool>? includes = null, Matters? matters = null) => Walk(from, to, includes, matters).LongCount();

    /// <summary>How many cells of an origin that origin itself changed past a position of its own journal.</summary>
    public long CountRevisedAfter(NodeId origin, Lsn lsn) =>
        CellsOf(origin, [.. Store.Names.Scopes.Where(s => s.Origin == origin).Select(s => s.Grain)]).LongCount(cell => Store.At(cell).Lsn > lsn.Value);

    /// <summary>
    /// The cells that changed after <paramref name="from"/>, about <paramref name="cellsMax"/> of them and never more than one event's past it: the cut
    /// ends with a whole event, at <paramref name="head"/> when all fit.
    /// </summary>
    public CellCut Cut(Lsn from, Lsn head, int cellsMax, Func<NodeId, Grain, bool>? includes = null, Matters? matters = null)
    {
        var rows = new List<CellRow>();
        long last = -1;
        foreach (var cell in Walk(from, head, includes, matters))
        {
            var local = Store.At(cell).Local;
            if (rows.Count >= cellsMax && local != last)
            {
                return new CellCut(new Lsn(last), rows);
            }

            rows.Add(RowOf(cell));
            last = local;
        }

        return new CellCut(head, rows);
    }

    /// <summary>The position of the first change after <paramref name="from"/>; null where there is none.</summary>
    public Lsn? FirstChange(Lsn from, Lsn head, Func<NodeId, Grain, bool>? includes = null, Matters? matters = null)
    {
        foreach (var cell in Walk(from, head, includes, matters))
        {
            return new Lsn(Store.At(cell).Local);
        }

        return null;
    }

    /// <summary>
    /// A complete set of an origin at these grains (clause C7): each cell that it does not name becomes zero with this revision, unless it is zero
    /// or newer already. Answers how many did.
    /// </summary>
    public int Complete(NodeId origin, IReadOnlyCollection<Grain> grains, IReadOnlySet<CellKey> named, Revision revision, Lsn local) =>
        End(CellsOf(origin, grains).Where(cell => !named.Contains(Store.KeyOf(cell))), revision, local);

    /// <summary>
    /// An origin tells of these matters alone (clause L17): each cell of another type becomes zero with this revision, unless it is zero or newer already. Answers how
    /// many did.
    /// </summary>
    public int EndOthers(NodeId origin, IReadOnlyCollection<Grain> grains, Matters matters, Revision revision, Lsn local) =>
        End(CellsOf(origin, grains).Where(cell => !matters.Includes(TypeOf(cell).Code)), revision, local);

    /// <summary>The divisions in which cells of an origin are held, whatever their grain.</summary>
    public IEnumerable<DivisionCode> DivisionsOf(NodeId origin) =>
        LiveOf(origin).Select(cell => Store.Names.SeriesAt(Store.At(cell).Series).Division).Distinct().Select(number => Store.Names.Divisions[number]);

    /// <summary>
    /// A division of each grain in which the first of an origin's cells lies: of one that has not stated itself all that is known of where it is. Costs no cell.
    /// </summary>
    public IEnumerable<DivisionCode> FirstDivisionsOf(NodeId origin, IEnumerable<Grain> grains)
    {
        foreach (var grain in grains)
        {
            if (Store.Names.FindScope(origin, grain) is >= 0 and var scope && Store.Names.Scopes[scope].FirstSeries is >= 0 and var series)
            {
                yield return Store.Names.Divisions[Store.Names.SeriesAt(series).Division];
            }
        }
    }

    /// <summary>
    /// Lets go of what is held of an origin in these divisions: it counts nothing any more, goes no further up, and any revision of it that may come again is newer. It leaves no zero with a
    /// revision, for these are cells of somebody else of that name, whose revisions say nothing beside the true one's. Answers how many they were: their places in memory stay.
    /// </summary>
    public int LetGo(NodeId origin, IReadOnlySet<DivisionCode> divisions, Lsn local)
    {
        var letGo = 0;
        foreach (var scope in Store.Names.Scopes.Where(s => s.Origin == origin).ToArray())
        {
            var cells = Store.CellsOf(scope, int.MinValue, int.MaxValue)
                .Where(cell => !Store.IsLetGo(cell) && divisions.Contains(Store.Names.Divisions[Store.Names.SeriesAt(Store.At(cell).Series).Division])).ToArray();
            if (cells.Length > 0)
            {
                Store.LetGo(scope, cells, local.Value);
                letGo += cells.Length;
            }
        }

        return letGo;
    }

    private IEnumerable<int> LiveOf(NodeId origin) =>
        Store.Names.Scopes.Where(s => s.Origin == origin).SelectMany(scope => Store.CellsOf(scope, int.MinValue, int.MaxValue)).Where(cell => !Store.IsLetGo(cell));

    private int End(IEnumerable<int> cells, Revision revision, Lsn local)
    {
        var zeroed = 0;
        foreach (var cell in cells)
        {
            if (Store.RevisionOf(cell) < revision && !CellCodec.IsZero(Store.ValueOf(cell)))
            {
                Store.Change(cell, revision, CellCodec.Zero, local.Value);
                zeroed++;
            }
        }

        return zeroed;
    }

    /// <summary>
    /// Gives every cell of an origin this revision, or those of some types: what a node does with its own when it takes a new epoch, so that its whole state goes up
    /// again above whatever an earlier life had sent (clause C2), and when a parent is told of more matters (L17). Answers how many it were.
    /// </summary>
    public int Restamp(NodeId origin, Revision revision, Lsn local, Func<Protocol.Names.TypeCode, bool>? types = null)
    {
        var cells = CellsOf(origin, [.. Store.Names.Scopes.Where(s => s.Origin == origin).Select(s => s.Grain)]).Where(cell => types?.Invoke(TypeOf(cell).Code) != false).ToList();
        foreach (var cell in cells)
        {
            Store.Change(cell, revision, Store.ValueOf(cell).ToArray(), local.Value);
        }

        return cells.Count;
    }

    /// <summary>The cells of an origin in a month (year × 12 + month - 1), zeros too, in the order of clause C8.</summary>
    public IReadOnlyList<CellRow> RangeOf(NodeId origin, Grain grain, int month)
    {
        var store = Store;
        var scope = store.Names.FindScope(origin, grain);
        if (scope < 0)
        {
            return [];
        }

        var rows = store.CellsOf(store.Names.Scopes[scope], CellDigests.FirstDayOf(month), CellDigests.FirstDayOf(month + 1)).Where(cell => !store.IsLetGo(cell)).Select(RowOf).ToList();
        rows.Sort((a, b) => a.Key.CompareTo(b.Key));
        return rows;
    }

    /// <summary>Whether a cell of an origin is held, zeros too, whose revision is above this one. Costs the origin's cells.</summary>
    public bool HoldsAbove(NodeId origin, Grain grain, Revision revision)
    {
        var store = Store;
        var scope = store.Names.FindScope(origin, grain);
        return scope >= 0 && store.CellsOf(store.Names.Scopes[scope], int.MinValue, int.MaxValue).Select(RowOf).Any(row => row.Revision > revision);
    }

    /// <summary>
    /// Puts another value under the revision that is held (clause L16): what a repair does where two ends have one revision with two contents. False
    /// where no such cell is held.
    /// </summary>
    public bool Correct(in CellKey key, ReadOnlySpan<byte> value, Lsn local)
    {
        var cell = Store.Find(key);
        if (cell >= 0)
        {
            Store.Correct(cell, value, local.Value);
        }

        return cell >= 0;
    }

    /// <summary>Shows the cells that pass the filter, origin by origin and day by day. Costs the cells of the days asked for.</summary>
    public void Visit(CellFilter filter, CellVisitor visitor)
    {
        var store = Store;
        var names = store.Names;
        var series = new Verdicts(names.SeriesCount, number => filter.Passes(names, names.SeriesAt(number)));
        foreach (var scope in names.Scopes)
        {
            if (scope.Grain != filter.Grain || filter.Origins?.Invoke(scope.Origin) == false)
            {
                continue;
            }

            foreach (var cell in store.CellsOf(scope, filter.From.Number, filter.To.Number))
            {
                if (series[store.At(cell).Series] && !store.IsLetGo(cell))
                {
                    visitor(store.KeyOf(cell), new Lsn(store.At(cell).Local), store.ValueOf(cell));
                }
            }
        }
    }

    /// <summary>A walk over the cells of these days (to is out) of some origins, in pieces of any length.</summary>
    internal CellWalk Walk(Grain grain, StatDay from, StatDay to, Func<NodeId, bool> origins, CellPlacing placing, PlacedCellVisitor visitor) =>
        new(() => Store, grain, (from.Number, to.Number), origins, placing, visitor);

    /// <summary>
    /// Adds what all origins together count of a type on the days from <paramref name="from"/> on and before <paramref name="to"/>, at the national
    /// grain. Touches one sum a day and no cell.
    /// </summary>
    public void SumNation(TypeKey type, StatDay from, StatDay to, CellSum target)
    {
        var number = Store.Names.Types.Find(type);
        if (number >= 0)
        {
            Store.Nation.AddTo(target, number, from.Number, to.Number);
        }
    }

    /// <summary>The digest of an origin's cells at these grains (clause C8): equal exactly if the content is.</summary>
    public Hash256 DigestOf(NodeId origin, params IReadOnlyCollection<Grain> grains) => Digests.DigestOf(origin, grains);

    /// <summary>The digest that an origin's cells would have at one grain if those of these matters were all that there are (L17).</summary>
    public Hash256 DigestOf(NodeId origin, Grain grain, Matters matters) => DigestsOf(matters).DigestOf(origin, [grain]);

    /// <summary>The digest of an origin's cells at one grain (clause C8); null where nothing is counted.</summary>
    public Hash256? GrainDigestOf(NodeId origin, Grain grain, Matters? matters = null) => DigestsOf(matters).OfGrain(origin, grain);

    /// <summary>The digests of the months that count anything, in order.</summary>
    public IReadOnlyList<(int Month, Hash256 Digest)> MonthDigestsOf(NodeId origin, Grain grain, Matters? matters = null) => DigestsOf(matters).MonthsOf(origin, grain);

    /// <summary>The digest of a grain whose months have these digests, in order; null for none. Reads no cell.</summary>
    public Hash256? GrainDigestOver(NodeId origin, Grain grain, IReadOnlyCollection<(int Month, Hash256 Digest)> months) => _digests.GrainOver(origin, grain, months);

    /// <summary>The digest of an origin at one grain that has this digest, null for nothing. Reads no cell.</summary>
    public Hash256 OriginDigestOver(NodeId origin, Grain grain, Hash256? digest) => _digests.OriginOver(origin, digest is { } some ? [(grain, some)] : []);

    /// <summary>True where no cell of an origin counts anything at these grains: it has none, or all that it had became zero.</summary>
    public bool IsZero(NodeId origin, params IReadOnlyCollection<Grain> grains) => Digests.IsZero(origin, grains);

    /// <summary>The digest of all origins' cells at these grains.</summary>
    public Hash256 Whole(params IReadOnlyCollection<Grain> grains) => Digests.Whole(grains);

    private MergeOutcome Compare(int cell, Revision revision, ReadOnlySpan<byte> value)
    {
        if (cell < 0)
        {
            return MergeOutcome.Accepted;
        }

        var order = revision.CompareTo(Store.RevisionOf(cell));
        return order > 0 ? MergeOutcome.Accepted
            : order < 0 ? MergeOutcome.Stale
            : value.SequenceEqual(Store.ValueOf(cell)) ? MergeOutcome.Unchanged : MergeOutcome.Conflict;
    }

    private void Put(int cell, int series, in CellKey key, Revision revision, ReadOnlySpan<byte> value, Lsn local)
    {
        if (cell < 0)
        {
            Store.Put(series < 0 ? Store.Names.InternSeries(key) : series, key.Day.Number, revision, value, local.Value);
        }
        else
        {
            Store.Change(cell, revision, value, local.Value);
        }
    }

    private IEnumerable<int> Walk(Lsn from, Lsn to, Func<NodeId, Grain, bool>? includes, Matters? matters)
    {
        var store = Store;
        var names = store.Names;
        var scopes = includes is null ? null : new Verdicts(names.Scopes.Count, n => includes(names.Scopes[n].Origin, names.Scopes[n].Grain));
        var types = matters is null or { IsAll: true } ? null : new Verdicts(names.Types.Count, n => matters.Includes(names.Types[n].Code));
        for (var cell = store.FirstAfter(from.Value); cell >= 0 && store.At(cell).Local <= to.Value; cell = store.At(cell).Newer)
        {
            if (!store.IsLetGo(cell) && (scopes is null || scopes[names.SeriesAt(store.At(cell).Series).Scope]) && (types is null || types[names.SeriesAt(store.At(cell).Series).Type]))
            {
                yield return cell;
            }
        }
    }

    private TypeKey TypeOf(int cell) => Store.Names.Types[Store.Names.SeriesAt(Store.At(cell).Series).Type];

    /// <summary>The digests of one selection are kept up; another one is worked out anew.</summary>
    private CellDigests DigestsOf(Matters? matters)
    {
        if (matters is null or { IsAll: true })
        {
            return Digests;
        }

        Settle();
        if (_digestsInPart is null || !_part.Equals(matters))
        {
            (_digestsInPart, _part) = (new CellDigests(_store, matters), matters);
        }

        return _digestsInPart;
    }

    private List<int> CellsOf(NodeId origin, IReadOnlyCollection<Grain> grains) =>
        [.. grains.Select(grain => Store.Names.FindScope(origin, grain)).Where(scope => scope >= 0)
            .SelectMany(scope => Store.CellsOf(Store.Names.Scopes[scope], int.MinValue, int.MaxValue))];

    private CellRow RowOf(int cell) => new(Store.KeyOf(cell), Store.RevisionOf(cell), Store.ValueOf(cell).ToArray());

    /// <summary>A question about few things that many cells share, asked once for each.</summary>
    private sealed class Verdicts(int count, Func<int, bool> ask)
    {
        private readonly byte[] _known = new byte[count];

        public bool this[int number]
        {
            get
            {
                if (_known[number] == 0)
                {
                    _known[number] = ask(number) ? (byte)2 : (byte)1;
                }

                return _known[number] == 2;
            }
        }
    }
}
