using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Storage;
using CityGrid.Protocol.Names;

namespace CityGrid.Node.Cases;

/// <summary>What a list asks for. Open cases come from memory, ended ones month by month from the view store.</summary>
public sealed record CaseQuery(bool Open, CaseStage? Stage, TypeKeyFilter Type, DivisionCode? Division, bool OverdueOnly, string? Month, UInt128 After, int Most);

/// <summary>A type code to list, whatever the version; null for all.</summary>
public readonly record struct TypeKeyFilter(Protocol.Names.TypeCode? Code)
{
    public bool Passes(TypeKey type) => Code is not { } code || type.Code == code;
}

/// <summary>A page in order of id, with where the list stands: applied of head.</summary>
public sealed record CasePage(IReadOnlyList<CaseState> Cases, string? Next, Lsn Applied, Lsn Head, bool Building);

/// <summary>Lists of cases, in pages.</summary>
public sealed class CaseLists(CaseDesk desk, Sequencer sequencer, Projector projector)
{
    /// <summary>Documents looked at for one page of a filtered list: about 50 ms of LiteDB. The page token goes on from there.</summary>
    public const int LookedAtMax = 5_000;

    /// <summary>Documents taken from the view store together.</summary>
    private const int AtOnceMax = 500;

    /// <summary>Open cases read while the writer waits: 50 µs.</summary>
    private const int OpenAtOnce = 500;

    public Task WaitForAsync(Lsn lsn, CancellationToken stop) =>
        lsn <= sequencer.Applied ? Task.CompletedTask : projector.WaitFor(lsn, stop);

    public CatalogueType? TypeOf(TypeKey type) => sequencer.Read(() => desk.Rules.Catalogue.Find(type));

    public CasePage Page(CaseQuery query) => query.Open ? OpenPage(query) : EndedPage(query);

    /// <summary>In pieces, between which the writer goes on; the page stands where the first of them was read, or later.</summary>
    private CasePage OpenPage(CaseQuery query)
    {
        var found = new List<CaseState>();
        var (at, after) = (Lsn.Zero, query.After);
        IReadOnlyList<CaseState> piece;
        do
        {
            piece = sequencer.Read(() =>
            {
                at = at == Lsn.Zero ? sequencer.Applied : at;
                return desk.Book.OpenAfter(after, OpenAtOnce);
            });
            found.AddRange(piece.Where(s => Passes(s, query)));
            after = piece.Count > 0 ? piece[^1].Id.Value : after;
        }
        while (piece.Count == OpenAtOnce && found.Count <= query.Most);
        return Cut(found, query.Most, new ViewStatus(at, at, false));
    }

    private CasePage EndedPage(CaseQuery query)
    {
        var shelf = query.Month is { } month ? $"cases-{month}"
            : query.After != UInt128.Zero ? CaseDesk.ShelfOf(new CaseId(query.After))
            : sequencer.Read(() => desk.Book.Shelves.Last.Keys.Max(StringComparer.Ordinal));
        var status = projector.Status;
        var found = new List<CaseState>();
        var (after, looked) = (query.After, 0);

        // Nearly all documents are of ended cases, so a page of them is one of the list; where a filter leaves few, more are looked at each time.
        for (var most = Math.Min(query.Most + 1, AtOnceMax); shelf is not null && found.Count <= query.Most && looked < LookedAtMax; most = Math.Min(most * 2, AtOnceMax))
        {
            var page = projector.Page(shelf, after, most);
            status = page.Status;
            if (page.Documents.Count == 0)
            {
                break;
            }

            looked += page.Documents.Count;
            after = page.Documents[^1].Id;
            found.AddRange(page.Documents.Select(d => CaseStateCodec.Read(d.Bytes.Span)).Where(s => Passes(s, query)));
        }

        var cut = Cut(found, query.Most, status);
        return cut.Next is null && looked >= LookedAtMax ? cut with { Next = new CaseId(after).ToString() } : cut;
    }

    private static CasePage Cut(IReadOnlyList<CaseState> found, int most, ViewStatus status) =>
        found.Count <= most
            ? new CasePage(found, null, status.Applied, status.Head, status.Building)
            : new CasePage([.. found.Take(most)], found[most - 1].Id.ToString(), status.Applied, status.Head, status.Building);

    private static bool Passes(CaseState s, CaseQuery query) =>
        s.IsOpen == query.Open
        && (query.Stage is not { } stage || s.Stage == stage)
        && query.Type.Passes(s.Type)
        && (query.Division is not { } division || s.Division == division)
        && (!query.OverdueOnly || s.IsOverdue);
}
