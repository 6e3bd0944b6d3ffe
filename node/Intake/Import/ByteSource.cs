using System.Text;
using CityGrid.Protocol.Names;

namespace CityGrid.Node.Intake.Import;

/// <summary>
/// The bytes of a file as UTF-8 text without a byte order mark, whether the file is compressed or not and whatever its encoding. Trouble
/// with the file becomes <see cref="Failure"/>, never an exception: rows that were read before it stay good.
/// </summary>
internal sealed class ByteSource
{
    /// <summary>Stands for bytes that are none in the declared encoding: a noncharacter, so that no file can mean it.</summary>
    public const char BadByte = '\uFFFF';

    private readonly Stream _stream;

    private ByteSource(Stream stream, Refusal? failure = null)
    {
        _stream = stream;
        Failure = failure;
    }

    /// <summary>Why there is no more, although the file should go on; null while all is well and at a proper end.</summary>
    public Refusal? Failure { get; private set; }

    /// <param name="file">The file as it lies there.</param>
    /// <param name="encoding">What the text is in; null is UTF-8.</param>
    public static ByteSource Open(Stream file, Encoding? encoding)
    {
        try
        {
            var (head, stream) = Peek(file, 4);
            if (head is [0x1F, 0x8B, ..])
            {
                (head, stream) = Peek(new WholeGzipStream(stream), 4);
            }

            if (head is [(byte)'P', (byte)'K', 3, 4])
            {
                return Refused("The file is a ZIP archive or an Excel workbook: unpack it, or save the sheet as CSV in UTF-8.");
            }

            if (encoding is not null)
            {
                stream = Encoding.CreateTranscodingStream(stream, encoding, new UTF8Encoding(false));
            }
            else if (head is [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..])
            {
                return Refused("The file is UTF-16: save it as UTF-8, or put \"encoding\": \"utf-16\" into the mapping.");
            }

            return new ByteSource(WithoutMark(stream));
        }
        catch (Exception e) when (Failed(e) is { } failure)
        {
            return new ByteSource(Stream.Null, failure);
        }
    }

    /// <summary>Reads some bytes; 0 at the end, or where <see cref="Failure"/> says why there are no more.</summary>
    public int Read(Span<byte> target)
    {
        if (Failure is not null)
        {
            return 0;
        }

        try
        {
            return _stream.Read(target);
        }
        catch (Exception e) when (Failed(e) is { } failure)
        {
            Failure = failure;
            return 0;
        }
    }

    private static Stream WithoutMark(Stream text)
    {
        var (head, stream) = Peek(text, 3);
        if (head is [0xEF, 0xBB, 0xBF])
        {
            stream.ReadExactly(stackalloc byte[3]);
        }

        return stream;
    }

    /// <summary>The first bytes, and a stream that still has them.</summary>
    private static (byte[] Head, Stream Stream) Peek(Stream stream, int size)
    {
        var head = new byte[size];
        var length = stream.ReadAtLeast(head, size, throwOnEndOfStream: false);
        return (head[..length], new JoinedStream(head.AsMemory(0, length), stream));
    }

    private static ByteSource Refused(string message) => new(Stream.Null, new Refusal(ImportCode.FileFormat, message));

    private static Refusal? Failed(Exception e) => e switch
    {
        EndOfStreamException => new Refusal(
            ImportCode.FileTruncated, "The compressed file ends early: the rows before this place are good, those that are missing cannot be told."),
        InvalidDataException => new Refusal(
            ImportCode.FileDamaged, "The compressed file is damaged: rows before this place may be wrong too, nothing after it was read."),
        IOException or UnauthorizedAccessException or ObjectDisposedException or NotSupportedException => new Refusal(
            ImportCode.FileUnreadable, $"The file cannot be read on: {e.Message}"),
        _ => null,
    };
}
