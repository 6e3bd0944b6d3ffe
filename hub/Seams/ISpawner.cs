namespace CityGrid.Hub.Seams;

/// <summary>
/// Background work, handed in: the thread pool in production, the simulator's single run queue in simulation. One loop owns each piece of
/// background work; an exception that escapes it goes to the node's fatal handler and stops the node.
/// </summary>
public interface ISpawner
{
    void Spawn(string name, Func<CancellationToken, Task> work);
}
