using System.Diagnostics;
using System.Globalization;

namespace CityGrid.Tests.EndToEnd;

/// <summary>
/// While it lives the kernel writes nothing back by itself: what no program synced stays in memory alone. The settings are the whole machine's, so
/// one process at a time has them, and a shell of its own gives them back once this process lets go of it or dies.
/// </summary>
internal sealed class StoppedWriteBack : IDisposable
{
    /// <summary>Longer than any run, in hundredths of a second.</summary>
    private const int Never = 360_000_000;

    private static readonly TimeSpan AtMost = TimeSpan.FromMinutes(10);

    private readonly FileStream _alone;
    private readonly Process _keeper;

    private StoppedWriteBack(FileStream alone, Process keeper) => (_alone, _keeper) = (alone, keeper);

    /// <param name="folder">The folder of a <see cref="CutMedium"/>, which goes too.</param>
    public static async Task<StoppedWriteBack> BeginAsync(string folder)
    {
        var alone = await AloneAsync(Path.Combine(Path.GetTempPath(), "citygrid-write-back.lock"));
        try
        {
            var (writeBack, expire) = (Read("dirty_writeback_centisecs"), Read("dirty_expire_centisecs"));
            var start = new ProcessStartInfo("/bin/sh") { RedirectStandardInput = true };
            start.ArgumentList.Add("-c");
            start.ArgumentList.Add(
                "trap '' INT TERM HUP; read -r _; echo \"$1\" > /proc/sys/vm/dirty_writeback_centisecs; echo \"$2\" > /proc/sys/vm/dirty_expire_centisecs; umount -l \"$3/mount\" 2>/dev/null; rm -rf --one-file-system \"$3\"");
            foreach (var argument in (string[])["keeper", writeBack, expire, folder])
            {
                start.ArgumentList.Add(argument);
            }

            var stopped = new StoppedWriteBack(alone, Process.Start(start)!);
            Write("dirty_expire_centisecs", Never);
            Write("dirty_writeback_centisecs", 0);
            return stopped;
        }
        catch
        {
            await alone.DisposeAsync();
            throw;
        }
    }

    public void Dispose()
    {
        _keeper.StandardInput.Close();
        _keeper.WaitForExit();
        _keeper.Dispose();
        _alone.Dispose();
    }

    private static async Task<FileStream> AloneAsync(string path)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (TimeProvider.System.GetElapsedTime(start) < AtMost)
            {
                await Task.Delay(500);
            }
        }
    }

    private static string Read(string setting) => File.ReadAllText($"/proc/sys/vm/{setting}").Trim();

    private static void Write(string setting, int value) => File.WriteAllText($"/proc/sys/vm/{setting}", value.ToString(CultureInfo.InvariantCulture));
}
