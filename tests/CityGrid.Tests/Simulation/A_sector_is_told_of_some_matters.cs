using CityGrid.Cli.Simulation;
using CityGrid.Hub.Cells;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NUnit.Framework;

namespace CityGrid.Tests.Simulation;

/// <summary>
/// T12, clause L17: a sector's parent is told of some matters alone. What it holds of the city is what a fold of those cells alone would be, bit for bit; nothing else was ever on that
/// line; another choice leaves it exactly right; and it never takes the part for the whole.
/// </summary>
public sealed class A_sector_is_told_of_some_matters
{
    private const string Gas = "01011";

    private static readonly string[] Types = [SmallTree.Cover, Gas, SmallTree.Refuse];
    private static readonly Matters GasAlone = Of(Gas), Covers = Of("01"), CoversAndRefuse = Of("01", "06010"), RefuseAlone = Of("06");

    private Watched _watched = null!;
    private SmallTree _tree = null!;
    private SimulatedNode _sector = null!;

    private SimulatedNode City => _tree.City;

    [SetUp]
    public void Live()
    {
        _watched = new Watched("gas");
        _tree = new SmallTree(twist: _watched);
        ReportEach(2, EmergencyGrade.Serious);
        _sector = _tree.AddSector("gas", Covers, City);
        _watched.Allowed = Covers;
        _tree.Settle();
        Check(Covers);
    }

    [Test]
    public void It_holds_these_and_nothing_else_was_ever_on_its_line()
    {
        ReportEach(3, EmergencyGrade.Serious);
        _tree.Settle();
        Check(Covers);
        Assert.That(_watched.CellsSeen, Is.Positive);
        Assert.That(_watched.EscalationsSeen, Is.Positive);
        Assert.That(SmallTree.View(_sector, "type", "reported"), Is.EqualTo(new[] { $"{SmallTree.Cover} 5", $"{Gas} 5" }));
        Assert.That(SmallTree.View(_tree.Province, "type", "reported"), Is.EqualTo(new[] { $"{SmallTree.Cover} 5", $"{Gas} 5", $"{SmallTree.Refuse} 5" }));
        Assert.That(_sector.Core!.Escalations.Count, Is.EqualTo(10));
    }

    [Test]
    public void A_view_there_says_that_it_is_a_part()
    {
        _tree.Run(TimeSpan.FromDays(10));
        QueryResponse Ask(params string[] types)
        {
            var answer = _sector.Core!.Views.Answer(new QueryRequest { Types_ = { types }, To = "2026-03-04" }, out var refusal);
            Assert.That(refusal, Is.Null);
            return answer!;
        }

        var part = new ToldInPart { Division = City.Place.Division.ToString(), Matters = { "01" } };
        foreach (var asked in new[] { Ask(), Ask(SmallTree.Refuse), Ask("06"), Ask("99"), Ask("01", "06") })
        {
            Assert.That(asked.Coverage.ToldInPart, Is.EqualTo(new[] { part }));
            Assert.That(asked.State, Is.EqualTo(ViewState.Provisional), "What is not told is no zero, and never final.");
        }

        foreach (var asked in new[] { Ask("01"), Ask(Gas), Ask(SmallTree.Cover, Gas) })
        {
            Assert.That(asked.Coverage.ToldInPart, Is.Empty);
            Assert.That(asked.State, Is.EqualTo(ViewState.Final));
        }
    }

    [Test]
    public void Another_choice_leaves_it_exactly_right([Values("01011", "06", "01,06010", "x", "")] string text, [Values] bool sectorWasOut)
    {
        var matters = Of(text.Split(',', StringSplitOptions.RemoveEmptyEntries));
        ReportEach(1, EmergencyGrade.Serious);
        if (sectorWasOut)
        {
            _sector.Crash(powerCut: true);
        }

        // Nothing else changes a cell of what comes in or goes out.
        Choose(matters);
        _tree.Settle();
        if (sectorWasOut)
        {
            _sector.Start();
            _tree.Settle();
        }

        Check(matters);
        ReportEach(1, EmergencyGrade.Unspecified);
        _tree.Settle();
        Check(matters);

        // And back, so that what came in again lies above what was taken out.
        Choose(Covers);
        _tree.Settle();
        Check(Covers);
        ReportEach(1, EmergencyGrade.Serious);
        _tree.Settle();
        Check(Covers);
        Assert.That(_sector.Core!.Reception.Ranges.Of(City.Place.Node).FoundInAll, Is.Zero, "No comparison was needed to come there.");
    }

