using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CsCheck;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Journal;

/// <summary>What every journal does, whatever it keeps its records in.</summary>
public abstract class A_journal
{
    [TearDown]
    public void End() => Journal?.Dispose();

    protected IJournal Journal { get; set; } = null!;

    /// <summary>How many drawn histories are compared; few where each sync waits for a real disk.</summary>
    protected virtual int Histories => 200;

    /// <summary>A new and empty one, of which <see cref="Reopened"/> is the restart.</summary>
    protected abstract IJournal Created(ulong seed);

    protected abstract IJournal Reopened();

    [SetUp]
    public void Begin() => Journal = Created(1);

    [Test]
    public void Is_empty_at_first()
    {
        Assert.Multiple(() =>
        {
            Assert.That(Journal.Head, Is.EqualTo(new JournalHead(Lsn.Zero, Hash256.Zero)));
            Assert.That(Journal.ReadFrom(Lsn.Zero), Is.Empty);
            Assert.That(Journal.ReadAt(Lsn.Zero), Is.Null);
            Assert.That(Journal.ReadAt(new Lsn(1)), Is.Null);
            Assert.That(Journal.ChainHashAt(Lsn.Zero), Is.EqualTo(Hash256.Zero));
            Assert.That(Journal.ChainHashAt(new Lsn(1)), Is.Null);
            Assert.That(Journal.LoadSnapshot(), Is.Null);
            Assert.That(Journal.Incarnation.IsNone, Is.False);
        });
    }

    [Test]
    public void Gives_every_event_a_position_and_a_record_the_span_of_its_events()
    {
        var result = Journal.Append([Drafts.Of("a", [1], [2]), Drafts.Of("b", [3])], Drafts.Noon);
        Assert.That(result.Appended);
        Assert.That(result.Ranges, Is.EqualTo(new[]
        {
            new LsnRange(new(1), new(2), Drafts.Noon) { ChainHash = Journal.ReadAt(new Lsn(1))!.Hash },
            new LsnRange(new(3), new(3), Drafts.Noon) { ChainHash = Journal.Head.ChainHash },
        }));
        Assert.That(result.Head, Is.EqualTo(Journal.Head));
        var second = Journal.ReadAt(new Lsn(2))!;
        Assert.That((second.First, second.Last, second.Actor), Is.EqualTo((new Lsn(1), new Lsn(2), "a")));
        Assert.That(second.Events[1].Payload.ToArray(), Is.EqualTo(new byte[] { 2 }));
        Assert.That((second.Events[1].RecordFirst, second.Events[1].RecordLast), Is.EqualTo((new Lsn(1), new Lsn(2))));
    }

    [Test]
    public void Chains_each_record_to_the_one_before_it()
    {
        Journal.Append([Drafts.Of("a", [1], [2]), Drafts.Of("b", [3])], Drafts.Noon);
        var records = Journal.ReadFrom(Lsn.Zero).ToList();
        Assert.Multiple(() =>
        {
            Assert.That(records[0].PreviousHash, Is.EqualTo(Hash256.Zero));
            Assert.That(records[1].PreviousHash, Is.EqualTo(records[0].Hash));
            Assert.That(Journal.Head, Is.EqualTo(new JournalHead(new Lsn(3), records[1].Hash)));
            Assert.That(Journal.ChainHashAt(new Lsn(1)), Is.EqualTo(records[0].Hash), "within a record: the hash after it");
            Assert.That(Journal.ChainHashAt(new Lsn(2)), Is.EqualTo(records[0].Hash));
            Assert.That(Journal.ChainHashAt(new Lsn(3)), Is.EqualTo(records[1].Hash));
            Assert.That(Journal.ChainHashAt(new Lsn(4)), Is.Null);
        });
    }

    [Test]
    public void Reads_the_record_that_a_cursor_stands_within_again()
    {
        Journal.Append([Drafts.Of("a", [1], [2]), Drafts.Of("b", [3])], Drafts.Noon);
        Assert.That(Journal.ReadFrom(new Lsn(1)).Select(record => record.First.Value), Is.EqualTo(new[] { 1, 3 }));
        Assert.That(Journal.ReadFrom(new Lsn(2)).Select(record => record.First.Value), Is.EqualTo(new[] { 3 }));
        Assert.That(Journal.ReadFrom(new Lsn(3)), Is.Empty);
        Assert.That(Journal.ReadFrom(new Lsn(99)), Is.Empty);
    }

    [Test]
    public void Appends_nothing_when_the_head_is_another_than_expected()
    {
        Journal.Append([Drafts.Of("a", [1])], Drafts.Noon, Lsn.Zero);
        var head = Journal.Head;
        Assert.That(Journal.Append([Drafts.Of("a", [2])], Drafts.Noon, Lsn.Zero), Is.EqualTo(new AppendResult(false, [], head)).Using<AppendResult>(Same));
        Assert.That(Journal.Append([], Drafts.Noon, head.Lsn).Appended);
        Assert.That(Journal.Append([Drafts.Of("a", [2])], Drafts.Noon, head.Lsn).Appended);
        Assert.That(Journal.Head.Lsn, Is.EqualTo(new Lsn(2)));
    }

