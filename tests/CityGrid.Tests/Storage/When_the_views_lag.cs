using CityGrid.Hub.Storage;
using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Storage;

public sealed class When_the_views_lag
{
    private FoldModel _model = null!;
    private MemoryViewStore _store = null!;

    [SetUp]
    public void Begin() => (_model, _store) = (new FoldModel(), new MemoryViewStore());

    [TearDown]
    public void End() => _store.Dispose();

    [Test]
    public void Intake_slows_past_the_limit_and_not_in_bulk()
    {
        var projector = Started(new ProjectorOptions { LagMax = 10 });
        Offer(projector, 11);
        Assert.That(projector.Status.Lag, Is.EqualTo(11));
        Assert.That(projector.ShouldSlowIntake, Is.True);
        Assert.That(projector.Status.Building, Is.False);
        using (projector.Bulk())
        {
            Assert.That(projector.ShouldSlowIntake, Is.False);
            Assert.That(projector.Status.ToString(), Is.EqualTo("building, lsn 0 of 11"));
            Assert.That(projector.Page("s", 0, 10).Status.Building, Is.True, "a list says so");
        }

        projector.PumpOnce();
        Assert.That(projector.ShouldSlowIntake, Is.False);
        Assert.That(projector.Status, Is.EqualTo(new ViewStatus(new Lsn(11), new Lsn(11), Building: false)));
    }

    [Test]
    public void In_bulk_documents_wait_until_half_the_room_is_taken_or_a_reader_asks_or_it_is_over()
    {
        var projector = Started(new ProjectorOptions { PendingBytesMax = 200 });
        var woken = 0;
        projector.WorkArrived = _ => woken++;
        using (projector.Bulk())
        {
            projector.Offer([_model.Append("s", 1, 60)!], _model.Head);
            Assert.That(projector.PumpOnce(), Is.False, "there is room for more");
            Assert.That(projector.Get("s", 1)!.Lsn, Is.EqualTo(new Lsn(1)), "and reading by id is exact");
            projector.Offer([_model.Append("s", 2, 60)!], _model.Head);
            Assert.That(projector.PumpOnce(), Is.True, "half the room is taken");
            projector.Offer([_model.Append("s", 3, 60)!], _model.Head);
            var asked = projector.WaitFor(new Lsn(3), CancellationToken.None);
            Assert.That(projector.PumpOnce(), Is.True, "a reader waits for it");
            Assert.That(() => asked.Wait(TimeSpan.FromSeconds(30)), Is.True);
            projector.Offer([_model.Append("s", 4, 60)!], _model.Head);
            Assert.That(projector.PumpOnce(), Is.False);
            woken = 0;
        }

        Assert.That(woken, Is.EqualTo(1), "the end of it wakes who pumps");
        Assert.That(projector.PumpOnce(), Is.True);
        Assert.That(projector.Status, Is.EqualTo(new ViewStatus(new Lsn(4), new Lsn(4), Building: false)));
    }

    [Test]
    public void Batches_without_documents_leave_no_shelf_behind()
    {
        var projector = Started();
        Offer(projector, 1);
        projector.PumpOnce();
        for (var i = 0; i < 5; i++)
        {
            _model.Append(null, 0);
            projector.Offer([], _model.Head);
        }

        Assert.That(projector.Status.Lag, Is.Zero);
        Assert.That(projector.StatusOf("s"), Is.EqualTo(new ViewStatus(new Lsn(6), new Lsn(6), Building: false)));
        Assert.That(projector.StatusOf("never"), Is.EqualTo(new ViewStatus(new Lsn(6), new Lsn(6), Building: false)));
        Assert.That(_store.AppliedLsn("s"), Is.EqualTo(new Lsn(1)), "the row moves with the shelf's own changes");
        Assert.That(Started().Gaps, Is.Empty, "and after a restart it is not behind either");
    }

    [Test]
    public void A_reader_can_ask_for_at_least_a_position()
    {
        var projector = Started();
        Offer(projector, 3);
        var third = projector.WaitFor(new Lsn(3), CancellationToken.None);
        var fourth = projector.WaitFor(new Lsn(4), CancellationToken.None);
        Assert.That(third.IsCompleted, Is.False);
        projector.PumpOnce();
        Assert.That(() => third.Wait(TimeSpan.FromSeconds(30)), Is.True);
        Assert.That(fourth.IsCompleted, Is.False);
        _model.Append(null, 0);
        projector.Offer([], _model.Head);
        Assert.That(() => fourth.Wait(TimeSpan.FromSeconds(30)), Is.True, "nothing had to be applied");
        Assert.That(projector.WaitFor(new Lsn(4), CancellationToken.None).IsCompletedSuccessfully, Is.True);
    }

