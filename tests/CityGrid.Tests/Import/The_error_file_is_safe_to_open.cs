using CityGrid.Node.Intake.Import;
using NUnit.Framework;

namespace CityGrid.Tests.Import;

public sealed class The_error_file_is_safe_to_open
{
    [Test]
    public void It_names_row_column_code_and_message_of_refused_and_kept_rows()
    {
        var text = Written(
            Header + "1,2026-01-02 03:04:05,2026-01-01 03:04:05,t,,\n2,,,t,,\n3,2026-01-02 03:04:05,,t,,\n");
        var lines = text.Split("\r\n");
        Assert.Multiple(() =>
        {
            Assert.That(lines, Has.Length.EqualTo(4));
            Assert.That(lines[0], Is.EqualTo("row,column,code,message,remedy,value,line,imported"));
            Assert.That(lines[1], Does.StartWith("2,closed,CLOSES_BEFORE_OPENS,").And.EndsWith(",2026-01-01 03:04:05,2,yes"));
            Assert.That(lines[2], Does.StartWith("3,reported,REPORTED_MISSING,").And.EndsWith(",,3,no"));
        });
    }

    [TestCase("=1+1")]
    [TestCase("+1")]
    [TestCase("-1")]
    [TestCase("@SUM(A1)")]
    public void No_cell_is_taken_for_a_formula(string value)
    {
        var text = Written(Header + $"1,{value},,t,,\n");
        Assert.That(text, Does.Contain($",'{value},"));
    }

    [Test]
    public void Quotes_and_line_breaks_stay_in_their_cell()
    {
        using var writer = new StringWriter();
        new ErrorFile(() => writer).Write(new ImportFault(1, 1, "a\"b", "c\nd", "CODE", "x, y", "z"));
        Assert.That(writer.ToString(), Does.Contain("\r\n1,\"a\"\"b\",CODE,\"x, y\",z,\"c\nd\",1,no\r\n"));
    }

    [Test]
    public void Without_a_fault_nothing_is_opened()
    {
        using var errors = new ErrorFile(() => throw new InvalidOperationException("No fault was to be written."));
        foreach (var item in Given.Read(Given.Mapping(), Header + "1,2026-01-02 03:04:05,,t,,\n"))
        {
            errors.Write(item);
        }

        Assert.That(errors.Count, Is.Zero);
    }

    private const string Header = Given.Header;

    private static string Written(string file)
    {
        using var writer = new StringWriter();
        var errors = new ErrorFile(() => writer);
        foreach (var item in Given.Read(Given.Mapping(), file))
        {
            errors.Write(item);
        }

        return writer.ToString();
    }
}
