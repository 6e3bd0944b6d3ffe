using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;

namespace CityGrid.Tests.Crashes;

/// <summary>
/// Lives of something that keeps promises on a model disk, drawn from a seed. After every operation on the disk it looks at what a power cut there
/// could leave, and examines each such disk once.
/// </summary>
/// <param name="drawn">How many states beside the two extreme ones are drawn after an operation.</param>
internal abstract class LivesOnADisk(int drawn)
{
    private readonly HashSet<Hash256> _seen = [];

    /// <summary>How many different disks were started from.</summary>
    public int States => _seen.Count;

    /// <summary>The promise that was broken, and in which life.</summary>
    public string? Violation { get; protected set; }

    protected SeededEntropy Seed { get; private set; } = new(0);

    protected ModelDisk Disk { get; private set; } = new();

    /// <summary>Lives one life; false when a promise was broken (<see cref="Violation"/> says which).</summary>
    public bool Live(ulong seed, int steps)
    {
        Begin(seed);
        Disk.Happened = _ => AfterOperation();
        try
        {
            Run(steps);
        }
        catch (BrokenPromiseException broken)
        {
            Violation = $"seed {seed}: {broken.Message}";
        }

        return Violation is null;
    }

    /// <summary>An empty disk, and nobody who was promised anything.</summary>
    protected virtual void Begin(ulong seed) => (Seed, Disk) = (new SeededEntropy(seed), new ModelDisk());

    protected abstract void Step();

    /// <summary>The process has ended; the next step starts it again.</summary>
    protected abstract void Ended();

    /// <summary>Starts from a disk as a crash left it, and asks for everything that was promised.</summary>
    protected abstract void Examine(ModelDisk state);

    protected virtual bool EndsTheProcess(Exception failure) => failure is DiskFailedException or JournalClosedException or DiskFullException;

    protected virtual void AfterOperation()
    {
        foreach (var state in Disk.CrashStates(Seed, drawn))
        {
            if (_seen.Add(state.Fingerprint()))
            {
                Examine(state);
            }
        }
    }

    /// <summary>Examines it even where an equal one was examined before: other things may have been promised since.</summary>
    protected void ExamineAgain(ModelDisk state)
    {
        _seen.Add(state.Fingerprint());
        Examine(state);
    }

    protected void Run(int steps)
    {
        for (var step = 0; step < steps; step++)
        {
            try
            {
                Step();
            }
            catch (Exception failure) when (EndsTheProcess(failure))
            {
                Disk.Kill();
                Ended();
            }
            catch (JournalDamagedException damaged)
            {
                throw new BrokenPromiseException($"the running process found damage: {damaged.Message}");
            }
        }
    }

    /// <summary>Now and then one of the next operations fails, with effect or without.</summary>
    protected void MayFail()
    {
        if (Seed.OneIn(25))
        {
            Disk.Fail(new DiskFault(Disk.Operations + 1 + Seed.Below(8), 5, TakesEffect: Seed.OneIn(4)));
        }
    }
}

internal sealed class BrokenPromiseException(string message) : Exception(message);
