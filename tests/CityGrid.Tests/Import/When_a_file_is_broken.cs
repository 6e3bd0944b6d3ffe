using System.IO.Compression;
using System.Text;
using System.Text.Json.Nodes;
using CityGrid.Hub.Seams;
using CityGrid.Node.Intake.Import;
using CsCheck;
using NUnit.Framework;

namespace CityGrid.Tests.Import;

/// <summary>Whatever the file holds: a fault with row and cause, every other row read, nothing thrown.</summary>
public sealed class When_a_file_is_broken
{
    private const string Header = "id,reported,type,text\n";
    private const string Good = "{0},2026-01-02 03:04:05,t,x\n";

    private static string Row(int id) => Good.Replace("{0}", id.ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal);

    /// <summary>What became of each row: the id of a case, or the row and code of a fault.</summary>
    private static string Outcome(IEnumerable<ImportItem> items) => string.Join(' ', items.Select(item => item switch
    {
        ImportRow row => row.ExternalId,
        ImportFault fault => $"{fault.RowNumber}:{fault.Code}",
        _ => throw new InvalidOperationException(),
    }));

    private static string Outcome(string file) => Outcome(Given.Read(Given.Narrow(), file));

    [TestCase("2,2026-01-02 03:04:05,t,a \"b\" c\n", "1 3:QUOTE_MISPLACED 3")]
    [TestCase("2,2026-01-02 03:04:05,t,\"a\"b\n", "1 3:QUOTE_MISPLACED 3")]
    [TestCase("2,2026-01-02 03:04:05,t,\"never closed\n", "1 3:QUOTE_NOT_CLOSED 3")]
    [TestCase("2,2026-01-02 03:04:05,t\n", "1 3:COLUMN_COUNT 3")]
    [TestCase("2,2026-01-02 03:04:05,t,x,y\n", "1 3:COLUMN_COUNT 3")]
    [TestCase("2,2026-01-02 03:04:05,t,a\0b\n", "1 3:NUL_BYTE 3")]
    [TestCase("2,,t,x\n", "1 3:REPORTED_MISSING 3")]
    [TestCase("\n\r\n", "1 3")]
    [TestCase("2,2026-01-02 03:04:05,t,\"a\n\n\"\"b\"\"\"\n", "1 2 3")]
    public void A_faulty_record_costs_exactly_that_record(string second, string expected) =>
        Assert.That(Outcome(Header + Row(1) + second + Row(3)), Is.EqualTo(expected));

    [Test]
    public void A_fault_names_row_and_line()
    {
        var items = Given.Read(Given.Narrow(), Header + "1,2026-01-02 03:04:05,t,\"a\nb\nc\"\n\n2,,t,x\n");
        Assert.That((items[0].RowNumber, items[0].LineNumber), Is.EqualTo((2L, 2L)));
        Assert.That((items[1].RowNumber, items[1].LineNumber), Is.EqualTo((3L, 6L)));
    }

    [TestCase("\n")]
    [TestCase("\r\n")]
    [TestCase("\r")]
    public void Any_line_end_ends_a_row_and_the_last_needs_none(string end)
    {
        var file = (Header + Row(1) + Row(2)).TrimEnd('\n').Replace("\n", end, StringComparison.Ordinal);
        var items = Given.Read(Given.Narrow(), file);
        Assert.That(Outcome(items), Is.EqualTo("1 2"));
        Assert.That(items[1].LineNumber, Is.EqualTo(3));
    }

    [TestCase("", "1:FILE_EMPTY")]
    [TestCase("\n\n", "1:FILE_EMPTY")]
    [TestCase("id,reported,type,text\n", "")]
    [TestCase("id,reported,type,id,text\n1,2,3,4,5\n", "1:COLUMN_TWICE")]
    [TestCase("id;reported;type;text\n", "1:COLUMN_NOT_FOUND")]
    [TestCase("\"id,reported\n", "1:QUOTE_NOT_CLOSED")]
    public void A_file_without_the_mapped_columns_gives_one_fault(string file, string expected) => Assert.That(Outcome(file), Is.EqualTo(expected));

    [Test]
    public void All_missing_columns_are_told_at_once_with_those_there_are()
    {
        var fault = (ImportFault)Given.Read(Given.Narrow(), "id,kind,note\n").Single();
        Assert.That(fault.Also.Prepend(fault).Select(f => f.Column), Is.EqualTo(new[] { "reported", "type", "text" }));
        Assert.That(fault.Message, Does.Contain("id, kind, note"));
    }

    [Test]
    public void A_byte_order_mark_and_a_replacement_character_are_taken_as_they_are()
    {
        var row = (ImportRow)Given.Read(Given.Narrow(), "\uFEFF" + Header + "1,2026-01-02 03:04:05,t,caf\uFFFD\n").Single();
        Assert.That(row.Personal.Text, Is.EqualTo("caf\uFFFD"));
    }

