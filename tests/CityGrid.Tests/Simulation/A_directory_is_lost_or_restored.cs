using CityGrid.Cli.Simulation;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Simulation;

/// <summary>INV-21, U7, clauses L7, L8 and L12 with whole nodes on disks: whatever becomes of a city's directory, what is shown above is what the city has.</summary>
public sealed class A_directory_is_lost_or_restored
{
    private SmallTree _tree = null!;

    [SetUp]
    public void Live()
    {
        _tree = new SmallTree();
        foreach (var id in _tree.Report(_tree.City, 5, SmallTree.Cover, 1)[..2])
        {
            _tree.Work(_tree.City, id, CaseStage.Closed);
        }

        _tree.Report(_tree.City, 3, SmallTree.Refuse, 2);
        _tree.Report(_tree.Neighbour, 4, SmallTree.Refuse, 1);
        _tree.Settle();
        Assert.That(Nation(), Is.EqualTo(new[] { "[city 1] 01001 5 2", "[city 1] 06010 3 0", "[city 2] 06010 4 0" }));
    }

    [TestCase(false)]
    [TestCase(true)]
    public void A_deleted_one_leaves_what_the_new_one_has(bool storm)
    {
        _tree.City.Crash(powerCut: true);
        _tree.City.Replace(new ModelDisk());
        _tree.Weather = storm ? SimulatedWeather.Storm : SimulatedWeather.Fair;
        _tree.City.Start();
        _tree.Report(_tree.City, 2, SmallTree.Refuse, 3);
        _tree.Settle();
        _tree.Weather = SimulatedWeather.Fair;
        _tree.Settle();
        Assert.That(Nation(), Is.EqualTo(new[] { "[city 1] 06010 2 0", "[city 2] 06010 4 0" }));
        Assert.That(Districts(), Is.EqualTo(new[] { $"{_tree.District(_tree.City, 3)} 06010 2 0", $"{_tree.District(_tree.Neighbour, 1)} 06010 4 0" }));
        _tree.Check();
    }

    [TestCase(false)]
    [TestCase(true)]
    public void A_deleted_one_of_the_province_is_filled_again_from_its_cities(bool storm)
    {
        var before = Nation();
        _tree.Province.Crash(powerCut: true);
        _tree.Province.Replace(new ModelDisk());
        _tree.Weather = storm ? SimulatedWeather.Storm : SimulatedWeather.Fair;
        _tree.Province.Start();
        _tree.Settle();
        _tree.Weather = SimulatedWeather.Fair;
        _tree.Settle();
        Assert.That(Nation(), Is.EqualTo(before));
        _tree.Check();
    }

    /// <summary>Z5: what the province has of its cities, and the ministry of the province, is afterwards what it was, to the revision.</summary>
    [Test]
    public void An_empty_province_is_rebuilt_from_its_cities_to_the_same_digests()
    {
        var cities = new[] { _tree.City, _tree.Neighbour };
        var before = cities.Select(city => _tree.Province.Core!.DigestOfChild(city.Place.Node)).ToArray();
        var above = _tree.Ministry.Core!.DigestOfChild(_tree.Province.Place.Node);
        _tree.Province.Crash(powerCut: true);
        _tree.Province.Replace(new ModelDisk());
        _tree.Province.Start();
        _tree.Settle();
        Assert.That(cities.Select(city => _tree.Province.Core!.DigestOfChild(city.Place.Node)), Is.EqualTo(before));
        Assert.That(_tree.Ministry.Core.DigestOfChild(_tree.Province.Place.Node), Is.EqualTo(above));
        Assert.That(_tree.City.Core!.OwnEpoch.Number, Is.EqualTo(1), "No city began a new epoch.");
        _tree.Check();
    }

