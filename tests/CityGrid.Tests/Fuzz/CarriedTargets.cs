using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Backup;
using CityGrid.Hub.Bundles;
using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Cells;
using CityGrid.Hub.Children;
using CityGrid.Hub.Escalations;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Orders;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Views;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Backup;
using CityGrid.Tests.Simulation;
using Google.Protobuf;

namespace CityGrid.Tests.Fuzz;

/// <summary>What is carried by hand or lies on a shelf: bundles with all that they say, and backups; and the image of each fold in a snapshot.</summary>
internal static class CarriedTargets
{
    private static readonly DateTimeOffset Now = new(2026, 11, 29, 8, 0, 0, TimeSpan.Zero);
    private static readonly NodeId City = NodeId.Parse("city-1-1");
    private static readonly NodeId Province = NodeId.Parse("province-1");

    private static readonly Lazy<IReadOnlyList<(string Fold, byte[] Image)>> Images = new(MadeImages);
    private static readonly Lazy<(byte[] Content, byte[] Answer)> Said = new(MadeContent);
    private static readonly Lazy<(X509Certificate2 Maker, X509Certificate2 Reader, NetworkTrust Trust, byte[] File)> Sealed = new(MadeBundle);
    private static readonly Lazy<(ModelDisk Shelf, string File)> Kept = new(MadeBackup);

    public static IReadOnlyList<FuzzTarget> All { get; } =
    [
        new("fold-image", Shape.Bytes, 6_000, () => [.. Images.Value.Select((made, i) => (byte[])[(byte)i, .. made.Image])], FoldImage) { BytesPerByte = 20_000 },
        new("bundle-file", Shape.Protobuf, 400, () => [Sealed.Value.File[Magic..]], BundleFileBytes) { BytesPerByte = 20_000 },
        new("bundle-content", Shape.Protobuf, 150, () => [Said.Value.Content], BundleContentBytes) { Words = ["city-1-1", "province-1"], BytesPerByte = 2_000_000 },
        new("bundle-answer", Shape.Protobuf, 150, () => [Said.Value.Answer], BundleAnswerBytes) { Words = ["city-1-1", "province-1"], BytesPerByte = 2_000_000 },
        new("backup", Shape.Bytes, 400, () => [Kept.Value.Shelf.Bytes(Kept.Value.File)], BackupBytes) { BytesPerByte = 40_000 },
    ];

    /// <summary>The bytes in front of a bundle's message.</summary>
    private static int Magic => "CITYGRID-BUNDLE\n".Length;

    private static (string Fold, byte[] Image)[] MadeImages()
    {
        var tree = new SmallTree();
        tree.Report(tree.City, 3, SmallTree.Cover, 1, EmergencyGrade.Serious);
        tree.Run(TimeSpan.FromHours(2));
        var made = new List<(string, byte[])>();
        foreach (var node in new[] { tree.City, tree.Province, tree.Ministry })
        {
            node.Core!.SaveSnapshot();
            made.AddRange(node.Core.Journal.LoadSnapshot()!.Folds.Select(fold => (fold.Name, fold.Bytes.ToArray())));
        }

        return [.. made.OrderBy(image => image.Item1, StringComparer.Ordinal).Where(image => image.Item2.Length > 0)];
    }

    /// <summary>
    /// The first byte says which image was changed, and so which fold reads it. What it throws is caught where snapshots are read, and the journal is replayed; so it ends, takes no
    /// more memory than it should, and what it did read can be written again.
    /// </summary>
    private static string FoldImage(byte[] input)
    {
        if (input.Length == 0)
        {
            return "empty";
        }

        var (name, _) = Images.Value[input[0] % Images.Value.Count];
        var cells = new CellFold();
        var reception = new ReceptionFold(cells);
        IFold[] folds =
        [
            cells, reception, new FinalityFold(reception), new UplinkFold((_, _) => { }), new EscalationFold(City), new OrderFold(City), new PackageFold(), new ChildrenFold(),
            new CaseBook(cells, City, Cases.City.Place, () => 1, _ => null),
        ];
        var fold = folds.SingleOrDefault(known => known.Name == name);
        if (fold is null)
        {
            throw new NotSoundException($"{name} is no fold that is tried here");
        }

        try
        {
            using var image = new ReadOnlyMemoryStream(input.AsMemory(1));
            fold.Load(image);
        }
#pragma warning disable CA1031 // As the sequencer does.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            return $"{name} {failure.GetType().Name}";
        }