    [Test]
    public void Many_choices_in_a_row_are_as_good_as_the_last()
    {
        _sector.Crash(powerCut: false);
        foreach (var matters in new[] { RefuseAlone, Matters.All, GasAlone, CoversAndRefuse })
        {
            Choose(matters);
            ReportEach(1, EmergencyGrade.Serious);
            _tree.Settle();
        }

        _sector.Start();
        _tree.Settle();
        Check(CoversAndRefuse);
    }

    [Test]
    public void The_territorial_parent_has_the_same_as_before_and_after()
    {
        Choose(Matters.All);
        _tree.Settle();
        Choose(GasAlone);
        _tree.Settle();
        _tree.Check();
        Assert.That(SmallTree.View(_tree.Province, "type", "reported"), Has.Length.EqualTo(Types.Length));
        Assert.That(_tree.Province.Core!.Reception.Origin(City.Place.Node)!.Watermark.Matters.IsAll);
    }

    [Test]
    public void Tiers_beyond_it_come_to_the_same()
    {
        var above = _tree.AddAbove(_sector, "gasnation");
        _tree.Settle();
        foreach (var matters in new[] { GasAlone, RefuseAlone, CoversAndRefuse, GasAlone, Covers })
        {
            Choose(matters);
            ReportEach(1, EmergencyGrade.Serious);
            _tree.Settle();
            Check(matters);
            Assert.That(above.Core!.Cells.DigestOf(City.Place.Node, Grain.National), Is.EqualTo(Told(matters).DigestOf(City.Place.Node, Grain.National)));
            Assert.That(above.Core.Reception.Origin(City.Place.Node)!.Watermark.Matters, Is.EqualTo(matters));
            Assert.That(above.Core.Reception.Ranges.Children.Sum(child => child.FoundInAll), Is.Zero);
        }
    }

    [Test]
    public void A_restored_city_that_chose_otherwise_since_its_copy_is_right_too([Values("01011", "06", "01,06")] string text)
    {
        var copy = City.TakeCopy(new SeededEntropy(7));
        Choose(Of(text.Split(',')));
        ReportEach(2, EmergencyGrade.Serious);
        _tree.Settle();
        Check(Of(text.Split(',')));
        City.Crash(powerCut: true);
        City.Replace(copy.Disk, copy.Acknowledged);
        City.Renew();
        City.Start();
        _tree.Settle();
        Check(Of(text.Split(',')));
        City.Crash(powerCut: true);
        City.SectorMatters = Covers;
        _watched.Allowed = Covers;
        City.Start();
        _tree.Settle();
        Check(Covers);
    }

    [Test]
    public void A_sector_that_lost_everything_or_goes_on_from_a_copy_is_right_again([Values] bool fromCopy)
    {
        var copy = _sector.TakeCopy(new SeededEntropy(8));
        ReportEach(1, EmergencyGrade.Serious);
        Choose(CoversAndRefuse);
        _tree.Settle();
        Choose(GasAlone);
        _tree.Settle();
        _sector.Crash(powerCut: true);
        _sector.Replace(fromCopy ? copy.Disk : new ModelDisk());
        if (fromCopy)
        {
            _sector.Renew();
        }

        _sector.Start();
        _tree.Settle();
        _tree.Settle();
        Check(GasAlone);
    }

    [Test]
    public void A_city_that_lost_everything_is_told_anew()
    {
        Choose(CoversAndRefuse);
        _tree.Settle();
        City.Crash(powerCut: true);
        City.Replace(new ModelDisk());
        City.Start();
        _tree.Settle();
        ReportEach(1, EmergencyGrade.Unspecified);
        _tree.Settle();
        CheckCells(CoversAndRefuse);
    }

    [Test]
    public void Ranges_are_compared_and_repaired_as_if_there_were_no_other_cells()
    {
        var core = _sector.Core!;
        var key = core.Cells.ChangedSince(Lsn.Zero, core.Sequencer.Applied).First(row => row.Key.Origin == City.Place.Node && row.Key.Grain == Grain.National).Key;
        Assert.That(core.Cells.Correct(key, Reception.Child.Value(77), core.Sequencer.Applied));

        // And one of another matter, which the city has and would never send.
        var foreign = City.Core!.Cells.ChangedSince(Lsn.Zero, City.Core.Sequencer.Applied).First(row => row.Key.Type.Code.ToString() == SmallTree.Refuse && row.Key.Grain == Grain.National);
        core.Cells.Merge(foreign.Key, foreign.Revision, foreign.Value.Span, core.Sequencer.Applied);
        City.Core.CompareRanges(ParentKind.Sector);
        _tree.Run(TimeSpan.FromMinutes(2));
        Assert.That(core.Reception.Ranges.Of(City.Place.Node).CellsInAll, Is.EqualTo(2));
        Assert.That(core.Reception.Ranges.Of(City.Place.Node).Persisting, Is.Zero);
        Check(Covers);
    }

