using CityGrid.Hub.Seams;
using CityGrid.Tests.EndToEnd.Failpoints;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd;

/// <summary>
/// TIER-4: real processes of the build with failpoints (docs/failpoints.md) die at them, and are started again. What was acknowledged is there once, at each
/// tier; journals and views verify; every order has one end (INV-1, 4, 6, 13). At night at all of them, round after round, with stops, failures and pauses too.
/// </summary>
[Parallelizable(ParallelScope.All), Category("Failpoints"), Requires(Need.PullRequest)]
public sealed class A_node_dies_at_every_named_place
{
    private static readonly string[] OfACityAtWork =
    [
        "batch.taken", "batch.decided", "journal.write.before", "journal.write.after", "journal.sync.after", "batch.appended", "batch.folded", "batch.told", "batch.answered",
        "wire.write.before", "wire.write.after", "head.sign.before", "head.sign.after", "uplink.answer.heard", "uplink.send.before", "uplink.send.after", "uplink.cut.before", "uplink.cut.after",
        "receipt.keep.before", "receipt.keep.after", "cursor.trim.after", "orders.keep.before", "orders.keep.after", "orders.receipt.send.before", "orders.receipt.send.after",
        "order.step.before", "order.step.after", "keys.erase.before", "keys.erase.written", "keys.erase.after", "view.apply.before", "view.apply.written", "view.apply.committed",
        "segment.roll.before", "segment.create.written", "segment.create.synced", "segment.create.after", "segment.roll.after", "segment.pack.before", "segment.pack.written", "segment.pack.renamed", "segment.pack.durable", "segment.pack.deleted",
    ];

    /// <summary>The parent knows the city's life and signer already, so that these have a life of their own (--restored).</summary>
    private static readonly string[] OfANewLife = ["life.before", "life.synced", "life.renamed", "life.after", "epoch.keep.before", "epoch.keep.after"];

    private static readonly string[] OfAFirstStart = ["keys.block.before", "keys.block.synced", "keys.block.renamed", "keys.block.after"];

    private static readonly string[] OfAStart =
    [
        "lock.before", "lock.held", "lock.line.before", "lock.line.after", "recovery.before", "recovery.folders.after", "recovery.settled", "recovery.loaded", "recovery.after",
        "replay.before", "replay.snapshot.loaded", "replay.after", "serve.before", "serve.after",
    ];

    private static readonly string[] OfAStartWithoutViews = ["view.fill.before", "view.create.before", "view.create.data", "view.create.after", "view.fill.after"];

    private static readonly string[] OfAStartAfterAnotherOwner = ["recovery.copy.synced", "recovery.copy.renamed"];

    private static readonly string[] OfAStartAfterATornWrite = ["recovery.cut.before", "recovery.cut.truncated", "recovery.cut.after"];

    private static readonly string[] OfAStartAmongUnfinishedFiles = ["recovery.unfinished.before", "recovery.unfinished.after"];

    private static readonly string[] OfAStartWithTwoFormsOfASegment = ["recovery.forms.before", "recovery.forms.after"];

    private static readonly string[] OfAnEnd =
    [
        "end.before", "snapshot.before", "snapshot.written", "snapshot.synced", "snapshot.renamed", "snapshot.durable", "snapshot.old.deleted", "view.close.before", "view.close.emptied",
    ];

    private static readonly string[] OfAProvinceAtWork =
    [
        "cells.apply.before", "cells.apply.after", "escalations.apply.before", "escalations.apply.after", "countersign.before", "countersign.after", "answer.send.before", "answer.send.after",
        "order.issue.before", "order.issue.after", "orders.send.before", "orders.send.after", "orders.receipt.heard", "orders.cursor.trimmed",
    ];

    private static readonly string[] OfAProvinceThatPublishes =
    [
        "package.publish.before", "package.publish.after", "package.chunk.send.before", "package.chunk.send.after", "package.receipt.heard", "package.feed.moved", "packages.note.before", "packages.note.after",
    ];

