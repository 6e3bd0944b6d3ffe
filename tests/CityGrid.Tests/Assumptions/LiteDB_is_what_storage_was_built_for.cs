#pragma warning disable RS0030 // LiteDB ties a transaction to its thread, and only a second thread shows it.
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Protocol.Names;
using LiteDB;
using LiteDB.Engine;
using NUnit.Framework;

namespace CityGrid.Tests.Assumptions;

/// <summary>
/// What LiteDB 5.0.20 does that hub/Storage is built round. Each test pins one surprise; where an upgrade turns one red, its message says what to
/// look at. A trap that has gone is good news: loosen the code named there, then the test.
/// </summary>
public sealed class LiteDB_is_what_storage_was_built_for
{
    [Test]
    public void The_mapper_turns_an_empty_text_into_null_and_trims_the_others()
    {
        using var database = new LiteDatabase(new MemoryStream(), new BsonMapper());
        var collection = database.GetCollection<Noted>("notes");
        collection.Insert(new Noted { Id = 1, Text = string.Empty });
        collection.Insert(new Noted { Id = 2, Text = "  indented " });
        Assert.That(collection.FindById(1).Text, Is.Null, "Storage builds BsonDocument by hand for this reason; a mapper may do now.");
        Assert.That(collection.FindById(2).Text, Is.EqualTo("indented"), "As above.");
    }

    [Test]
    public void A_document_built_by_hand_keeps_its_texts()
    {
        using var database = new LiteDatabase(new MemoryStream(), new BsonMapper());
        var collection = database.GetCollection("notes");
        collection.Insert(new BsonDocument { ["_id"] = 1, ["text"] = string.Empty, ["more"] = "  indented " });
        Assert.That(collection.FindById(1)["text"].AsString, Is.EqualTo(string.Empty), "LiteShelf relies on it.");
        Assert.That(collection.FindById(1)["more"].AsString, Is.EqualTo("  indented "), "LiteShelf relies on it.");
    }

    [Test]
    public void Guids_are_ordered_as_the_numbers_that_they_are_made_of()
    {
        using var database = new LiteDatabase(new MemoryStream(), new BsonMapper());
        var collection = database.GetCollection("ids");
        UInt128[] numbers = [.. Enumerable.Range(0, 128).Select(bit => UInt128.One << bit), .. Enumerable.Range(0, 128).Select(bit => UInt128.MaxValue >> bit)];
        var random = new SeededEntropy(3);
        foreach (var number in numbers.Distinct().OrderBy(_ => random.NextUInt64()))
        {
            collection.Insert(new BsonDocument { ["_id"] = new Guid(Bytes(number), bigEndian: true) });
        }

        var found = collection.Find(Query.All("_id")).Select(d => System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(d["_id"].AsGuid.ToByteArray(bigEndian: true)));
        Assert.That(found, Is.EqualTo(numbers.Distinct().Order()), "LiteShelf keys its documents so, and pages through them in order of the number.");

        static byte[] Bytes(UInt128 number)
        {
            var bytes = new byte[16];
            System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(bytes, number);
            return bytes;
        }
    }

    [Test]
    public void A_time_loses_what_is_below_a_millisecond_and_comes_back_local()
    {
        var time = new DateTime(2026, 11, 1, 8, 0, 0, DateTimeKind.Utc).AddTicks(1234567);
        using var database = new LiteDatabase(new MemoryStream(), new BsonMapper());
        database.GetCollection("times").Insert(new BsonDocument { ["_id"] = 1, ["at"] = time });
        database.Checkpoint();
        var read = database.GetCollection("times").FindById(1)["at"].AsDateTime;
        Assert.That(read.Kind, Is.EqualTo(DateTimeKind.Local), "LiteShelf sets UTC_DATE and stores no dates at all.");
        Assert.That(read.ToUniversalTime(), Is.EqualTo(new DateTime(2026, 11, 1, 8, 0, 0, 123, DateTimeKind.Utc)), "As above: positions are Int64, times live in the body.");
    }