    [Test]
    public void Bytes_that_are_no_text_are_told_by_row_and_column()
    {
        byte[] file = [.. Encoding.UTF8.GetBytes(Header + Row(1) + "2,2026-01-02 03:04:05,t,caf"), 0xE9, .. Encoding.UTF8.GetBytes("\n" + Row(3))];
        var items = Given.Read(Given.Narrow(), file);
        Assert.That(Outcome(items), Is.EqualTo("1 3:ENCODING_INVALID 3"));
        Assert.That(((ImportFault)items[1]).Column, Is.EqualTo("text"));
    }

    [Test]
    public void A_file_in_the_encoding_that_the_mapping_names_is_read()
    {
        var gb = System.Text.CodePagesEncodingProvider.Instance.GetEncoding("gb18030")!;
        byte[] file = [.. gb.GetBytes(Header + "1,2026-01-02 03:04:05,路灯,苏州㐀\n2,2026-01-02 03:04:05,t,"), 0xFF, .. gb.GetBytes("\n" + Row(3))];
        var items = Given.Read(Given.Narrow(change: m => m["encoding"] = "gb18030"), file);
        Assert.That(Outcome(items), Is.EqualTo("1 3:ENCODING_INVALID 3"));
        Assert.That(((ImportRow)items[0]).Personal.Text, Is.EqualTo("苏州㐀"));
    }

    [Test]
    public void Utf_16_is_named_and_read_where_the_mapping_says_so()
    {
        byte[] file = [0xFF, 0xFE, .. Encoding.Unicode.GetBytes(Header + Row(1))];
        Assert.That(Outcome(Given.Read(Given.Narrow(), file)), Is.EqualTo("1:FILE_FORMAT"));
        Assert.That(Outcome(Given.Read(Given.Narrow(change: m => m["encoding"] = "utf-16"), file)), Is.EqualTo("1"));
    }

    [Test]
    public void A_workbook_is_named() =>
        Assert.That(Outcome(Given.Read(Given.Narrow(), [(byte)'P', (byte)'K', 3, 4, 20, 0])), Is.EqualTo("1:FILE_FORMAT"));

    [TestCase("{0}")]
    [TestCase("\"{0}\"")]
    [TestCase("\"{0}")]
    [TestCase("\"line\n{0}\"")]
    public void A_field_of_ten_megabytes_costs_its_row_and_no_memory(string form)
    {
        var big = form.Replace("{0}", new string('x', 10_000_000), StringComparison.Ordinal);
        var file = Encoding.UTF8.GetBytes(Header + Row(1) + $"2,2026-01-02 03:04:05,t,{big}\n" + Row(3));
        var items = Given.Read(Given.Narrow(), file);
        Assert.That(Outcome(items), Does.StartWith("1 3:RECORD_TOO_LONG ").And.EndsWith(" 3"));
    }

    [Test]
    public void A_text_longer_than_a_case_may_hold_is_told() => Assert.That(
        Outcome(Header + $"1,2026-01-02 03:04:05,t,{new string('x', 20_001)}\n" + Row(2)), Is.EqualTo("2:TEXT_TOO_LONG 2"));

    [TestCase("\"2\n3\"", "ID_INVALID")]
    [TestCase("{201}", "ID_INVALID")]
    public void An_id_that_is_none_is_told(string id, string code) => Assert.That(
        Outcome(Header + id.Replace("{201}", new string('7', 201), StringComparison.Ordinal) + ",2026-01-02 03:04:05,t,x\n" + Row(2)), Is.EqualTo($"2:{code} 2"));

    [Test]
    public void A_compressed_file_is_seen_by_its_first_bytes()
    {
        var file = Gzip(Encoding.UTF8.GetBytes(Header + Row(1)));
        Assert.That(Outcome(Given.Read(Given.Narrow(), file)), Is.EqualTo("1"));
        byte[] two = [.. Gzip(Encoding.UTF8.GetBytes(Header + Row(1))), .. Gzip(Encoding.UTF8.GetBytes(Row(2)))];
        Assert.That(Outcome(Given.Read(Given.Narrow(), two)), Is.EqualTo("1 2"), "members that follow each other are one file");
    }

    [Test]
    public void A_compressed_file_that_is_cut_anywhere_says_so()
    {
        var random = new byte[3000];
        new SeededEntropy(7).Fill(random);
        var rows = string.Concat(Enumerable.Range(1, 200).Select(i => $"{i},2026-01-02 03:04:05,t,{Convert.ToHexString(random, i * 10, 10)}\n"));
        var whole = Gzip(Encoding.UTF8.GetBytes(Header + rows));
        using var stream = new MemoryStream(whole);
        Assert.That(ImportReader.Check(stream, Given.Narrow()), Is.Null);
        for (var length = 2; length < whole.Length; length++)
        {
            var items = Given.Read(Given.Narrow(), whole[..length]);
            var fault = items[^1] as ImportFault;
            Assert.That(fault?.Code, Is.EqualTo("FILE_TRUNCATED"), $"cut at {length}");
            Assert.That(items.Count(i => i is ImportFault), Is.EqualTo(1), $"cut at {length}");
            Assert.That(items.OfType<ImportRow>().Select(r => int.Parse(r.ExternalId, null)), Is.EqualTo(Enumerable.Range(1, items.Count - 1)), $"cut at {length}");
            Assert.That(items.OfType<ImportRow>().All(r => r.Personal.Text!.Length == 20), $"cut at {length}: no row is read in part");
        }
    }

