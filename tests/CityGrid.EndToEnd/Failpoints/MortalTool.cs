using System.Diagnostics;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd.Failpoints;

/// <summary>The tool of the build with failpoints: one call of it, armed, that comes to the place or fails the test.</summary>
internal static class MortalTool
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>Its exit code.</summary>
    public static async Task<int> PassAsync(string place, Deed deed, params string[] arguments)
    {
        var folder = await FailpointBuild.FolderAsync();
        var arms = new Dictionary<string, string> { ["CITYGRID_FAILPOINTS"] = $"{place}={(deed == Deed.Sleep ? "sleep 300ms" : deed.ToString().ToLowerInvariant())}", ["DOTNET_TieredPGO"] = "0" };
        using var process = Programs.Start(folder, "citygrid.dll", [.. arguments, "--lang", "en"], arms);
        var output = process.StandardOutput.ReadToEndAsync();
        var heard = new List<string>();
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        process.ErrorDataReceived += (_, line) =>
        {
            heard.Add(line.Data ?? string.Empty);
            if (line.Data?.StartsWith($"FAILPOINT {place}: ", StringComparison.Ordinal) == true)
            {
                reached.TrySetResult();
            }
        };
        process.BeginErrorReadLine();
        try
        {
            if (deed == Deed.Stop)
            {
                await reached.Task.WaitAsync(Patience);
                await Task.Delay(MortalNode.Pause);
                using var resume = Process.Start("kill", ["-CONT", $"{process.Id}"]);
                await resume.WaitForExitAsync();
            }

            await process.WaitForExitAsync().WaitAsync(Patience);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }

        Assert.That(reached.Task.IsCompleted, Is.True, $"citygrid {string.Join(' ', arguments)} never came to {place}: {await output}{string.Join('\n', heard)}");
        if (deed == Deed.Kill)
        {
            Assert.That(process.ExitCode, Is.EqualTo(128 + 9), place);
        }
        else if (deed != Deed.Error)
        {
            // What was left to be made anew by the death before is told by rebuild with a 2.
            Assert.That(process.ExitCode, arguments[0] == "rebuild" ? Is.AnyOf(0, 2) : Is.Zero, $"{place}: {await output}{string.Join('\n', heard)}");
        }

        return process.ExitCode;
    }

    /// <summary>The ordinary tool, which must succeed.</summary>
    public static async Task<string> SaysAsync(params string[] arguments)
    {
        var ended = await Programs.CityGridAsync([.. arguments, "--lang", "en"]);
        Assert.That(ended.Code, Is.Zero, $"citygrid {string.Join(' ', arguments)}: {ended.Output}{ended.Error}");
        return ended.Output;
    }
}
