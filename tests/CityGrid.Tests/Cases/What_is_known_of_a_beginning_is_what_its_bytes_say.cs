using CityGrid.Hub.Cells;
using CityGrid.Hub.Journal;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CsCheck;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Cases;

/// <summary>The event that begins a case is folded as it was decided, without its bytes being read again: a replay, which reads them, comes to the same, byte for byte.</summary>
public sealed class What_is_known_of_a_beginning_is_what_its_bytes_say
{
    private static readonly Instant Now = City.At(2026, 11, 2, 9);

    private static readonly Gen<string?> Texts = OneOf<string?>(null, string.Empty, "  ", "a summary", "井盖");

    private static readonly Gen<CaseCommand> Reports =
        from back in Gen.Long[0, 4_000_000_000_000]
        from division in OneOf<DivisionCode?>(null, City.North, City.South)
        from grade in Gen.Enum<EmergencyGrade>()
        from summary in Texts
        from reason in OneOf<string?>(null, string.Empty, Reasons.SourceUpdate)
        from hasPart in Gen.Bool
        from hasRequest in Gen.Bool
        select (CaseCommand)new ReportCase(City.Cover, division, City.Hotline)
        {
            Case = CaseStory.Id,
            Actor = "desk",
            Grade = grade,
            Summary = summary,
            Reason = reason,
            OccurredAt = back == 0 ? null : Now - Duration.FromNanoseconds(back),
            Sealed = hasPart ? new SealedPart(7, new byte[] { 1, 2, 3 }) : null,
            Request = hasRequest ? new RequestMark("key", 5) : null,
        };

    private static readonly Gen<CaseCommand> Imports =
        from back in Gen.Long[1, 4_000_000_000_000_000]
        from lasted in Gen.Long[-1, 4_000_000_000_000]
        from due in Gen.Long[-1, 4_000_000_000_000]
        from isLive in Gen.Bool
        from division in OneOf<DivisionCode?>(null, City.North)
        from hasPart in Gen.Bool
        let reported = Now - Duration.FromNanoseconds(back)
        select (CaseCommand)new ImportCase(City.Cover, division, City.Hotline, "old", "row 1")
        {
            Case = CaseStory.Id,
            Actor = "desk",
            ReportedAt = reported,
            ClosedAt = lasted < 0 ? null : Instant.Min(Now, reported + Duration.FromNanoseconds(lasted)),
            DueAt = due < 0 ? null : reported + Duration.FromNanoseconds(due),
            UpdatedAt = due < 0 ? null : Now - Duration.FromNanoseconds(due),
            Live = isLive,
            ContentHash = Hash256.Of([1, 2]),
            Sealed = hasPart ? new SealedPart(7, new byte[] { 1, 2, 3 }) : null,
            Request = RequestMark.OfRow("old", "row 1"),
        };

    [Test]
    public void So_books_and_cells_are_the_same()
    {
        var known = 0;
        Gen.OneOf(Reports, Imports).Sample(
            command =>
            {
                if (CaseDecisions.Decide(null, command, Now, City.Rules) is not CaseOutcome.Decided decided)
                {
                    return;
                }

                var drafts = CaseEventCodec.Encode(decided.Events, Lsn.Zero);
                var (live, replayed) = (new Kept(), new Kept());
                for (var i = 0; i < drafts.Count; i++)
                {
                    var stands = new JournalEvent(new Lsn(1 + i), new Lsn(1), new Lsn(drafts.Count), Now, "desk", drafts[i].Kind, drafts[i].Schema, drafts[i].Payload);
                    live.Book.Apply(stands, drafts[i].Known);
                    replayed.Book.Apply(stands);
                    Interlocked.Add(ref known, drafts[i].Known is null ? 0 : 1);
                }

                Assert.That(live.Bytes(), Is.EqualTo(replayed.Bytes()));
            },
            iter: 2000);
        Assert.That(known, Is.GreaterThan(500));
    }

    private static Gen<T> OneOf<T>(params T[] all) => Gen.Int[0, all.Length - 1].Select(i => all[i]);

    private sealed class Kept
    {
        private readonly CellFold _cells = new();
        private readonly List<byte[]> _changed = [];

        public Kept() => Book = new CaseBook(_cells, City.Node, City.Place, () => 1, _ => null) { Changed = state => _changed.Add(CaseStateCodec.Write(state)) };

        public CaseBook Book { get; }

        public byte[] Bytes()
        {
            using var image = new MemoryStream();
            Book.Save(image);
            _cells.Save(image);
            _changed.ForEach(state => image.Write(state));
            return image.ToArray();
        }
    }
}
