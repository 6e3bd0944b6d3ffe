#pragma warning disable RS0030 // Threads live in Journal/ and Storage/: this is the projector's.
namespace CityGrid.Hub.Storage;

/// <summary>Pumps a projector on a thread of its own: at once where somebody waits or much has come together, otherwise every 50 ms.</summary>
public sealed class ProjectorThread : IDisposable
{
    /// <summary>Twenty small transactions a second leave the disk to the journal.</summary>
    private static readonly TimeSpan Linger = TimeSpan.FromMilliseconds(50);

    private static readonly TimeSpan RetryWhenFull = TimeSpan.FromSeconds(1);

    private readonly Projector _projector;
    private readonly Action<Exception> _fatal;
    private readonly Thread _thread;
    private readonly ManualResetEventSlim _work = new(true, 0);
    private readonly ManualResetEventSlim _urgent = new(false, 0);
    private volatile bool _stopping;

    /// <summary>
    /// Starts at once. <paramref name="fatal"/> is told once what no one expected; the thread has ended then, and the node should.
    /// </summary>
    public ProjectorThread(Projector projector, Action<Exception> fatal)
    {
        _projector = projector;
        _fatal = fatal;
        projector.WorkArrived = Arrived;
        _thread = new Thread(Run) { Name = "projector", IsBackground = true };
        _thread.Start();
    }

    /// <summary>The disk has no room for views: everything waits, and intake slows once too much does.</summary>
    public bool IsDiskFull { get; private set; }

    /// <summary>Applies what waits (unless the disk is full) and ends the thread.</summary>
    public void Dispose()
    {
        if (_stopping)
        {
            return;
        }

        _projector.WorkArrived = null;
        _stopping = true;
        _urgent.Set();
        _work.Set();
        _thread.Join();
        _work.Dispose();
        _urgent.Dispose();
    }

    private void Arrived(bool urgent)
    {
        if (urgent)
        {
            _urgent.Set();
        }

        _work.Set();
    }

    private void Run()
    {
        try
        {
            while (!_stopping)
            {
                _work.Wait();
                _work.Reset();
                if (!_stopping)
                {
                    _urgent.Wait(Linger);
                    _urgent.Reset();
                }

                Pump();
            }
        }
        catch (Exception unexpected)
        {
            _fatal(unexpected);
        }
    }

    private void Pump()
    {
        try
        {
            while (_projector.PumpOnce())
            {
            }

            IsDiskFull = false;
        }
        catch (ViewStoreFullException) when (!_stopping)
        {
            IsDiskFull = true;
            _urgent.Wait(RetryWhenFull);
            _work.Set();
        }
        catch (ViewStoreFullException)
        {
            // The node stops; what waits is read from the journal at the next start.
        }
    }
}
