using System.Text.Json.Nodes;
using CityGrid.Node.Intake.Import;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Import;

public sealed class A_row_becomes_a_case
{
    private static readonly Action<JsonObject> VoidWords = m => m["statusVoid"] = new JsonArray("Cancelled");

    [Test]
    public void It_is_closed_by_its_close_time_whatever_its_status_word()
    {
        var row = Given.Case("7,2026-01-02 03:04:05,2026-01-03 03:04:05,Pothole,North End,Open", m => m["statusOpen"] = new JsonArray("Open"));
        Assert.Multiple(() =>
        {
            Assert.That(row.ExternalId, Is.EqualTo("7"));
            Assert.That(row.ReportedAt, Is.EqualTo(Instant.FromUtc(2026, 1, 2, 8, 4, 5)));
            Assert.That(row.ClosedAt, Is.EqualTo(Instant.FromUtc(2026, 1, 3, 8, 4, 5)));
            Assert.That(row.VoidedAt, Is.Null);
            Assert.That(row.Division.ToString(), Is.EqualTo("X-NORTH-END"));
            Assert.That(row.Source.ToString(), Is.EqualTo("import"));
            Assert.That(row.Dirt, Is.Empty);
            Assert.That((row.RowNumber, row.LineNumber), Is.EqualTo((2L, 2L)));
        });
    }

    [Test]
    public void A_closed_word_without_a_close_time_leaves_it_open() =>
        Assert.That(Given.Case("7,2026-01-02 03:04:05,,Pothole,North End,Closed").EndedAt, Is.Null);

    [Test]
    public void The_very_second_of_the_report_is_not_before_it() =>
        Assert.That(Given.Case("7,2026-01-02 03:04:05,2026-01-02 03:04:05,Pothole,,").ClosedAt, Is.Not.Null);

    [Test]
    public void A_row_that_closes_before_it_opens_is_kept_open_and_named()
    {
        var row = Given.Case("7,2026-01-02 03:04:05,2026-01-02 03:04:04,Pothole,North End,Closed");
        var dirt = row.Dirt.Single();
        Assert.Multiple(() =>
        {
            Assert.That(row.EndedAt, Is.Null);
            Assert.That(dirt.Code, Is.EqualTo("CLOSES_BEFORE_OPENS"));
            Assert.That((dirt.RowNumber, dirt.Column, dirt.Value), Is.EqualTo((2L, "closed", "2026-01-02 03:04:04")));
        });
    }

    [Test]
    public void A_close_time_that_is_no_time_leaves_it_open_and_is_named()
    {
        var row = Given.Case("7,2026-01-02 03:04:05,yesterday,Pothole,North End,Closed");
        Assert.That(row.EndedAt, Is.Null);
        Assert.That(row.Dirt.Single().Code, Is.EqualTo("CLOSED_INVALID"));
    }

    [TestCase("Cancelled")]
    [TestCase("CANCELLED")]
    [TestCase("cancelled ")]
    public void A_void_word_voids_it_at_its_close_time(string word)
    {
        var row = Given.Case($"7,2026-01-02 03:04:05,2026-01-03 03:04:05,Pothole,,{word}", VoidWords);
        Assert.Multiple(() =>
        {
            Assert.That(row.VoidedAt, Is.EqualTo(Instant.FromUtc(2026, 1, 3, 8, 4, 5)));
            Assert.That(row.ClosedAt, Is.Null);
            Assert.That(row.Dirt, Is.Empty);
        });
    }

    [Test]
    public void A_void_row_that_closes_before_it_opens_is_kept_open_too()
    {
        var row = Given.Case("7,2026-01-02 03:04:05,2026-01-01 03:04:05,Pothole,,Cancelled", VoidWords);
        Assert.That(row.EndedAt, Is.Null);
        Assert.That(row.Dirt.Single().Code, Is.EqualTo("CLOSES_BEFORE_OPENS"));
    }

