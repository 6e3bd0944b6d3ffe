using CityGrid.Hub.Seams;

namespace CityGrid.Tests.Journal;

/// <summary>Background work that waits until it is let go.</summary>
internal sealed class HeldSpawner : ISpawner
{
    private readonly List<(string Name, Action<CancellationToken> Work)> _waiting = [];

    public int Waiting(string name) => _waiting.Count(one => one.Name.Contains(name, StringComparison.Ordinal));

    public void Spawn(string name, Func<CancellationToken, Task> work) => throw new NotSupportedException();

    public void SpawnBehind(string name, Action<CancellationToken> work) => _waiting.Add((name, work));

    public void Work(string name = "", CancellationToken stop = default)
    {
        var work = _waiting.Where(one => one.Name.Contains(name, StringComparison.Ordinal)).ToArray();
        _waiting.RemoveAll(work.Contains);
        Array.ForEach(work, one => one.Work(stop));
    }

    public void Forget() => _waiting.Clear();
}
