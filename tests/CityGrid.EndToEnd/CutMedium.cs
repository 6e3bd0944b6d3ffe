using System.Diagnostics;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd;

/// <summary>
/// An ext4 file system in an image file. The image is the medium and the page cache over it the memory of the machine: a copy of the image is what a power
/// cut at that moment would leave, and mounting the copy lets ext4 recover as after a real one. Needs <see cref="StoppedWriteBack"/>.
/// </summary>
internal sealed class CutMedium : IDisposable
{
    /// <summary>A node writes no views where less than 256 MiB are free.</summary>
    private const int Megabytes = 512;

    private readonly string _folder;
    private readonly string _options;
    private int _cuts;

    /// <param name="folder">An empty folder for the images and the mount.</param>
    /// <param name="options">Mount options of ext4, such as <c>data=writeback</c>.</param>
    public CutMedium(string folder, string options)
    {
        _folder = folder;

        // The file system's own journal is committed when something is synced and not by its clock; and a rename is not synced out of courtesy.
        _options = $"loop,commit=3600,noauto_da_alloc,noinit_itable,{options}";
        Directory.CreateDirectory(Folder);
        using (var image = File.Create(Image))
        {
            image.SetLength((long)Megabytes << 20);
        }

        Run("mkfs.ext4", "-q", "-F", "-m", "0", "-N", "8192", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", Image);
        Mount();
    }

    /// <summary>Where it is mounted, always the same.</summary>
    public string Folder => MountOf(_folder);

    private string Image => Path.Combine(_folder, $"medium-{_cuts}.img");

    public static string MountOf(string folder) => Path.Combine(folder, "mount");

    /// <summary>The power goes and comes back: everything that was not on the medium is lost. Nothing may have a file open there any more.</summary>
    public void Cut()
    {
        var before = Image;
        _cuts++;
        Run("cp", "--sparse=always", before, Image);
        Unmount();
        File.Delete(before);
        Mount();
    }

    public void Dispose()
    {
        Unmount();
        File.Delete(Image);
    }

    internal static void Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(Machine.OnPath(program)!, arguments) { RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var said = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero, $"{program} {string.Join(' ', arguments)}: {said}");
    }

    private void Mount() => Run("mount", "-o", _options, Image, Folder);

    private void Unmount() => Run("umount", Folder);
}
