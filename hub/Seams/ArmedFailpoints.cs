using System.Globalization;
using System.Runtime.InteropServices;

namespace CityGrid.Hub.Seams;

/// <summary>
/// What the environment arms: <c>CITYGRID_FAILPOINTS="journal.sync.after=kill@3;epoch.keep.before=sleep 200ms"</c>. An action is kill (SIGKILL), stop
/// (SIGSTOP; whoever watches lets it go on), error (throws <see cref="DiskFailedException"/>, errno 5) or sleep with its length, and takes place once, at
/// the hit that follows the @, else at the first. What cannot be read ends the program. <c>CITYGRID_LIMITS="segment-bytes=8192"</c> makes limits smaller.
/// Compiled only with <c>-p:Failpoints=true</c>.
/// </summary>
public static partial class Failpoint
{
    private const int Kill = 9;
    private const int Stop = 19;
    private const int InputOutput = 5;

    private static readonly Lock Counting = new();
    private static readonly Dictionary<string, List<Arm>> Arms = ReadArms();
    private static readonly Dictionary<string, long> Limits = ReadLimits();
    private static readonly Dictionary<string, long> Hits = [];

    private enum Deed
    {
        Kill,
        Stop,
        Error,
        Sleep,
    }

    static partial void Act(string name)
    {
        if (!Arms.TryGetValue(name, out var arms))
        {
            return;
        }

        long hit;
        lock (Counting)
        {
            hit = Hits[name] = Hits.GetValueOrDefault(name) + 1;
        }

        foreach (var arm in arms.Where(arm => arm.AtHit == hit))
        {
            Console.Error.WriteLine($"FAILPOINT {name}: {arm.Deed} at hit {hit}");
            Do(arm, name);
        }
    }

    static partial void Set(string limit, ref long value) => value = Limits.GetValueOrDefault(limit, value);

    private static void Do(Arm arm, string name)
    {
        switch (arm.Deed)
        {
            case Deed.Kill:
                Signal(Environment.ProcessId, Kill);
                Wait(Timeout.InfiniteTimeSpan);
                break;
            case Deed.Stop:
                Signal(Environment.ProcessId, Stop);
                break;
            case Deed.Error:
                throw new DiskFailedException("failpoint", name, InputOutput, "a test had it fail here");
            default:
                Wait(arm.Length);
                break;
        }
    }

    private static void Wait(TimeSpan length)
    {
#pragma warning disable RS0030 // It is this very thread that must wait, on the machine's own clock.
        Thread.Sleep(length);
#pragma warning restore RS0030
    }

    private static Dictionary<string, List<Arm>> ReadArms()
    {
        var arms = new Dictionary<string, List<Arm>>(StringComparer.Ordinal);
        var text = Environment.GetEnvironmentVariable("CITYGRID_FAILPOINTS") ?? string.Empty;
        foreach (var part in text.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var (name, action) = Parted(part, '=');
            if (!FailpointNames.All.Contains(name))
            {
                throw new FormatException($"There is no failpoint '{name}'.");
            }

            arms.TryAdd(name, []);
            arms[name].Add(ArmOf(action));
        }

        Console.Error.WriteLine(text.Length == 0 ? "THIS PROGRAM IS BUILT WITH FAILPOINTS, for tests alone; none is armed." : $"FAILPOINTS ARMED: {text}");
        return arms;
    }

    private static Dictionary<string, long> ReadLimits() => (Environment.GetEnvironmentVariable("CITYGRID_LIMITS") ?? string.Empty)
        .Split(';', StringSplitOptions.RemoveEmptyEntries)
        .Select(part => Parted(part, '='))
        .ToDictionary(part => part.Before, part => long.Parse(part.After, CultureInfo.InvariantCulture), StringComparer.Ordinal);

    private static Arm ArmOf(string action)
    {
        var (what, hit) = action.Contains('@', StringComparison.Ordinal) ? Parted(action, '@') : (action, "1");
        var (word, length) = what.Contains(' ', StringComparison.Ordinal) ? Parted(what, ' ') : (what, "0ms");
        if (!Enum.TryParse<Deed>(word, ignoreCase: true, out var deed) || !length.EndsWith("ms", StringComparison.Ordinal))
        {
            throw new FormatException($"'{action}' is none of kill, stop, error, and sleep with its length in ms.");
        }

        return new Arm(deed, long.Parse(hit, CultureInfo.InvariantCulture), TimeSpan.FromMilliseconds(int.Parse(length[..^2], CultureInfo.InvariantCulture)));
    }

    private static (string Before, string After) Parted(string text, char at) => text.Split(at, 2, StringSplitOptions.TrimEntries) is [var before, var after]
        ? (before, after)
        : throw new FormatException($"'{text}' has no '{at}'.");

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Signal(int process, int signal);

    private sealed record Arm(Deed Deed, long AtHit, TimeSpan Length);
}
