using CityGrid.Cli.Network;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd;

/// <summary>journal, view and audit verify: 0 sound, 2 damaged with the place, 3 cannot decide; and nothing is changed by looking.</summary>
public sealed class A_tree_can_be_checked_by_anyone
{
    private string _folder = null!;
    private WrittenTree _tree = null!;

    [OneTimeSetUp]
    public async Task RunTreeAsync()
    {
        _folder = Directory.CreateTempSubdirectory("citygrid-e2e-").FullName;
        var demo = await Programs.CityGridAsync("demo", "--once", "--shape", "1x1x2", "--lang", "en", "--dir", _folder);
        Assert.That(demo.Code, Is.Zero, demo.Output + demo.Error);
        _tree = WrittenTree.Load(_folder);
    }

    [OneTimeTearDown]
    public void Remove() => Directory.Delete(_folder, recursive: true);

    [Test]
    public async Task A_sound_tree_is_sound_at_every_place_and_along_every_edge()
    {
        foreach (var node in _tree.Nodes)
        {
            var data = Folders.DataOf(node);
            var before = Folders.Contents(data);
            await ExpectAsync(0, "sound", "journal", "verify", data);
            await ExpectAsync(0, "are what the journal says", "view", "verify", data);
            await ExpectAsync(0, "sound", "audit", "verify", data);
            if (node.Parent is { } parent)
            {
                var (above, authority) = (Folders.DataOf(_tree.Nodes.Single(other => other.Node == parent)), Path.Combine(_folder, "authority.pem"));
                await ExpectAsync(0, "agree up to", "audit", "verify", data, "--anchors", above, "--authority", authority);
                await ExpectAsync(0, "are signed", "audit", "verify", above, "--anchors", data, "--authority", authority);
                await ExpectAsync(0, "citygrid/head/1", "audit", "prove", above, "--node", node.Node, "--authority", authority);
                await ExpectAsync(0, "citygrid/receipt/1", "audit", "prove", data, "--node", parent, "--authority", authority);
            }

            Assert.That(Folders.Contents(data), Is.EqualTo(before), "looking changes nothing");
        }
    }

    [Test]
    public async Task A_flipped_bit_of_a_view_is_damage_and_named_by_file()
    {
        var data = CopyOf(_tree.Cities.First());
        var view = Directory.GetFiles(Path.Combine(data, "views"), "*.db").Single();
        Flip(view, new FileInfo(view).Length / 2);

        await ExpectAsync(2, $"views/{Path.GetFileName(view)}", "view", "verify", data);
        await ExpectAsync(0, "sound", "journal", "verify", data);
    }

    [Test]
    public async Task A_flipped_bit_of_the_journal_is_damage_at_an_offset_and_the_views_cannot_be_judged()
    {
        var data = CopyOf(_tree.Cities.First());
        var segment = Directory.GetFiles(Path.Combine(data, "journal"), "*.seg").Order(StringComparer.Ordinal).First();
        Flip(segment, 400);

        await ExpectAsync(2, $"journal/{Path.GetFileName(segment)}:", "journal", "verify", data);
        await ExpectAsync(2, $"journal/{Path.GetFileName(segment)}:", "audit", "verify", data);
        await ExpectAsync(3, "the journal is not sound", "view", "verify", data);
    }

    [Test]
    public async Task A_history_that_is_cut_or_another_directory_is_found_by_what_the_parent_recorded()
    {
        var (first, second) = (_tree.Cities.First(), _tree.Cities.Last());
        var above = Folders.DataOf(_tree.Nodes.Single(node => node.Node == first.Parent));
        var cut = CopyOf(first);
        var segment = Directory.GetFiles(Path.Combine(cut, "journal"), "*.seg").Order(StringComparer.Ordinal).Last();
        using (var file = File.OpenWrite(segment))
        {
            // The end is gone, with half a frame at most before it: its own chain cannot tell that from a young journal that was interrupted.
            Assert.That(file.Length, Is.GreaterThan(4096));
            file.SetLength(4096);
        }

        Directory.Delete(Path.Combine(cut, "snapshots"), recursive: true);

        await ExpectAsync(2, "has recorded its chain up to", "audit", "verify", cut, "--anchors", above);
        await ExpectAsync(3, "has recorded nothing of", "audit", "verify", Folders.DataOf(first), "--anchors", Folders.DataOf(second));
    }

    [TestCase("journal")]
    [TestCase("view")]
    [TestCase("audit")]
    public async Task What_is_not_there_cannot_be_judged(string what) => await ExpectAsync(3, "cannot decide", what, "verify", Path.Combine(_folder, "nowhere"));

    private static async Task ExpectAsync(int code, string said, params string[] arguments)
    {
        var ended = await Programs.CityGridAsync(arguments);
        Assert.Multiple(() =>
        {
            Assert.That(ended.Code, Is.EqualTo(code), ended.Output + ended.Error);
            Assert.That(ended.Output, Does.Contain(said));
        });
    }

    private string CopyOf(TreeNode node)
    {
        var copy = Path.Combine(_folder, $"copy-{Directory.GetDirectories(_folder).Length}");
        Folders.Copy(Folders.DataOf(node), copy);
        return copy;
    }

    private static void Flip(string file, long offset)
    {
        var bytes = File.ReadAllBytes(file);
        bytes[offset] ^= 0x10;
        File.WriteAllBytes(file, bytes);
    }
}
