using System.Diagnostics;

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
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };

        // What the build that runs these tests has set for itself is not for this one; nor may a server of either outlive it.
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)).Append(ShortLives.Variable).ToArray())
        {
            start.Environment.Remove(name);
        }

        foreach (var argument in new[]
        {
            "build", project, "--no-restore", "--nologo", "-v", "quiet", "-nodeReuse:false", "-p:Failpoints=true", "-p:UseSharedCompilation=false", "-p:RunAnalyzers=false",
            "-p:EnforceCodeStyleInBuild=false", "-p:GenerateDocumentationFile=false",
        })
        {
            start.ArgumentList.Add(argument);
        }

        using var build = Process.Start(start)!;
        var output = build.StandardOutput.ReadToEndAsync();
        var error = build.StandardError.ReadToEndAsync();
        try
        {
            await build.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(10));
        }
        catch (TimeoutException)
        {
            build.Kill(entireProcessTree: true);
            throw;
        }

        return build.ExitCode == 0
            ? Path.Combine(project, "bin", "failpoints", "net10.0")
            : throw new InvalidOperationException($"The programs with failpoints could not be built: {await output}{await error}");
    }
}