    [Test]
    public void A_time_comes_back_as_universal_where_the_file_says_so()
    {
        var time = new DateTime(2026, 11, 1, 8, 0, 0, DateTimeKind.Utc);
        using var database = new LiteDatabase(new MemoryStream(), new BsonMapper()) { UtcDate = true };
        database.GetCollection("times").Insert(new BsonDocument { ["_id"] = 1, ["at"] = time });
        database.Checkpoint();
        Assert.That(database.GetCollection("times").FindById(1)["at"].AsDateTime.Kind, Is.EqualTo(DateTimeKind.Utc), "LiteShelf sets UTC_DATE for whoever adds a date one day.");
    }

    [Test]
    public void A_time_with_offset_loses_the_offset_and_its_ticks()
    {
        var time = new DateTimeOffset(2026, 11, 1, 8, 0, 0, TimeSpan.FromHours(8)).AddTicks(1234567);
        using var database = new LiteDatabase(new MemoryStream(), new BsonMapper());
        var collection = database.GetCollection<Noted>("notes");
        collection.Insert(new Noted { Id = 1, At = time });
        database.Checkpoint();
        var read = collection.FindById(1).At;
        Assert.That(read.UtcTicks, Is.EqualTo(time.UtcTicks - (time.UtcTicks % TimeSpan.TicksPerMillisecond)), "No date goes into LiteDB; keep it so.");
        Assert.That(read.Offset, Is.EqualTo(TimeZoneInfo.Local.GetUtcOffset(read)), "As above: the offset is the machine's, not the writer's.");
    }

    [Test]
    public void A_transaction_belongs_to_its_thread_and_a_commit_elsewhere_is_lost()
    {
        using var database = new LiteDatabase(new MemoryStream(), new BsonMapper());
        database.GetCollection("a").Insert(new BsonDocument { ["_id"] = 1 });
        var committed = true;
        var worker = new Thread(() =>
        {
            database.BeginTrans();
            database.GetCollection("a").Insert(new BsonDocument { ["_id"] = 2 });
            var other = new Thread(() => committed = database.Commit());
            other.Start();
            other.Join();
            database.Rollback();
        });
        worker.Start();
        worker.Join();
        Assert.That(committed, Is.False, "OwnerThread exists for this; LiteShelf checks what Commit returns.");
        Assert.That(database.GetCollection("a").Count(), Is.EqualTo(1), "As above.");
    }

    [Test]
    public void An_index_key_has_at_most_1023_bytes()
    {
        using var database = new LiteDatabase(new MemoryStream(), new BsonMapper());
        var collection = database.GetCollection("a");
        Assert.That(() => collection.Insert(new BsonDocument { ["_id"] = new string('x', 1021) }), Throws.Nothing, "ViewLimits: ids are 32 characters, far below.");
        Assert.That(() => collection.Insert(new BsonDocument { ["_id"] = new string('y', 1024) }), Throws.TypeOf<LiteException>(), "As above.");
    }

    [Test]
    public void A_document_larger_than_16_MB_is_refused_and_the_largest_we_allow_is_not()
    {
        using var database = new LiteDatabase(new MemoryStream(), new BsonMapper());
        var collection = database.GetCollection("a");
        Assert.That(() => collection.Insert(new BsonDocument { ["_id"] = 1, ["b"] = new byte[17 << 20] }), Throws.TypeOf<LiteException>(), "ViewLimits.DocumentBytesMax stands below this.");
        Assert.That(() => collection.Insert(new BsonDocument { ["_id"] = 2, ["b"] = new byte[ViewLimits.DocumentBytesMax + 100] }), Throws.Nothing, "ViewLimits.DocumentBytesMax must fit.");
    }

