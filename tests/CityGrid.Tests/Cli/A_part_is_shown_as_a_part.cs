using CityGrid.Cli;
using CityGrid.Protocol.V1;
using NUnit.Framework;

namespace CityGrid.Tests.Cli;

/// <summary>Clause L17: below the figures people read, in their language, which places tell of some matters alone.</summary>
[NonParallelizable]
public sealed class A_part_is_shown_as_a_part
{
    [TestCase("en", "does not tell of all that is asked, so what is missing here is no zero: AC (01…, 99000 and local types); BC (06010…)")]
    [TestCase("zh", "未报全部所查事项，此处所缺不等于零：AC (01…, 99000 及本地类别); BC (06010…)")]
    public void On_a_line_of_its_own(string language, string line)
    {
        Texts.Choose(language);
        try
        {
            var response = new QueryResponse { Coverage = new Coverage { Heard = 2, Expected = 2 } };
            Assert.That(ViewTable.Coverage(response).Split(Environment.NewLine), Has.Length.EqualTo(1));
            response.Coverage.ToldInPart.Add(new ToldInPart { Division = "AC", Matters = { "01", Protocol.Names.Matters.Other } });
            response.Coverage.ToldInPart.Add(new ToldInPart { Division = "BC", Matters = { "06010" } });
            Assert.That(ViewTable.Coverage(response).Split(Environment.NewLine)[1..], Is.EqualTo(new[] { line }));
        }
        finally
        {
            Texts.Choose(null);
        }
    }
}
