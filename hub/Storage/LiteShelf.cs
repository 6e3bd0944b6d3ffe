using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using LiteDB;
using LiteDB.Engine;

namespace CityGrid.Hub.Storage;

/// <summary>
/// One shelf: a LiteDB database of two collections, the documents and the one row that says how far they are applied. A document is
/// {_id: the id as a GUID of the same order, l: lsn, c: CRC32C over id, lsn and body, b: body}. Used by the owner thread only; any exception means that the shelf is
/// to be put aside.
/// </summary>
internal sealed class LiteShelf : IDisposable
{
    public const string DataSuffix = ".db";
    public const string LogSuffix = ".log";
    private const string Documents = "docs";
    private const string Position = "applied";
    private const string Row = "row";

    /// <summary>The form of the documents. Files of another are of another lineage, so they are made again.</summary>
    private const byte Form = 2;

    private readonly PageStreams _streams;
    private readonly LiteEngine _engine;
    private IReadOnlyList<object> _writing = [];

    /// <summary>No document of the shelf has a higher id. Ids begin with the time, so most documents that come have one and need not be looked for.</summary>
    private UInt128 _highest;

    private LiteShelf(PageStreams streams)
    {
        _streams = streams;
        try
        {
            _engine = new LiteEngine(new EngineSettings
            {
                DataStream = streams.Data,
                LogStream = streams.Log,
                TempStream = new MemoryStream(),
                Collation = Collation.Binary,
            });
        }
        catch
        {
            streams.Dispose();
            throw;
        }
    }

    /// <summary>Applied up to.</summary>
    public Lsn Applied { get; private set; }

    /// <summary>Opens the shelf; null where there is none.</summary>
    public static LiteShelf? Open(IDisk disk, string folder, string shelf, Incarnation incarnation)
    {
        var path = $"{folder}/{shelf}";
        var lineage = Lineage(incarnation, shelf);
        if (!disk.Exists(path + DataSuffix))
        {
            return null;
        }

        if (PageRecords.Open(disk, path + DataSuffix, PageFileKind.Data, lineage) is not { } data)
        {
            disk.Delete(path + DataSuffix); // Its creation was cut off.
            return null;
        }

        PageRecords? log = null;
        try
        {
            log = disk.Exists(path + LogSuffix) ? PageRecords.Open(disk, path + LogSuffix, PageFileKind.Log, lineage) : null;
            var streams = new PageStreams(data, log ?? throw new PageDamagedException(path + LogSuffix, 0, "the log is missing."));
            streams.RecoverLog();
            return new LiteShelf(streams).Recovered();
        }
        catch
        {
            data.Dispose();
            log?.Dispose();
            throw;
        }
    }

    public static LiteShelf Create(IDisk disk, string folder, string shelf, Incarnation incarnation, int checkpointPages)
    {
        var path = $"{folder}/{shelf}";
        var lineage = Lineage(incarnation, shelf);
        if (disk.Exists(path + LogSuffix))
        {
            disk.Delete(path + LogSuffix);
        }

        Failpoint.Hit("view.create.before");
        var data = PageRecords.Create(disk, path + DataSuffix, PageFileKind.Data, lineage);
        Failpoint.Hit("view.create.data");
        var log = PageRecords.Create(disk, path + LogSuffix, PageFileKind.Log, lineage);
        disk.SyncFolder(folder);
        var created = new LiteShelf(new PageStreams(data, log));
        created._engine.Pragma("UTC_DATE", true);
        created._engine.Pragma("CHECKPOINT", checkpointPages);
        created._engine.Checkpoint();
        created._streams.Ready();
        Failpoint.Hit("view.create.after");
        return created;
    }

    public void Apply(IReadOnlyList<ViewDocument> documents, Lsn applied)
    {
        Failpoint.Hit("view.apply.before");
        Require(_engine.BeginTrans(), "a transaction was already open");
        _writing = LiteTransactions.Of(_engine);
        var (known, added) = Parted(documents);
        if (known.Count > 0)
        {
            _engine.Upsert(Documents, known.Select(ToBson), BsonAutoId.ObjectId);
        }

        if (added.Count > 0)
        {
            _engine.Insert(Documents, added.Values.Select(ToBson), BsonAutoId.ObjectId);
        }

        _engine.Upsert(Position, [new BsonDocument { ["_id"] = Row, ["l"] = applied.Value }], BsonAutoId.ObjectId);
        Failpoint.Hit("view.apply.written");
        Require(_engine.Commit(), "the transaction was not there to be committed");
        Failpoint.Hit("view.apply.committed");
        RequireSound();
        _writing = [];
        Applied = applied;
        _highest = added.Count > 0 ? added.Keys[^1] : _highest;
    }

    public ViewDocument? Get(UInt128 id)
    {
        var found = First(Documents, "_id = @0", Key(id));
        RequireSound();
        return found is null ? null : FromBson(found);
    }

    public IReadOnlyList<ViewDocument> Page(UInt128 after, int most)
    {
        var query = new Query { OrderBy = BsonExpression.Create("_id"), Limit = most };
        query.Where.Add(BsonExpression.Create("_id > @0", Key(after)));
        var page = new List<ViewDocument>(Math.Min(most, ViewLimits.DocumentsMax));
        using (var reader = _engine.Query(Documents, query))
        {
            while (reader.Read())
            {
                page.Add(FromBson(reader.Current.AsDocument));
            }
        }

        RequireSound();
        return page;
    }

