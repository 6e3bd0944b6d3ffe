namespace CityGrid.Node.Hosting;

/// <summary>Passes a response's body on, but keeps back (up to a limit) what is written while the response is an error.</summary>
internal sealed class WithheldErrorStream(Stream body, Func<bool> isError) : Stream
{
    private const int WithheldMax = 16 * 1024;

    private readonly MemoryStream _withheld = new();

    public ReadOnlySpan<byte> Withheld => _withheld.GetBuffer().AsSpan(0, (int)_withheld.Length);

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (isError())
        {
            Keep(buffer);
        }
        else
        {
            body.Write(buffer);
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (!isError())
        {
            return body.WriteAsync(buffer, cancellationToken);
        }

        Keep(buffer.Span);
        return ValueTask.CompletedTask;
    }

    public override void Flush()
    {
        if (!isError())
        {
            body.Flush();
        }
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => isError() ? Task.CompletedTask : body.FlushAsync(cancellationToken);

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    private void Keep(ReadOnlySpan<byte> bytes) => _withheld.Write(bytes[..Math.Min(bytes.Length, WithheldMax - (int)_withheld.Length)]);
}
