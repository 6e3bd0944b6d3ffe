using System.Text.Json.Nodes;
using CityGrid.Node.Intake.Import;
using NodaTime;
using NodaTime.Text;
using NUnit.Framework;

namespace CityGrid.Tests.Import;

public sealed class Local_times_are_those_of_the_place
{
    private static Instant? Reported(string text, string format, string zone = "America/New_York") =>
        Given.Row($"7,{text},,t,,", m =>
        {
            m["zone"] = zone;
            m["dateFormats"] = new JsonArray(format);
        }) is ImportRow row ? row.ReportedAt : null;

    [TestCase("2015-11-01 00:59:59", "2015-11-01T04:59:59Z")]
    [TestCase("2015-11-01 01:30:00", "2015-11-01T05:30:00Z", TestName = "A_time_that_the_clocks_show_twice_is_the_earlier_one")]
    [TestCase("2015-11-01 02:00:00", "2015-11-01T07:00:00Z")]
    [TestCase("2015-03-08 01:59:59", "2015-03-08T06:59:59Z")]
    [TestCase("2015-03-08 02:30:00", "2015-03-08T07:30:00Z", TestName = "A_time_that_the_clocks_skip_moves_forward")]
    [TestCase("2015-03-08 03:30:00", "2015-03-08T07:30:00Z")]
    public void In_New_York(string local, string expected) =>
        Assert.That(Reported(local, "yyyy-MM-dd HH:mm:ss"), Is.EqualTo(InstantPattern.ExtendedIso.Parse(expected).Value));

    [TestCase("12/31/2017 11:59:58 PM", "MM/dd/yyyy hh:mm:ss tt", "2018-01-01T04:59:58Z")]
    [TestCase("01/02/2018 12:00:00 AM", "MM/dd/yyyy hh:mm:ss tt", "2018-01-02T05:00:00Z")]
    [TestCase("1/2/2018 7:05", "M/d/yyyy H:mm", "2018-01-02T12:05:00Z")]
    [TestCase("2018-01-02", "iso", "2018-01-02T05:00:00Z")]
    [TestCase("2018-01-02T00:00:09.000", "iso", "2018-01-02T05:00:09Z")]
    [TestCase("2018-01-02 00:00", "iso", "2018-01-02T05:00:00Z")]
    [TestCase("2018-01-02T00:00:09-08:00", "iso", "2018-01-02T08:00:09Z", TestName = "An_offset_in_the_time_wins")]
    [TestCase("2018-01-02T00:00:09Z", "iso", "2018-01-02T00:00:09Z")]
    [TestCase("1514851209", "unix-seconds", "2018-01-02T00:00:09Z")]
    [TestCase("1514851209250", "unix-milliseconds", "2018-01-02T00:00:09.25Z")]
    public void Formats_are_those_of_the_mapping(string text, string format, string expected) =>
        Assert.That(Reported(text, format), Is.EqualTo(InstantPattern.ExtendedIso.Parse(expected).Value));

    [TestCase("2018-02-30", "iso")]
    [TestCase("13/01/2018 12:00:00 AM", "MM/dd/yyyy hh:mm:ss tt")]
    [TestCase("01/02/2018 13:00:00 AM", "MM/dd/yyyy hh:mm:ss tt")]
    [TestCase("0001-01-01", "iso")]
    [TestCase("9999-12-31T23:59:59", "iso")]
    [TestCase("9999999999999999999", "unix-seconds")]
    [TestCase("999999999999999", "unix-seconds")]
    [TestCase("999999999999999", "unix-milliseconds")]
    [TestCase("tomorrow", "iso")]
    public void What_is_no_time_of_a_case_is_a_fault(string text, string format) => Assert.That(Reported(text, format), Is.Null);

    [Test]
    public void Formats_are_tried_in_their_order()
    {
        var mapping = Given.Mapping(m => m["dateFormats"] = new JsonArray("dd/MM/yyyy", "MM/dd/yyyy"));
        var rows = Given.Read(mapping, Given.Header + "1,02/01/2018,,t,,\n2,01/31/2018,,t,,\n").Cast<ImportRow>().ToList();
        Assert.That(rows.Select(r => r.ReportedAt), Is.EqualTo(new[] { Instant.FromUtc(2018, 1, 2, 5, 0), Instant.FromUtc(2018, 1, 31, 5, 0) }));
    }

    [Test]
    public void Shanghai_had_summer_time_once() =>
        Assert.That(Reported("1988-07-01 12:00:00", "yyyy-MM-dd HH:mm:ss", "Asia/Shanghai"), Is.EqualTo(Instant.FromUtc(1988, 7, 1, 3, 0)));
}