    [Test]
    public void A_parent_that_does_not_read_of_matters_is_told_nothing()
    {
        _sector.Crash(powerCut: false);
        _watched.IsOld = true;
        _sector.Start();
        var before = _sector.Core!.Sequencer.Applied;
        ReportEach(1, EmergencyGrade.Serious);
        _tree.Settle();
        Assert.That(_sector.Core.Sequencer.Applied, Is.EqualTo(before));
        Assert.That(City.Core!.SectorUplink!.Standing.LastError, Does.StartWith(LinkSender.MattersNotRead));
        _watched.IsOld = false;
        _tree.Settle();
        Check(Covers);
    }

    [Test]
    public void What_waits_for_it_is_what_it_is_told_of()
    {
        _sector.Crash(powerCut: false);
        _tree.Report(City, 3, SmallTree.Refuse, 1, EmergencyGrade.Serious);
        _tree.Run(TimeSpan.FromMinutes(1));
        var (core, uplink) = (City.Core!, City.Core!.SectorUplink!);
        Assert.That(core.Sequencer.Read(() => core.Cells.CountChanged(uplink.Standing.State.Cells.From.Lsn, core.Sequencer.Applied, uplink.Tells, Covers)), Is.Zero);
        Assert.That(core.Sequencer.Read(() => uplink.Raised(Lsn.Zero, core.Sequencer.Applied).Count()), Is.EqualTo(4));
    }

    [Test]
    public void More_escalations_than_a_part_holds_come_in_by_a_choice()
    {
        _tree.Report(City, 2_300, SmallTree.Refuse, 1, EmergencyGrade.Serious);
        Choose(CoversAndRefuse);
        _tree.Settle();
        Check(CoversAndRefuse);
        Assert.That(_sector.Core!.Escalations.Count, Is.GreaterThan(2_300), "and those of repeats");
    }

    [Test]
    public void Through_storms_kills_power_cuts_copies_wrong_clocks_and_other_choices([Range(1, 12)] int seed)
    {
        var random = new SeededEntropy((ulong)seed);
        var nodes = new[] { City, _tree.Province, _sector };
        var choices = new[] { Covers, GasAlone, CoversAndRefuse, RefuseAlone, Matters.All, Of("other") };
        DirectoryCopy? copy = null;
        _watched.Allowed = Matters.All;
        for (var step = 0; step < 50; step++)
        {
            _tree.Weather = random.OneIn(3) ? SimulatedWeather.Fair : SimulatedWeather.Storm;
            var node = nodes[random.Below(nodes.Length)];
            if (node.Core is null)
            {
                node.Clock.Offset = random.OneIn(3) ? TimeSpan.FromHours(random.Below(72) - 36) : TimeSpan.Zero;
                node.SectorMatters = random.OneIn(2) ? choices[random.Below(choices.Length)] : node.SectorMatters;
                node.Start();
            }
            else if (random.OneIn(3))
            {
                node.Crash(powerCut: random.OneIn(2));
            }
            else if (random.OneIn(6) && node == City)
            {
                copy = node.TakeCopy(random);
            }
            else if (random.OneIn(8) && node == City && copy is { } before)
            {
                copy = null;
                node.Crash(powerCut: true);
                node.Replace(before.Disk, before.Acknowledged);
                node.Renew();
                node.Start();
            }

            if (City.Core is not null)
            {
                _tree.Report(City, 1, Types[random.Below(Types.Length)], 1 + random.Below(3), random.OneIn(3) ? EmergencyGrade.Serious : EmergencyGrade.Unspecified);
            }

            _tree.Run(TimeSpan.FromMinutes(random.Below(30)));
        }

        _tree.Weather = SimulatedWeather.Fair;
        foreach (var node in nodes)
        {
            node.Clock.SetRight();
            if (node.Core is null)
            {
                node.Start();
            }
        }

        // Days that were ahead come within three.
        _tree.Run(TimeSpan.FromDays(3));
        _tree.Settle();
        Check(City.SectorMatters);
        Assert.That(_sector.Core!.Reception.Ranges.Children.Sum(child => child.Persisting), Is.Zero);
    }

