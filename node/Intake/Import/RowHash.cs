using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Node.Intake.Import;

/// <summary>
/// The hash of a row's content. The encoding is part of the contract (docs/import.md, "Content hash") and pinned by a test: a heading, then for
/// every field that is there, in order of its number, the number (1 byte), the length (4 bytes, big-endian) and the bytes. Texts are
/// UTF-8; times are Unix ticks of 100 ns (8 bytes, big-endian).
/// </summary>
internal sealed class RowHash
{
    private readonly ArrayBufferWriter<byte> _bytes = new(1024);

    public Hash256 Of(ImportRow row)
    {
        Begin("citygrid import row 1\0"u8);
        Add(1, row.ExternalId);
        Add(2, row.ReportedAt);
        Add(3, row.ClosedAt);
        Add(4, row.VoidedAt);
        Add(5, row.DueAt);
        Add(6, row.Type.ToString());
        Add(7, row.TypeName);
        Add(8, row.Division.ToString());
        Add(9, row.Source.ToString());
        return Hash256.Of(_bytes.WrittenSpan);
    }

    private void Begin(ReadOnlySpan<byte> heading)
    {
        _bytes.ResetWrittenCount();
        _bytes.Write(heading);
    }

    private void Add(byte number, string? text)
    {
        if (text is not null)
        {
            Encoding.UTF8.GetBytes(text, Field(number, Encoding.UTF8.GetByteCount(text)));
        }
    }

    private void Add(byte number, Instant? time)
    {
        if (time is { } instant)
        {
            BinaryPrimitives.WriteInt64BigEndian(Field(number, 8), instant.ToUnixTimeTicks());
        }
    }

    private Span<byte> Field(byte number, int length)
    {
        var span = _bytes.GetSpan(5 + length);
        span[0] = number;
        BinaryPrimitives.WriteInt32BigEndian(span[1..], length);
        _bytes.Advance(5 + length);
        return span.Slice(5, length);
    }
}