    [Test]
    public void A_rebuild_throws_where_there_is_a_second_index_and_2551_documents()
    {
        var file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        try
        {
            using var database = new LiteDatabase(new ConnectionString { Filename = file, Connection = ConnectionType.Direct }, new BsonMapper());
            var collection = database.GetCollection("a");
            collection.EnsureIndex("k", "$.k");
            collection.Insert(Enumerable.Range(1, 2600).Select(id => new BsonDocument { ["_id"] = id, ["k"] = id }));
            Assert.That(() => database.Rebuild(), Throws.TypeOf<LiteException>().With.Message.Contains("loop"), "A shelf is rebuilt from the journal and never by LiteDB; that may be looked at again.");
        }
        finally
        {
            foreach (var left in Directory.GetFiles(Path.GetTempPath(), Path.GetFileNameWithoutExtension(file) + "*"))
            {
                File.Delete(left);
            }
        }
    }

    [Test]
    public void Every_literal_in_an_expression_is_kept_for_ever_and_a_parameter_is_not()
    {
        var before = KeptExpressions();
        for (var i = 0; i < 500; i++)
        {
            BsonExpression.Create("_id = @0", new BsonValue($"parameter-{i}"));
        }

        Assert.That(KeptExpressions() - before, Is.LessThan(100), "LiteShelf asks by parameter only; other tests ask meanwhile.");
        for (var i = 0; i < 500; i++)
        {
            Query.EQ("_id", new BsonValue($"assumption-{i}"));
        }

        Assert.That(KeptExpressions() - before, Is.GreaterThanOrEqualTo(500), "Query.EQ in a loop leaked here; it may be used now.");

        static int KeptExpressions()
        {
            var caches = typeof(BsonExpression).GetFields(System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Static)
                .Select(field => field.GetValue(null)).OfType<System.Collections.ICollection>().ToList();
            Assert.That(caches, Is.Not.Empty, "The cache of expressions is kept elsewhere now: find it and count there, or drop this test.");
            return caches.Sum(cache => cache.Count);
        }
    }

    [Test]
    public void The_password_encrypts_equal_blocks_alike()
    {
        using var data = new MemoryStream();
        var engine = new LiteEngine(new EngineSettings { DataStream = data, LogStream = new MemoryStream(), Password = "secret" });
        engine.Insert("a", [new BsonDocument { ["_id"] = 1, ["b"] = new byte[8000] }], BsonAutoId.Int32);
        engine.Checkpoint();
        engine.Dispose();
        var blocks = data.ToArray().Chunk(16).Select(Convert.ToHexString).GroupBy(block => block).Max(group => group.Count());
        Assert.That(blocks, Is.GreaterThan(400), "AES-ECB: personal data is sealed by hub/Sealing above the store, and the password is not used.");
    }

    [Test]
    public void A_collation_is_kept_in_the_file_and_orders_by_code_unit()
    {
        using var data = new MemoryStream();
        using (var engine = new LiteEngine(new EngineSettings { DataStream = data, LogStream = new MemoryStream(), Collation = Collation.Binary }))
        {
            engine.Insert("a", ((string[])["b", "B", "a", "北", "上"]).Select(id => new BsonDocument { ["_id"] = id }), BsonAutoId.ObjectId);
            engine.Checkpoint();
        }

        using var again = new LiteDatabase(new MemoryStream(data.ToArray()), new BsonMapper());
        Assert.That(again.Collation.ToString(), Is.EqualTo(Collation.Binary.ToString()), "LiteShelf sets it at creation only.");
        Assert.That(again.GetCollection("a").Query().OrderBy("_id").ToEnumerable().Select(document => document["_id"].AsString),
            Is.EqualTo((string[])["B", "a", "b", "上", "北"]), "Pages are in order of id because hex digits sort so.");
    }

    [Test]
    public void Skipping_reads_every_document_that_is_skipped()
    {
        using var data = new CountingStream();
        using (var engine = new LiteEngine(new EngineSettings { DataStream = data, LogStream = new MemoryStream() }))
        {
            engine.Insert("a", Enumerable.Range(1, 4000).Select(id => new BsonDocument { ["_id"] = id, ["b"] = new byte[400] }), BsonAutoId.Int32);
            engine.Checkpoint();
        }

        Assert.That(Reads(skip: 3990), Is.GreaterThan(50 + Reads(skip: 0)), "Pages go by key (_id > last); Skip may be looked at again.");

        long Reads(int skip)
        {
            using var database = new LiteDatabase(data, new BsonMapper(), new MemoryStream());
            var before = data.Reads;
            Assert.That(database.GetCollection("a").Query().Skip(skip).Limit(5).ToList(), Has.Count.EqualTo(5));
            return data.Reads - before;
        }
    }