    /// <summary>By that policy whoever has a child's certificate and not its directory changes nothing until a person has said so.</summary>
    [Test]
    public void A_new_one_waits_for_a_person_where_one_is_asked()
    {
        var (province, city) = (_tree.Province, _tree.City);
        province.Crash(powerCut: false);
        province.NewDirectories = EpochPolicy.Asked;
        province.Start();
        var first = city.Core!.Journal.Incarnation;
        city.Crash(powerCut: false);
        city.Replace(new ModelDisk());
        city.Start();
        _tree.Report(city, 2, SmallTree.Cover, 1);
        var before = Nation();
        _tree.Settle();
        Assert.That(Nation(), Is.EqualTo(before));
        Assert.That(province.Core!.Door.LineOf(city.Place.Node).Refused, Does.StartWith("INCARNATION_UNKNOWN").And.Contain(city.Core!.Journal.Incarnation.ToString()));

        Assert.That(Grant(NodeId.Parse("nobody"), first), Is.EqualTo(GrantOutcome.ChildUnknown));
        Assert.That(Grant(city.Place.Node, first), Is.EqualTo(GrantOutcome.HadIt));
        Assert.That(Grant(city.Place.Node, city.Core.Journal.Incarnation), Is.EqualTo(GrantOutcome.Granted));
        Assert.That(Grant(city.Place.Node, city.Core.Journal.Incarnation), Is.EqualTo(GrantOutcome.HadIt));
        _tree.Settle();
        Assert.That(Nation(), Does.Contain("[city 1] 01001 2 0"));
        Assert.That(Grant(city.Place.Node, first), Is.EqualTo(GrantOutcome.OutOfOffice));
        _tree.Check();

        GrantOutcome? Grant(NodeId child, Incarnation directory)
        {
            GrantOutcome? told = null;
            province.Core!.Sequencer.Submit(province.Core.ReceptionDesk.Grant(child, directory, 7, "officer"), outcome => told = outcome);
            province.Pump();
            return told;
        }
    }

    [Test]
    public void A_deleted_one_that_stays_empty_leaves_nothing()
    {
        _tree.City.Crash(powerCut: false);
        _tree.City.Replace(new ModelDisk());
        _tree.City.Start();
        _tree.Settle();
        Assert.That(Nation(), Is.EqualTo(new[] { "[city 2] 06010 4 0" }));
        _tree.Check();
    }

    /// <summary>The register expects no cases of a county, but where it has a node of its own it keeps some.</summary>
    [Test]
    public void A_deleted_one_below_a_city_leaves_nothing_either()
    {
        var tree = new SimulatedTree(17, TreeShape.Drawn(nodes: 4, levels: 4, new SeededEntropy(1)));
        foreach (var node in tree.Nodes.Values)
        {
            node.Start();
        }

        var county = tree.Nodes.Values.Single(n => n.Place.Node.ToString() == "county-3");
        var report = new ReportCase(Protocol.Names.TypeCode.Parse(SmallTree.Cover), null, Protocol.Names.SourceCode.Parse("hotline")) { Case = county.Core!.Desk.Mint(), Actor = "desk" };
        county.Do(core => core.Desk.Submit(report, _ => { }));
        tree.Run(TimeSpan.FromHours(2));
        new StoryEnd(tree).Check();
        county.Crash(powerCut: false);
        county.Replace(new ModelDisk());
        county.Start();
        tree.Run(TimeSpan.FromHours(2));
        new StoryEnd(tree).Check();
    }

    /// <summary>A caller that never heard the answer sends the very same report again, under the id that it has for the case.</summary>
    [Test]
    public void A_report_that_is_sent_again_with_its_id_is_answered()
    {
        var report = new ReportCase(Protocol.Names.TypeCode.Parse(SmallTree.Cover), null, Protocol.Names.SourceCode.Parse("hotline"))
        {
            Case = _tree.City.Core!.Desk.Mint(),
            Actor = "desk",
            Request = new RequestMark("again", 7),
        };
        var answers = new List<CaseAnswer>();
        for (var i = 0; i < 2; i++)
        {
            _tree.City.Do(core => core.Desk.Submit(report, answers.Add));
        }

        Assert.That(answers.Select(a => (a.Refusal, a.Repeated)), Is.EqualTo(new[] { ((Protocol.Names.Refusal?)null, false), (null, true) }));
    }

