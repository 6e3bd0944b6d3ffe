#pragma warning disable RS0030 // This is the test of what is banned.
using Microsoft.Win32.SafeHandles;
using NUnit.Framework;

namespace CityGrid.Tests.Assumptions;

/// <summary>
/// .NET on Linux answers a failed fsync with silence, which is why <c>PosixDisk</c> makes the call itself and two methods are banned. Should this
/// turn red, the ban may be loosened; the disk's own call stays, since it also chooses fdatasync and folders.
/// </summary>
[Platform("Linux")]
public sealed class A_failed_flush_is_not_told_by_dotnet
{
    [Test]
    public void A_flush_of_a_descriptor_that_is_none_seems_to_succeed()
    {
        const int nobodysDescriptor = 987_654_321; // fsync answers EBADF.
        using var handle = new SafeFileHandle(nobodysDescriptor, ownsHandle: false);
        Assert.That(() => RandomAccess.FlushToDisk(handle), Throws.Nothing);
    }
}
