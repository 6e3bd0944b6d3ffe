using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text;
using CityGrid.Hub.Seams;
using CityGrid.Tests.EndToEnd.Failpoints;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd;

/// <summary>SEC-34: of failpoints the ordinary build has no name, no switch, no call and nothing that could be done; the build for tests has them all, so that the search is known to find them.</summary>
[Category("Failpoints"), Requires(Need.PullRequest)]
public sealed class The_shipped_program_has_no_failpoint
{
    private static readonly string[] Programs = ["CityGrid.Hub.dll", "citygrid-node.dll", "citygrid.dll", "CityGrid.Protocol.dll"];

    [TestCaseSource(nameof(Programs))]
    public void Neither_by_name_nor_by_call(string program)
    {
        var path = Path.Combine(AppContext.BaseDirectory, program);

        Assert.That(WordsIn(path), Is.Empty);
        Assert.That(CallsIn(path), Is.Zero);
    }

    [Test]
    public void Nor_anything_that_could_be_done_there()
    {
        var type = typeof(Failpoint);

        Assert.That(type.GetMembers(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.DeclaredOnly).Select(member => member.Name), Is.EquivalentTo(new[] { nameof(Failpoint.Hit), nameof(Failpoint.Shorten) }));
        Assert.That(type.Assembly.GetTypes().Where(other => other.Name.Contains("Failpoint", StringComparison.Ordinal)), Is.EqualTo(new[] { type }));
    }

    [Test]
    public async Task While_the_build_for_tests_has_every_name()
    {
        var folder = await FailpointBuild.FolderAsync();

        Assert.That(Programs.SelectMany(program => WordsIn(Path.Combine(folder, program))).Distinct(), Is.SupersetOf(FailpointNames.All.Append("CITYGRID_FAILPOINTS")));
        Assert.That(CallsIn(Path.Combine(folder, "CityGrid.Hub.dll")) + CallsIn(Path.Combine(folder, "citygrid-node.dll")), Is.GreaterThanOrEqualTo(FailpointNames.All.Count));
    }

    /// <summary>The names and switches whose bytes stand in the file, in either of the forms that strings have there.</summary>
    private static List<string> WordsIn(string path)
    {
        var bytes = File.ReadAllBytes(path);
        return [.. FailpointNames.All.Concat(["CITYGRID_FAILPOINTS", "CITYGRID_LIMITS"])
            .Where(word => bytes.AsSpan().IndexOf(Encoding.Unicode.GetBytes(word)) >= 0 || bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(word)) >= 0)];
    }

    /// <summary>How often the methods of an assembly call the failpoint.</summary>
    private static int CallsIn(string path)
    {
        const byte call = 0x28;
        using var image = new PEReader(File.OpenRead(path));
        var metadata = image.GetMetadataReader();
        var tokens = TokensOf(metadata).Select(handle => (byte[])[call, .. BitConverter.GetBytes(MetadataTokens(handle))]).ToArray();
        var calls = 0;
        foreach (var method in metadata.MethodDefinitions.Select(metadata.GetMethodDefinition).Where(method => method.RelativeVirtualAddress != 0))
        {
            var code = image.GetMethodBody(method.RelativeVirtualAddress).GetILBytes()!;
            calls += tokens.Sum(token => Enumerable.Range(0, code.Length).Count(at => code.AsSpan(at).StartsWith(token)));
        }

        return calls;
    }

    private static int MetadataTokens(EntityHandle handle) => System.Reflection.Metadata.Ecma335.MetadataTokens.GetToken(handle);

    private static IEnumerable<EntityHandle> TokensOf(MetadataReader metadata)
    {
        foreach (var handle in metadata.MemberReferences)
        {
            var member = metadata.GetMemberReference(handle);
            if (member.Parent.Kind == HandleKind.TypeReference && metadata.GetString(metadata.GetTypeReference((TypeReferenceHandle)member.Parent).Name) == nameof(Failpoint))
            {
                yield return handle;
            }
        }

        foreach (var handle in metadata.TypeDefinitions.Where(type => metadata.GetString(metadata.GetTypeDefinition(type).Name) == nameof(Failpoint)))
        {
            foreach (var method in metadata.GetTypeDefinition(handle).GetMethods().Where(method => metadata.GetString(metadata.GetMethodDefinition(method).Name) is nameof(Failpoint.Hit) or nameof(Failpoint.Shorten)))
            {
                yield return method;
            }
        }
    }
}
