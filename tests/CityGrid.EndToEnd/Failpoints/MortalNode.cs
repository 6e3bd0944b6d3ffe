using CityGrid.Cli.Network;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using NUnit.Framework;
using ExitCodes = CityGrid.Node.Hosting.ExitCodes;

namespace CityGrid.Tests.EndToEnd.Failpoints;

/// <summary>What a program does at a failpoint.</summary>
public enum Deed
{
    /// <summary>SIGKILL.</summary>
    Kill,

    /// <summary>SIGSTOP, and SIGCONT a while later.</summary>
    Stop,

    /// <summary>A disk or a wire fails there.</summary>
    Error,

    Sleep,
}

/// <summary>A failpoint, and how a node comes to it.</summary>
/// <param name="Name">One of FailpointNames.</param>
internal sealed record NamedPlace(string Name)
{
    /// <summary>The node comes there again and again: any hit will do.</summary>
    public bool IsOften { get; init; }

    /// <summary>What its command line says besides.</summary>
    public string[] Options { get; init; } = [];

    /// <summary>What is done while the node is down.</summary>
    public Func<Task>? Before { get; init; }

    /// <summary>What is done once the node serves, again and again until it has come there.</summary>
    public Func<Task>? Work { get; init; }

    /// <summary>The node is asked to end once it serves.</summary>
    public bool IsAtTheEnd { get; init; }
}

/// <summary>A node of the build with failpoints, which is started armed and dies.</summary>
internal sealed class MortalNode(string folder, TreeNode node, string limits = "") : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private NodeProcess? _process;
    private Task _ready = Task.CompletedTask;

    /// <summary>The place at which it said that it was.</summary>
    private volatile string _reached = string.Empty;

    /// <summary>What is being done while it runs; a node that stops or dies may keep it waiting.</summary>
    private Task _working = Task.CompletedTask;

    public TreeNode Node => node;

    /// <summary>Where it has come to so far.</summary>
    public int Deeds { get; private set; }

    public bool IsUp => _process is { HasExited: false };

    private bool Serves => _ready.IsCompletedSuccessfully && _process is { HasExited: false };

    /// <summary>Starts it without arms and waits until it serves.</summary>
    public async Task ServeAsync(params string[] options)
    {
        Start(string.Empty, options);
        await _ready;
    }

    public void Kill()
    {
        if (_process is { HasExited: false } alive)
        {
            alive.Kill();
        }
    }

    /// <summary>Asks it to end; its exit code.</summary>
    public Task<int> StopAsync() => _process!.StopAsync(TimeSpan.FromSeconds(30));

    /// <summary>
    /// Starts it armed, brings it to the place, and sees what becomes of it there. It is down afterwards, its journal is sound, and it is not started without arms.
    /// A place that is not reached fails the test.
    /// </summary>
    public async Task PassAsync(NamedPlace place, Deed deed, int hit)
    {
        Kill();
        if (place.Before is { } before)
        {
            await before();
        }

        Start($"{place.Name}={Word(deed)}@{hit}", place.Options);
        await ComeToAsync(place, hit);
        Deeds++;
        switch (deed)
        {
            case Deed.Kill:
                Assert.That(await _process!.EndedAsync(Patience), Is.EqualTo(128 + 9), $"{place.Name}: {_process.LastOutput}");
                break;
            case Deed.Error:
                // It ends where a disk that fails would end it, and goes on where a wire that fails would cost a connection.
                Assert.That(await EndedOrAsync(TimeSpan.FromSeconds(2)), Is.AnyOf(ExitCodes.Clean, ExitCodes.Storage), $"{place.Name}: {_process!.LastOutput}");
                break;
            case Deed.Stop:
                await Task.Delay(Pause);
                _process!.Resume();
                await GoOnAsync(place);
                break;
            default:
                await GoOnAsync(place);
                break;
        }

        Kill();
        await _working;
        RequireSoundJournal(place.Name);
    }

    /// <summary>Asks it to end, and once more while it waits at the place, which it comes to as it ends; its exit code.</summary>
    public async Task<int> EndAskedTwiceAsync(NamedPlace place)
    {
        Start($"{place.Name}=sleep 2000ms@1", place.Options);
        await ComeToAsync(place, 1);
        _process!.AskToEnd();
        return await _process.EndedAsync(Patience);
    }

    /// <summary>How long a node that stopped stands still.</summary>
    public static TimeSpan Pause { get; } = TimeSpan.FromSeconds(Nightly.Rounds > 3 ? 5 : 0.5);

    public void RequireSoundJournal(string after)
    {
        var data = Folders.DataOf(node);
        if (Directory.Exists(Path.Combine(data, "journal")) && Directory.EnumerateFiles(Path.Combine(data, "journal"), "*.seg").Any())
        {
            var verdict = JournalVerifier.Verify(PosixDisk.At(data));
            Assert.That(verdict.ExitCode, Is.Zero, $"{after}: {verdict}");
        }
    }

    public void Dispose() => _process?.Dispose();

    private static string Word(Deed deed) => deed == Deed.Sleep ? "sleep 300ms" : deed.ToString().ToLowerInvariant();

    private void Start(string arms, string[] options)
    {
        _process?.Dispose();
        _reached = string.Empty;
        _process = NodeProcess.StartFrom(folder, node.Configuration, new Dictionary<string, string> { ["CITYGRID_FAILPOINTS"] = arms, ["CITYGRID_LIMITS"] = limits }, options, Hear);
        _ready = _process.ReadyAsync(Patience);
    }

    private async Task ComeToAsync(NamedPlace place, int hit)
    {
        var start = TimeProvider.System.GetTimestamp();
        var asked = false;
        while (!HasReached(place.Name))
        {
            if (_process!.HasExited)
            {
                // Its last words may still be on their way.
                var code = await _process.EndedAsync(Patience);
                Assert.That(HasReached(place.Name), Is.True, $"{node.Node} ended with {code} and never came to {place.Name} (hit {hit}): {_process.LastOutput}");
                return;
            }

            Assert.That(TimeProvider.System.GetElapsedTime(start), Is.LessThan(Patience), $"{node.Node} never came to {place.Name} (hit {hit}): {_process.LastOutput}");
            if (Serves && _working.IsCompleted && !asked)
            {
                await _working;
                _working = place.Work?.Invoke() ?? Task.CompletedTask;
                if (place.IsAtTheEnd)
                {
                    await _working;
                    _process.AskToEnd();
                    asked = true;
                }
            }

            await Task.Delay(10);
        }
    }

    /// <summary>It goes on from a place where it stood still or slept: it comes to serve, works, and ends when it is asked.</summary>
    private async Task GoOnAsync(NamedPlace place)
    {
        await _working;
        if (!place.IsAtTheEnd)
        {
            await _ready;
            await (place.Work?.Invoke() ?? Task.CompletedTask);
        }

        // It takes a second signal for more than a question while it ends.
        Assert.That(await (place.IsAtTheEnd ? _process!.EndedAsync(Patience) : StopAsync()), Is.Zero, $"{place.Name}: {_process!.LastOutput}");
    }

    private async Task<int> EndedOrAsync(TimeSpan atMost)
    {
        try
        {
            return await _process!.EndedAsync(atMost);
        }
        catch (TimeoutException)
        {
            return await StopAsync();
        }
    }

    private bool HasReached(string place) => _reached == place;

    private void Hear(string line)
    {
        const string said = "FAILPOINT ";
        if (line.StartsWith(said, StringComparison.Ordinal))
        {
            _reached = line[said.Length..line.IndexOf(':', StringComparison.Ordinal)];
        }
    }
}
