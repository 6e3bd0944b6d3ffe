using System.Buffers.Binary;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;

namespace CityGrid.Hub.Storage;

/// <summary>
/// LiteDB's pages in a file of ours. LiteDB 5.0.20 has no checksum on a page or in its log, so each page is kept as a record of 8,200 bytes: the
/// page, a CRC32C over the page and its number, and a constant. The file starts with a header sector {magic 8 B, format 2 B, kind 2 B, state 2 B,
/// zero 2 B, lineage 16 B, sealed pages 8 B, CRC32C 4 B}; magic, format and CRC stay where they are in every later format. A changed bit, a torn page and a page that never arrived are found on reading.
/// </summary>
internal sealed class PageRecords : IDisposable
{
    public const int PageBytes = 8192;
    private const int RecordBytes = PageBytes + 8;
    private const int HeaderBytes = 512;
    private const int HeaderCheckedBytes = 40;
    private const ushort Format = 1;
    private const uint Trailer = 0x31474750; // "PGG1"
    private static readonly byte[] Magic = "CGPAGES\n"u8.ToArray();

    private readonly IDiskFile _file;
    private readonly string _path;
    private readonly PageFileKind _kind;
    private readonly UInt128 _lineage;
    private readonly byte[] _record = new byte[RecordBytes];

    private PageRecords(IDiskFile file, string path, PageFileKind kind, UInt128 lineage)
    {
        _file = file;
        _path = path;
        _kind = kind;
        _lineage = lineage;
    }

    public PageFileState State { get; private set; }

    /// <summary>For a log: how many of its pages were durable when the data file was last written to; 0 before that.</summary>
    public long SealedPages { get; private set; }

    /// <summary>Something was written since the last sync.</summary>
    public bool Dirty { get; private set; }

    /// <summary>Whole records in the file, sound or not.</summary>
    public long Count => Math.Max(0, (_file.Length - HeaderBytes) / RecordBytes);

    /// <summary>Makes a new file, durable but for its folder entry; a data file counts only once its header says <see cref="PageFileState.Ready"/>.</summary>
    public static PageRecords Create(IDisk disk, string path, PageFileKind kind, UInt128 lineage)
    {
        var records = new PageRecords(disk.Open(path, DiskAccess.CreateNew), path, kind, lineage);
        records.WriteHeader(kind == PageFileKind.Data ? PageFileState.Creating : PageFileState.Ready, 0);
        records.Sync();
        return records;
    }

    /// <summary>Opens a file that exists; null for one whose creation never came to its end.</summary>
    public static PageRecords? Open(IDisk disk, string path, PageFileKind kind, UInt128 lineage)
    {
        var records = new PageRecords(disk.Open(path, DiskAccess.ReadWrite), path, kind, lineage);
        try
        {
            if (records.ReadHeader())
            {
                return records;
            }
        }
        catch
        {
            records.Dispose();
            throw;
        }

        records.Dispose();
        return null;
    }

    /// <summary>Reads a page; throws <see cref="PageDamagedException"/> where it is not the one that was written.</summary>
    public void Read(long number, Span<byte> page)
    {
        if (!TryRead(number, page))
        {
            throw new PageDamagedException(_path, OffsetOf(number), $"page {number} is not what was written.");
        }
    }

    /// <summary>False, and an undefined page, where the record is missing, torn or changed.</summary>
    public bool TryRead(long number, Span<byte> page)
    {
        if (_file.Read(OffsetOf(number), _record) < RecordBytes
            || BinaryPrimitives.ReadUInt32LittleEndian(_record.AsSpan(PageBytes)) != Checksum(number)
            || BinaryPrimitives.ReadUInt32LittleEndian(_record.AsSpan(PageBytes + 4)) != Trailer)
        {
            return false;
        }

        _record.AsSpan(0, PageBytes).CopyTo(page);
        return true;
    }

