using CityGrid.Protocol.Names;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Names;

public sealed class Names_are_refused_when_they_are_none
{
    [TestCase("CN", true)]
    [TestCase("320508", true)]
    [TestCase("US-MA-BOSTON", true)]
    [TestCase("", false)]
    [TestCase("３２０５０８", false)]
    [TestCase("320508 ", false)]
    [TestCase("us-ma", false)]
    [TestCase("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456", false)]
    public void A_division_code_has_a_closed_alphabet(string text, bool expected) =>
        Assert.That(DivisionCode.TryParse(text, out _), Is.EqualTo(expected));

    [Test]
    public void An_id_of_a_case_that_somebody_made_up_with_a_time_past_all_times_names_no_case_and_harms_nothing()
    {
        var id = CaseId.Parse("7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
        Assert.That(id.MintedAt.ToUnixTimeMilliseconds(), Is.EqualTo(Instant.MaxValue.ToUnixTimeMilliseconds()));
        Assert.That(Node.Cases.CaseDesk.ShelfOf(id), Is.EqualTo("cases-9999-12"));
    }

    [Test]
    public void A_default_code_does_not_pass_as_one() =>
        Assert.That(() => default(DivisionCode).ToString(), Throws.InvalidOperationException);

    [Test]
    public void A_case_id_keeps_its_minting_time_and_its_text()
    {
        var minted = Instant.FromUtc(2026, 11, 24, 3, 4, 5).PlusNanoseconds(6_000_000);
        var id = CaseId.Mint(minted, [1, 2, 3, 4, 5, 6, 7, 8, 9, 255]);
        Assert.Multiple(() =>
        {
            Assert.That(id.MintedAt, Is.EqualTo(minted));
            Assert.That(CaseId.Parse(id.ToString()), Is.EqualTo(id));
            Assert.That(CaseId.FromBytes(id.ToBytes()), Is.EqualTo(id));
            Assert.That(CaseId.TryParse(id.ToString().ToLowerInvariant(), out _), Is.False);
        });
    }

    [Test]
    public void Case_ids_sort_by_time()
    {
        var early = CaseId.Mint(Instant.FromUnixTimeMilliseconds(1), new byte[] { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 });
        var late = CaseId.Mint(Instant.FromUnixTimeMilliseconds(2), new byte[10]);
        Assert.That(early, Is.LessThan(late));
        Assert.That(string.CompareOrdinal(early.ToString(), late.ToString()), Is.Negative);
    }

    [Test]
    public void A_day_is_that_of_the_place_and_not_of_the_machine()
    {
        var shanghai = DateTimeZoneProviders.Tzdb["Asia/Shanghai"];
        Assert.That(StatDay.Of(Instant.FromUtc(2026, 1, 1, 16, 0), shanghai).ToString(), Is.EqualTo("2026-01-02"));
        Assert.That(StatDay.TryParse("2026-02-30", out _), Is.False);
    }

    [Test]
    public void Counters_have_one_id_and_one_name_each() =>
        Assert.That(Counter.All.Select(c => c.Name), Is.Unique);
}
