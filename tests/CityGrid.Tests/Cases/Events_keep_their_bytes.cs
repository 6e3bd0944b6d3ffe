using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Journal;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Cases;

/// <summary>
/// What is in a journal is there for ever: every kind of event must be read as it was written by the first program. Lines of the golden file are
/// added, and none is ever changed.
/// </summary>
public sealed class Events_keep_their_bytes
{
    private static readonly Instant At = Instant.FromUtc(2026, 11, 2, 1, 0, 0).Plus(Duration.FromMilliseconds(123));
    private static readonly TypeKey Cover = TypeCatalogue.BuiltIn.KeyOf(City.Cover);
    private static readonly Hash256 Hash = Hash256.Of([1, 2, 3]);

    private static readonly CaseEvent[] Samples =
    [
        new Reported(Cover, City.North, City.Hotline, EmergencyGrade.Larger, "桥面塌陷") { Request = new RequestMark("key-1", 0xFEDC_BA98_7654_3210).Digest, Sealed = new SealedPart(4097, new byte[] { 1, 2, 3 }) },
        new PreFilingChecked(true),
        new Filed(Cover, 2, new Limit(4, LimitUnit.WorkHour), false, At.Plus(Duration.FromHours(4)), 1800),
        new Dispatched("供水公司"),
        new HandlingFinished(true, 7200, 3600),
        new PreClosingChecked(false),
        new Closed(false, 90_000, 28_800),
        new Voided { Reason = "duplicate" },
        new Returned("供水公司") { Reason = "wrong_unit" },
        new Reworked { Reason = "not_done" },
        new Extended(At.Plus(Duration.FromDays(2))) { Reason = "weather" },
        new Suspended(At.Plus(Duration.FromDays(30)), 10_800_000) { Reason = "season" },
        new Resumed(true, At.Plus(Duration.FromDays(31)), null, 14_400),
        new Reopened { Reason = "not_solved" },
        new Corrected
        {
            Type = Cover,
            Division = City.South,
            Limit = new NewLimit(1, new Limit(2, LimitUnit.UrgentHour), true, At, At.Plus(Duration.FromHours(1)), 5),
            Reported = new CorrectedTime(At, new StatDay(20_759)),
            Ended = new CorrectedTime(At.Plus(Duration.FromHours(2)), new StatDay(20_760)),
            InTime = true,
            ElapsedSeconds = 7200,
            Reason = "wrong_type",
        },
        new Moved(Cover, City.South) { Reason = "boundary" },
        new DeadlinePassed(At, At.Plus(Duration.FromHours(8))),
        new DeadlineWithdrawn(),
        new OverdueReached(2, null),
        new Escalated((UInt128)7 << 100, 1, "urgent", EmergencyGrade.Serious, EscalationTier.Ministry, EscalationState.Open, At),
        new ReporterErased([4097, 4098]) { Reason = "reporter_request" },
        new Imported(Cover, City.North, City.Hotline, "boston-311", "101004113298", Hash)
        {
            DueAt = At, UpdatedAt = At.Plus(Duration.FromDays(1)), Live = true, Grade = EmergencyGrade.General, Summary = "s",
        },
        new ImportRenewed(Hash, At, null),
        new CalledBack(true, false),
        new DeadlineMoved(At, null, 10),
    ];

    private static string GoldenFile => Path.Combine(Machine.Repository, "tests", "CityGrid.Tests", "Cases", "case-events.golden.txt");

    [Test]
    public void Each_kind_is_written_as_ever()
    {
        var lines = Placed().SelectMany(e => CaseEventCodec.Encode([e], new Lsn(77))).Select(d => $"{d.Kind} {d.Schema} {Convert.ToHexStringLower(d.Payload.Span)}");
        Assert.That(lines, Is.EqualTo(Now(File.ReadAllLines(GoldenFile))));
    }

    [Test]
    public void Each_line_is_read_as_the_event_that_it_was()
    {
        var lines = File.ReadAllLines(GoldenFile);
        var read = lines.Select(line => line.Split(' ')).Select(f => Read(ushort.Parse(f[0], System.Globalization.CultureInfo.InvariantCulture), Convert.FromHexString(f[2]))).ToList();
        Assert.That(read, Has.All.Matches<CaseEntry>(e => e!.PreviousLsn == new Lsn(77)));
        Assert.That(
            read.SelectMany(e => CaseEventCodec.Encode([e.Event], e.PreviousLsn)).Select(d => Convert.ToHexStringLower(d.Payload.Span)),
            Is.EqualTo(Now(lines).Append(lines[^1]).Select(l => l.Split(' ')[2])), "what was written otherwise once is the same event");
        foreach (var (was, now) in Placed().Zip(read))
        {
            // Lists and memory are compared by their bytes above.
            if (was is not ReporterErased && was.Sealed is null)
            {
                Assert.That(now.Event, Is.EqualTo(was));
            }
        }
    }

    [Test]
    public void There_is_a_line_for_every_kind()
    {
        var kinds = Samples.Select(s => s.GetType()).ToHashSet();
        Assert.That(typeof(CaseEvent).Assembly.GetTypes().Where(t => t.IsSubclassOf(typeof(CaseEvent))), Is.EquivalentTo(kinds));
        Assert.That(Placed().SelectMany(e => CaseEventCodec.Encode([e], Lsn.Zero)).Select(d => (int)d.Kind), Is.EqualTo(Enumerable.Range(CaseEventKinds.Reported, Samples.Length)));
    }

    [Test]
    public void Events_of_one_record_point_at_each_other()
    {
        var drafts = CaseEventCodec.Encode([.. Placed().Take(2)], new Lsn(5));
        Assert.That(Read(drafts[0].Kind, drafts[0].Payload, 10).PreviousLsn, Is.EqualTo(new Lsn(5)));
        Assert.That(Read(drafts[1].Kind, drafts[1].Payload, 11).PreviousLsn, Is.EqualTo(new Lsn(10)));
    }

    [Test]
    public void What_is_no_case_event_is_told_apart_from_a_damaged_one()
    {
        Assert.That(CaseEventCodec.Decode(new(new Lsn(1), new Lsn(1), new Lsn(1), At, "a", EventKinds.CellsReceived, 1, default)), Is.Null);
        Assert.That(() => Read(CaseEventKinds.Filed, new byte[] { 255, 255 }), Throws.TypeOf<FormatException>());
        Assert.That(() => Read(CaseEventKinds.Filed, default), Throws.TypeOf<FormatException>());
        Assert.That(() => Read(CaseEventKinds.Filed, CaseEventCodec.Encode([Samples[3]], Lsn.Zero)[0].Payload), Throws.TypeOf<FormatException>());
        Assert.That(
            () => CaseEventCodec.Decode(new(new Lsn(1), new Lsn(1), new Lsn(1), At, "a", CaseEventKinds.Filed, 2, default)), Throws.TypeOf<NewerFormatException>());
    }

    /// <summary>The lines as events are written now, one for each kind: the first kept the request's key itself, and the last took its place.</summary>
    private static IEnumerable<string> Now(string[] lines) => lines[1..^1].Prepend(lines[^1]);

    private static CaseEntry Read(ushort kind, ReadOnlyMemory<byte> payload, long lsn = 100) =>
        CaseEventCodec.Decode(new(new Lsn(lsn), new Lsn(lsn), new Lsn(lsn), At, "actor", kind, 1, payload))!;

    private static IEnumerable<CaseEvent> Placed() => Samples.Select(e => e with { Case = CaseStory.Id, OccurredAt = At, Day = new StatDay(20_759) });
}
