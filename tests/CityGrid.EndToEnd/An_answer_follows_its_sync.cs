using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.RegularExpressions;
using CityGrid.Cli.Network;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd;

/// <summary>
/// INV-1 as the kernel sees it: strace watches a node that takes cases. Each answer leaves after the fdatasync of the segment that followed the write
/// of its record, and a new segment and its entry are durable before the first record goes into it.
/// </summary>
[Requires(Need.Strace)]
public sealed partial class An_answer_follows_its_sync
{
    private const int Cases = 8;

    private LoneCity _city = null!;
    private List<Call> _calls = null!;

    private string Trace => Path.Combine(_city.Folder, "trace");

    [OneTimeSetUp]
    public async Task Watch()
    {
        _city = new LoneCity();
        var start = new ProcessStartInfo("strace") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])["-f", "-y", "-s", "64", "-e", "trace=pwrite64,pwritev,fdatasync,fsync,sendmsg,sendto", "-o", Trace,
            "dotnet", Path.Combine(AppContext.BaseDirectory, "citygrid-node.dll"), "--config", _city.Node.Configuration])
        {
            start.ArgumentList.Add(argument);
        }

        using var traced = Process.Start(start)!;
        var errors = traced.StandardError.ReadToEndAsync();
        var ready = ReadyAsync(traced);
        try
        {
            Assert.That(await ready.WaitAsync(TimeSpan.FromMinutes(2)), Is.True, () => errors.Result);
            using var http = new HttpClient();
            http.DefaultRequestHeaders.Authorization = new("Bearer", _city.Node.Tokens["desk"]);
            for (var i = 0; i < Cases; i++)
            {
                using var answer = await http.PostAsJsonAsync($"{_city.Node.OperatorUrl}/v1/cases", new { requestKey = $"key-{i}", type = "01001", source = "web" });
                Assert.That(answer.IsSuccessStatusCode, Is.True, await answer.Content.ReadAsStringAsync());
            }
        }
        finally
        {
            // strace passes nothing on: the node, its only child, is asked itself.
            foreach (var child in File.ReadAllText($"/proc/{traced.Id}/task/{traced.Id}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries))
            {
                using var kill = Process.Start("kill", ["-TERM", child]);
                await kill.WaitForExitAsync();
            }

            await traced.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(1));
        }

        _calls = [.. Calls(File.ReadLines(Trace))];
    }

    [OneTimeTearDown]
    public void Remove() => _city.Dispose();

    [Test]
    public void Each_answer_leaves_after_its_record_was_written_and_synced()
    {
        var from = 0;
        for (var i = 0; i < Cases; i++)
        {
            var answer = _calls.FindIndex(from, call => call.Name.StartsWith("send", StringComparison.Ordinal) && call.Text.Contains("HTTP/1.1 200", StringComparison.Ordinal));
            Assert.That(answer, Is.Positive, $"answer {i}");
            var write = _calls.FindIndex(from, answer - from, call => call is { Name: "pwrite64", IsSegment: true });
            Assert.That(write, Is.Not.Negative, $"answer {i} has a write before it");
            var sync = _calls.FindIndex(from, call => call is { Name: "fdatasync", IsSegment: true } && call.Begun > _calls[write].Ended);
            Assert.That(sync, Is.Not.Negative, $"answer {i}: its write is followed by a sync");
            Assert.That(_calls[sync].Text, Does.Contain("= 0"));
            Assert.That(_calls[answer].Begun, Is.GreaterThan(_calls[sync].Ended), $"answer {i} left before its record was durable");
            from = answer + 1;
        }
    }

    [Test]
    public void A_new_segment_and_its_entry_are_durable_before_its_first_record()
    {
        var segment = _calls.FindIndex(call => call is { Name: "pwrite64", IsSegment: true });
        Assert.That(_calls[segment].Text, Does.Contain("CITYGRDJ").And.Contain(", 0) = 256"), "the header comes first");
        var record = _calls.FindIndex(segment + 1, call => call is { Name: "pwrite64", IsSegment: true });
        var sync = _calls.FindIndex(segment, call => call is { Name: "fdatasync", IsSegment: true } && call.Begun > _calls[segment].Ended);
        var folder = _calls.FindIndex(segment, call => call.Name == "fsync" && call.Text.Contains("/data/journal>", StringComparison.Ordinal) && call.Begun > _calls[sync].Ended);
        Assert.That(new[] { _calls[segment].Ended, _calls[sync].Ended, _calls[folder].Ended, _calls[record].Begun }, Is.Ordered.Ascending);
    }

    /// <summary>A call of one thread: the lines of the trace at which it began and ended, and what they say together.</summary>
    private sealed record Call(string Name, string Text, int Begun, int Ended)
    {
        public bool IsSegment => Text.Contains(".seg>", StringComparison.Ordinal);
    }

    /// <summary>The calls in the order in which they ended; one that another thread interrupted in the trace is put together again.</summary>
    private static IEnumerable<Call> Calls(IEnumerable<string> lines)
    {
        var open = new Dictionary<int, (string Name, string Text, int Begun)>();
        var number = 0;
        foreach (var line in lines)
        {
            number++;
            if (Begin().Match(line) is { Success: true } begun)
            {
                var (thread, name) = (int.Parse(begun.Groups[1].Value, CultureInfo.InvariantCulture), begun.Groups[2].Value);
                if (line.EndsWith("<unfinished ...>", StringComparison.Ordinal))
                {
                    open[thread] = (name, line, number);
                }
                else
                {
                    yield return new Call(name, line, number, number);
                }
            }
            else if (Resumed().Match(line) is { Success: true } resumed && open.Remove(int.Parse(resumed.Groups[1].Value, CultureInfo.InvariantCulture), out var call))
            {
                yield return new Call(call.Name, call.Text + line, call.Begun, number);
            }
        }
    }

    private static async Task<bool> ReadyAsync(Process process)
    {
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (NodePorts.TryRead(line) is not null)
            {
                return true;
            }
        }

        return false;
    }

    [GeneratedRegex(@"^(\d+) +(\w+)\(")]
    private static partial Regex Begin();

    [GeneratedRegex(@"^(\d+) +<\.\.\. \w+ resumed>")]
    private static partial Regex Resumed();
}
