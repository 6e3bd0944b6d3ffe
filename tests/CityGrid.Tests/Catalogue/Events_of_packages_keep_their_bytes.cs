using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Journal;
using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Catalogue;

/// <summary>INV-27: every kind of event of packages is read as it was written by the first program. Lines of the golden file are added, and none is ever changed.</summary>
public sealed class Events_of_packages_keep_their_bytes
{
    private static readonly NodeId Wuhan = NodeId.Parse("wuhan");

    private static readonly List<Protocol.V1.CataloguePackage> Chain = Packages.Chain(2);

    private static readonly EventDraft[] Samples =
    [
        PackageFold.PublishedEvent(Packages.Enveloped(Packages.Of(1, Hash256.Zero, null, "wuhan", "4201")), new Hash256(5, 5)),
        PackageFold.ReceivedEvent(Packages.NameOf(Chain[0]), Packages.Enveloped(Chain[0], begins: true), NodeId.Parse("hubei"), Wuhan, null),
        PackageFold.ToldEvent(NodeId.Parse("jiangxia"), [Packages.NameOf(Chain[0])], [new RefusedPackage(Packages.NameOf(Chain[1]), new Refusal(PackageJudge.Malformed, "words"))]),
        PackageFold.ReceivedEvent(Packages.NameOf(Chain[1]), Packages.Enveloped(Chain[1]), NodeId.Parse("hubei"), Wuhan, new Refusal(PackageJudge.NotAbove, "words")),
    ];

    /// <summary>The line of a refused package with its bytes: it is read, and none is written like it.</summary>
    private const int OnlyRead = 2;

    private static string[] Golden => File.ReadAllLines(Path.Combine(Machine.Repository, "tests", "CityGrid.Tests", "Catalogue", "package-events.golden.txt"));

    [Test]
    public void Each_kind_is_written_as_ever() => Assert.That(Samples.Select(d => $"{d.Kind} {d.Schema} {Convert.ToHexStringLower(d.Payload.Span)}"), Is.EqualTo(Golden.Where((_, line) => line != OnlyRead)));

    [Test]
    public void There_is_a_line_for_every_kind() => Assert.That(Samples.Select(d => (int)d.Kind).Distinct().Order(), Is.EqualTo(Enumerable.Range(EventKinds.PackagePublished, EventKinds.PackagesTold - EventKinds.PackagePublished + 1)));

    [Test]
    public void The_lines_make_the_packages_that_they_made()
    {
        var fold = new PackageFold();
        foreach (var (fields, i) in Golden.Select((line, i) => (line.Split(' '), i + 1)))
        {
            fold.Apply(Packages.Event(i, new EventDraft(ushort.Parse(fields[0], System.Globalization.CultureInfo.InvariantCulture), 1, Convert.FromHexString(fields[2]))));
        }

        Assert.Multiple(() =>
        {
            Assert.That(fold.Packages.Select(p => (p.Name.ToString(), p.Refusal?.Code, p.IsOwn, string.Join(' ', p.Envelope.Hops.Select(hop => hop.Node)))), Is.EqualTo(new[]
            {
                ("ministry/1", null, false, "wuhan"), ("ministry/2", PackageJudge.NotAbove, false, "wuhan"), ("ministry/2", PackageJudge.NotAbove, false, "wuhan"), ("wuhan/1", (string?)null, true, string.Empty),
            }));
            Assert.That(fold.Editions.Select(e => e.Catalogue.Version.ToString()), Is.EqualTo(new[] { "wuhan-1", "ministry-1" }));
            Assert.That(fold.ByRequest(new Hash256(5, 5))!.Name.ToString(), Is.EqualTo("wuhan/1"));
            Assert.That(fold.Child(NodeId.Parse("jiangxia")).Refused.Single().Refusal.Code, Is.EqualTo(PackageJudge.Malformed));
        });
    }
}
