using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Cases;

public sealed class An_imported_row_is_the_case_as_its_source_has_it
{
    private static readonly Instant Opened = City.At(2026, 3, 2, 9);

    private static readonly ImportCase Row = new(City.Refuse, City.North, City.Hotline, "boston-311", "101")
    {
        Case = CaseStory.Id,
        Actor = "import",
        ReportedAt = Opened,
        ContentHash = Hash256.Of([1]),
        UpdatedAt = City.At(2026, 3, 2, 10),
    };

    private static readonly Instant Later = City.At(2026, 3, 10);

    [Test]
    public void An_open_row_is_one_event_and_makes_nothing_up()
    {
        var story = new CaseStory().Do(Row with { DueAt = Opened });
        Assert.Multiple(() =>
        {
            Assert.That(story.Last.Single(), Is.InstanceOf<Imported>());
            Assert.That(story.State!.Stage, Is.EqualTo(CaseStage.Reported));
            Assert.That(story.State.ReportedAt, Is.EqualTo(Opened));
            Assert.That(story.State.NextDueAt, Is.Null, "history has no deadline");
        });
    }

    [Test]
    public void A_closed_row_is_closed_in_the_same_record_and_in_time_where_a_due_time_says_so()
    {
        var story = new CaseStory().Do(Row with { ClosedAt = Opened.Plus(Duration.FromHours(30)), DueAt = Opened.Plus(Duration.FromHours(24)) });
        var closed = (Closed)story.Last[1];
        Assert.That((closed.InTime, closed.ElapsedSeconds), Is.EqualTo(((bool?)false, 30L * 3600)));
        Assert.That(((Closed)new CaseStory().Do(Row with { ClosedAt = Opened }).Last[1]).InTime, Is.Null);
    }

    [Test]
    public void A_row_that_contradicts_itself_is_refused()
    {
        Assert.Multiple(() =>
        {
            Assert.That(new CaseStory().RefusalOf(Row with { ClosedAt = Opened.Minus(Duration.FromSeconds(1)) }), Is.EqualTo(CaseRefusals.ImportInconsistent));
            Assert.That(new CaseStory().RefusalOf(Row with { ClosedAt = Opened, VoidedAt = Opened }), Is.EqualTo(CaseRefusals.ImportInconsistent));
            Assert.That(new CaseStory().RefusalOf(Row with { ClosedAt = City.At(2027, 1, 1) }), Is.EqualTo(CaseRefusals.OccurredInFuture));
            Assert.That(new CaseStory().RefusalOf(Row with { ExternalId = "" }), Is.EqualTo(CaseRefusals.ImportInconsistent));
        });
    }

    [Test]
    public void The_same_row_again_changes_nothing()
    {
        var story = new CaseStory().Do(Row);
        Assert.That(story.Try(Row), Is.EqualTo(new CaseOutcome.Unchanged(1)));
    }

    [Test]
    public void Other_content_needs_to_be_newer()
    {
        var story = new CaseStory().Do(Row);
        var changed = Row with { ContentHash = Hash256.Of([2]), ClosedAt = City.At(2026, 3, 3) };
        Assert.That(story.RefusalOf(changed), Is.EqualTo(CaseRefusals.ImportNotNewer));
        Assert.That(story.RefusalOf(Row with { PersonalChanged = true }), Is.EqualTo(CaseRefusals.ImportNotNewer));
        Assert.That(story.RefusalOf(changed with { UpdatedAt = null }), Is.EqualTo(CaseRefusals.ImportNotNewer));
        story.Do(changed with { UpdatedAt = Later });
        Assert.That(story.Try(changed), Is.EqualTo(new CaseOutcome.Unchanged(story.State!.Version)));
    }

    [Test]
    public void The_request_of_a_row_names_the_row_and_comes_again_with_newer_content()
    {
        var row = Row with { ClosedAt = City.At(2026, 3, 4), Request = new RequestMark("boston-311/101", 1) };
        var story = new CaseStory().Do(row);
        Assert.That(story.Last[0].Request, Is.EqualTo(row.Request!.Digest));
        story.Do(row with { ContentHash = Hash256.Of([2]), UpdatedAt = Later, ClosedAt = null, Request = row.Request! with { Content = 2 } });
        Assert.That(story.State!.Requests, Is.Empty);
        story.Verify();
        Assert.That(story.State.Requests, Has.Count.EqualTo(1));
    }

