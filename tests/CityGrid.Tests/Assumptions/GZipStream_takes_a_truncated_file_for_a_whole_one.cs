using System.IO.Compression;
using NUnit.Framework;

namespace CityGrid.Tests.Assumptions;

/// <summary>Why the import checks the end of a compressed file itself (node/Intake/Import/ForwardStreams.cs).</summary>
public sealed class GZipStream_takes_a_truncated_file_for_a_whole_one
{
    private static readonly byte[] Whole = Gzip([.. Enumerable.Range(0, 10_000).Select(i => (byte)(i * i % 251))]);

    [Test]
    public void It_ends_as_if_nothing_were_missing()
    {
        using var gzip = new GZipStream(new MemoryStream(Whole[..^20]), CompressionMode.Decompress);
        using var target = new MemoryStream();
        gzip.CopyTo(target);
        Assert.That(target.Length, Is.InRange(1, 9_999));
    }

    [Test]
    public void It_reads_on_when_its_stream_has_more_after_an_end()
    {
        using var input = new MemoryStream();
        input.Write(Whole);
        input.Position = 0;
        using var gzip = new GZipStream(input, CompressionMode.Decompress);
        using var target = new MemoryStream();
        gzip.CopyTo(target);
        input.Write(Whole);
        input.Position = Whole.Length;
        gzip.CopyTo(target);
        Assert.That(target.Length, Is.EqualTo(20_000));
    }

    private static byte[] Gzip(byte[] content)
    {
        using var target = new MemoryStream();
        using (var gzip = new GZipStream(target, CompressionLevel.Optimal))
        {
            gzip.Write(content);
        }

        return target.ToArray();
    }
}
