using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Node.Cases;
using CityGrid.Node.Configuration;
using CityGrid.Node.Schedule;
using CityGrid.Protocol.Names;
using CityGrid.Tests.Crashes;
using CityGrid.Tests.Hosting;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using Quartz;

namespace CityGrid.Tests.Cases;

/// <summary>
/// INV-5 on a disk with no room for views: the node serves, lists say that they are building, a case is found by its id all the same; and within a
/// minute of there being room the lists are whole, with nobody's help.
/// </summary>
public sealed class Lists_come_back_once_there_is_room
{
    private readonly VirtualTime _time = new(new DateTimeOffset(2026, 11, 2, 1, 0, 0, TimeSpan.Zero));
    private readonly SeededEntropy _entropy = new(8);

    [Test]
    public async Task By_themselves()
    {
        var disk = new ModelDisk();
        var filed = new List<CaseId>();
        using (var city = new CityOnADisk(disk, _entropy, _time, JournalFaults.None))
        {
            for (var i = 0; i < 3; i++)
            {
                var report = new ReportCase(City.Cover, City.North, City.Hotline) { Case = city.Core.Desk.Mint(), Actor = "desk", Request = new RequestMark($"r-{i}", 1) };
                Assert.That(city.Submit(report, answer => filed.Add(answer.State!.Id)), Is.True);
                Assert.That(city.Submit(new VoidCase { Case = filed[^1], Actor = "desk", Reason = "duplicate" }, _ => { }), Is.True);
            }
        }

        var small = new ModelDisk { SizeLimit = 100L << 20 };
        using var views = new LiteViewStore(small, new Incarnation(7));
        using var again = new CityOnADisk(disk, _entropy, _time, JournalFaults.None, views);
        Assert.Multiple(() =>
        {
            Assert.That(Ended(again).Building, Is.True);
            Assert.That(filed.Select(id => again.Core.Desk.Find(id)?.Id), Is.EqualTo(filed.Cast<CaseId?>()), "reading by id is exact");
        });

        await EveryMinuteAsync(again);
        Assert.That(Ended(again).Building, Is.True, "there is no room yet");

        small.SizeLimit = long.MaxValue;
        await EveryMinuteAsync(again);
        Assert.That(Ended(again).Building, Is.False);
        Assert.That(views.Page(CaseDesk.ShelfOf(filed[0]), 0, 10).Select(document => new CaseId(document.Id)), Is.EqualTo(filed.Order()));
    }

    [Test]
    public async Task It_is_tried_each_minute()
    {
        using var folder = new NodeFolder();
        var services = new ServiceCollection();
        services.AddNodeSchedule(ConfigurationFile.Load(folder.ConfigurationFile));
        services.AddLogging();
        await using var provider = services.BuildServiceProvider();
        var scheduler = await provider.GetRequiredService<ISchedulerFactory>().GetScheduler();
        var trigger = await scheduler.GetTrigger(new TriggerKey("fill-views")) as ISimpleTrigger;
        await scheduler.Shutdown();

        Assert.That(trigger!.RepeatInterval, Is.EqualTo(TimeSpan.FromMinutes(1)));
        Assert.That(trigger.RepeatCount, Is.EqualTo(-1), "for ever");
    }

    private static CasePage Ended(CityOnADisk city) => city.Core.Lists.Page(new CaseQuery(false, null, default, null, false, null, 0, 50));

    private static async Task EveryMinuteAsync(CityOnADisk city) => await new NodeSchedule.FillViews(city.Core).Execute(null!, CancellationToken.None);
}
