using CityGrid.Hub.Children;
using CityGrid.Hub.Journal;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Reception;
using NUnit.Framework;

namespace CityGrid.Tests.Children;

/// <summary>INV-27: every kind of event of the register of children is read as it was written by the first program. Lines of the golden file are added, and none is ever changed.</summary>
public sealed class Events_of_children_keep_their_bytes
{
    private static readonly NodeId Wuhan = NodeId.Parse("wuhan");

    private static readonly ChildCertificate[] Issued =
    [
        new(CertificateKind.Link, "4a00", "aa11", new byte[] { 1, 2 }, Parent.Noon, Parent.Noon + NodaTime.Duration.FromDays(90)),
        new(CertificateKind.Signer, "4b00", "bb11", new byte[] { 3 }, Parent.Noon, Parent.Noon + NodaTime.Duration.FromDays(90)),
    ];

    private static readonly EventDraft[] Samples =
    [
        ChildrenEvents.Opened(Wuhan, [DivisionCode.Parse("4201"), DivisionCode.Parse("429004")], true),
        ChildrenEvents.Approved(Wuhan, Hash256.Of([1, 2, 3]), Parent.Noon + NodaTime.Duration.FromDays(3)),
        ChildrenEvents.Tried(Wuhan),
        ChildrenEvents.Enrolled(Wuhan, Issued),
        RenewedByAnEarlierProgram(),
        ChildrenEvents.Revoked(Wuhan, ["4a00"], "key lost"),
        ChildrenEvents.Retired(Wuhan, "merged"),
        ChildrenEvents.Shown(Wuhan, "4c00", Parent.Noon + NodaTime.Duration.FromDays(7)),
    ];

    /// <summary>Which began the overlap with the renewal itself.</summary>
    private static EventDraft RenewedByAnEarlierProgram()
    {
        var draft = ChildrenEvents.Renewed(Wuhan, [Issued[0] with { Serial = "4c00" }]);
        var renewed = Hub.Children.V1.ChildRenewed.Parser.ParseFrom(draft.Payload.Span);
        renewed.OverlapEnds = (Parent.Noon + NodaTime.Duration.FromDays(7)).ToUnixTimeTicks();
        return draft with { Payload = Google.Protobuf.MessageExtensions.ToByteArray(renewed) };
    }

    private static string[] Golden => File.ReadAllLines(Path.Combine(Machine.Repository, "tests", "CityGrid.Tests", "Children", "children-events.golden.txt"));

    [Test]
    public void Each_kind_is_written_as_ever() => Assert.That(Samples.Select(d => $"{d.Kind} {d.Schema} {Convert.ToHexStringLower(d.Payload.Span)}"), Is.EqualTo(Golden));

    [Test]
    public void There_is_a_line_for_every_kind() => Assert.That(Samples.Select(d => (int)d.Kind), Is.EqualTo(Enumerable.Range(EventKinds.PlaceOpened, EventKinds.CertificateShown - EventKinds.PlaceOpened + 1)));

    [Test]
    public void The_lines_make_the_place_that_they_made()
    {
        var fold = new ChildrenFold();
        foreach (var (fields, i) in Golden.Select((line, i) => (line.Split(' '), i + 1)))
        {
            var lsn = new Lsn(i);
            fold.Apply(new JournalEvent(lsn, lsn, lsn, Parent.Noon, i == 2 ? "wang" : "li", ushort.Parse(fields[0], System.Globalization.CultureInfo.InvariantCulture), 1, Convert.FromHexString(fields[2])));
        }

        var place = fold.Find(Wuhan)!;
        Assert.Multiple(() =>
        {
            Assert.That(place.Divisions.Select(d => d.ToString()), Is.EqualTo(new[] { "4201", "429004" }));
            Assert.That(place.Authority, Is.True);
            Assert.That(place.Certificates.Select(c => (c.Serial, c.RevokedFor, c.TakenUntil is not null)), Is.EqualTo(new[] { ("4a00", "key lost", true), ("4b00", "", false), ("4c00", "", false) }));
            Assert.That((place.RetiredFor, place.Opening), Is.EqualTo(("merged", (Opening?)null)));
        });
    }
}
