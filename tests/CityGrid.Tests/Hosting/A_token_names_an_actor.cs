using CityGrid.Node.Configuration;
using CityGrid.Node.Hosting;
using NUnit.Framework;

namespace CityGrid.Tests.Hosting;

/// <summary>The file of tokens: an actor, its roles and its secret on a line, readable by the owner only.</summary>
public sealed class A_token_names_an_actor
{
    private const string Token = "0123456789abcdef0123456789abcdef";

    [Test]
    public void With_its_roles()
    {
        var owner = TokenFile.Parse([$"李四@desk-1 operator,viewer {Token}"]).OwnerOf(Token)!;

        Assert.Multiple(() =>
        {
            Assert.That(owner.Actor, Is.EqualTo("李四@desk-1"));
            Assert.That(owner.Roles, Is.EqualTo(new[] { Role.Operator, Role.Viewer }));
        });
    }

    [Test]
    public void Given_itself_or_as_its_hash()
    {
        var file = TokenFile.Parse([$"desk viewer {TokenFile.HashOf(Token)}"]);

        Assert.Multiple(() =>
        {
            Assert.That(file.OwnerOf(Token)!.Actor, Is.EqualTo("desk"));
            Assert.That(file.OwnerOf(TokenFile.HashOf(Token)), Is.Null, "the hash is not the token");
        });
    }

    [Test]
    public void And_any_other_text_names_nobody()
    {
        var file = TokenFile.Parse(["# comment", string.Empty, $"desk viewer {Token}"]);

        Assert.Multiple(() =>
        {
            Assert.That(file.Faults, Is.Empty);
            Assert.That(file.OwnerOf(Token[..^1]), Is.Null);
            Assert.That(file.OwnerOf(string.Empty), Is.Null);
            Assert.That(file.OwnerOf(Token.ToUpperInvariant()), Is.Null);
        });
    }

    [TestCase("desk viewer")]
    [TestCase("desk viewer short")]
    [TestCase("desk chief 0123456789abcdef0123456789abcdef")]
    [TestCase("de/sk viewer 0123456789abcdef0123456789abcdef")]
    [TestCase("desk viewer sha256:12")]
    [TestCase("desk viewer 0123456789abcdef0123456789abcdef more")]
    public void A_line_that_cannot_be_used_grants_nothing_and_is_never_shown(string line)
    {
        var file = TokenFile.Parse(["# first", line]);

        Assert.Multiple(() =>
        {
            Assert.That(file.Owners, Is.Empty);
            Assert.That(file.Faults.Single().Path, Is.EqualTo("tokens, line 2"));
            Assert.That(file.Faults.Single().ToString(), Does.Not.Contain(line.Split(' ')[^1]));
        });
    }

    [Test]
    public void One_token_belongs_to_one_actor() =>
        Assert.That(TokenFile.Parse([$"a viewer {Token}", $"b admin {Token}"]).Faults.Single().Allowed, Does.Contain("same token"));

    [Test]
    [Platform(Exclude = "Win")]
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public async Task A_file_that_others_can_read_keeps_the_node_from_starting([Values("tokens", "node.key")] string name)
    {
        using var folder = new NodeFolder();
        File.SetUnixFileMode(folder.In(name), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        var error = new StringWriter();

        var code = await NodeProcess.RunAsync(["--config", folder.ConfigurationFile], TextWriter.Null, error, _ => Task.CompletedTask);

        Assert.Multiple(() =>
        {
            Assert.That(code, Is.EqualTo(ExitCodes.Configuration));
            Assert.That(error.ToString(), Does.Contain("mode 0640").And.Contain("chmod 600"));
        });
    }

    [Test]
    public void The_faults_of_several_files_come_at_once()
    {
        using var folder = new NodeFolder();
        folder.Write("tokens", "desk viewer short\ndesk chief 0123456789abcdef0123456789abcdef\n");

        Assert.That(SecretFiles.Faults(ConfigurationFile.Load(folder.ConfigurationFile)), Has.Count.EqualTo(2));
    }
}
