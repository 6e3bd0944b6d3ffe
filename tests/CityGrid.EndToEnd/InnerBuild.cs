using System.Diagnostics;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd;

/// <summary>Other programs than today's ordinary ones, built while the tests run.</summary>
internal static class InnerBuild
{
    /// <summary>Waits until the program has ended well; a test that needs it fails with what it said otherwise, or after ten minutes.</summary>
    public static async Task RunAsync(string folder, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };

        // What the run around this one told its own build is none of this one's business; nor does a compiler live as briefly as a node here.
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)).Append(ShortLives.Variable).ToArray())
        {
            start.Environment.Remove(name);
        }

        using var process = Process.Start(start)!;
        var said = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        try
        {
            await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(10));
        }
        catch (TimeoutException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        Assert.That(process.ExitCode, Is.Zero, $"{program} {string.Join(' ', arguments)}: {await said.Item1}{await said.Item2}");
    }
}
