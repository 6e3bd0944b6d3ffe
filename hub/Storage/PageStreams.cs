using System.Buffers.Binary;

namespace CityGrid.Hub.Storage;

/// <summary>
/// The two files of a shelf as the two streams that LiteDB asks for, with the order of writes that it leaves out: no page of the data file is
/// written before the log that holds it is durable, and no log is emptied before the data file is. LiteDB's own flushes do nothing, because a
/// view need not survive: after a power failure the shelf is where some past transaction left it, or it is found damaged, never mixed.
/// The syncs of a checkpoint (every 1,000 pages, 8 MB) are four.
/// </summary>
internal sealed class PageStreams : IDisposable
{
    /// <summary>Where LiteDB 5 marks a log page as the last of a committed transaction; pinned in the assumption tests.</summary>
    public const int IsConfirmedOffset = 18;

    /// <summary>Where a log page says which page of the data file it is, as u32; pinned there too.</summary>
    public const int PageIdOffset = 0;

    private readonly Lock _lock = new();
    private readonly PageRecords _data;
    private readonly PageRecords _log;
    private long _logPages;
    private bool _abandoned;

    public PageStreams(PageRecords data, PageRecords log)
    {
        _data = data;
        _log = log;
        Data = new PageStream(this, isLog: false);
        Log = new PageStream(this, isLog: true);
    }

    public PageStream Data { get; }

    public PageStream Log { get; }

    /// <summary>The first failure: LiteDB writes its log on a thread of its own and does not always tell.</summary>
    public Exception? Fault { get; private set; }

    /// <summary>
    /// Cuts the log after the last committed transaction. Past the first unsound page nothing was ever durable, unless the log says that it was
    /// (then it is damage). An unfinished transaction must go as well: LiteDB 5.0.20 would give its number to a new one and mix the two.
    /// </summary>
    public void RecoverLog()
    {
        if (_log.Count > 0 || _log.SealedPages > 0)
        {
            // The last program did not close the shelf; a sync of it may have failed, and then only the medium tells the truth.
            _data.DropCache();
            _log.DropCache();
        }

        var page = new byte[PageRecords.PageBytes];
        long sound = 0;
        long committed = 0;
        while (sound < _log.Count && _log.TryRead(sound, page))
        {
            sound++;
            if (page[IsConfirmedOffset] != 0)
            {
                committed = sound;
            }
        }

        // An empty log beside such a header is a checkpoint that came to its end: it empties the log in the same sync.
        if (sound < _log.SealedPages && _log.Count > 0)
        {
            throw new PageDamagedException("log", sound, $"page {sound} of {_log.SealedPages} durable pages is not what was written.");
        }

        if (_log.SealedPages > committed)
        {
            _log.WriteHeader(PageFileState.Ready, committed);
            _log.Sync();
        }

        var checkpointBegan = _log.SealedPages > 0;
        _logPages = committed;
        if (_log.CutTo(committed))
        {
            _log.Sync();
        }

        if (checkpointBegan)
        {
            Redo(committed);
        }
    }

    /// <summary>
    /// A checkpoint was begun, so pages of the data file may be torn. Each of them stands whole in the durable log, and LiteDB reads the data file
    /// before it looks there: so they are written first. Its own checkpoint, which follows, writes them once more.
    /// </summary>
    private void Redo(long pages)
    {
        var page = new byte[PageRecords.PageBytes];
        for (long number = 0; number < pages; number++)
        {
            _log.Read(number, page);
            _data.Write(BinaryPrimitives.ReadUInt32LittleEndian(page.AsSpan(PageIdOffset)), page);
        }
    }

    /// <summary>Says that the creation is complete: everything is durable and counts.</summary>
    public void Ready()
    {
        lock (_lock)
        {
            _data.Sync();
            _data.WriteHeader(PageFileState.Ready, 0);
            _data.Sync();
        }
    }

    /// <summary>From now on nothing reaches the files.</summary>
    public void Abandon()
    {
        lock (_lock)
        {
            _abandoned = true;
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _abandoned = true;
            _data.Dispose();
            _log.Dispose();
        }
    }