    [Test]
    public void A_void_row_without_a_time_is_voided_at_its_report_and_named()
    {
        var row = Given.Case("7,2026-01-02 03:04:05,,Pothole,,Cancelled", VoidWords);
        Assert.That(row.VoidedAt, Is.EqualTo(row.ReportedAt));
        Assert.That(row.Dirt.Single().Code, Is.EqualTo("VOID_WITHOUT_TIME"));
    }

    [Test]
    public void Where_the_source_only_knows_its_last_change_the_status_says_whether_that_was_the_end()
    {
        Action<JsonObject> closedWord = m => m["statusClosed"] = new JsonArray("closed");
        Assert.That(Given.Case("7,2026-01-02 03:04:05,2026-01-03 03:04:05,Pothole,,closed", closedWord).ClosedAt, Is.Not.Null);
        Assert.That(Given.Case("7,2026-01-02 03:04:05,2026-01-03 03:04:05,Pothole,,open", closedWord).EndedAt, Is.Null);
    }

    [TestCase("")]
    [TestCase("NA")]
    [TestCase("0")]
    [TestCase(" NA ")]
    public void Words_for_missing_are_no_values(string word)
    {
        var row = Given.Case($"7,2026-01-02 03:04:05,{word},Pothole,{word},x", m => m["missing"] = new JsonArray("NA", "0"));
        Assert.That(row.EndedAt, Is.Null);
        Assert.That(row.Division.ToString(), Is.EqualTo("X-NONE"));
        Assert.That(row.Dirt, Is.Empty);
    }

    [Test]
    public void Every_fault_of_a_row_is_told_at_once()
    {
        var fault = (ImportFault)Given.Row("NA,soon,,,,", m =>
        {
            m["missing"] = "NA";
            m["types"] = new JsonObject { ["missing"] = "park" };
            m["districts"] = new JsonObject { ["missing"] = "park" };
        });
        Assert.That(Given.Codes(fault), Is.EquivalentTo(new[] { "ID_MISSING", "REPORTED_INVALID", "TYPE_MISSING", "DISTRICT_MISSING" }));
    }

    [Test]
    public void A_row_without_a_time_of_report_is_no_case() =>
        Assert.That(Given.Codes((ImportFault)Given.Row("7,,,Pothole,,")), Is.EqualTo(new[] { "REPORTED_MISSING" }));

    [Test]
    public void A_row_without_a_type_counts_as_other()
    {
        var row = Given.Case("7,2026-01-02 03:04:05,,,,");
        Assert.That((row.Type.ToString(), row.TypeName, row.IsLocalType), Is.EqualTo(("99000", (string?)null, false)));
    }

    [Test]
    public void A_type_that_the_mapping_knows_has_its_code_and_keeps_its_name()
    {
        var row = Given.Case("7,2026-01-02 03:04:05,, Pothole ,,", m => m["types"] = new JsonObject { ["codes"] = new JsonObject { ["Pothole"] = "06013" } });
        Assert.That((row.Type.ToString(), row.TypeName, row.IsLocalType), Is.EqualTo(("06013", (string?)"Pothole", false)));
    }

    [Test]
    public void A_type_that_the_mapping_does_not_know_is_local_or_parked()
    {
        var row = Given.Case("7,2026-01-02 03:04:05,,Pothole,,");
        Assert.That((row.Type.ToString(), row.IsLocalType), Is.EqualTo(("x026abcc2", true)));
        Assert.That(
            Given.Codes((ImportFault)Given.Row("7,2026-01-02 03:04:05,,Pothole,,", m => m["types"] = new JsonObject { ["unknown"] = "park" })),
            Is.EqualTo(new[] { "TYPE_UNKNOWN" }));
    }