    [Test]
    public void An_old_copy_is_refused_and_changes_nothing_above_until_it_goes_on_as_restored()
    {
        var copy = Copied();
        WorkOn();
        var before = Nation();
        Assert.That(before, Is.EqualTo(new[] { "[city 1] 01001 5 3", "[city 1] 06010 9 0", "[city 2] 06010 4 0" }));

        Exchange(copy);
        _tree.Report(_tree.City, 1, SmallTree.Cover, 3);
        _tree.Settle();
        Assert.That(Nation(), Is.EqualTo(before), "nobody knows yet whether the end of the history is lost");
        Assert.That(_tree.City.Core!.Uplink!.Standing.LastError, Does.Contain("EPOCH_REGRESSION").And.Contain("--restored"));

        _tree.City.Crash(powerCut: false);
        _tree.City.Renew();
        _tree.City.Start();
        _tree.Report(_tree.City, 1, SmallTree.Refuse, 3);
        _tree.Settle();
        AssertOnlyTheCopyAnd("[city 1] 01001 6 2", "[city 1] 06010 4 0");
    }

    [TestCase(false)]
    [TestCase(true)]
    public void A_copy_that_is_restored_at_once_leaves_what_it_has(bool storm)
    {
        var copy = Copied();
        WorkOn();
        _tree.Weather = storm ? SimulatedWeather.Storm : SimulatedWeather.Fair;
        _tree.City.Crash(powerCut: true);
        _tree.City.Replace(copy);
        _tree.City.Renew();
        _tree.City.Start();
        _tree.Settle();
        _tree.Weather = SimulatedWeather.Fair;
        _tree.Settle();
        AssertOnlyTheCopyAnd("[city 1] 01001 5 2", "[city 1] 06010 3 0");
    }

    [Test]
    public void The_life_before_is_out_of_office_for_ever()
    {
        var copy = Copied();
        WorkOn();
        var lost = _tree.City.Disk;
        _tree.City.Crash(powerCut: false);
        _tree.City.Replace(copy);
        _tree.City.Renew();
        _tree.City.Start();
        _tree.Settle();
        var after = Nation();

        Exchange(lost);
        _tree.Report(_tree.City, 7, SmallTree.Cover, 1);
        _tree.Settle();
        Assert.That(_tree.City.Core!.Uplink!.Standing.LastError, Does.Contain("FENCED").And.Contain("out of office"));
        Assert.That(Nation(), Is.EqualTo(after));
    }

    [Test]
    public void An_old_copy_that_worked_on_out_of_sight_is_a_fork_until_a_person_has_looked_and_it_goes_on_as_restored()
    {
        var copy = Copied();
        WorkOn();
        var before = Nation();
        _tree.Province.Crash(powerCut: false);
        Exchange(copy);
        _tree.Report(_tree.City, 60, SmallTree.Refuse, 3);
        _tree.Province.Start();
        _tree.Settle();
        Assert.That(_tree.City.Core!.Uplink!.Standing.LastError, Does.Contain("FORK"));
        Assert.That(Nation(), Is.EqualTo(before));

        _tree.City.Crash(powerCut: false);
        _tree.City.Renew();
        _tree.City.Start();
        _tree.Settle();
        Assert.That(Nation(), Is.EqualTo(before), "nobody has looked yet");

        var desk = _tree.Province.Core!.ReceptionDesk;
        _tree.Province.Core.Sequencer.Submit(desk.Release(_tree.City.Place.Node, "officer-7"), released => Assert.That(released, Is.True));
        _tree.Province.Pump();
        _tree.Settle();
        AssertOnlyTheCopyAnd("[city 1] 01001 5 2", "[city 1] 06010 63 0");
    }

    [Test]
    public void A_directory_can_be_restored_again_and_again()
    {
        var copy = Copied();
        for (var i = 0; i < 3; i++)
        {
            _tree.Report(_tree.City, 1 + i, SmallTree.Refuse, 1);
            _tree.Settle();
            _tree.City.Crash(powerCut: true);
            _tree.City.Replace(copy.Copy());
            _tree.City.Renew();
            _tree.City.Start();
            _tree.Settle();
            AssertOnlyTheCopyAnd("[city 1] 01001 5 2", "[city 1] 06010 3 0");
        }
    }