    [Test]
    public void Refuses_what_it_cannot_keep_and_appends_nothing_of_it()
    {
        var one = Drafts.Of("a", [1]);
        Assert.Multiple(() =>
        {
            Assert.That(() => Journal.Append([one, Drafts.Of("a")], Drafts.Noon), Throws.ArgumentException);
            Assert.That(() => Journal.Append([one, Drafts.Of(new string('x', 600), [1])], Drafts.Noon), Throws.ArgumentException);
            Assert.That(() => Journal.Append([one, Drafts.Of("a", new byte[JournalLimits.RecordBytesMax])], Drafts.Noon), Throws.ArgumentException);
            Assert.That(() => Journal.Append([one, Drafts.Of("a", [.. Enumerable.Repeat<byte[]>([1], 1025)])], Drafts.Noon), Throws.ArgumentException);
            Assert.That(() => Journal.Append([.. Enumerable.Repeat(one, 4097)], Drafts.Noon), Throws.ArgumentException);
        });
        Assert.That(Journal.Head.Lsn, Is.EqualTo(Lsn.Zero));
        Assert.That(Journal.Append([one], Drafts.Noon).Appended);
    }

    [Test]
    public void Keeps_payloads_of_its_own()
    {
        byte[] payload = [1, 2, 3];
        Journal.Append([Drafts.Of("a", payload)], Drafts.Noon);
        payload[0] = 9;
        Assert.That(Journal.ReadAt(new Lsn(1))!.Events[0].Payload.ToArray(), Is.EqualTo(new byte[] { 1, 2, 3 }));
    }

    [Test]
    public void Keeps_an_instant_to_a_tenth_of_a_microsecond_and_says_so_at_once()
    {
        var odd = Drafts.Noon.PlusNanoseconds(1234);
        var range = Journal.Append([Drafts.Of("操作员", [1])], odd).Ranges[0];
        Assert.That(range.RecordedAt, Is.EqualTo(Drafts.Noon.PlusNanoseconds(1200)));
        var record = Journal.ReadAt(new Lsn(1))!;
        Assert.That((record.RecordedAt, record.Actor), Is.EqualTo((range.RecordedAt, "操作员")));
    }

    [Test]
    public void Goes_on_where_it_was_after_a_restart()
    {
        Journal.Append([Drafts.Of("a", [1], [2])], Drafts.Noon);
        var (incarnation, head) = (Journal.Incarnation, Journal.Head);
        Journal = Reopened();
        Assert.That((Journal.Incarnation, Journal.Head), Is.EqualTo((incarnation, head)));
        Assert.That(Journal.Append([Drafts.Of("b", [3])], Drafts.Noon, head.Lsn).Ranges[0].First, Is.EqualTo(new Lsn(3)));
    }

    [Test]
    public void Keeps_nothing_after_it_was_closed()
    {
        Journal.Dispose();
        Assert.That(() => Journal.Append([Drafts.Of("a", [1])], Drafts.Noon), Throws.TypeOf<JournalClosedException>());
        Assert.That(() => Journal.SaveSnapshot(Lsn.Zero, []), Throws.TypeOf<JournalClosedException>());
    }

    [Test]
    public void Keeps_the_newest_snapshot_with_the_chain_hash_there()
    {
        Journal.Append([Drafts.Of("a", [1], [2]), Drafts.Of("b", [3])], Drafts.Noon);
        Journal.SaveSnapshot(new Lsn(2), [new("cells", 3, new byte[] { 7, 8 }), new("links", 1, ReadOnlyMemory<byte>.Empty)]);
        Journal = Reopened();
        var snapshot = Journal.LoadSnapshot()!;
        Assert.That((snapshot.Lsn, snapshot.ChainHash), Is.EqualTo((new Lsn(2), Journal.ChainHashAt(new Lsn(2))!.Value)));
        Assert.That(snapshot.Folds.Select(fold => $"{fold.Name} {fold.Version} {Convert.ToHexString(fold.Bytes.Span)}"), Is.EqualTo(new[] { "cells 3 0708", "links 1 " }));
        Journal.SaveSnapshot(new Lsn(3), []);
        Assert.That(Journal.LoadSnapshot()!.Lsn, Is.EqualTo(new Lsn(3)));
    }

    [TestCase(1)]
    [TestCase(4)]
    public void Takes_no_snapshot_at_a_position_that_ends_no_record(long lsn)
    {
        Journal.Append([Drafts.Of("a", [1], [2]), Drafts.Of("b", [3])], Drafts.Noon);
        Assert.That(() => Journal.SaveSnapshot(new Lsn(lsn), []), Throws.ArgumentException);
    }