    [Test]
    public void A_district_is_mapped_made_unknown_or_parked()
    {
        const string Row = "7,2026-01-02 03:04:05,,Pothole,North End,";
        static Action<JsonObject> Rules(JsonObject rules) => m => m["districts"] = rules;
        var unknown = Given.Case(Row, Rules(new JsonObject { ["unknown"] = "none" }));
        Assert.Multiple(() =>
        {
            Assert.That(Given.Case(Row, Rules(new JsonObject { ["codes"] = new JsonObject { ["North End"] = "X-1" } })).Division.ToString(), Is.EqualTo("X-1"));
            Assert.That(Given.Case(Row, Rules(new JsonObject { ["name"] = "Ward {0}" })).Division.ToString(), Is.EqualTo("X-WARD-NORTH-END"));
            Assert.That(Given.Case(Row, Rules(new JsonObject { ["none"] = "North End" })).Division.ToString(), Is.EqualTo("X-NONE"));
            Assert.That(unknown.Division.ToString(), Is.EqualTo("X-NONE"));
            Assert.That(unknown.Dirt.Single().Code, Is.EqualTo("DISTRICT_UNKNOWN"));
            Assert.That(Given.Codes((ImportFault)Given.Row(Row, Rules(new JsonObject { ["unknown"] = "park" }))), Is.EqualTo(new[] { "DISTRICT_UNKNOWN" }));
        });
    }

    [TestCase("\"5 Main St, North End\"", "X-NORTH-END")]
    [TestCase("5 Main St", "X-NONE")]
    [TestCase("\"5 Main St, \"", "X-NONE")]
    public void A_district_may_be_what_follows_the_last_comma(string value, string expected) => Assert.That(
        Given.Case($"7,2026-01-02 03:04:05,,Pothole,{value},", m => m["districts"] = new JsonObject { ["part"] = "afterLastComma" }).Division.ToString(),
        Is.EqualTo(expected));

    [TestCase("Phone", "hotline")]
    [TestCase("Pigeon", "import")]
    [TestCase("", "import")]
    public void A_source_word_is_mapped_or_is_import(string word, string expected) => Assert.That(
        Given.Case($"7,2026-01-02 03:04:05,,Pothole,,{word}", m =>
        {
            m["columns"]!["source"] = "status";
            m["sources"] = new JsonObject { ["codes"] = new JsonObject { ["Phone"] = "hotline" } };
        }).Source.ToString(),
        Is.EqualTo(expected));

    [TestCase("\"(42.3574, -71.0648)\"", 423574000, -710648000)]
    [TestCase("POINT (-71.0648 42.3574)", 423574000, -710648000)]
    [TestCase("\"42.35740004,-71.06480006\"", 423574000, -710648001)]
    public void A_point_is_kept_in_whole_units(string text, int latitude, int longitude) => Assert.That(
        Given.Case($"7,2026-01-02 03:04:05,,Pothole,{text},", m =>
        {
            m["columns"]!.AsObject().Remove("district");
            m["columns"]!["point"] = "district";
        }).Personal.Point,
        Is.EqualTo(new GeoPoint(latitude, longitude, "WGS84")));

    [TestCase("\"(0, 0)\"", null)]
    [TestCase("\"(91, 0)\"", "POINT_INVALID")]
    [TestCase("nowhere", "POINT_INVALID")]
    public void A_point_that_is_nowhere_is_left_out(string text, string? code)
    {
        var row = Given.Case($"7,2026-01-02 03:04:05,,Pothole,{text},", m =>
        {
            m["columns"]!.AsObject().Remove("district");
            m["columns"]!["point"] = "district";
        });
        Assert.That(row.Personal.Point, Is.Null);
        Assert.That(row.Dirt.SingleOrDefault()?.Code, Is.EqualTo(code));
        Assert.That(row.Dirt.SingleOrDefault()?.Value, Is.Null, "no personal value is told");
    }

    [Test]
    public void Texts_of_several_columns_are_joined_and_every_personal_column_is_kept_apart()
    {
        var mapping = Given.Mapping(m =>
        {
            m["columns"] = new JsonObject
            {
                ["id"] = "a",
                ["reported"] = "b",
                ["type"] = "c",
                ["text"] = new JsonArray("d", "e", "f"),
                ["reporter"] = "g",
                ["contact"] = "h",
                ["address"] = "i",
            };
        });
        var row = (ImportRow)Given.Read(mapping, "a,b,c,d,e,f,g,h,i\n1,2026-01-02 03:04:05,t,one,,two,R,C,A\n").Single();
        Assert.That(row.Personal, Is.EqualTo(new PersonalFields("one\ntwo", "R", "C", "A", null)));
    }
}