    [Test]
    public void Its_files_are_read_and_written_in_whole_pages_through_our_streams()
    {
        var disk = new ModelDisk();
        var sizes = new HashSet<int>();
        disk.Happened = operation => sizes.Add(operation.Kind == "write" ? operation.Length : 0);
        using (var store = new LiteViewStore(disk, new Incarnation(1)))
        {
            for (var lsn = 1; lsn < 20; lsn++)
            {
                store.Apply("s", [new ViewDocument((UInt128)lsn, new Lsn(lsn), new byte[5000])], new Lsn(lsn));
            }
        }

        Assert.That(sizes, Is.SubsetOf((int[])[0, 512, 8200]), "PageStreams refuses anything else; LiteDB reads or writes parts of pages now.");
    }

    [Test]
    public void The_last_page_of_a_committed_transaction_is_marked_at_byte_18_and_comes_last()
    {
        using var log = new MemoryStream();
        using (var engine = new LiteEngine(new EngineSettings { DataStream = new MemoryStream(), LogStream = log }))
        {
            engine.Pragma("CHECKPOINT", 0);
            for (var transaction = 1; transaction <= 10; transaction++)
            {
                engine.BeginTrans();
                engine.Upsert("a", Enumerable.Range(1, 20).Select(id => new BsonDocument { ["_id"] = id, ["b"] = new byte[transaction * 100] }), BsonAutoId.Int32);
                Assert.That(engine.Commit(), Is.True);
            }
        }

        var marks = log.ToArray().Chunk(8192).Select(page => (int)page[PageStreams.IsConfirmedOffset]).ToList();
        Assert.That(marks, Has.Count.GreaterThan(20), "With CHECKPOINT 0 the log is left as it is; LiteDB empties it on closing now.");
        Assert.That(marks, Has.All.InRange(0, 1).And.Exactly(11).EqualTo(1), "PageStreams.RecoverLog cuts the log after the last page marked so; find where the mark is now.");
        Assert.That(marks[^1], Is.EqualTo(1), "As above: the marked page is the last of its transaction.");
        var numbers = log.ToArray().Chunk(8192).Select(page => BitConverter.ToUInt32(page, PageStreams.PageIdOffset)).ToList();
        Assert.That(numbers.Max(), Is.LessThan(marks.Count), "PageStreams.Redo writes a log page where it says it belongs; find where the number is now.");
        Assert.That(numbers, Does.Contain(0u).And.Contain(1u), "As above.");
    }

    [Test]
    public void An_open_transaction_is_found_in_the_engine_and_has_a_finalizer()
    {
        using var engine = new LiteEngine(new EngineSettings { DataStream = new MemoryStream(), LogStream = new MemoryStream() });
        Assert.That(LiteTransactions.Of(engine), Is.Empty);
        Assert.That(engine.BeginTrans(), Is.True);
        var open = LiteTransactions.Of(engine).Single();
        Assert.That(
            open.GetType().GetMethod("Finalize", System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.DeclaredOnly),
            Is.Not.Null, "LiteTransactions calls this finalizer off, which ended the process after a failed write; it may go.");
    }

    [Test]
    public void A_changed_byte_of_its_file_is_read_without_a_word()
    {
        using var data = new MemoryStream();
        using (var engine = new LiteEngine(new EngineSettings { DataStream = data, LogStream = new MemoryStream() }))
        {
            engine.Insert("a", [new BsonDocument { ["_id"] = 1, ["b"] = "right answer" }], BsonAutoId.Int32);
            engine.Checkpoint();
        }

        var bytes = data.ToArray();
        bytes[bytes.AsSpan().IndexOf("right answer"u8)] = (byte)'n';
        using var database = new LiteDatabase(new MemoryStream(bytes), new BsonMapper());
        Assert.That(database.GetCollection("a").FindById(1)["b"].AsString, Is.EqualTo("night answer"), "PageRecords gives every page a check value; LiteDB has one of its own now.");
    }

