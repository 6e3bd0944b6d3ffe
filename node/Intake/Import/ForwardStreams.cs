using System.IO.Compression;

namespace CityGrid.Node.Intake.Import;

/// <summary>A stream that is only read, and only forward.</summary>
internal abstract class ForwardStream : Stream
{
    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public abstract override int Read(Span<byte> buffer);

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}

/// <summary>Bytes already taken from a stream, then the stream.</summary>
internal sealed class JoinedStream(ReadOnlyMemory<byte> head, Stream rest) : ForwardStream
{
    private ReadOnlyMemory<byte> _head = head;

    public override int Read(Span<byte> buffer)
    {
        if (_head.IsEmpty)
        {
            return rest.Read(buffer);
        }

        var count = Math.Min(_head.Length, buffer.Length);
        _head.Span[..count].CopyTo(buffer);
        _head = _head[count..];
        return count;
    }
}

/// <summary>
/// Decompresses gzip and throws <see cref="EndOfStreamException"/> where the file ends early; .NET's GZipStream takes a truncated file for a
/// whole one (pinned in the tests). Once the file has given all it has, a tiny member of our own is put behind it: only if the file's last
/// member was complete does this marker come out whole. Bytes behind the last member count as damage.
/// </summary>
internal sealed class WholeGzipStream : ForwardStream
{
    private static readonly byte[] Marker = "\0end of import\0"u8.ToArray();
    private static readonly byte[] CompressedMarker = Compress(Marker);

    private readonly EndedStream _compressed;
    private readonly GZipStream _gzip;
    private bool _isChecked;

    public WholeGzipStream(Stream compressed)
    {
        _compressed = new EndedStream(compressed);
        _gzip = new GZipStream(_compressed, CompressionMode.Decompress);
    }

    public override int Read(Span<byte> buffer)
    {
        var read = buffer.IsEmpty || _isChecked ? 0 : _gzip.Read(buffer);
        if (read == 0 && !buffer.IsEmpty && !_isChecked)
        {
            _isChecked = true;
            Check();
        }

        return read;
    }

    private void Check()
    {
        _compressed.GoOn(CompressedMarker);
        var end = new byte[Marker.Length + 1];
        int length;
        try
        {
            length = _gzip.ReadAtLeast(end, end.Length, throwOnEndOfStream: false);
        }
        catch (InvalidDataException)
        {
            length = 0;
        }

        if (!end.AsSpan(0, length).SequenceEqual(Marker))
        {
            throw new EndOfStreamException("The compressed data end early.");
        }
    }

    private static byte[] Compress(byte[] content)
    {
        using var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest))
        {
            gzip.Write(content);
        }

        return compressed.ToArray();
    }

    /// <summary>A stream that can be given more once it has ended.</summary>
    private sealed class EndedStream(Stream stream) : ForwardStream
    {
        private Stream _stream = stream;

        public override int Read(Span<byte> buffer) => _stream.Read(buffer);

        public void GoOn(byte[] more) => _stream = new MemoryStream(more);
    }
}