    [Test]
    public void A_crash_while_it_becomes_a_restored_one_leaves_one_life_or_the_other()
    {
        _tree.City.Crash(powerCut: false);
        var before = IncarnationOf(_tree.City.Disk.Copy());
        var disk = _tree.City.Disk.Copy();
        var seen = new HashSet<string>();
        disk.Happened = _ =>
        {
            foreach (var state in disk.CrashStates(new SeededEntropy(1), drawn: 2))
            {
                seen.Add(IncarnationOf(state));
            }
        };
        var renewed = DirectoryLife.Renew(disk, new SeededEntropy(2), _tree.City.Place.Node).ToString();
        Assert.That(seen, Is.EquivalentTo(new[] { before, renewed }));
        Assert.That(IncarnationOf(disk.AfterCut(new SeededEntropy(3))), Is.EqualTo(renewed), "durable when it is told");
    }

    [Test]
    public void Where_there_is_no_journal_there_is_nothing_to_restore() =>
        Assert.That(() => DirectoryLife.Renew(new ModelDisk(), new SeededEntropy(1), _tree.City.Place.Node), Throws.TypeOf<JournalDamagedException>().With.Message.Contains("--restored"));

    [Test]
    public void That_of_another_node_is_refused_and_stays_as_it_was()
    {
        _tree.City.Crash(powerCut: false);
        Assert.That(() => DirectoryLife.Renew(_tree.City.Disk, new SeededEntropy(1), _tree.Neighbour.Place.Node), Throws.TypeOf<JournalOfAnotherNodeException>());
        Assert.That(_tree.City.Disk.Files, Has.None.Contains("incarnation"));
    }

    [Test]
    public void A_damaged_incarnation_is_refused_by_bit_and_by_length()
    {
        _tree.City.Crash(powerCut: false);
        _tree.City.Renew();
        for (var bit = 0; bit < 28 * 8; bit++)
        {
            var damaged = _tree.City.Disk.Copy();
            damaged.FlipBit("journal/incarnation", bit);
            Assert.That(() => IncarnationOf(damaged), Throws.TypeOf<JournalDamagedException>());
            Assert.That(JournalVerifier.Verify(damaged), Is.TypeOf<JournalVerdict.Damaged>());
        }
    }

    private string IncarnationOf(ModelDisk disk)
    {
        using var journal = FileJournal.Open(disk, new SeededEntropy(9), _tree.City.Place.Node);
        return journal.Incarnation.ToString();
    }

    /// <summary>A copy of the directory as somebody took it while the city was at work.</summary>
    private ModelDisk Copied() => _tree.City.Disk.AfterCut(new SeededEntropy(8));

    private void WorkOn()
    {
        _tree.Report(_tree.City, 6, SmallTree.Refuse, 1);
        var open = _tree.City.Core!.Book.Open.Values.Where(s => s.Type.Code.ToString() == SmallTree.Cover).Select(s => s.Id).Order().First();
        _tree.Work(_tree.City, open, CaseStage.Closed);
        _tree.Settle();
    }

    private void Exchange(ModelDisk disk)
    {
        _tree.City.Crash(powerCut: false);
        _tree.City.Replace(disk);
        _tree.City.Start();
    }

    private void AssertOnlyTheCopyAnd(params string[] city)
    {
        Assert.That(Nation(), Is.EqualTo(city.Append("[city 2] 06010 4 0")));
        _tree.Check();
    }

    private string[] Nation() =>
    [
        .. SmallTree.View(_tree.Ministry, "city,type", "reported,closed")
            .Select(row => row.Replace(_tree.City.Place.Division.ToString(), "[city 1]", StringComparison.Ordinal).Replace(_tree.Neighbour.Place.Division.ToString(), "[city 2]", StringComparison.Ordinal)),
    ];

    private string[] Districts() => SmallTree.View(_tree.Province, "district,type", "reported,closed");
}