    [Test]
    public void Waiting_can_be_stopped()
    {
        var projector = Started();
        using var stop = new CancellationTokenSource();
        var waiting = projector.WaitFor(new Lsn(1), stop.Token);
        stop.Cancel();
        Assert.That(async () => await waiting, Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public void Bodies_past_the_limit_are_made_again_and_nothing_else()
    {
        var projector = Started(new ProjectorOptions { PendingBytesMax = 100 });
        for (var id = 1; id <= 20; id++)
        {
            projector.Offer([_model.Append("s", (UInt128)id, 50)!], _model.Head);
        }

        Assert.That(_model.Remade, Is.Zero);
        for (var id = 1; id <= 20; id++)
        {
            Assert.That(projector.Get("s", (UInt128)id)!.Lsn, Is.EqualTo(new Lsn(id)));
        }

        Assert.That(_model.Remade, Is.EqualTo(18), "two bodies of 50 bytes fit");
        while (projector.PumpOnce())
        {
        }

        Assert.That(ViewVerifier.Verify(_store, "s", _model.Documents("s", Lsn.Zero)).Matches, Is.True);
        Assert.That(projector.Waiting, Is.Zero);
        projector.Offer([_model.Append("s", 1, 50)!], _model.Head);
        var remade = _model.Remade;
        projector.Get("s", 1);
        Assert.That(_model.Remade, Is.EqualTo(remade), "there is room again");
    }

    [Test]
    public void A_transaction_takes_a_thousand_and_the_position_says_what_is_in()
    {
        var projector = Started();
        Offer(projector, 2500);
        projector.PumpOnce();
        Assert.That(_store.AppliedLsn("s"), Is.EqualTo(new Lsn(1000)));
        Assert.That(ViewVerifier.All(_store, "s").Count(), Is.EqualTo(1000));
        Assert.That(projector.Status.Applied, Is.EqualTo(new Lsn(1000)));
        projector.PumpOnce();
        projector.PumpOnce();
        Assert.That(projector.PumpOnce(), Is.False);
        Assert.That(_store.AppliedLsn("s"), Is.EqualTo(new Lsn(2500)));
    }

    [Test]
    public void The_shelf_that_has_waited_longest_goes_first()
    {
        var projector = Started();
        projector.Offer([_model.Append("b", 1)!], _model.Head);
        projector.Offer([_model.Append("a", 2)!], _model.Head);
        projector.Offer([_model.Append("b", 1)!], _model.Head);
        projector.PumpOnce();
        Assert.That(_store.AppliedLsn("b"), Is.EqualTo(new Lsn(3)));
        Assert.That(_store.AppliedLsn("a"), Is.EqualTo(Lsn.Zero));
    }

    [Test]
    public void A_shelf_ahead_of_the_journal_is_thrown_away()
    {
        _store.Apply("s", [Every_view_store.Document(1, 9, "from a lost time")], new Lsn(9));
        _model.Append("s", 1);
        var projector = Started();
        Assert.That(projector.Gaps, Is.EqualTo((ShelfGap[])[new("s", Lsn.Zero)]));
        Assert.That(projector.Get("s", 1)!.Lsn, Is.EqualTo(new Lsn(1)));
        Assert.That(_store.Shelves, Is.Empty);
    }

    [Test]
    public void A_full_disk_keeps_everything_waiting_and_readable()
    {
        var disk = new Hub.Seams.ModelDisk { SizeLimit = 1000 };
        using var store = new LiteViewStore(disk, new Incarnation(1));
        var projector = new Projector(store, _model.At);
        projector.Start(Lsn.Zero, _model.Positions.Last);
        Offer(projector, 5);
        Assert.That(() => projector.PumpOnce(), Throws.TypeOf<ViewStoreFullException>());
        Assert.That(projector.Waiting, Is.EqualTo(5));
        Assert.That(projector.Get("s", 3)!.Lsn, Is.EqualTo(new Lsn(3)));
        Assert.That(projector.Status.Lag, Is.EqualTo(5));

        disk.SizeLimit = long.MaxValue;
        Assert.That(projector.PumpOnce(), Is.True);
        Assert.That(projector.Status.Lag, Is.Zero);
        Assert.That(ViewVerifier.Verify(store, "s", _model.Documents("s", Lsn.Zero)).Matches, Is.True);
    }

    private Projector Started(ProjectorOptions? options = null)
    {
        var projector = new Projector(_store, _model.At, options);
        projector.Start(_model.Head, _model.Positions.Last);
        return projector;
    }

    private void Offer(Projector projector, int count)
    {
        for (var i = 0; i < count; i++)
        {
            projector.Offer([_model.Append("s", (UInt128)(i + 1))!], _model.Head);
        }
    }
}
