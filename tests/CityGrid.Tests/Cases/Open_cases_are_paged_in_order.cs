using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using CityGrid.Tests.Crashes;
using CsCheck;
using NUnit.Framework;

namespace CityGrid.Tests.Cases;

public sealed class Open_cases_are_paged_in_order
{
    private static readonly CaseState Some = new CaseStory().Report().State!;

    private readonly VirtualTime _time = new(new DateTimeOffset(2026, 12, 2, 1, 0, 0, TimeSpan.Zero));
    private readonly SeededEntropy _entropy = new(9);

    [Test]
    public void Whatever_came_and_went() =>
        Gen.Select(Gen.Int[1, 60], Gen.Int[0, 3]).List[0, 120].Sample(steps =>
        {
            var (open, model) = (new OpenCases(), new SortedDictionary<CaseId, int>());
            for (var i = 0; i < steps.Count; i++)
            {
                var (number, what) = steps[i];
                var id = new CaseId((UInt128)number);
                if (what == 0)
                {
                    open.Remove(id);
                    model.Remove(id);
                }
                else
                {
                    open.Put(Some with { Id = id, Version = i });
                    model[id] = i;
                }
            }

            return Enumerable.Range(0, 62).All(after => open.After((UInt128)after, 7).Select(s => (s.Id, s.Version))
                .SequenceEqual(model.Where(e => e.Key.Value > (UInt128)after).Take(7).Select(e => (e.Key, e.Value)))) && open.States.Count == model.Count;
        }, iter: 1_000);

    [Test]
    public void After_thousands_have_ended()
    {
        var open = new OpenCases();
        for (var number = 1; number <= 10_000; number++)
        {
            open.Put(Some with { Id = new CaseId((UInt128)number) });
            if (number % 100 != 0)
            {
                open.Remove(new CaseId((UInt128)number));
            }
        }

        open.Put(Some with { Id = new CaseId(150) });
        Assert.That(open.After(100, 3).Select(s => s.Id.Value), Is.EqualTo((UInt128[])[150, 200, 300]));
        Assert.That(open.After(9_900, 3).Select(s => s.Id.Value), Is.EqualTo((UInt128[])[10_000]));
    }

    /// <summary>More than are read at once, so that pages and pieces do not fall together.</summary>
    [Test]
    public void A_walk_through_the_pages_meets_each_case_once()
    {
        using var city = new CityOnADisk(new ModelDisk(), _entropy, _time, JournalFaults.None);
        var ids = Enumerable.Range(0, 1_203).Select(i => Report(city, i % 3 == 0 ? City.North : City.South)).ToList();
        foreach (var (division, expected) in new[] { ((DivisionCode?)null, ids), (City.North, ids.Where((_, i) => i % 3 == 0).ToList()) })
        {
            var walked = new List<CaseId>();
            UInt128 after = 0;
            for (string? next = string.Empty; next is not null;)
            {
                var page = city.Core.Lists.Page(new CaseQuery(true, null, default, division, false, null, after, 100));
                walked.AddRange(page.Cases.Select(s => s.Id));
                next = page.Next;
                after = next is null || !CaseId.TryParse(next, out var id) ? 0 : id.Value;
            }

            Assert.That(walked, Is.EqualTo(expected.Order()));
        }
    }

    [Test]
    public void Ended_ones_begin_with_the_newest_month_whichever_changed_last()
    {
        using var city = new CityOnADisk(new ModelDisk(), _entropy, _time, JournalFaults.None);
        var (december, november) = (At(2026, 12), At(2026, 11));
        foreach (var id in new[] { december, november })
        {
            city.Submit(new ReportCase(City.Cover, City.North, City.Hotline) { Case = id, Actor = "desk" }, _ => { });
            city.Submit(new VoidCase { Case = id, Actor = "desk", Reason = "duplicate" }, answer => Assert.That(answer.Refusal, Is.Null));
        }

        Assert.That(city.Core.Lists.Page(new CaseQuery(false, null, default, null, false, null, 0, 10)).Cases.Select(s => s.Id), Is.EqualTo((CaseId[])[december]));

        CaseId At(int year, int month) => CaseId.Mint(NodaTime.Instant.FromUtc(year, month, 1, 12, 0), new byte[10]);
    }

    private static CaseId Report(CityOnADisk city, DivisionCode division)
    {
        var id = city.Core.Desk.Mint();
        city.Submit(new ReportCase(City.Cover, division, City.Hotline) { Case = id, Actor = "desk" }, answer => Assert.That(answer.Refusal, Is.Null));
        return id;
    }
}
