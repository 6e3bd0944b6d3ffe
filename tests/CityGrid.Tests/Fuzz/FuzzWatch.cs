using System.Runtime.ExceptionServices;

namespace CityGrid.Tests.Fuzz;

/// <summary>
/// Has inputs run on a thread of their own and waits beside it, so that an input that does not end is a find with a name like any other. It asserts no speed: inputs take milliseconds.
/// </summary>
/// <param name="target">What reads the inputs.</param>
/// <param name="story">Where they come from: the seed.</param>
/// <param name="patience">For one input.</param>
internal sealed class FuzzWatch(FuzzTarget target, string story, TimeSpan patience)
{
    /// <summary>An input has at most 64 kB.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>So often it looks within its patience. It counts looks: while the whole machine stands still, it does not look either.</summary>
    private const int Looks = 20;

    private volatile Turn? _turn;

    /// <summary>As <see cref="FuzzRun.Tried"/>, watched.</summary>
    public Exception? Tried(byte[] input, HashSet<string>? ways = null)
    {
        _turn = new Turn(input);
        var failure = FuzzRun.Tried(target, input, ways);
        _turn = null;
        return failure;
    }

    /// <summary>What <paramref name="work"/> finds with <see cref="Tried"/>, or the input that hangs. Nothing can stop that one's thread, which ends with the process.</summary>
    public Find? Run(Func<Find?> work)
    {
#pragma warning disable RS0030 // What may never end is given up by whoever waits for it, and takes a thread of the pool from nobody.
        Find? found = null;
        ExceptionDispatchInfo? fault = null;
        var worker = new Thread(() =>
        {
            try
            {
                found = work();
            }
#pragma warning disable CA1031 // It is thrown again where somebody waits for it.
            catch (Exception failure)
#pragma warning restore CA1031
            {
                fault = ExceptionDispatchInfo.Capture(failure);
            }
        })
        { IsBackground = true, Name = $"fuzz {target.Name}" };
        worker.Start();
        var (seen, looks) = (_turn, 0);
        while (!worker.Join(patience / Looks))
#pragma warning restore RS0030
        {
            var turn = _turn;
            (seen, looks) = turn is not null && ReferenceEquals(turn, seen) ? (seen, looks + 1) : (turn, 0);
            if (looks >= Looks)
            {
                return new Find(target, turn!.Input, new HangsException($"{target.Name}, {story}: an input of {turn.Input.Length} bytes has not come to its end within {patience.TotalSeconds} s."));
            }
        }

        fault?.Throw();
        return found;
    }

    private sealed record Turn(byte[] Input);
}

/// <summary>A target that has not come to its end.</summary>
internal sealed class HangsException(string what) : Exception(what);