    [Test]
    public void A_file_keeps_its_length_when_its_documents_go()
    {
        using var data = new MemoryStream();
        using var engine = new LiteEngine(new EngineSettings { DataStream = data, LogStream = new MemoryStream() });
        engine.Insert("a", Enumerable.Range(1, 1000).Select(id => new BsonDocument { ["_id"] = id, ["b"] = new byte[1000] }), BsonAutoId.Int32);
        engine.Checkpoint();
        var full = data.Length;
        engine.DeleteMany("a", "1 = 1");
        engine.Checkpoint();
        Assert.That(data.Length, Is.GreaterThanOrEqualTo(full), "A shelf is a month's file and is dropped whole; deleting in it may be looked at again.");
    }

    [Test]
    public void More_than_100_readers_at_once_are_refused()
    {
        using var engine = new LiteEngine(new EngineSettings { DataStream = new MemoryStream(), LogStream = new MemoryStream() });
        engine.Insert("a", Enumerable.Range(1, 10).Select(id => new BsonDocument { ["_id"] = id }), BsonAutoId.Int32);
        var threads = 0;
        using var open = new CountdownEvent(100);
        using var end = new ManualResetEventSlim();
        var readers = Enumerable.Range(0, 100).Select(_ => new Thread(() =>
        {
            using var reader = engine.Query("a", new Query());
            reader.Read();
            Interlocked.Increment(ref threads);
            open.Signal();
            end.Wait();
        })).ToList();
        readers.ForEach(reader => reader.Start());
        open.Wait();
        Assert.That(() => engine.Query("a", new Query()).Read(), Throws.TypeOf<LiteException>(), "OwnerThread lets one read at a time; readers may be let in beside each other now.");
        end.Set();
        readers.ForEach(reader => reader.Join());
        Assert.That(threads, Is.EqualTo(100));
    }

    /// <summary>Where what the commit before it wrote is still on its way, it waits for that; so once is enough, and one that waits for its own log never returns.</summary>
    [Test]
    public void A_commit_returns_before_the_log_is_written() =>
        Assert.That(Enumerable.Range(0, 10).Any(_ => ReturnsWhileTheLogStands()), Is.True, "A view is never acknowledged from; LiteDB waits for its log now.");

    private static bool ReturnsWhileTheLogStands()
    {
        using var log = new SlowStream();
        using var engine = new LiteEngine(new EngineSettings { DataStream = new MemoryStream(), LogStream = log });
        engine.Insert("a", [new BsonDocument { ["_id"] = 1 }], BsonAutoId.Int32);
        log.Gate.Reset();
        using var inserted = new ManualResetEventSlim();
        var worker = new Thread(() =>
        {
            engine.Insert("a", [new BsonDocument { ["_id"] = 2 }], BsonAutoId.Int32);
            inserted.Set();
        });
        worker.Start();
        var returned = inserted.Wait(TimeSpan.FromSeconds(5));
        log.Gate.Set();
        worker.Join();
        return returned;
    }

    private sealed class Noted
    {
        public int Id { get; set; }

        public string? Text { get; set; }

        public DateTimeOffset At { get; set; }
    }

    private sealed class CountingStream : MemoryStream
    {
        public long Reads { get; private set; }

        public override int Read(byte[] buffer, int offset, int count)
        {
            Reads++;
            return base.Read(buffer, offset, count);
        }

        protected override void Dispose(bool disposing)
        {
        }
    }

    private sealed class SlowStream : MemoryStream
    {
        public ManualResetEventSlim Gate { get; } = new(true);

        public override void Write(byte[] buffer, int offset, int count)
        {
            Gate.Wait();
            base.Write(buffer, offset, count);
        }
    }
}