    public void Write(long number, ReadOnlySpan<byte> page)
    {
        page.CopyTo(_record);
        BinaryPrimitives.WriteUInt32LittleEndian(_record.AsSpan(PageBytes), Checksum(number));
        BinaryPrimitives.WriteUInt32LittleEndian(_record.AsSpan(PageBytes + 4), Trailer);
        Dirty = true;
        _file.Write(OffsetOf(number), _record);
    }

    public void WriteHeader(PageFileState state, long sealedPages)
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        header.Clear();
        Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt16LittleEndian(header[8..], Format);
        BinaryPrimitives.WriteUInt16LittleEndian(header[10..], (ushort)_kind);
        BinaryPrimitives.WriteUInt16LittleEndian(header[12..], (ushort)state);
        BinaryPrimitives.WriteUInt128LittleEndian(header[16..], _lineage);
        BinaryPrimitives.WriteInt64LittleEndian(header[32..], sealedPages);
        BinaryPrimitives.WriteUInt32LittleEndian(header[HeaderCheckedBytes..], Crc32C.Of(header[..HeaderCheckedBytes]));
        Dirty = true;
        _file.Write(0, header);
        (State, SealedPages) = (state, sealedPages);
    }

    /// <summary>Ends the file after so many records; false, and nothing written, where it ends there already.</summary>
    public bool CutTo(long count)
    {
        if (_file.Length == OffsetOf(count))
        {
            return false;
        }

        Dirty = true;
        _file.Truncate(OffsetOf(count));
        return true;
    }

    public void Sync()
    {
        _file.Sync();
        Dirty = false;
    }

    /// <summary>Reads from the medium from now on, not from what the operating system remembers.</summary>
    public void DropCache() => _file.DropCache();

    public void Dispose() => _file.Dispose();

    private static long OffsetOf(long number) => HeaderBytes + (number * RecordBytes);

    private uint Checksum(long number)
    {
        Span<byte> place = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(place, number);
        return Crc32C.Of(_record.AsSpan(0, PageBytes), Crc32C.Of(place));
    }

    private bool ReadHeader()
    {
        Span<byte> header = stackalloc byte[HeaderCheckedBytes + 4];
        var sound = _file.Read(0, header) == header.Length
            && BinaryPrimitives.ReadUInt32LittleEndian(header[HeaderCheckedBytes..]) == Crc32C.Of(header[..HeaderCheckedBytes])
            && header[..8].SequenceEqual(Magic);
        if (!sound)
        {
            // The header is durable before anything else is written, so a file that is longer was whole once.
            return _file.Length <= HeaderBytes ? false : throw new PageDamagedException(_path, 0, "the header is not what was written.");
        }

        if (BinaryPrimitives.ReadUInt16LittleEndian(header[8..]) is var format && format > Format)
        {
            throw new NewerFormatException(_path, format, Format);
        }

        if (format != Format || BinaryPrimitives.ReadUInt16LittleEndian(header[10..]) != (ushort)_kind)
        {
            throw new PageDamagedException(_path, 0, "the file is of another format.");
        }

        if (BinaryPrimitives.ReadUInt128LittleEndian(header[16..]) != _lineage)
        {
            throw new PageDamagedException(_path, 0, "it is of another shelf or journal.");
        }

        State = (PageFileState)BinaryPrimitives.ReadUInt16LittleEndian(header[12..]);
        SealedPages = BinaryPrimitives.ReadInt64LittleEndian(header[32..]);
        return State != PageFileState.Creating;
    }
}

internal enum PageFileKind : ushort
{
    Data = 1,
    Log = 2,
}

internal enum PageFileState : ushort
{
    /// <summary>Nothing in it counts yet: a crash now leaves a file to be deleted.</summary>
    Creating = 1,

    Ready = 2,
}

/// <summary>A page of a view file is not what was written there.</summary>
internal sealed class PageDamagedException(string path, long offset, string what) : IOException($"{path}:{offset}: {what}");