    [Test]
    public void A_compressed_file_with_a_flipped_bit_never_passes_for_whole()
    {
        var whole = Gzip(Encoding.UTF8.GetBytes(Header + string.Concat(Enumerable.Range(1, 50).Select(Row))));
        for (var i = 10; i < whole.Length; i++)
        {
            var flipped = whole.ToArray();
            flipped[i] ^= 1;
            var items = Given.Read(Given.Narrow(), flipped);
            Assert.That(items[^1], Is.TypeOf<ImportFault>(), $"byte {i}");
            using var stream = new MemoryStream(flipped);
            Assert.That(ImportReader.Check(stream, Given.Narrow())?.Code, Does.StartWith("FILE_"), $"byte {i}");
        }
    }

    [Test]
    public void A_disk_that_fails_is_a_fault_after_the_rows_before_it()
    {
        using var stream = new JoinedStream(Encoding.UTF8.GetBytes(Header + Row(1) + "2,2026"), new BrokenStream());
        Assert.That(Outcome(ImportReader.Read(stream, Given.Narrow())), Is.EqualTo("1 3:FILE_UNREADABLE"));
    }

    [TestCase("{\"id\":\"1\",\"reported\":\"2026-01-02 03:04:05\",\"type\":\"t\",\"text\":\"a\\n\\u00e9\"}", "1")]
    [TestCase("{\"id\":1,\"reported\":\"2026-01-02 03:04:05\",\"type\":true,\"other\":{\"id\":[2]}}", "1")]
    [TestCase("{\"id\":null,\"reported\":\"2026-01-02 03:04:05\",\"type\":\"t\"}", "1:ID_MISSING")]
    [TestCase("{\"id\":{\"x\":1},\"reported\":\"2026-01-02 03:04:05\",\"type\":\"t\"}", "1:VALUE_NOT_PLAIN")]
    [TestCase("{\"id\":\"1\",\"id\":\"2\",\"reported\":\"2026-01-02 03:04:05\",\"type\":\"t\"}", "1:COLUMN_TWICE")]
    [TestCase("{\"id\":\"\\ud800\",\"reported\":\"2026-01-02 03:04:05\",\"type\":\"t\"}", "1:ENCODING_INVALID")]
    [TestCase("{\"id\":\"a\\u0000b\",\"reported\":\"2026-01-02 03:04:05\",\"type\":\"t\"}", "1:NUL_BYTE")]
    [TestCase("{\"id\":\"1\"", "1:JSON_INVALID")]
    [TestCase("{\"id\":\"1\"} {}", "1:JSON_INVALID")]
    [TestCase("[1,2]", "1:JSON_INVALID")]
    [TestCase("id,reported", "1:JSON_INVALID")]
    public void A_json_line_is_read_or_told(string line, string expected)
    {
        const string Next = "\n\n{\"id\":\"next\",\"reported\":\"2026-01-02 03:04:05\",\"type\":\"t\"}";
        Assert.That(Outcome(Given.Read(Given.Narrow("ndjson"), line + Next)), Is.EqualTo(expected + " next"));
    }

    [Test]
    public void A_json_line_of_ten_megabytes_costs_its_row()
    {
        const string Next = "\n{\"id\":\"next\",\"reported\":\"2026-01-02 03:04:05\",\"type\":\"t\"}";
        Assert.That(Outcome(Given.Read(Given.Narrow("ndjson"), $"{{\"id\":\"{new string('x', 10_000_000)}\"}}" + Next)), Is.EqualTo("1:RECORD_TOO_LONG next"));
        Assert.That(Outcome(Given.Read(Given.Narrow("ndjson"), " \n")), Is.EqualTo("1:FILE_EMPTY"));
    }

    [Test]
    public void No_bytes_make_it_throw()
    {
        Action<JsonObject>[] changes = [m => m["format"] = "csv", m => m["format"] = "ndjson", m => m["encoding"] = "gb18030", m => m["encoding"] = "utf-16"];
        var mappings = changes.Select(c => Given.Narrow(change: c)).ToArray();
        var pieces = Gen.OneOf(
            Gen.OneOf(Header, "1,2026-01-02 03:04:05,t,x\n", "\"", ",", "\r", "\n", "\"\"", "{\"id\":", "}", "\0", "\uFFFF", "é").Select(Encoding.UTF8.GetBytes),
            Gen.Byte.Array[0, 8]);
        Gen.Select(pieces.Array[0, 30], Gen.Int[0, 3], Gen.Bool).Sample((parts, which, isGzip) =>
        {
            byte[] file = [.. Encoding.UTF8.GetBytes(Header), .. parts.SelectMany(p => p)];
            var items = Given.Read(mappings[which], isGzip ? Gzip(file) : file);
            return items.OfType<ImportFault>().All(f => f.RowNumber > 0 && f.Message.Length > 0 && f.Remedy.Length > 0);
        });
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

    private sealed class BrokenStream : ForwardStream
    {
        public override int Read(Span<byte> buffer) => throw new IOException("the disk is gone");
    }
}
