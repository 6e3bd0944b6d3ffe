using CityGrid.Hub.Divisions;
using CityGrid.Protocol.Names;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Divisions;

public sealed class A_register_is_taken_whole_or_every_fault_is_told
{
    private const string Header = "code,parent,name_zh,name_en,kind,valid_from,valid_to\n";

    [Test]
    public void Rows_may_come_in_any_order_with_quotes_blank_lines_and_a_byte_order_mark()
    {
        var register = Taken("\uFEFF" + Header + "B-1,B,\"一, 二\",\"The \"\"first\"\"\",county,,\r\n\r\nB,N,乙,,city,2001-02-03,2020-12-31\nN,,国,Nation,nation,,");
        Assert.That(register.Count, Is.EqualTo(3));
        Assert.That(register.Find(Code("B-1"))!.NameZh, Is.EqualTo("一, 二"));
        Assert.That(register.Find(Code("B-1"))!.NameEn, Is.EqualTo("The \"first\""));
        Assert.That(register.Find(Code("B"))!.ValidFrom, Is.EqualTo(new LocalDate(2001, 2, 3)));
        Assert.That(register.Find(Code("B"))!.ValidTo, Is.EqualTo(new LocalDate(2020, 12, 31)));
        Assert.That(register.IsAtOrBelow(Code("B-1"), Code("N")), Is.True);
    }

    [TestCase("nation", DivisionKind.Nation)]
    [TestCase("province", DivisionKind.Province)]
    [TestCase("municipality", DivisionKind.Municipality)]
    [TestCase("city", DivisionKind.City)]
    [TestCase("direct-county", DivisionKind.DirectCounty)]
    [TestCase("directcounty", DivisionKind.DirectCounty)]
    [TestCase("county", DivisionKind.County)]
    [TestCase("township", DivisionKind.Township)]
    [TestCase("placeholder", DivisionKind.Placeholder)]
    [TestCase("unknown", DivisionKind.Unknown)]
    public void Kinds_are_words_in_small_letters(string word, DivisionKind kind) =>
        Assert.That(Taken(Header + "N,,,,nation,,\nX,N,,," + word + ",,").Find(Code("X"))!.Kind, Is.EqualTo(kind));

    [TestCase("X,N,,,City,,", "line 3, kind: 'City' is no kind; allowed are nation, province, municipality, city, direct-county, county, township, placeholder, unknown")]
    [TestCase("x,N,,,city,,", "line 3, code: 'x' is no code; 1 to 32 characters of A-Z, 0-9 and '-'")]
    [TestCase(",N,,,city,,", "line 3, code: there is no code; 1 to 32 characters of A-Z, 0-9 and '-'")]
    [TestCase("N,,,,nation,,", "line 3, code: 'N' stands in line 2 already; a code stands once")]
    [TestCase("X,Y,,,city,,", "line 3, parent: 'Y' stands in no line; a parent has a line of its own")]
    [TestCase("X,,,,city,,", "line 3, parent: there is none; only a nation stands below nothing")]
    [TestCase("X,n,,,city,,", "line 3, parent: 'n' is no code; 1 to 32 characters of A-Z, 0-9 and '-'")]
    [TestCase("X,X,,,city,,", "line 3, parent: X below X is a circle; every way up ends at a nation")]
    [TestCase("X,N,,,city,2020-01-02,2020-01-01", "line 3, valid_to: 2020-01-01 lies before valid_from, 2020-01-02; the last valid day is the first one or later")]
    [TestCase("X,N,,,city,2021-02-29,", "line 3, valid_from: '2021-02-29' is no day; yyyy-MM-dd, or nothing for open")]
    [TestCase("X,N,,,city,,1/2/2020", "line 3, valid_to: '1/2/2020' is no day; yyyy-MM-dd, or nothing for open")]
    [TestCase("X,N,,,city,", "line 3: the line has 6 fields; it must have 7, as the header names them")]
    [TestCase("X,N,\"a,,city,,", "line 3: a quote is not closed; a field with quotes begins and ends with one, and doubles those inside")]
    [TestCase("X,N,a\"b,,city,,", "line 3: a quote stands inside a field; a field with quotes begins and ends with one, and doubles those inside")]
    [TestCase("X2345678901234567890123456789,N,,,city,,", "line 3, code: 'X2345678901234567890123456789' is too long for a city; at most 27 characters, so that -NONE fits behind it")]
    public void A_fault_says_where_it_is_what_stands_there_and_what_is_allowed(string row, string expected) =>
        Assert.That(FaultsOf(Header + "N,,,,nation,,\n" + row), Is.EqualTo(new[] { expected }));

