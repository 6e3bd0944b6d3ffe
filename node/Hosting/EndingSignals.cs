using System.Runtime.InteropServices;

namespace CityGrid.Node.Hosting;

/// <summary>
/// Being asked to end once more while it ends kills no node: the host hears signals until it is disposed of, and journal, views and directory are closed after it. Its exit code then still says what
/// became of it (<see cref="ExitCodes"/>). Before the host is there a signal ends the process at once, which costs nothing.
/// </summary>
internal sealed class EndingSignals : IDisposable
{
    private readonly List<PosixSignalRegistration> _held = [];

    /// <summary>From now on, until this is disposed of.</summary>
    public void Hold() => _held.AddRange(new[] { PosixSignal.SIGTERM, PosixSignal.SIGINT }.Select(signal => PosixSignalRegistration.Create(signal, heard => heard.Cancel = true)));

    public void Dispose() => _held.ForEach(held => held.Dispose());
}