        using var again = new MemoryStream();
        fold.Save(again);
        return $"{name} read";
    }

    private static (byte[] Content, byte[] Answer) MadeContent()
    {
        var tree = new SmallTree();
        tree.Report(tree.City, 2, SmallTree.Cover, 1, EmergencyGrade.Serious);
        tree.Run(TimeSpan.FromMinutes(30));
        tree.Report(tree.City, 2, SmallTree.Refuse, 2, EmergencyGrade.Larger);
        var (content, _) = tree.City.Core!.Bundles!.Make();
        BundleAnswer? answer = null;
        tree.Province.Core!.BundleDoor.Take(tree.City.Identity, content, told => answer = told);
        tree.Run(TimeSpan.FromSeconds(1));
        return (content.ToByteArray(), answer!.Content.ToByteArray());
    }

    /// <summary>The province takes what a child's bundle says, whatever it is: it answers, and goes on with the child's next good word.</summary>
    private static string BundleContentBytes(byte[] input)
    {
        if (Parsed(input) is not { } content)
        {
            return "no message";
        }

        var tree = new SmallTree();
        tree.Run(TimeSpan.FromMinutes(2));
        var core = tree.Province.Core!;
        BundleAnswer? answer = null;
        core.BundleDoor.Take(tree.City.Identity, content, told => answer = told);
        tree.Run(TimeSpan.FromSeconds(2));
        FuzzTargets.Sound(answer is not null, "a bundle is answered");
        FuzzTargets.Sound(core.Sequencer.StoppedBy is null && core.FoldFailures == 0, "the node goes on, and its folds with it");
        FuzzTargets.Sound(core.Cells.Origins.All(origin => origin == City || origin == NodeId.Parse("city-1-2") || origin == Province), "nobody speaks for others");
        return string.Join('|', answer!.Content.Responses.Select(response => $"{response.FrameCase} {response.Refusal?.Code}").Distinct().Take(4));
    }

    /// <summary>The city takes an answer, whatever it says.</summary>
    private static string BundleAnswerBytes(byte[] input)
    {
        if (Parsed(input) is not { } content)
        {
            return "no message";
        }

        var tree = new SmallTree();
        tree.Report(tree.City, 2, SmallTree.Cover, 1, EmergencyGrade.Serious);
        tree.Run(TimeSpan.FromMinutes(2));
        var core = tree.City.Core!;
        string? way = null;
        core.Sequencer.Submit(core.Bundles!.Take(Province, content, "courier"), told => way = $"{told}");
        tree.Run(TimeSpan.FromSeconds(2));
        FuzzTargets.Sound(way is not null && core.Sequencer.StoppedBy is null && core.FoldFailures == 0, "the node answers and goes on");
        return FuzzTargets.Shortened(way!);
    }

    private static BundleContent? Parsed(byte[] input)
    {
        try
        {
            return BundleContent.Parser.ParseFrom(input);
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }

    private static (X509Certificate2 Maker, X509Certificate2 Reader, NetworkTrust Trust, byte[] File) MadeBundle()
    {
        var entropy = new SeededEntropy(3);
        using var authority = DevelopmentAuthority.Create("test", Now, entropy);
        var (maker, reader) = (Issued(authority, City), Issued(authority, Province));
        var file = BundleFile.Make(BundleContent.Parser.ParseFrom(Said.Value.Content), maker, City, [], reader, Province, Now, entropy);
        return (maker, reader, new NetworkTrust([X509Certificate2.CreateFromPem(authority.RootPem)], null), file);
    }

    private static X509Certificate2 Issued(DevelopmentAuthority authority, NodeId node)
    {
        var (certificate, key) = authority.Issue(node, [DivisionCode.Parse("CN")]);
        return X509Certificate2.CreateFromPem(certificate, key);
    }

    /// <summary>Only what its maker signed is read: any other file is refused with a code.</summary>
    private static string BundleFileBytes(byte[] input)
    {
        var (_, reader, trust, good) = Sealed.Value;
        byte[] file = [.. good[..Magic], .. input];
        var opened = BundleFile.Open(file, reader, Province, trust, Now, out var refusal);
        FuzzTargets.Sound(opened is null != refusal is null, "opened, or refused");
        FuzzTargets.Sound(opened is null || opened.Content.ToByteArray().AsSpan().SequenceEqual(Said.Value.Content), "what is opened is what was said");
        return refusal?.Code ?? "opened";
    }

    private static (ModelDisk Shelf, string File) MadeBackup()
    {
        using var city = new BackedUpCity();
        city.Report();
        city.Report("Li");
        return (city.Shelf, city.Take().File);
    }

    /// <summary>A backup is what was written, to the bit, or is refused.</summary>
    private static string BackupBytes(byte[] input)
    {
        var (good, path) = Kept.Value;
        var shelf = good.Copy();
        using (var file = shelf.Open(path, DiskAccess.ReadWrite))
        {
            file.Truncate(0);
            file.Write(0, input);
            file.Sync();
        }

        try
        {
            using var reader = BackupReader.Open(shelf, path, BackedUpCity.Key);
            reader.Verify();
            FuzzTargets.Sound(input.AsSpan().SequenceEqual(good.Bytes(path)), "only what was written is a backup");
            return "whole";
        }
        catch (Exception declared) when (declared is BackupDamagedException or BackupKeyException or NewerFormatException)
        {
            return $"{declared.GetType().Name} {FuzzTargets.Shortened(declared.Message.Replace(path, "file", StringComparison.Ordinal))}";
        }
    }
}
