using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Storage;

/// <summary>INV-5: a month's file that went or was damaged is made again from the journal, and no other is touched.</summary>
public sealed class A_lost_view_file_is_rebuilt_alone
{
    private static readonly Incarnation Lineage = new(7);

    private readonly FoldModel _model = new();
    private readonly ModelDisk _disk = new();

    [OneTimeSetUp]
    public void Keep()
    {
        using var store = new LiteViewStore(_disk, Lineage);
        var projector = new Projector(store, _model.At);
        projector.Start(Lsn.Zero, _model.Positions.Last);
        for (var i = 0; i < 90; i++)
        {
            projector.Offer([_model.Append($"cases-2026-0{1 + (i % 3)}", (UInt128)(1 + (i % 30)), 100)!], _model.Head);
        }

        while (projector.PumpOnce())
        {
        }
    }

    [TestCase("deleted")]
    [TestCase("damaged")]
    [TestCase("cut short")]
    [TestCase("log deleted")]
    public void Whatever_happened_to_it(string what)
    {
        var disk = _disk.Copy();
        const string data = "views/cases-2026-02.db";
        switch (what)
        {
            case "deleted":
                disk.Delete(data);
                break;
            case "damaged":
                disk.FlipBit(data, 8 * 700);
                break;
            case "cut short":
                using (var file = disk.Open(data, DiskAccess.ReadWrite))
                {
                    file.Truncate(file.Length - 5000);
                }

                break;
            default:
                disk.Delete("views/cases-2026-02.log");
                break;
        }

        using var store = new LiteViewStore(disk, Lineage);
        var projector = new Projector(store, _model.At);
        var gaps = projector.Start(_model.Head, _model.Positions.Last);
        foreach (var (shelf, document) in _model.All())
        {
            Assert.That(Same(projector.Get(shelf, document.Id), document), "reading by id is exact before the rebuild");
        }

        gaps = [.. gaps.Concat(projector.Gaps).Distinct()];
        Assert.That(gaps, Is.EqualTo((ShelfGap[])[new("cases-2026-02", Lsn.Zero)]));
        projector.Fill(gaps[0], _model.Documents(gaps[0].Shelf, Lsn.Zero), _model.Head);
        Assert.That(projector.Gaps, Is.Empty);
        foreach (var shelf in _model.Positions.Last.Keys)
        {
            Assert.That(ViewVerifier.Verify(store, shelf, _model.Documents(shelf, Lsn.Zero)).Matches, Is.True, shelf);
        }
    }

    private static bool Same(ViewDocument? a, ViewDocument b) => a is not null && a.Id == b.Id && a.Lsn == b.Lsn && a.Bytes.Span.SequenceEqual(b.Bytes.Span);
}
