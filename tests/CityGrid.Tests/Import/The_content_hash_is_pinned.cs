using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using CityGrid.Node.Intake.Import;
using NUnit.Framework;

namespace CityGrid.Tests.Import;

/// <summary>A rerun knows equal content by its hash, so the hash must be the same in every later version.</summary>
public sealed class The_content_hash_is_pinned
{
    private static readonly Action<JsonObject> All = m =>
    {
        m["columns"]!["updated"] = "updated";
        m["columns"]!["text"] = "text";
        m["columns"]!["point"] = "point";
    };

    private static ImportRow Read(string row) =>
        (ImportRow)Given.Read(Given.Mapping(All), "id,reported,closed,type,district,status,updated,text,point\n" + row).Single();

    [Test]
    public void It_is_that_of_the_documented_bytes()
    {
        var row = Read("7,1970-01-01 00:00:00,,Pothole,North End,,,Hello,\"(1, -2)\"");
        byte[] open =
        [
            .. "citygrid import row 1\0"u8, .. Field(1, "7"u8), .. Field(2, Ticks(5 * 3600)), .. Field(6, "x026abcc2"u8), .. Field(7, "Pothole"u8),
            .. Field(8, "X-NORTH-END"u8), .. Field(9, "import"u8),
        ];
        Assert.That(row.ContentHash.ToString(), Is.EqualTo(Convert.ToHexStringLower(SHA256.HashData(open))));
    }

    [Test]
    public void It_changes_with_every_field_but_the_time_of_the_last_change_and_what_is_personal()
    {
        const string Base = "7,2026-01-02 03:04:05,2026-01-03 03:04:05,Pothole,North End,,2026-01-04 00:00:00,Hello,\"(1, 2)\"";
        var first = Read(Base);
        Assert.Multiple(() =>
        {
            Assert.That(Read(Base.Replace("2026-01-04", "2026-01-05", StringComparison.Ordinal)).ContentHash, Is.EqualTo(first.ContentHash));
            foreach (var (from, to) in new[] { ("7,", "8,"), ("01-02", "01-01"), ("01-03", "01-04"), ("Pothole", "Hole"), ("North", "South") })
            {
                var changed = Read(Base.Replace(from, to, StringComparison.Ordinal));
                Assert.That(changed.ContentHash, Is.Not.EqualTo(first.ContentHash), from);
            }

            foreach (var (from, to) in new[] { ("Hello", "Hallo"), ("(1, 2)", "(1, 3)") })
            {
                var changed = Read(Base.Replace(from, to, StringComparison.Ordinal));
                Assert.That(changed.ContentHash, Is.EqualTo(first.ContentHash), from);
            }
        });
    }

    private static byte[] Field(byte number, ReadOnlySpan<byte> value)
    {
        var field = new byte[5 + value.Length];
        field[0] = number;
        BinaryPrimitives.WriteInt32BigEndian(field.AsSpan(1), value.Length);
        value.CopyTo(field.AsSpan(5));
        return field;
    }

    private static byte[] Ticks(long seconds)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, seconds * 10_000_000);
        return bytes;
    }
}