    private static readonly string[] OfACityThatRefusesAPackage = ["package.refusal.keep.before", "package.refusal.keep.after"];

    private static readonly string[] OfACityThatTakesAPackage =
    [
        "package.chunk.take.before", "package.chunk.take.after", "package.keep.before", "package.keep.after", "package.receipt.send.before", "package.receipt.send.after",
    ];

    private static readonly string[] OfAnOrderThatGoesAnotherWay = ["orders.reroute.before", "orders.reroute.after"];

    private static readonly string[] OfAFirstMeeting = ["signer.note.before", "signer.note.after"];

    private static readonly string[] OfAGrant = ["epoch.grant.before", "epoch.grant.after"];

    private static readonly string[] OfARewind = ["rewind.before", "rewind.after"];

    private static readonly string[] OfANewLifeOfARoot = ["root-epoch.after", "root-epoch.before"];

    private static readonly string[] OfParkedRecords = ["parked.settle.before", "parked.settle.after"];

    /// <summary>Every place that this fixture goes through.</summary>
    internal static IEnumerable<string> Places =>
    [
        "parent-signer.keep.after", "uplink.dial.before", "parent-epoch.keep.after", .. OfACityAtWork, .. OfANewLife, .. OfAFirstStart, .. OfAStart, .. OfAStartWithoutViews,
        .. OfAStartAfterAnotherOwner, .. OfAStartAfterATornWrite, .. OfAStartAmongUnfinishedFiles, .. OfAStartWithTwoFormsOfASegment, .. OfAnEnd, .. OfAProvinceAtWork, .. OfAFirstMeeting,
        .. OfAGrant, .. OfARewind, .. OfANewLifeOfARoot, .. OfParkedRecords, .. OfAProvinceThatPublishes, .. OfACityThatRefusesAPackage, .. OfACityThatTakesAPackage, .. OfAnOrderThatGoesAnotherWay,
    ];

    private static IEnumerable<object[]> Cases => Nightly.Cases;

    [TestCaseSource(nameof(Cases))]
    public async Task While_a_city_is_at_work(Deed deed, int round)
    {
        await using var pair = await Pair.MakeAsync();
        await pair.Province.ServeAsync();
        await PassAsync(pair.City, deed, round, [new NamedPlace("parent-signer.keep.after")]);
        await PassAsync(pair.City, deed, round, Nightly.Of(OfACityAtWork).Append("uplink.dial.before").Select(name => new NamedPlace(name) { IsOften = name != "uplink.dial.before", Work = pair.Labour.WorkAsync }));
        await PassAsync(pair.City, deed, round, Nightly.Of(OfANewLife).Select(name => new NamedPlace(name) { Options = ["--restored"], Work = pair.Labour.WorkAsync }));
        await SettledAsync(pair, deed);
    }

    [TestCaseSource(nameof(Cases))]
    public async Task While_a_province_is_at_work(Deed deed, int round)
    {
        await using var pair = await Pair.MakeAsync();
        await pair.Province.ServeAsync();
        await pair.City.ServeAsync();
        var (city, province, work) = (pair.City, pair.Province, (Func<Task>)pair.Labour.WorkAsync);
        await PassAsync(province, deed, round, OfAFirstMeeting.Select(name => new NamedPlace(name) { Before = AnewUnlessKilled(province, deed) }));
        await PassAsync(province, deed, round, Nightly.Of(OfAProvinceAtWork).Select(name => new NamedPlace(name) { IsOften = true, Work = work }));
        await PassAsync(province, deed, round, OfAGrant.Select(name => new NamedPlace(name) { Before = () => city.ServeAsync("--restored"), Work = work }));
        await PassAsync(province, deed, round, OfARewind.Select(name => new NamedPlace(name) { Work = pair.RewindAsync }));
        await province.ServeAsync();
        var parked = new Queue<string>(pair.Strange);
        foreach (var division in pair.Strange)
        {
            await pair.Labour.ReportAsync(division);
        }

        await pair.UntilParkedAsync();

        // The city hears of a new life of the province; then the next begins and is cut short before anybody hears of it.
        await PassAsync(city, deed, round, [new NamedPlace("parent-epoch.keep.after") { Before = () => province.ServeAsync("--restored"), Work = work }]);
        await PassAsync(province, deed, round, OfANewLifeOfARoot.Select(name => new NamedPlace(name) { Options = ["--restored"] }));
        await PassAsync(province, deed, round, OfParkedRecords.Select(name => new NamedPlace(name) { Before = Done(() => pair.Register(parked.Dequeue())) }));
        await SettledAsync(pair, deed);
    }

