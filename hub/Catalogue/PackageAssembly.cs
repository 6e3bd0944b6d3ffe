using CityGrid.Protocol.V1;
using Google.Protobuf;

namespace CityGrid.Hub.Catalogue;

/// <summary>
/// The chunks of one package at the child, until they are whole. In memory alone: a new connection begins anew. It keeps no more than it was sent, and never
/// more than <see cref="EnvelopeBytesMax"/>.
/// </summary>
public sealed class PackageAssembly
{
    /// <summary>A package, and what goes with it.</summary>
    public const int EnvelopeBytesMax = PackageFile.BytesMax + (64 << 10);

    private PackageName _name;
    private int _total;
    private MemoryStream _content = new();

    /// <summary>Bytes of the package that are here.</summary>
    public int Have => (int)_content.Length;

    /// <summary>The envelope, once its last chunk has come; null before. Bytes that are no envelope, or out of bounds, come out as one without a package.</summary>
    public PackageEnvelope? Add(PackageName name, PackageChunk chunk)
    {
        if (name != _name || chunk.Total != _total)
        {
            (_name, _total, _content) = (name, chunk.Total, new MemoryStream());
        }

        if (chunk.Total is < 1 or > EnvelopeBytesMax || chunk.Content.Length > chunk.Total - Math.Max(chunk.Offset, 0))
        {
            Clear();
            return new PackageEnvelope();
        }

        // What was sent again is here already; what does not fit yet is asked for.
        if (chunk.Offset == Have)
        {
            _content.Write(chunk.Content.Span);
        }

        return Have == _total ? Whole() : null;
    }

    /// <summary>The connection has ended, or the package has an answer.</summary>
    public void Clear() => (_name, _total, _content) = (default, 0, new MemoryStream());

    private PackageEnvelope Whole()
    {
        var bytes = _content.ToArray();
        Clear();
        try
        {
            return PackageEnvelope.Parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException)
        {
            return new PackageEnvelope();
        }
    }
}
