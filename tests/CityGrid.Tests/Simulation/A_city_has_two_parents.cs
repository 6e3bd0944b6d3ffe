using CityGrid.Cli.Simulation;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reach;
using CityGrid.Hub.Seams;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NUnit.Framework;

namespace CityGrid.Tests.Simulation;

/// <summary>
/// T12, clause L17: a city reports to its province and to a sector's network beside it. Each has cursors of its own; what becomes of one link is neither lost on the
/// other nor holds it up, and both end with what the city has, whichever of them, or the city itself, was restored, lost or cut off.
/// </summary>
public sealed class A_city_has_two_parents
{
    private SmallTree _tree = null!;
    private SimulatedNode _sector = null!;

    private SimulatedNode City => _tree.City;

    [SetUp]
    public void Live()
    {
        _tree = new SmallTree();
        _sector = _tree.AddSector("gas", _tree.City, _tree.Neighbour);
        _tree.Report(City, 3, SmallTree.Cover, 1, EmergencyGrade.Serious);
        _tree.Report(_tree.Neighbour, 2, SmallTree.Refuse, 1);
        _tree.Settle();
        CheckBoth();
    }

    [Test]
    public void Both_have_the_figures_and_the_escalations_in_one_epoch()
    {
        Assert.That(City.Core!.OwnEpoch.Number, Is.EqualTo(1));
        Assert.That(_sector.Core!.Reception.Child(City.Place.Node)!.Epoch, Is.EqualTo(City.Core.OwnEpoch));
        Assert.That(_sector.Core.Escalations.Count, Is.EqualTo(3));
        Assert.That(Enum.GetValues<Hub.Reception.ParentKind>().Select(kind => City.Core.UplinkFold[kind].Node?.ToString()), Is.EqualTo(new[] { "province-1", "gas" }), "durably");
        Assert.That(SmallTree.View(_sector, "city", "reported"), Has.Length.EqualTo(2));
    }

    [Test]
    public void One_that_is_cut_off_holds_up_the_other_and_marks_nothing_as_done_there([Values] bool sectorIsOut)
    {
        var (outside, other) = sectorIsOut ? (_sector, _tree.Province) : (_tree.Province, _sector);
        outside.Crash(powerCut: false);
        var before = City.Core!.UplinkFold[Kind(sectorIsOut)].ReceiptOf(Lane.Cells, City.Core.Journal.Incarnation).Mark;
        _tree.Report(City, 4, SmallTree.Cover, 2, EmergencyGrade.Serious);
        _tree.Settle();
        Assert.That(other.Core!.DigestOfChild(City.Place.Node), Is.EqualTo(City.Core.OwnDigest().Digest));
        Assert.That(other.Core.Escalations.Count, Is.EqualTo(7));
        Assert.That(City.Core.UplinkFold[Kind(sectorIsOut)].ReceiptOf(Lane.Cells, City.Core.Journal.Incarnation).Mark, Is.EqualTo(before));
        outside.Start();
        _tree.Settle();
        CheckBoth();
    }

    [Test]
    public void Only_the_territorial_one_may_ask_it()
    {
        var told = new List<string>();
        foreach (var asker in new[] { _sector, _tree.Province })
        {
            asker.Do(core => core.ReachDesk.Ask(ReachStory.ByDistrict(City.Place.Division), (gathered, _) =>
                told.AddRange(gathered!.Parts.Select(part => $"{part.Node} answers").Concat(gathered.Missing.Select(one => $"{one.Node} {one.Code}")))));
            _tree.Run(TimeSpan.FromSeconds(11));
        }

        Assert.That(told, Is.EqualTo(new[] { $"{City.Place.Node} {ReachCodes.TakesNoQueries}", $"{City.Place.Node} answers" }));
    }

    [Test]
    public void A_restored_city_has_one_new_epoch_whoever_grants_it([Values] bool sectorIsFirst)
    {
        var copy = City.TakeCopy(new SeededEntropy(7));
        _tree.Report(City, 4, SmallTree.Cover, 2);
        _tree.Settle();
        var late = sectorIsFirst ? _tree.Province : _sector;
        late.Crash(powerCut: false);
        City.Crash(powerCut: true);
        City.Replace(copy.Disk, copy.Acknowledged);
        City.Renew();
        City.Start();
        _tree.Report(City, 1, SmallTree.Refuse, 3);
        _tree.Settle();
        Assert.That(City.Core!.OwnEpoch.Number, Is.EqualTo(2));
        late.Start();
        _tree.Settle();
        CheckBoth();
        Assert.That(City.Core.OwnEpoch.Number, Is.EqualTo(2), "The other takes the epoch that the city holds.");
    }

    [Test]
    public void Both_that_grant_one_at_once_come_to_agree()
    {
        var copy = City.TakeCopy(new SeededEntropy(8));
        _tree.Report(City, 4, SmallTree.Cover, 2);
        _tree.Settle();
        City.Crash(powerCut: true);
        City.Replace(copy.Disk, copy.Acknowledged);
        City.Renew();
        City.Start();
        _tree.Settle();
        CheckBoth();
    }

    [Test]
    public void A_sector_that_lost_everything_is_filled_again()
    {
        _sector.Crash(powerCut: true);
        _sector.Replace(new ModelDisk());
        _sector.Start();
        _tree.Settle();
        CheckBoth();
        Assert.That(City.Core!.OwnEpoch.Number, Is.EqualTo(1));
    }