    [TestCaseSource(nameof(Cases))]
    public async Task While_versions_of_the_catalogue_go_down(Deed deed, int round)
    {
        await using var pair = await Pair.MakeAsync();
        await pair.Province.ServeAsync();
        await pair.City.ServeAsync();
        await PassAsync(pair.Province, deed, round, Nightly.Of(OfAProvinceThatPublishes).Select(name => new NamedPlace(name) { IsOften = true, Work = pair.Labour.PublishAsync }));
        await pair.Province.ServeAsync();
        await PassAsync(pair.City, deed, round, OfACityThatRefusesAPackage.Select(name => new NamedPlace(name) { Work = pair.Labour.PublishWhatIsRefusedAsync }));
        await PassAsync(pair.City, deed, round, Nightly.Of(OfACityThatTakesAPackage).Select(name => new NamedPlace(name) { IsOften = true, Work = pair.Labour.PublishAsync }));
        await pair.Labour.WorkAsync();
        await SettledAsync(pair, deed);
    }

    [TestCaseSource(nameof(Cases))]
    public async Task While_an_order_follows_its_place(Deed deed, int round)
    {
        await using var pair = await Pair.MakeAsync();
        pair.LeaveATierOut();
        await pair.Province.ServeAsync();
        await pair.Labour.IssueAsync();
        await PassAsync(pair.Province, deed, round, OfAnOrderThatGoesAnotherWay.Select(name => new NamedPlace(name)));
        await SettledAsync(pair, deed);
    }

    [TestCaseSource(nameof(Cases))]
    public async Task While_a_city_starts_and_ends(Deed deed, int round)
    {
        await using var pair = await Pair.MakeAsync();
        var (city, work) = (pair.City, (Func<Task>)pair.Labour.WorkAsync);
        await PassAsync(city, deed, round, Nightly.Of(OfAFirstStart).Select(name => new NamedPlace(name) { Before = AnewUnlessKilled(city, deed) }));
        await pair.Province.ServeAsync();
        await city.ServeAsync();
        for (var i = 0; i < 20; i++)
        {
            await work();
        }

        var data = Folders.DataOf(city.Node);
        await PassAsync(city, deed, round, Nightly.Of(OfAStart).Select(name => new NamedPlace(name)));
        await PassAsync(city, deed, round, Nightly.Of(OfAnEnd).Select(name => new NamedPlace(name) { IsAtTheEnd = true, Work = work }));
        await PassAsync(city, deed, round, Nightly.Of(OfAStartWithoutViews).Select(name => new NamedPlace(name) { Before = Done(() => Directory.Delete(Path.Combine(data, "views"), recursive: true)) }));
        await PassAsync(city, deed, round, OfAStartAfterAnotherOwner.Select(name => new NamedPlace(name) { Before = Done(() => File.Delete(Path.Combine(data, "lock"))) }));
        await PassAsync(city, deed, round, OfAStartAfterATornWrite.Select(name => new NamedPlace(name) { Before = Done(() => TearEnd(data)) }));
        await PassAsync(city, deed, round, OfAStartAmongUnfinishedFiles.Select(name => new NamedPlace(name) { Before = () => LeftByAsync(city, "segment.pack.written", work) }));
        await PassAsync(city, deed, round, OfAStartWithTwoFormsOfASegment.Select(name => new NamedPlace(name) { Before = () => LeftByAsync(city, "segment.pack.durable", work) }));
        await SettledAsync(pair, deed);
    }