    /// <summary>Empties the log into the data file and closes both.</summary>
    public void Close()
    {
        Failpoint.Hit("view.close.before");
        _engine.Checkpoint();
        RequireSound();
        Failpoint.Hit("view.close.emptied");
        Dispose();
    }

    /// <summary>Closes without writing anything more: for a shelf that is doubted.</summary>
    public void Dispose()
    {
        _streams.Abandon();
        LiteTransactions.LetGo([.. _writing, .. LiteTransactions.Of(_engine)]);
        try
        {
            _engine.Dispose();
        }
        catch (Exception)
        {
            // It wanted to write its log out, which a doubted shelf must not.
        }

        _streams.Dispose();
    }

    private LiteShelf Recovered()
    {
        try
        {
            // The log is emptied before anything is added to it: what it holds is committed and durable by now.
            _engine.Checkpoint();
            if (First(Position, "_id = @0", Row) is { } row)
            {
                Applied = new Lsn(row["l"].AsInt64);
            }
            else if (First(Documents, "_id > @0", Key(UInt128.Zero)) is not null)
            {
                throw new InvalidDataException("there are documents, but no row says how far they are applied.");
            }

            _highest = Highest();
            RequireSound();
            return this;
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    private UInt128 Highest()
    {
        using var reader = _engine.Query(Documents, new Query { OrderBy = BsonExpression.Create("_id"), Order = Query.Descending, Limit = 1 });
        return reader.Read() ? FromBson(reader.Current.AsDocument).Id : UInt128.Zero;
    }

    /// <summary>Those that may be in the shelf already, and those that cannot, each once and in order of id.</summary>
    private (List<ViewDocument> Known, SortedList<UInt128, ViewDocument> Added) Parted(IReadOnlyList<ViewDocument> documents)
    {
        var known = new List<ViewDocument>();
        var added = new SortedList<UInt128, ViewDocument>(documents.Count);
        foreach (var document in documents)
        {
            if (document.Id > _highest)
            {
                added[document.Id] = document;
            }
            else
            {
                known.Add(document);
            }
        }

        return (known, added);
    }

    private BsonDocument? First(string collection, string where, BsonValue value)
    {
        var query = new Query { Limit = 1 };
        query.Where.Add(BsonExpression.Create(where, value));
        using var reader = _engine.Query(collection, query);
        return reader.Read() ? reader.Current.AsDocument : null;
    }

    private void RequireSound()
    {
        if (_streams.Fault is { } fault)
        {
            throw new IOException("A write to the view's files failed.", fault);
        }
    }

    private static void Require(bool condition, string otherwise)
    {
        if (!condition)
        {
            throw new InvalidOperationException(otherwise);
        }
    }

    /// <summary>What the files of this shelf of this journal bear, so that files renamed or brought from elsewhere are known as such.</summary>
    private static UInt128 Lineage(Incarnation incarnation, string shelf) =>
        BinaryPrimitives.ReadUInt128LittleEndian(SHA256.HashData([Form, .. incarnation.ToBytes(), .. Encoding.UTF8.GetBytes(shelf)]));

    /// <summary>A GUID takes half the room of hex digits in each node of the index, and makes no string of each that is passed. LiteDB orders it as the number is ordered.</summary>
    private static BsonValue Key(UInt128 id)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, id);
        return new BsonValue(new Guid(bytes, bigEndian: true));
    }

    private static UInt128 IdOf(BsonValue key)
    {
        Span<byte> bytes = stackalloc byte[16];
        key.AsGuid.TryWriteBytes(bytes, bigEndian: true, out _);
        return BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }

    private static BsonDocument ToBson(ViewDocument document)
    {
        var body = MemoryMarshal.TryGetArray(document.Bytes, out var array) && array.Offset == 0 && array.Count == array.Array!.Length
            ? array.Array
            : document.Bytes.ToArray();
        return new BsonDocument
        {
            ["_id"] = Key(document.Id),
            ["l"] = document.Lsn.Value,
            ["c"] = unchecked((int)Checksum(document.Id, document.Lsn, body)),
            ["b"] = body,
        };
    }

    private static ViewDocument FromBson(BsonDocument found)
    {
        var id = IdOf(found["_id"]);
        var lsn = new Lsn(found["l"].AsInt64);
        var body = found["b"].AsBinary;
        return unchecked((uint)found["c"].AsInt32) == Checksum(id, lsn, body)
            ? new ViewDocument(id, lsn, body)
            : throw new InvalidDataException($"document {id:x32} is not what was written.");
    }

    private static uint Checksum(UInt128 id, Lsn lsn, ReadOnlySpan<byte> body)
    {
        Span<byte> name = stackalloc byte[24];
        BinaryPrimitives.WriteUInt128LittleEndian(name, id);
        BinaryPrimitives.WriteInt64LittleEndian(name[16..], lsn.Value);
        return Crc32C.Of(body, Crc32C.Of(name));
    }
}
