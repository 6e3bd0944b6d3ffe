using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Protocol.Names;
using NUnit.Framework;

namespace CityGrid.Tests.Storage;

/// <summary>
/// INV-27: a shelf that an earlier program filled is read as it stands. Golden/ was made once, for LiteDB writes the time into a new file: with CITYGRID_APPROVE=1
/// what is not there is made, and nothing of it is ever written again.
/// </summary>
public sealed class The_format_of_views_is_kept
{
    private const string Shelf = "cases-2026-11";

    private const string DataHeader = "434750414745530A" + "0100" + "0100" + "0200" + "0000" + "0000000000000000CDAB000000000000" + "0000000000000000" + "C77FA001";

    private const string LogHeader = "434750414745530A" + "0100" + "0200" + "0200" + "0000" + "0000000000000000CDAB000000000000" + "0900000000000000" + "21C56A34";

    private const string FirstTail = "E9E67ACB50474731";

    private const string SecondTail = "65BDB6AC50474731";

    private static readonly Incarnation Lineage = new(77);

    private static readonly ViewDocument[] Documents =
    [
        .. Enumerable.Range(1, 12).Select(i => new ViewDocument((UInt128)i << 64, new Lsn(i), Enumerable.Range(0, i * 100).Select(k => (byte)((i * k) % 251)).ToArray())),
        new(UInt128.MaxValue, new Lsn(20), Array.Empty<byte>()),
    ];

    private static string Golden => Path.Combine(Machine.Repository, "tests", "CityGrid.Tests", "Storage", "Golden");

    [Test]
    public void Pages_are_written_as_ever_and_read_back()
    {
        var disk = new ModelDisk();
        byte[] first = [.. Enumerable.Range(0, PageRecords.PageBytes).Select(i => (byte)(i % 251))], second = new byte[PageRecords.PageBytes];
        using (var data = PageRecords.Create(disk, "a.db", PageFileKind.Data, (UInt128)0xABCD << 64))
        {
            data.Write(0, first);
            data.Write(1, second);
            data.WriteHeader(PageFileState.Ready, 0);
        }

        using (var log = PageRecords.Create(disk, "a.log", PageFileKind.Log, (UInt128)0xABCD << 64))
        {
            log.WriteHeader(PageFileState.Ready, 9);
        }

        var (dataBytes, logBytes) = (disk.Bytes("a.db"), disk.Bytes("a.log"));
        Assert.Multiple(() =>
        {
            Assert.That(Convert.ToHexString(dataBytes[..44]), Is.EqualTo(DataHeader));
            Assert.That(Convert.ToHexString(logBytes[..44]), Is.EqualTo(LogHeader));
            Assert.That(Convert.ToHexString(dataBytes[(512 + 8192)..(512 + 8200)]), Is.EqualTo(FirstTail));
            Assert.That(Convert.ToHexString(dataBytes[^8..]), Is.EqualTo(SecondTail));
            Assert.That(dataBytes, Is.EqualTo(Data()));
            Assert.That(logBytes, Is.EqualTo(Header(LogHeader)));
        });

        using var kept = PageRecords.Open(Disk(("a.db", Data())), "a.db", PageFileKind.Data, (UInt128)0xABCD << 64)!;
        var page = new byte[PageRecords.PageBytes];
        kept.Read(0, page);
        Assert.That((kept.State, kept.Count, page), Is.EqualTo((PageFileState.Ready, 2L, first)));
        using var sealedLog = PageRecords.Open(Disk(("a.log", Header(LogHeader))), "a.log", PageFileKind.Log, (UInt128)0xABCD << 64)!;
        Assert.That(sealedLog.SealedPages, Is.EqualTo(9));

        byte[] Data() => [.. Header(DataHeader), .. first, .. Convert.FromHexString(FirstTail), .. second, .. Convert.FromHexString(SecondTail)];
    }

    [TestCase("closed", TestName = "A shelf that was closed is read")]
    [TestCase("killed", TestName = "A shelf whose program was killed is read with what stands in its log alone")]
    public void A_shelf_is_read(string folder)
    {
        if (Environment.GetEnvironmentVariable("CITYGRID_APPROVE") == "1" && !Directory.Exists(Path.Combine(Golden, folder)))
        {
            Make(folder);
        }

        var names = new[] { $"{Shelf}.db", $"{Shelf}.log" };
        var files = names.Select(name => ($"views/{name}", File.ReadAllBytes(Path.Combine(Golden, folder, name)))).ToArray();
        Assert.That(files[1].Item2, folder == "closed" ? Has.Length.EqualTo(512) : Has.Length.GreaterThan(8200), "the log");
        using var store = new LiteViewStore(Disk(files), Lineage);
        Assert.That(store.AppliedLsn(Shelf), Is.EqualTo(new Lsn(20)));
        Assert.That(store.Page(Shelf, UInt128.Zero, 100).Select(Text), Is.EqualTo(Documents.Select(Text)));
        Assert.That(Documents.Select(document => Text(store.Get(Shelf, document.Id)!)), Is.EqualTo(Documents.Select(Text)));
        store.Apply(Shelf, [new ViewDocument(5, new Lsn(21), new byte[3])], new Lsn(21));
        Assert.That((store.Page(Shelf, UInt128.Zero, 100).Count, store.ShelvesPutAside), Is.EqualTo((Documents.Length + 1, 0L)));
    }

    private static void Make(string folder)
    {
        var disk = new ModelDisk();
        using var store = new LiteViewStore(disk, Lineage);
        store.Apply(Shelf, Documents[..^1], new Lsn(12));
        store.Apply(Shelf, [Documents[^1]], new Lsn(20));
        if (folder == "closed")
        {
            store.Dispose();
        }

        Directory.CreateDirectory(Path.Combine(Golden, folder));
        foreach (var file in disk.Files)
        {
            File.WriteAllBytes(Path.Combine(Golden, folder, Path.GetFileName(file)), disk.Bytes(file));
        }
    }

    private static ModelDisk Disk(params (string Path, byte[] Bytes)[] files)
    {
        var disk = new ModelDisk();
        disk.CreateFolder("views");
        foreach (var (path, bytes) in files)
        {
            using var file = disk.Open(path, DiskAccess.CreateNew);
            file.Write(0, bytes);
        }

        return disk;
    }

    private static byte[] Header(string hex) => [.. Convert.FromHexString(hex), .. new byte[512 - 44]];

    private static string Text(ViewDocument document) => $"{document.Id:x32} {document.Lsn} {Convert.ToHexString(document.Bytes.Span)}";
}
