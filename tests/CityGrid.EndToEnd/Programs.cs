using System.Diagnostics;

namespace CityGrid.Tests.EndToEnd;

/// <summary>What a program that ran to its end answered.</summary>
internal sealed record Ended(int Code, string Output, string Error);

/// <summary>Runs the two programs as their users do.</summary>
internal static class Programs
{
    public static Task<Ended> CityGridAsync(params string[] arguments) => RunAsync("citygrid.dll", arguments, TimeSpan.FromMinutes(2));

    /// <summary>The same for what has a lot to do.</summary>
    public static Task<Ended> CityGridAsync(TimeSpan atMost, params string[] arguments) => RunAsync("citygrid.dll", arguments, atMost);

    public static Task<Ended> NodeAsync(params string[] arguments) => RunAsync("citygrid-node.dll", arguments, TimeSpan.FromMinutes(2));

    private static async Task<Ended> RunAsync(string program, string[] arguments, TimeSpan atMost)
    {
        using var process = Start(AppContext.BaseDirectory, program, arguments);
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        try
        {
            await process.WaitForExitAsync().WaitAsync(atMost);
        }
        catch (TimeoutException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{program} {string.Join(' ', arguments)} had not ended after {atMost}. It said: {await output}{await error}");
        }

        return new Ended(process.ExitCode, await output, await error);
    }

    /// <summary>Starts a program of a folder and waits for nothing.</summary>
    public static Process Start(string folder, string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardError = true, RedirectStandardOutput = true };
        start.Environment.Remove("CITYGRID_TOKEN");
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        foreach (var argument in arguments.Prepend(Path.Combine(folder, program)))
        {
            start.ArgumentList.Add(argument);
        }

        return Process.Start(start)!;
    }
}
