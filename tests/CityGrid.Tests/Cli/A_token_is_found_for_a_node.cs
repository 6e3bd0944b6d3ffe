using CityGrid.Cli;
using CityGrid.Cli.Network;
using NUnit.Framework;

namespace CityGrid.Tests.Cli;

/// <summary>Whose token a command shows: the one in the file; without one, that of the tree in whose folder it is called, at the node that is named and at no other.</summary>
public sealed class A_token_is_found_for_a_node
{
    private string _folder = null!;

    [SetUp]
    public void Write()
    {
        _folder = Directory.CreateTempSubdirectory("citygrid-tokens-").FullName;
        new WrittenTree(_folder, [new TreeNode("hangzhou", "330100", "杭州市", "city", null, "node.json", 0, 7080, 7081, new Dictionary<string, string> { ["admin"] = "kept", ["desk"] = "worked" })]).Save();
        Directory.CreateDirectory(Path.Combine(_folder, "hangzhou", "data"));
    }

    [TearDown]
    public void Remove() => Directory.Delete(_folder, recursive: true);

    [TestCase("http://127.0.0.1:7081", NodeCall.Keeper, "kept")]
    [TestCase("http://localhost:7080/", NodeCall.Desk, "worked")]
    public void In_the_folder_of_its_tree_and_below(string address, string actor, string token)
    {
        Assert.That(NodeCall.TokenFor(address, null, actor, _folder), Is.EqualTo(token));
        Assert.That(NodeCall.TokenFor(address, null, actor, Path.Combine(_folder, "hangzhou", "data")), Is.EqualTo(token));
    }

    [TestCase("http://127.0.0.1:7082")]
    [TestCase("http://198.51.100.1:7081")]
    public void Nobody_else_is_shown_it(string address) => Assert.That(() => NodeCall.TokenFor(address, null, NodeCall.Keeper, _folder), Throws.TypeOf<IOException>());

    [TestCase("{}")]
    [TestCase("[{}]")]
    [TestCase("null")]
    [TestCase("[null]")]
    [TestCase("[{\"grpcPort\":1}]")]
    [TestCase("[{\"node\":\"a\",\"grpcPort\":1,\"tokens\":{}}]")]
    [TestCase("[{\"node\":\"a\",\"grpcPort\":1,\"tokens\":{\"admin\":null}}]")]
    [TestCase("no JSON")]
    public void A_file_of_the_same_name_that_is_no_tree_is_none(string content)
    {
        var below = Path.Combine(_folder, "hangzhou");
        File.WriteAllText(Path.Combine(below, WrittenTree.FileName), content);
        Assert.That(() => NodeCall.TokenFor("http://127.0.0.1:1", null, NodeCall.Keeper, below), Throws.TypeOf<IOException>().With.Message.Contains("tree.json"));
    }

    [Test]
    public void The_one_that_is_named_comes_first()
    {
        var file = new FileInfo(Path.Combine(_folder, "token"));
        File.WriteAllText(file.FullName, "named\n");

        Assert.That(NodeCall.TokenFor("http://127.0.0.1:7081", file, NodeCall.Keeper, _folder), Is.EqualTo("named"));
        Assert.That(() => NodeCall.TokenFor("http://127.0.0.1:7081", new FileInfo(Path.Combine(_folder, "gone")), NodeCall.Keeper, _folder), Throws.TypeOf<IOException>());
    }
}