    [TestCase("", "the file is empty; it begins with the line code,parent,name_zh,name_en,kind,valid_from,valid_to")]
    [TestCase("code;parent\n", "line 1: the header is 'code;parent'; it must be code,parent,name_zh,name_en,kind,valid_from,valid_to")]
    public void A_file_begins_with_its_header(string text, string expected) => Assert.That(FaultsOf(text), Is.EqualTo(new[] { expected }));

    [Test]
    public void All_faults_are_told_at_once_in_the_order_of_the_lines() =>
        Assert.That(
            FaultsOf(Header + "N,,,,nation,,\nA,B,,,city,,\nB,A,,,city,,\nC,B,,,village,2020-01-02,2020-01-01\nd,Q,,,town,,\nN,,,,nation,,\n").Select(f => f[..f.IndexOf(':')]),
            Is.EqualTo(new[] { "line 3, parent", "line 5, kind", "line 5, valid_to", "line 6, code", "line 6, kind", "line 7, code" }));

    [Test]
    public void A_circle_is_told_once_and_not_of_what_hangs_below_it() =>
        Assert.That(
            FaultsOf(Header + "D,C,,,county,,\nA,B,,,province,,\nB,C,,,province,,\nC,A,,,city,,\n"),
            Is.EqualTo(new[] { "line 3, parent: C below A below B below C is a circle; every way up ends at a nation" }));

    [Test]
    public void A_division_lies_at_most_16_steps_below_the_top()
    {
        static string Chain(int steps) => Header + "N0,,,,nation,,\n" + string.Concat(Enumerable.Range(1, steps).Select(i => $"N{i},N{i - 1},,,township,,\n"));
        Assert.That(Taken(Chain(16)).IsAtOrBelow(Code("N16"), Code("N0")), Is.True);
        Assert.That(FaultsOf(Chain(17)), Is.EqualTo(new[] { "line 19, parent: 'N17' lies more than 16 steps below the top; at most 16 steps" }));
    }

    [Test]
    public void A_register_is_loaded_from_a_file_or_else_the_built_in_one()
    {
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            var file = Path.Combine(folder.FullName, "register.csv");
            File.WriteAllText(file, Header + "N,,国,,nation,,\n");
            Assert.That(DivisionRegister.Load(file).Register!.Count, Is.EqualTo(1));
            Assert.That(DivisionRegister.Load(null).Register, Is.SameAs(DivisionRegister.BuiltIn));
            Assert.That(DivisionRegister.Load(Path.Combine(folder.FullName, "none.csv")).Faults.Single().What, Does.StartWith("the file cannot be read"));
            File.WriteAllBytes(file, [0xB9, 0xFA]);
            Assert.That(DivisionRegister.Load(file).Faults.Single().What, Is.EqualTo("the file is not in UTF-8"));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Test]
    public void The_register_that_ships_with_the_mappings_is_one()
    {
        var reading = DivisionRegister.Load(Path.Combine(Machine.Repository, "tools", "CityGrid.Cli", "Mappings", "us-2026.csv"));
        Assert.That(reading.Faults, Is.Empty);
        Assert.That(reading.Register!.OriginsBelow(Code("US")), Has.Count.EqualTo(5));
    }

    private static DivisionRegister Taken(string text)
    {
        var reading = DivisionFile.Read(new StringReader(text));
        Assert.That(reading.Faults, Is.Empty);
        return reading.Register!;
    }

    private static IReadOnlyList<string> FaultsOf(string text)
    {
        var reading = DivisionFile.Read(new StringReader(text));
        Assert.That(reading.Register, Is.Null);
        return [.. reading.Faults.Select(f => f.ToString())];
    }

    private static DivisionCode Code(string text) => DivisionCode.Parse(text);
}