    private long Length(bool isLog) => Guarded(() => (isLog ? _logPages : _data.Count) * PageRecords.PageBytes);

    private void Read(bool isLog, long number, byte[] buffer, int offset) =>
        Guarded(() =>
        {
            (isLog ? _log : _data).Read(number, buffer.AsSpan(offset, PageRecords.PageBytes));
            return 0;
        });

    private void Write(bool isLog, long number, byte[] buffer, int offset)
    {
        if (isLog)
        {
            WriteLog(number, buffer.AsSpan(offset, PageRecords.PageBytes));
            return;
        }

        Guarded(() =>
        {
            if (Fault is not null)
            {
                throw new IOException("The log was not written, so nothing of it goes into the data file.", Fault);
            }

            SealLog();
            _data.Write(number, buffer.AsSpan(offset, PageRecords.PageBytes));
            return 0;
        });
    }

    /// <summary>
    /// LiteDB writes its log on a thread of its own, and where that thread ends by an exception whoever waits for it waits for ever. So it gets none:
    /// a failure is kept in <see cref="Fault"/>, and after it nothing more is written.
    /// </summary>
    private void WriteLog(long number, ReadOnlySpan<byte> page)
    {
        lock (_lock)
        {
            if (_abandoned || Fault is not null)
            {
                return;
            }

            try
            {
                _log.Write(number, page);
                _logPages = Math.Max(_logPages, number + 1);
            }
            catch (Exception failure)
            {
                Fault = failure;
            }
        }
    }

    /// <summary>Makes the log durable before the first page of it goes into the data file, and says so in its header.</summary>
    private void SealLog()
    {
        if (_logPages > _log.SealedPages)
        {
            _log.Sync();
            _log.WriteHeader(PageFileState.Ready, _logPages);
            _log.Sync();
        }
    }

    private void SetLength(bool isLog, long pages) =>
        Guarded(() =>
        {
            if (!isLog)
            {
                _data.CutTo(pages);
                return 0;
            }

            if (_data.Dirty)
            {
                _data.Sync();
            }

            if (_logPages > pages || _log.SealedPages > pages)
            {
                _log.CutTo(pages);
                _log.WriteHeader(PageFileState.Ready, Math.Min(_log.SealedPages, pages));
                _log.Sync();
                _logPages = pages;
            }

            return 0;
        });

    private T Guarded<T>(Func<T> work)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_abandoned, this);
            try
            {
                return work();
            }
            catch (Exception failure)
            {
                Fault ??= failure;
                throw;
            }
        }
    }

    /// <summary>One file, page by page: LiteDB reads and writes nothing else.</summary>
    internal sealed class PageStream(PageStreams streams, bool isLog) : Stream
    {
        private long _position;

        public override bool CanRead => true;

        public override bool CanSeek => true;

        public override bool CanWrite => true;

        public override long Length => streams.Length(isLog);

        public override long Position { get => _position; set => _position = value; }

        public override int Read(byte[] buffer, int offset, int count)
        {
            for (var done = 0; done < count; done += PageRecords.PageBytes)
            {
                streams.Read(isLog, Number(count), buffer, offset + done); // LiteDB does not look at how much it got: past the end throws.
                _position += PageRecords.PageBytes;
            }

            return count;
        }

        public override void Write(byte[] buffer, int offset, int count)
        {
            for (var done = 0; done < count; done += PageRecords.PageBytes)
            {
                streams.Write(isLog, Number(count), buffer, offset + done);
                _position += PageRecords.PageBytes;
            }
        }

        public override void SetLength(long value) => streams.SetLength(isLog, value / PageRecords.PageBytes);

        public override long Seek(long offset, SeekOrigin origin) => _position = origin switch
        {
            SeekOrigin.Begin => offset,
            SeekOrigin.Current => _position + offset,
            _ => Length + offset,
        };

        public override void Flush()
        {
        }

        private long Number(int count) =>
            _position % PageRecords.PageBytes == 0 && count % PageRecords.PageBytes == 0
                ? _position / PageRecords.PageBytes
                : throw new NotSupportedException($"{count} bytes at {_position}: view files are read and written in whole pages.");
    }
}
