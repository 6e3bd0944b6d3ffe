using System.Text;
using CityGrid.Node.Intake.Import;
using CsCheck;
using CsvHelper;
using NUnit.Framework;

namespace CityGrid.Tests.Import;

/// <summary>Well-formed files mean the same to this reader and to CsvHelper.</summary>
public sealed class The_csv_reader_agrees_with_another
{
    private static readonly string[] Columns = ["a", "b", "c"];

    [Test]
    public void On_every_well_formed_file()
    {
        var cell = Gen.OneOf(
            Gen.String[Gen.Char["abc,;\"\r\n \té中"], 0, 12].Select(s => $"\"{s.Replace("\"", "\"\"", StringComparison.Ordinal)}\""),
            Gen.String[Gen.Char["abc;é中 "], 0, 8]);
        Gen.Select(cell.Array[3].Array[0, 40], Gen.OneOf("\n", "\r\n"), Gen.Bool).Sample((rows, end, isEnded) =>
        {
            // A first field keeps every line from being blank.
            var file = string.Join(end, rows.Select(r => string.Join(',', r.Prepend("x"))).Prepend("first,a,b,c")) + (isEnded ? end : string.Empty);
            Assert.That(Ours(file), Is.EqualTo(Theirs(file)));
        });
    }

    private static List<string> Ours(string file)
    {
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(file));
        var records = new CsvRecords(ByteSource.Open(stream, null), Columns, ',');
        var read = new List<string>();
        while (records.Next())
        {
            read.Add(records.Fault is { } fault ? fault.Code : string.Join('|', records.Values));
        }

        return read;
    }

    private static List<string> Theirs(string file)
    {
        using var reader = CsvReader.FromText(file, new CsvReaderOptions { Separator = ',' });
        var read = new List<string>();
        while (reader.Read())
        {
            read.Add(string.Join('|', Columns.Select(c => reader.GetString(c).Trim())));
        }

        return read;
    }
}
