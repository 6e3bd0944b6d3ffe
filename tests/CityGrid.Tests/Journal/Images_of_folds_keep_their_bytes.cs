using System.Buffers.Binary;
using CityGrid.Hub.Catalogue.V1;
using CityGrid.Hub.Cells;
using CityGrid.Hub.Children.V1;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception.V1;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Views.V1;
using CityGrid.Node.Stored;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.Wire;
using CityGrid.Tests.Approvals;
using CityGrid.Tests.Crashes;
using Google.Protobuf.Reflection;
using NUnit.Framework;

namespace CityGrid.Tests.Journal;

/// <summary>
/// INV-27: what each fold keeps of itself in a snapshot. An image of a fold's present version is read whatever program wrote it; whoever changes what an image
/// says otherwise raises the version, for then the journal is replayed, and adds a line. None is ever changed.
/// </summary>
public sealed class Images_of_folds_keep_their_bytes
{
    private const string File = "fold-images";

    private static readonly Dictionary<string, MessageDescriptor> Messages = new()
    {
        ["uplink"] = UplinkImage.Descriptor,
        ["reception"] = ReceptionImage.Descriptor,
        ["finality"] = FinalityImage.Descriptor,
        ["escalations"] = EscalationsImage.Descriptor,
        ["orders"] = OrdersImage.Descriptor,
        ["packages"] = PackagesImage.Descriptor,
        ["children"] = ChildrenImage.Descriptor,
        ["cases"] = StoredBookHead.Descriptor,
    };

    /// <summary>The version beside which a type came stands in the event alone.</summary>
    private static readonly string[] NotKept = ["citygrid.node.stored.v1.StoredLocalTypeAdded.catalogue"];

    private static IEnumerable<string> Names => new FullNode().Folds.Select(fold => fold.Name);

    [Test]
    public void Each_is_written_as_ever() =>
        GoldenLines.Have("Journal", File, [.. FullNode.WithHistory().Folds.Select(fold => $"{TitleOf(fold)} | {Convert.ToHexStringLower(FullNode.ImageOf(fold))}")]);

    [TestCaseSource(nameof(Names))]
    public void Each_is_read_and_kept_as_it_was(string name)
    {
        var fold = new FullNode().Folds.Single(fold => fold.Name == name);
        var golden = Golden(fold);
        Assert.That(FullNode.ImageOf(fold), Is.Not.EqualTo(golden), "an empty fold says less");
        fold.Load(new MemoryStream(golden));
        Assert.That(Convert.ToHexStringLower(FullNode.ImageOf(fold)), Is.EqualTo(Convert.ToHexStringLower(golden)));
    }

    [Test]
    public void Every_fold_of_a_node_has_one()
    {
        using var city = new CityOnADisk(new ModelDisk(), new SeededEntropy(1), new VirtualTime(new DateTimeOffset(2026, 11, 24, 4, 0, 0, TimeSpan.Zero)), JournalFaults.None);
        city.Core.SaveSnapshot();
        var kept = city.Core.Journal.LoadSnapshot()!.Folds.Select(fold => $"{fold.Name} {fold.Version}").ToArray();
        Assert.That(kept, Has.Length.GreaterThan(8));
        Assert.That(kept.Except(GoldenLines.Of("Journal", File).Select(line => line[0])), Is.Empty);
    }

    [Test]
    public void Nothing_that_an_image_can_keep_is_missing_in_them()
    {
        Assert.That(Messages.Keys.Append("cells"), Is.EquivalentTo(Names));
        foreach (var (name, message) in Messages)
        {
            var golden = Golden(new FullNode().Folds.Single(fold => fold.Name == name));
            var image = message.Parser.ParseFrom(name == "cases" ? golden.AsSpan(4, BinaryPrimitives.ReadInt32LittleEndian(golden)) : golden);
            Assert.That(MessageFields.MissingIn(image).Except(NotKept), Is.Empty, name);
        }
    }

    [Test]
    public void Cells_of_every_sort_are_in_theirs()
    {
        var cells = (CellFold)new FullNode().Folds[0];
        cells.Load(new MemoryStream(Golden(cells)));
        var rows = cells.ChangedSince(Lsn.Zero, cells.NewestChange).ToList();
        Assert.Multiple(() =>
        {
            Assert.That(rows.Select(row => row.Key.Origin.ToString()).Distinct(), Is.EquivalentTo(new[] { "yuncheng", "north", "south" }));
            Assert.That(rows.Select(row => row.Key.Grain).Distinct().Count(), Is.EqualTo(2));
            Assert.That(rows.Any(row => CellCodec.IsZero(row.Value.Span)) && rows.Any(row => !CellCodec.IsZero(row.Value.Span)), Is.True);
            Assert.That(cells.Count, Is.EqualTo(rows.Count + 1), "one was let go of");
        });
    }

    private static string TitleOf(IFold fold) => $"{fold.Name} {fold.Version}";

    private static byte[] Golden(IFold fold) => Convert.FromHexString(GoldenLines.Of("Journal", File).Single(line => line[0] == TitleOf(fold))[1]);
}
