using System.Diagnostics;

namespace CityGrid.Tests.EndToEnd;

/// <summary>What a program that ran to its end answered.</summary>
internal sealed record Ended(int Code, string Output, string Error);

/// <summary>Runs the two programs as their users do.</summary>
internal static class Programs
{
    public static Task<Ended> CityGridAsync(params string[] arguments) => RunAsync("citygrid.dll", arguments);

    private static async Task<Ended> RunAsync(string program, string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardError = true, RedirectStandardOutput = true };
        start.Environment.Remove("CITYGRID_TOKEN");
        foreach (var argument in arguments.Prepend(Path.Combine(AppContext.BaseDirectory, program)))
        {
            start.ArgumentList.Add(argument);
        }

        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(2));
        return new Ended(process.ExitCode, await output, error);
    }
}