    [Test]
    public void Each_of_them_has_its_own_ranges_compared()
    {
        var core = _sector.Core!;
        var key = core.Cells.ChangedSince(Lsn.Zero, core.Sequencer.Applied).First(row => row.Key.Origin == City.Place.Node && row.Key.Grain == Grain.National).Key;
        Assert.That(core.Cells.Correct(key, Reception.Child.Value(77), core.Sequencer.Applied));
        var edges = new Node.Journey.Edges(City.Core!);
        Assert.That(edges.Reconcile(["gas"], out _)!.Select(e => e.Parent), Is.EqualTo(new[] { "gas" }));
        _tree.Run(TimeSpan.FromMinutes(2));
        Assert.That(_sector.Core!.Reception.Ranges.Of(City.Place.Node).CellsInAll, Is.EqualTo(1));
        Assert.That(_tree.Province.Core!.Reception.Ranges.Children, Is.Empty, "the other was not asked");
        Assert.That(edges.Standing([], out _)!.Select(e => e.Parent), Is.EqualTo(new[] { _tree.Province.Place.Node.ToString(), "gas" }));
        CheckBoth();
    }

    [Test]
    public void Orders_come_from_the_province_alone()
    {
        OrderAnswer? told = null;
        foreach (var issuer in new[] { _sector, _tree.Province })
        {
            issuer.Core!.Sequencer.Submit(
                issuer.Core.OrderDesk.Issue(new OrderWish("o", City.Place.Division, OrderKind.Assign, UInt128.Zero, "text", null, null), "head"), answer => told = answer);
            issuer.Pump();
        }

        _tree.Settle();
        Assert.That(City.Core!.Orders.Orders.Select(o => o.Content.Issuer), Is.EqualTo(new[] { "province-1" }));
        Assert.That(_tree.Province.Core!.Orders.Find(told!.Id)!.State, Is.EqualTo(OrderState.Delivered));
        Assert.That(_sector.Core!.Orders.Orders.Select(o => o.Content.Issuer), Is.EqualTo(new[] { "gas" }), "What became of the province's is no business of the sector.");
    }

    [Test]
    public void Catalogue_packages_come_from_the_province_alone()
    {
        foreach (var issuer in new[] { _sector, _tree.Province })
        {
            Hub.Catalogue.PackageAnswer? told = null;
            var wish = new Hub.Catalogue.PackageWish("p", CatalogueVersion.Parse($"of-{issuer.Place.Node}"), issuer.Core!.Today, "title", Hub.Catalogue.TypeCatalogue.BuiltIn.ToText());
            issuer.Core.Sequencer.Submit(issuer.Core.PackageDesk.Publish(wish, "head"), answer => told = answer);
            issuer.Pump();
            Assert.That(told!.Refusal, Is.Null);
        }

        _tree.Settle();
        Assert.That(City.Core!.Packages.Packages.Select(p => (p.Name.ToString(), p.IsTaken)), Is.EqualTo(new[] { ("province-1/1", true) }));
        Assert.That(_sector.Core!.Packages.Children, Is.Empty, "It was not even offered: the sector heard nothing of what the city has.");
    }

    [Test]
    public void Through_storms_kills_and_power_cuts([Range(1, 12)] int seed)
    {
        var random = new SeededEntropy((ulong)seed);
        var nodes = new[] { City, _tree.Province, _sector };
        var copies = new Dictionary<SimulatedNode, DirectoryCopy>();
        for (var step = 0; step < 40; step++)
        {
            _tree.Weather = random.OneIn(3) ? SimulatedWeather.Fair : SimulatedWeather.Storm;
            var node = nodes[random.Below(nodes.Length)];
            if (node.Core is null)
            {
                node.Start();
            }
            else if (random.OneIn(4))
            {
                node.Crash(powerCut: random.OneIn(2));
            }
            else if (random.OneIn(6))
            {
                copies[node] = node.TakeCopy(random);
            }
            else if (random.OneIn(12) && copies.Remove(node, out var copy) && node == City)
            {
                node.Crash(powerCut: true);
                node.Replace(copy.Disk, copy.Acknowledged);
                node.Renew();
                node.Start();
            }

            if (City.Core is not null)
            {
                _tree.Report(City, 1, SmallTree.Cover, 1 + random.Below(3), random.OneIn(3) ? EmergencyGrade.Serious : EmergencyGrade.Unspecified);
            }

            _tree.Run(TimeSpan.FromMinutes(random.Below(30)));
        }

        _tree.Weather = SimulatedWeather.Fair;
        foreach (var node in nodes.Where(node => node.Core is null))
        {
            node.Start();
        }

        _tree.Settle();
        _tree.Settle();
        CheckBoth();
    }

    private static Hub.Reception.ParentKind Kind(bool sector) => sector ? Hub.Reception.ParentKind.Sector : Hub.Reception.ParentKind.Territorial;

    private void CheckBoth()
    {
        _tree.Check();
        foreach (var city in new[] { City, _tree.Neighbour })
        {
            Assert.That(_sector.Core!.DigestOfChild(city.Place.Node), Is.EqualTo(city.Core!.OwnDigest().Digest));
            Assert.That(city.Core.Uplinks.Select(uplink => uplink.Standing.State.Phase), Is.All.EqualTo(SenderPhase.Open));
            foreach (var record in city.Core.Escalations.Page(null, 1_000).Records.Where(r => r.Content.Grade == EmergencyGrade.Serious))
            {
                Assert.That(_sector.Core.Escalations.Find(record.Id)?.Content.Version, Is.EqualTo(record.Content.Version));
            }
        }
    }
}
