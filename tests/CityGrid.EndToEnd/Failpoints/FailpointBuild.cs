namespace CityGrid.Tests.EndToEnd.Failpoints;

/// <summary>
/// The programs with failpoints, built once a run beside the ordinary build, which it leaves as it is; the packages are those that are restored already.
/// </summary>
internal static class FailpointBuild
{
    private static readonly Lazy<Task<string>> Built = new(BuildAsync);

    /// <summary>The folder in which both programs lie.</summary>
    public static Task<string> FolderAsync() => Built.Value;

    private static async Task<string> BuildAsync()
    {
        var project = Path.Combine(Machine.Repository, "tools", "CityGrid.Cli");

        // No server outlives it.
        await InnerBuild.RunAsync(
            Machine.Repository, "dotnet", "build", project, "--no-restore", "--nologo", "-v", "quiet", "-nodeReuse:false", "-p:Failpoints=true", "-p:UseSharedCompilation=false",
            "-p:RunAnalyzers=false", "-p:EnforceCodeStyleInBuild=false", "-p:GenerateDocumentationFile=false");
        return Path.Combine(project, "bin", "failpoints", "net10.0");
    }
}