    /// <summary>Of the other deeds a sample; at night they are done everywhere.</summary>
    [Test]
    public async Task Or_stops_fails_and_waits_at_some()
    {
        await using var pair = await Pair.MakeAsync();
        await pair.Province.ServeAsync();
        foreach (var (name, deed) in new[]
        {
            ("journal.write.before", Deed.Error), ("uplink.send.before", Deed.Error), ("view.apply.written", Deed.Error), ("batch.appended", Deed.Stop), ("receipt.keep.before", Deed.Stop),
            ("wire.write.before", Deed.Sleep),
        })
        {
            await pair.City.PassAsync(new NamedPlace(name) { Work = pair.Labour.WorkAsync }, deed, 2);
        }

        await pair.City.ServeAsync();
        foreach (var (name, deed) in new[] { ("countersign.before", Deed.Error), ("cells.apply.after", Deed.Stop), ("answer.send.before", Deed.Sleep) })
        {
            await pair.Province.PassAsync(new NamedPlace(name) { Work = pair.Labour.WorkAsync }, deed, 2);
        }

        await pair.SettleAsync();
    }

    /// <summary>Its host has stopped listening by then, and its journal and its directory are still open.</summary>
    [Test]
    public async Task And_one_that_is_asked_to_end_twice_ends_in_its_own_time()
    {
        await using var pair = await Pair.MakeAsync();
        await pair.Province.ServeAsync();
        Assert.That(await pair.City.EndAskedTwiceAsync(new NamedPlace("view.close.before") { Work = pair.Labour.WorkAsync, IsAtTheEnd = true }), Is.Zero);
    }

    [Test]
    public void And_no_name_is_left_out() => Assert.That(
        Places.Concat(A_tool_dies_at_every_named_place.Places).Concat(A_child_is_taken_in_though_either_dies.Places), Is.EquivalentTo(FailpointNames.All), "each is gone through, and once");

    /// <summary>What happens once in a directory's life happens again after a kill before its end; after anything else it takes another directory.</summary>
    private static Func<Task>? AnewUnlessKilled(MortalNode node, Deed deed) => deed == Deed.Kill ? null : Done(() =>
    {
        if (Directory.Exists(Folders.DataOf(node.Node)))
        {
            Directory.Delete(Folders.DataOf(node.Node), recursive: true);
        }
    });

    private static Func<Task> Done(Action action) => () =>
    {
        action();
        return Task.CompletedTask;
    };

    /// <summary>A write that a power cut left with nothing of its bytes but their number.</summary>
    private static void TearEnd(string data)
    {
        using var last = File.Open(Directory.GetFiles(Path.Combine(data, "journal"), "*.seg").Max(StringComparer.Ordinal)!, FileMode.Append);
        last.Write(new byte[600]);
    }

    /// <summary>What a kill at another place leaves behind.</summary>
    private static Task LeftByAsync(MortalNode node, string place, Func<Task> work) => node.PassAsync(new NamedPlace(place) { Work = work }, Deed.Kill, 1);

    private static async Task SettledAsync(Pair pair, Deed deed)
    {
        await pair.SettleAsync();
        TestContext.Out.WriteLine($"{pair.City.Deeds} + {pair.Province.Deeds} times {deed}, {pair.Labour.Acknowledged} acknowledged reports, {pair.Labour.Orders} orders, {pair.Labour.Packages} packages");
    }

    /// <summary>Goes through all places, at hits that differ from place to place and from round to round where there are several: later ones at night.</summary>
    private static async Task PassAsync(MortalNode node, Deed deed, int round, IEnumerable<NamedPlace> places)
    {
        var at = 0;
        foreach (var place in places)
        {
            await node.PassAsync(place, deed, place.IsOften ? 1 + ((at++ + round) % (Nightly.Rounds > 1 ? 4 : 2)) : 1);
        }
    }
}