    private static Matters Of(params string[] beginnings) => Matters.Of(beginnings)!;

    private void ReportEach(int times, EmergencyGrade grade)
    {
        foreach (var type in Types)
        {
            _tree.Report(City, times, type, 1, grade);
        }
    }

    /// <summary>The city is started anew with another choice. What was sent before may be on its way still, so that is let go by first.</summary>
    private void Choose(Matters matters)
    {
        _tree.Run(TimeSpan.FromMinutes(1));
        City.Crash(powerCut: false);
        City.SectorMatters = matters;
        _watched.Allowed = matters;
        City.Start();
    }

    /// <summary>The city's own cells of these matters, as if there were no others.</summary>
    private CellFold Told(Matters matters)
    {
        var fold = new CellFold();
        var local = 0L;
        foreach (var row in City.Core!.Cells.ChangedSince(Lsn.Zero, City.Core.Sequencer.Applied).Where(row => row.Key.Origin == City.Place.Node && Begins(matters, row.Key.Type.Code.ToString())))
        {
            fold.Merge(row.Key, row.Revision, row.Value.Span, new Lsn(++local));
        }

        return fold;
    }

    /// <summary>Worked out apart from <see cref="Matters.Includes"/>; there are no local types in these stories.</summary>
    private static bool Begins(Matters matters, string code) => matters.IsAll || matters.Beginnings.Any(text => code.StartsWith(text, StringComparison.Ordinal));

    private void CheckCells(Matters matters)
    {
        _tree.Check();
        Assert.That(_sector.Core!.DigestOfChild(City.Place.Node), Is.EqualTo(EdgeDigest.Of(Told(matters), City.Place.Node, [])), $"told of {matters}");
        Assert.That(_sector.Core.Reception.DigestAgrees(City.Place.Node), Is.True);
        Assert.That(_sector.Core.Reception.Origin(City.Place.Node)!.Watermark.Matters, Is.EqualTo(matters));
        Assert.That(City.Core!.SectorUplink!.Standing.State.Phase, Is.EqualTo(SenderPhase.Open));
        Assert.That(_watched.Faults, Is.Empty);
    }

    private void Check(Matters matters)
    {
        CheckCells(matters);
        foreach (var record in City.Core!.Escalations.Page(null, 10_000).Records.Where(r => r.Content.Grade == EmergencyGrade.Serious && Begins(matters, r.Content.TypeCode)))
        {
            Assert.That(_sector.Core!.Escalations.Find(record.Id)?.Content.Version, Is.EqualTo(record.Content.Version));
        }
    }

    /// <summary>Looks at every frame that goes up to a node, and may make it one of an older program.</summary>
    private sealed class Watched(string parent) : StoryTwist
    {
        public Matters Allowed { get; set; } = Matters.All;

        public bool IsOld { get; set; }

        public List<string> Faults { get; } = [];

        public long CellsSeen { get; private set; }

        public long EscalationsSeen { get; private set; }

        public override ConnectRequest? Up(SimulatedNode child, SimulatedNode parentNode, ConnectRequest request)
        {
            if (parentNode.Place.Node.ToString() != parent)
            {
                return request;
            }

            foreach (var symbols in request.Cells?.Cells.Select(cell => request.Cells.Symbols[cell.Code]) ?? [])
            {
                CellsSeen++;
                See(symbols, Allowed, "a cell");
                foreach (var stated in request.Cells!.Watermarks)
                {
                    See(symbols, Of([.. stated.Matters]), "a cell beside a statement");
                }
            }

            foreach (var escalation in request.Escalations?.Escalations ?? [])
            {
                EscalationsSeen++;
                See(Escalation.Parser.ParseFrom(escalation.Escalation).TypeCode, Allowed, "an escalation");
            }

            return request;
        }

        public override ConnectResponse? Down(SimulatedNode child, SimulatedNode parentNode, ConnectResponse response)
        {
            if (IsOld && response.Welcome is { } welcome && parentNode.Place.Node.ToString() == parent)
            {
                welcome.ReadsMatters = false;
            }

            return response;
        }

        private void See(string code, Matters allowed, string what)
        {
            if (!Begins(allowed, code))
            {
                Faults.Add($"{what} of {code}, told of {allowed}");
            }
        }
    }
}
