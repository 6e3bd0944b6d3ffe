using CityGrid.Hub.Cells;
using CityGrid.Node.Cases;
using CityGrid.Node.Tally;
using CityGrid.Protocol.Names;
using CityGrid.Tests.Cases;
using CsCheck;
using NUnit.Framework;

namespace CityGrid.Tests.Tally;

/// <summary>Random lives of several cases, counted event by event and anew from their histories.</summary>
public sealed class Whatever_happens_the_figures_are_right
{
    private static readonly Gen<RandomLife[]> Lives =
        from turns in RandomLife.Turns.Array[1, 8]
        select turns.Select((t, number) => RandomLife.Of(number, t)).Where(life => life.State is not null).ToArray();

    [Test]
    public void The_recount_agrees_with_the_incremental_tally() =>
        Lives.Sample(
            lives =>
            {
                var recount = new Recount(City.Node, City.Place);
                foreach (var life in lives)
                {
                    recount.Add(life.History);
                }

                Assert.That(Tallied(lives).ToLines(), Is.EqualTo(LooseCells.Of(recount.Cells()).ToLines()));
            },
            iter: 600);

    /// <summary>The fold adds what counts in one place directly; whoever asks why a figure is what it is gets the changes one by one.</summary>
    [Test]
    public void What_is_added_to_the_cells_is_what_is_told_of_each_event() =>
        Lives.Sample(
            lives =>
            {
                var (added, told) = (new CellFold(), new CellFold());
                var room = new Contribution[Counting.ContributionsMax];
                long lsn = 0;
                foreach (var life in lives)
                {
                    for (var i = 0; i < life.History.Count; i++)
                    {
                        var (before, happened, at) = (life.Befores[i], life.History[i].Event, new Lsn(++lsn));
                        CaseTally.Add(added, before, happened, Counting.Of(before, happened, room), new OwnPlace(City.Node, City.Place), new Revision(1, lsn), at);
                        foreach (var change in CaseTally.ChangesOf(before, happened, City.Node, City.Place))
                        {
                            told.Add(change, new Revision(1, lsn), at);
                        }
                    }
                }

                added.Settle();
                told.Settle();
                Assert.That(ImageOf(added), Is.EqualTo(ImageOf(told)), "in the order of change too");
            },
            iter: 200);

    private static byte[] ImageOf(CellFold cells)
    {
        using var image = new MemoryStream();
        cells.Save(image);
        return image.ToArray();
    }

    [Test]
    public void No_cell_is_ever_below_zero_and_histograms_add_up() =>
        Lives.Sample(
            lives =>
            {
                var cells = new LooseCells();
                foreach (var life in lives)
                {
                    for (var i = 0; i < life.History.Count; i++)
                    {
                        foreach (var change in CaseTally.ChangesOf(life.Befores[i], life.History[i].Event, City.Node, City.Place))
                        {
                            cells.Add(change);
                        }

                        cells.AreSound();
                    }
                }
            },
            iter: 100);

    [Test]
    public void The_stocks_are_running_sums_of_the_flows() =>
        Lives.Sample(
            lives =>
            {
                var cells = Tallied(lives);
                foreach (var spot in cells.Keys.Where(k => k.Grain == Grain.Detail).Select(k => new Spot(k.Type, k.Division)).Distinct())
                {
                    bool Fits(CellKey key) => key.Type == spot.Type && key.Division == spot.Division;
                    long Sum(Counter counter) => cells.Sum(Grain.Detail, counter, Fits);
                    var here = lives.Where(l => l.State!.Type == spot.Type && l.State.Division == spot.Division).ToList();
                    var open = Sum(Counter.Reported) + Sum(Counter.Reopened) + Sum(Counter.MovedIn) - Sum(Counter.Closed) - Sum(Counter.Voided) - Sum(Counter.MovedOut);
                    var overdue = Sum(Counter.BecameOverdue) + Sum(Counter.OverdueAgain) + Sum(Counter.OverdueMovedIn)
                        - Sum(Counter.OverdueHandled) - Sum(Counter.OverdueWithdrawn) - Sum(Counter.OverdueMovedOut);
                    Assert.That(open, Is.EqualTo(here.Count(l => l.State!.IsOpen)), "open");
                    Assert.That(overdue, Is.EqualTo(here.Count(l => l.State!.Filing is { InOverdueStock: true })), "overdue, not handled");
                    Assert.That(Sum(Counter.CohortClosed), Is.EqualTo(here.Count(l => l.State!.Stage == CaseStage.Closed)), "closed for good");
                }
            },
            iter: 300);

    [Test]
    public void The_national_cells_are_the_sums_of_the_detail_cells() =>
        Lives.Sample(
            lives =>
            {
                var changes = Changes(lives).ToList();
                var national = LooseCells.Of(changes.Where(c => c.Key.Grain == Grain.National));
                var summed = LooseCells.Of(changes.Where(c => c.Key.Grain == Grain.Detail).Select(c => c with
                {
                    Key = c.Key with { Grain = Grain.National, Division = City.Place, Source = SourceCode.Parse("all") },
                }));
                Assert.That(national.ToLines(), Is.EqualTo(summed.ToLines()));
            },
            iter: 300);

    [Test]
    public void A_case_knows_what_it_added() =>
        Lives.Sample(
            lives =>
            {
                foreach (var life in lives)
                {
                    var kept = new LooseCells();
                    foreach (var one in life.State!.Contributions)
                    {
                        var spot = life.State.SpotOf(one.Segment);
                        var key = new CellKey(City.Node, Grain.Detail, spot.Type, spot.Division, one.Day, life.State.Source);
                        kept.Add(new CellChange(
                            key,
                            one.IsDuration ? [] : [new CounterChange(one.Id, one.Value)],
                            one.IsDuration ? [new DurationChange(one.Id, one.Value, one.Times)] : []));
                    }

                    var tallied = LooseCells.Of(Changes([life]).Where(c => c.Key.Grain == Grain.Detail));
                    Assert.That(kept.ToLines(), Is.EqualTo(tallied.ToLines()));
                }
            },
            iter: 300);

    [Test]
    public void Every_kind_of_event_was_among_them()
    {
        var seen = new HashSet<Type>();
        var refused = new HashSet<string>();
        var all = typeof(CaseEvent).Assembly.GetTypes().Where(t => t.IsSubclassOf(typeof(CaseEvent)) && t != typeof(ReporterErased));
        Lives.Sample(
            lives =>
            {
                lock (seen)
                {
                    seen.UnionWith(lives.SelectMany(l => l.History).Select(e => e.Event.GetType()));
                    refused.UnionWith(lives.SelectMany(l => l.Outcomes).OfType<CaseOutcome.Refused>().Select(r => r.Refusal.Code));
                }
            },
            iter: 300);
        Assert.That(seen, Is.SupersetOf(all));
        Assert.That(refused, Has.Count.GreaterThan(10));
    }

    private static LooseCells Tallied(RandomLife[] lives) => LooseCells.Of(Changes(lives));

    private static IEnumerable<CellChange> Changes(RandomLife[] lives)
    {
        foreach (var life in lives)
        {
            for (var i = 0; i < life.History.Count; i++)
            {
                foreach (var change in CaseTally.ChangesOf(life.Befores[i], life.History[i].Event, City.Node, City.Place))
                {
                    yield return change;
                }
            }
        }
    }
}
