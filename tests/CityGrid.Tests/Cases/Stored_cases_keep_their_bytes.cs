using CityGrid.Hub.Catalogue;
using CityGrid.Node.Cases;
using CityGrid.Node.Stored;
using CityGrid.Node.Tally;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Approvals;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Cases;

/// <summary>INV-27: a case as a view document and a snapshot hold it. Another form of it is another version of the codec; lines of the golden file are added, and none is ever changed.</summary>
public sealed class Stored_cases_keep_their_bytes
{
    private const string File = "stored-cases";

    private static readonly Instant At = Instant.FromUtc(2026, 11, 2, 1, 0, 0).Plus(Duration.FromMilliseconds(123));
    private static readonly TypeKey Cover = TypeCatalogue.BuiltIn.KeyOf(City.Cover);

    private static readonly CaseState Bare = new()
    {
        Id = CaseStory.Id,
        Type = Cover,
        Division = City.North,
        Source = City.Hotline,
        Stage = CaseStage.Reported,
        Version = 1,
        LastLsn = new Lsn(77),
        ReportedAt = At,
        ReportedDay = new StatDay(20_759),
        StepAt = At,
    };

    private static readonly CaseState Whole = Bare with
    {
        Stage = CaseStage.Closed,
        Grade = EmergencyGrade.Serious,
        Summary = "桥面塌陷",
        Filing = new FilingState
        {
            FiledAt = At,
            Row = 2,
            Limit = new Limit(4, LimitUnit.WorkHour),
            LimitIsDefault = true,
            Deadline = At + Duration.FromHours(4),
            ClockSince = At + Duration.FromHours(1),
            Unit = "供水公司",
            Handlers = ["crew-7", "crew-8"],
            HandledAt = At + Duration.FromHours(2),
            HandledInTime = false,
            HandledSeconds = 7200,
            HandledSegment = 1,
            Extensions = 1,
            Suspensions = 2,
            SuspendedAt = At + Duration.FromHours(3),
            SuspendedUntil = At + Duration.FromDays(30),
            RemainingMilliseconds = -5,
            SuspendedSeconds = 3600,
            SuspendedWorkedSeconds = 1800,
            OverdueAt = At + Duration.FromHours(5),
            OverdueDay = new StatDay(20_760),
            InOverdueStock = true,
            OverdueMultiple = 5,
            NextStepAt = At + Duration.FromDays(2),
        },
        End = new EndState(At + Duration.FromDays(1), new StatDay(20_760), true, 86_400),
        Import = new ImportState("boston-311", "101004113298", Hash256.Of([1]), At, At + Duration.FromDays(1), true, true),
        Slots = [4097, 4098],
        Requests = [new KeptRequest((UInt128)0xABCD << 64, 0xFEDC_BA98_7654_3210, 3, new Lsn(70))],
        Escalations = [new EscalationMark((UInt128)7 << 100, 2, "urgent", EmergencyGrade.Serious, EscalationTier.Ministry, EscalationState.Open, At)],
        EarlierSpots = [new Spot(Cover, City.South)],
        Contributions = [Contribution.Count(1, Counter.Reported, new StatDay(20_759), -1), Contribution.Lasted(1, Histogram.ReportToClose, new StatDay(20_760), 86_400, -1)],
    };

    [Test]
    public void Each_is_written_as_ever() =>
        GoldenLines.Have("Cases", File, [.. new[] { ("bare", Bare), ("whole", Whole) }.Select(one => $"{one.Item1} {CaseStateCodec.Version} | {Convert.ToHexStringLower(CaseStateCodec.Write(one.Item2))}")]);

    [Test]
    public void And_read_as_it_was_meant()
    {
        var (bare, whole) = (Read("bare"), Read("whole"));
        Assert.That(CaseStateCodec.Write(bare), Is.EqualTo(CaseStateCodec.Write(Bare)));
        Assert.That(bare.Filing is null && bare.End is null && bare.Import is null && bare.Summary is null, Is.True, "what is not there is not read");
        Assert.Multiple(() =>
        {
            Assert.That(whole.Slots, Is.EqualTo(Whole.Slots));
            Assert.That(whole.Requests, Is.EqualTo(Whole.Requests));
            Assert.That(whole.Escalations, Is.EqualTo(Whole.Escalations));
            Assert.That(whole.EarlierSpots, Is.EqualTo(Whole.EarlierSpots));
            Assert.That(whole.Contributions, Is.EqualTo(Whole.Contributions));
            Assert.That(whole.Filing!.Handlers, Is.EqualTo(Whole.Filing!.Handlers));
        });

        // Lists were compared above, and records compare those of theirs by where they are.
        Assert.That(
            whole with
            {
                Slots = Whole.Slots,
                Requests = Whole.Requests,
                Escalations = Whole.Escalations,
                EarlierSpots = Whole.EarlierSpots,
                Contributions = Whole.Contributions,
                Filing = whole.Filing! with { Handlers = Whole.Filing!.Handlers },
            },
            Is.EqualTo(Whole));
        Assert.That(Convert.ToHexStringLower(CaseStateCodec.Write(whole)), Is.EqualTo(Hex("whole")));
    }

    [Test]
    public void Nothing_that_can_be_kept_of_a_case_is_missing() =>
        Assert.That(MessageFields.MissingIn(StoredCaseState.Parser.ParseFrom(Convert.FromHexString(Hex("whole")))), Is.Empty);

    private static CaseState Read(string name) => CaseStateCodec.Read(Convert.FromHexString(Hex(name)));

    private static string Hex(string name) => GoldenLines.Of("Cases", File).Single(line => line[0] == $"{name} {CaseStateCodec.Version}")[1];
}
