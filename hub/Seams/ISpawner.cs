namespace CityGrid.Hub.Seams;

/// <summary>
/// Background work, handed in: the thread pool in production, the simulator's single run queue in simulation. One loop owns each piece of
/// background work; an exception that escapes it goes to the node's fatal handler and stops the node.
/// </summary>
public interface ISpawner
{
    void Spawn(string name, Func<CancellationToken, Task> work);

    /// <summary>The same for long work of a processor that nobody waits for: where there is a choice it yields to everything else.</summary>
    void SpawnBehind(string name, Action<CancellationToken> work) => Spawn(name, stop =>
    {
        work(stop);
        return Task.CompletedTask;
    });
}
