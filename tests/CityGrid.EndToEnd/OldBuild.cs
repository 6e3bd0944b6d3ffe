using System.Text.Json.Nodes;

namespace CityGrid.Tests.EndToEnd;

/// <summary>The node of <see cref="Machine.OldCommit"/>, the last that speaks protocol 1 alone, made from the repository's own history. It takes half a minute.</summary>
internal sealed class OldBuild : IDisposable
{
    private readonly string _folder;

    private OldBuild(string folder) => _folder = folder;

    public string Program => Path.Combine(_folder, "node", "bin", "Debug", "net10.0", "citygrid-node.dll");

    public static async Task<OldBuild> MakeAsync()
    {
        var build = new OldBuild(Directory.CreateTempSubdirectory("citygrid-old-").FullName);
        try
        {
            var archive = Path.Combine(build._folder, "source.tar");
            await InnerBuild.RunAsync(Machine.Repository, "git", "archive", "--format=tar", "-o", archive, Machine.OldCommit);
            await System.Formats.Tar.TarFile.ExtractToDirectoryAsync(archive, build._folder, overwriteFiles: false);

            // As that commit was built, without its analysers; no server is left behind.
            await InnerBuild.RunAsync(
                build._folder, "dotnet", "build", "node", "-v", "q", "--nologo", "-nodeReuse:false", "-p:UseSharedCompilation=false", "-p:RunAnalyzers=false", "-p:EnforceCodeStyleInBuild=false");
            return build;
        }
        catch
        {
            build.Dispose();
            throw;
        }
    }

    /// <summary>The configuration of a node of today as the old program takes it: it knew no signing keys.</summary>
    public static string ConfigurationOf(string configuration)
    {
        var text = JsonNode.Parse(configuration)!;
        var link = text["link"]!.AsObject();
        link.Remove("signingCertificate");
        link.Remove("signingKey");
        return text.ToJsonString();
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