    /// <summary>Any sequence of appends, reads, restarts and snapshots against a list of records.</summary>
    [Test]
    public void Answers_as_a_list_of_records_would() => Gen.ULong.Sample(
        value =>
        {
            var seed = new SeededEntropy(value);
            Journal.Dispose();
            Journal = Created(value);
            using var model = new MemoryJournal(new SeededEntropy(value));
            for (var step = 0; step < 25; step++)
            {
                Step(seed, model, step);
            }

            Journal.Dispose();
        },
        iter: Histories,
        threads: 1);

    private void Step(SeededEntropy seed, MemoryJournal model, int step)
    {
        var at = new Lsn(seed.Below((int)model.Head.Lsn.Value + 3));
        switch (seed.Below(8))
        {
            case 0:
                Assert.That(Journal.ReadFrom(at).Select(Drafts.Text), Is.EqualTo(model.ReadFrom(at).Select(Drafts.Text)));
                break;
            case 1:
                Assert.That(Journal.ReadAt(at) is { } record ? Drafts.Text(record) : null, Is.EqualTo(model.ReadAt(at) is { } other ? Drafts.Text(other) : null));
                Assert.That(Journal.ChainHashAt(at), Is.EqualTo(model.ChainHashAt(at)));
                break;
            case 2:
                Journal = Reopened();
                break;
            case 3 when model.Head.Lsn > Lsn.Zero:
                Journal.SaveSnapshot(model.Head.Lsn, [new("f", 1, new[] { (byte)step })]);
                model.SaveSnapshot(model.Head.Lsn, [new("f", 1, new[] { (byte)step })]);
                break;
            default:
                var batch = Drafts.Batch(seed, 4, 700);
                var recordedAt = Drafts.Noon + Duration.FromNanoseconds(seed.Below(1_000_000));
                Assert.That(Journal.Append(batch, recordedAt), Is.EqualTo(model.Append(batch, recordedAt)).Using<AppendResult>(Same));
                break;
        }

        var (mine, its) = (Journal.LoadSnapshot(), model.LoadSnapshot());
        Assert.That((Journal.Head, mine?.Lsn, mine?.ChainHash), Is.EqualTo((model.Head, its?.Lsn, its?.ChainHash)));
        Assert.That(mine?.Folds[0].Bytes.ToArray(), Is.EqualTo(its?.Folds[0].Bytes.ToArray()));
    }

    private static bool Same(AppendResult a, AppendResult b) => a.Appended == b.Appended && a.Head == b.Head && a.Ranges.SequenceEqual(b.Ranges);
}

[TestFixture, FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class A_memory_journal : A_journal
{
    protected override IJournal Created(ulong seed) => new MemoryJournal(new SeededEntropy(seed));

    protected override IJournal Reopened() => ((MemoryJournal)Journal).Reopen();
}

/// <summary>With segments so small that every few batches begin one, packed at once.</summary>
[TestFixture, FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class A_file_journal_on_a_model_disk : A_journal
{
    private static readonly JournalOptions Small = new() { SegmentBytes = 3000, BlockBytes = 1000, FrameBytesMax = 2500 };

    private ModelDisk _disk = new();

    protected override IJournal Created(ulong seed)
    {
        _disk = new ModelDisk();
        return FileJournal.Open(_disk, new SeededEntropy(seed), Drafts.Node, Small, new AtOnce());
    }

    protected override IJournal Reopened()
    {
        Journal.Dispose();
        _disk.Kill();
        return FileJournal.Open(_disk, new SeededEntropy(0), Drafts.Node, Small, new AtOnce());
    }
}

[TestFixture, FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class A_file_journal_in_a_folder : A_journal
{
    private readonly string _root = Path.Combine(Path.GetTempPath(), "citygrid-" + Path.GetRandomFileName());
    private int _count;

    protected override int Histories => 5;

    [TearDown]
    public void Remove() => Directory.Delete(_root, recursive: true);

    protected override IJournal Created(ulong seed)
    {
        _count++;
        return Open(seed);
    }

    protected override IJournal Reopened()
    {
        Journal.Dispose();
        return Open(0);
    }

    private FileJournal Open(ulong seed) => FileJournal.Open(
        PosixDisk.At(Path.Combine(_root, $"{_count}")), new SeededEntropy(seed), Drafts.Node, new JournalOptions { SegmentBytes = 20_000 }, new AtOnce());
}

/// <summary>Background work that is done before the call returns.</summary>
internal sealed class AtOnce : ISpawner
{
    public void Spawn(string name, Func<CancellationToken, Task> work) => work(CancellationToken.None).GetAwaiter().GetResult();
}