    [Test]
    public void Newer_content_becomes_what_changed_and_nothing_else()
    {
        var story = new CaseStory().Do(Row);
        var closed = Row with { ContentHash = Hash256.Of([2]), UpdatedAt = City.At(2026, 3, 5), ClosedAt = City.At(2026, 3, 4), Division = City.South };
        story.Do(closed);
        Assert.That(story.Last.Select(e => e.GetType().Name), Is.EqualTo(new[] { "ImportRenewed", "Corrected", "Closed" }));
        Assert.That(story.State!.End!.At, Is.EqualTo(City.At(2026, 3, 4)));

        var later = closed with { ContentHash = Hash256.Of([3]), UpdatedAt = City.At(2026, 3, 6), ClosedAt = City.At(2026, 3, 3) };
        story.Do(later);
        Assert.That(story.Last.Select(e => e.GetType().Name), Is.EqualTo(new[] { "ImportRenewed", "Corrected" }));
        Assert.That((story.State!.End!.At, story.State.End.ElapsedSeconds), Is.EqualTo((City.At(2026, 3, 3), 15L * 3600)));

        var open = later with { ContentHash = Hash256.Of([4]), UpdatedAt = City.At(2026, 3, 7), ClosedAt = null };
        story.Do(open);
        Assert.That(story.Last.Select(e => e.GetType().Name), Is.EqualTo(new[] { "ImportRenewed", "Reopened" }));

        story.Do(open with { ContentHash = Hash256.Of([5]), UpdatedAt = City.At(2026, 3, 8), VoidedAt = City.At(2026, 3, 8) });
        Assert.That(story.Last.Select(e => e.GetType().Name), Is.EqualTo(new[] { "ImportRenewed", "Voided" }));
    }

    [Test]
    public void It_was_always_reported_at_another_time()
    {
        var story = new CaseStory().Do(Row with { ClosedAt = City.At(2026, 3, 4, 9) });
        story.Do(Row with { ContentHash = Hash256.Of([2]), UpdatedAt = Later, ReportedAt = City.At(2026, 3, 1, 9), ClosedAt = City.At(2026, 3, 4, 9) });
        Assert.That(story.State!.ReportedDay.ToString(), Is.EqualTo("2026-03-01"));
        Assert.That(story.State.End!.ElapsedSeconds, Is.EqualTo(3 * 24 * 3600));
    }

    [Test]
    public void Once_the_place_works_it_the_source_no_longer_decides()
    {
        var story = new CaseStory().Do(Row).Verify();
        Assert.That(story.RefusalOf(Row with { ContentHash = Hash256.Of([2]), UpdatedAt = Later }), Is.EqualTo(CaseRefusals.ImportWorkedHere));
        story.File().Dispatch().Finish().Check().Close();
        Assert.That(story.State!.IsOpen, Is.False);
    }

    [Test]
    public void What_cannot_be_opened_any_more_comes_again_with_the_same_row_and_changes_nothing_else()
    {
        var story = new CaseStory().Do(Row).Verify();
        story.Do(Row with { UpdatedAt = null, Restores = true, Sealed = new SealedPart(7, new byte[] { 1 }) });
        Assert.That(story.Last.Single(), Is.EqualTo(new ImportRenewed(Row.ContentHash, null, Row.UpdatedAt)
        {
            Case = CaseStory.Id,
            OccurredAt = story.Last[0].OccurredAt,
            Day = story.Last[0].Day,
            Sealed = story.Last[0].Sealed,
        }));
        Assert.That(story.State!.Slots, Is.EqualTo(new[] { 7L }));
        Assert.That(story.Try(Row with { ContentHash = Hash256.Of([2]), Restores = true }), Is.InstanceOf<CaseOutcome.Refused>(), "other content has to be newer all the same");
    }

    [Test]
    public void A_row_of_another_case_is_not_taken_for_this_one() =>
        Assert.That(new CaseStory().Do(Row).RefusalOf(Row with { ExternalId = "102", ContentHash = Hash256.Of([2]) }), Is.EqualTo(CaseRefusals.CaseExists));

    [Test]
    public void A_live_row_has_a_deadline_at_its_due_time()
    {
        var story = new CaseStory().At(City.At(2026, 3, 2, 10)).Do(Row with { Live = true, DueAt = City.At(2026, 3, 2, 12) });
        Assert.That(story.State!.Deadline, Is.EqualTo(City.At(2026, 3, 2, 12)));
        story.At(City.At(2026, 3, 3)).Pass();
        Assert.That(story.Last.Single().OccurredAt, Is.EqualTo(City.At(2026, 3, 2, 12)));

        story.Do(Row with { Live = true, DueAt = City.At(2026, 3, 2, 12), ContentHash = Hash256.Of([2]), UpdatedAt = Later, ClosedAt = City.At(2026, 3, 2, 11) });
        Assert.That(story.State!.IsOverdue, Is.False, "closed in time after all");
    }
}
