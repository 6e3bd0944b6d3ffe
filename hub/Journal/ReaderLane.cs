namespace CityGrid.Hub.Journal;

/// <summary>
/// Long readers go through it, so many at once and the others in turn: where as many read as there are cores, the writer waits for a core until the
/// operating system takes one away from them, which on two cores it does every 4 ms. So the memory that wide answers take is bounded as well.
/// For many threads at once.
/// </summary>
public sealed class ReaderLane(int most) : IDisposable
{
    private readonly SemaphoreSlim _free = new(most);

    public int Most => most;

    /// <summary>All cores of this machine but one, which is the writer's; one where there is no other.</summary>
    public static ReaderLane BesideTheWriter() => new(Math.Max(1, Environment.ProcessorCount - 1));

    /// <summary>Reads when it is its turn. A reader must not enter the lane again from within.</summary>
    public async Task<T> ReadAsync<T>(Func<T> read, CancellationToken stop = default)
    {
        await _free.WaitAsync(stop);
        try
        {
            return read();
        }
        finally
        {
            _free.Release();
        }
    }

    public void Dispose() => _free.Dispose();
}
