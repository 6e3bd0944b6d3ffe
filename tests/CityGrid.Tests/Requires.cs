using NUnit.Framework;
using NUnit.Framework.Interfaces;
using NUnit.Framework.Internal;

namespace CityGrid.Tests;

/// <summary>What a test may need beyond the .NET SDK.</summary>
public enum Need
{
    /// <summary>The real data beside the repository (../shared/data).</summary>
    SharedData,

    /// <summary>More minutes than a run on a desk has: CI=true, which .ci/run sets.</summary>
    PullRequest,

    /// <summary>Linux, whose file system calls are made directly.</summary>
    Linux,

    /// <summary>Rights of root.</summary>
    Root,

    /// <summary>Loop devices, mkfs.ext4 and mount, as root.</summary>
    LoopDevices,

    /// <summary>Network namespaces joined by veth, with tc's tbf and blackhole, as root.</summary>
    NetworkNamespaces,

    /// <summary>The same, and nft to lose packets with.</summary>
    LossyNetworkNamespaces,

    /// <summary>Settings of the kernel's write-back that may be changed.</summary>
    WriteBack,

    /// <summary>git, and the commit of the last build that spoke protocol 1 only.</summary>
    OldBuild,

    /// <summary>strace on the path, and permitted.</summary>
    Strace,

    /// <summary>buf on the path, or in tests/tools/node_modules.</summary>
    Buf,

    /// <summary>Node.js with @grpc/grpc-js in tests/tools/node_modules.</summary>
    GrpcJs,
}

/// <summary>Skips a test loudly, with the reason, where the machine lacks what it needs.</summary>
[AttributeUsage(AttributeTargets.Method | AttributeTargets.Class, AllowMultiple = true)]
public sealed class RequiresAttribute(Need need) : NUnitAttribute, IApplyToTest
{
    public Need Need { get; } = need;

    public void ApplyToTest(Test test)
    {
        if (test.RunState == RunState.NotRunnable || Machine.Lacks(Need) is not { } reason)
        {
            return;
        }

        test.RunState = RunState.Ignored;
        test.Properties.Set(PropertyNames.SkipReason, $"skipped: {reason}");
    }
}

/// <summary>What this machine has; looked up once.</summary>
public static class Machine
{
    /// <summary>The last commit of the three-tier network, which speaks protocol 1.</summary>
    public const string OldCommit = "3bc2b209eb8343b3c11b06e3508e266b3044d602";

    /// <summary>The folder that holds CityGrid.sln.</summary>
    public static string Repository { get; } = FindRepository();

    public static string SharedData => Path.GetFullPath(Path.Combine(Repository, "..", "shared", "data"));

    /// <summary>Whether this is the run that a change waits for, which has more minutes than one on a desk.</summary>
    public static bool IsPullRequest { get; } = Environment.GetEnvironmentVariable("CI") == "true";

    /// <summary>Where the tests' npm packages are (tests/tools).</summary>
    public static string Tools => Path.Combine(Repository, "tests", "tools");

    public static string? Lacks(Need need) => need switch
    {
        Need.SharedData => Directory.Exists(SharedData) ? null : "no ../shared/data",
        Need.PullRequest => IsPullRequest ? null : "no CI=true (too long for a run on a desk)",
        Need.Linux => OperatingSystem.IsLinux() ? null : "no Linux",
        Need.Root => Environment.UserName == "root" ? null : "no root",
        Need.LoopDevices => Environment.UserName != "root" ? "no root"
            : !File.Exists("/dev/loop-control") ? "no loop devices"
            : OnPath("mkfs.ext4") is null ? "no mkfs.ext4" : null,
        Need.NetworkNamespaces => Environment.UserName != "root" ? "no root"
            : OnPath("ip") is null || OnPath("tc") is null ? "no network namespaces (ip and tc of iproute2)"
            : MayDivideNetwork.Value ? null : "no network namespaces (the kernel has none, or no veth, tbf or blackhole)",
        Need.LossyNetworkNamespaces => Lacks(Need.NetworkNamespaces) ?? (OnPath("nft") is null ? "no network namespaces that lose packets (nft of nftables)" : null),
        Need.WriteBack => Environment.UserName != "root" ? "no root" : MayStopWriteBack() ? null : "/proc/sys/vm cannot be written",
        Need.OldBuild => OnPath("git") is null || !HasOldCommit.Value ? "no history of protocol 1 (a shallow clone)" : null,
        Need.Strace => OnPath("strace") is null ? "no strace" : MayTrace.Value ? null : "no ptrace (strace is not permitted)",
        Need.Buf => Buf is null ? "no buf (npm install in tests/tools)" : null,
        Need.GrpcJs => OnPath("node") is null ? "no Node.js"
            : !Directory.Exists(Path.Combine(Tools, "node_modules", "@grpc", "grpc-js")) ? "no @grpc/grpc-js (npm install in tests/tools)" : null,
        _ => throw new ArgumentOutOfRangeException(nameof(need), need, "unknown need"),
    };

    private static readonly Lazy<bool> MayDivideNetwork = new(() =>
    {
        var name = $"citygrid-probe-{Environment.ProcessId}";
        try
        {
            return Runs($"netns add {name}")
                && Runs($"-n {name} link add name line type veth peer name other")
                && Runs($"netns exec {name} tc qdisc add dev line root tbf rate 256kbit burst 4kb latency 400ms")
                && Runs($"netns exec {name} tc qdisc replace dev line root blackhole");
        }
        finally
        {
            Runs($"netns del {name}");
        }

        static bool Runs(string words)
        {
            using var ip = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("ip", words.Split(' ')) { RedirectStandardError = true, RedirectStandardOutput = true })!;
            ip.StandardError.ReadToEnd();
            ip.WaitForExit();
            return ip.ExitCode == 0;
        }
    });

    private static bool MayStopWriteBack()
    {
        try
        {
            using var setting = File.OpenWrite("/proc/sys/vm/dirty_writeback_centisecs");
            return true;
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static readonly Lazy<bool> HasOldCommit = new(() =>
    {
        using var git = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo("git", ["-C", Repository, "cat-file", "-e", OldCommit + "^{tree}"]) { RedirectStandardError = true })!;
        git.StandardError.ReadToEnd();
        git.WaitForExit();
        return git.ExitCode == 0;
    });

    private static readonly Lazy<bool> MayTrace = new(() =>
    {
        using var probe = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo("strace", ["-o", "/dev/null", "true"]) { RedirectStandardError = true })!;
        probe.StandardError.ReadToEnd();
        probe.WaitForExit();
        return probe.ExitCode == 0;
    });

    /// <summary>The buf program, or null.</summary>
    public static string? Buf
    {
        get
        {
            var local = Path.Combine(Tools, "node_modules", ".bin", "buf");
            return File.Exists(local) ? local : OnPath("buf");
        }
    }

    /// <summary>Google's .proto files that routes of calls are written with: those of the NuGet package that this was built with.</summary>
    public static string GoogleApiProtos
    {
        get
        {
            var packages = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
                ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
            var version = System.Xml.Linq.XDocument.Load(Path.Combine(Repository, "Directory.Packages.props")).Descendants("PackageVersion")
                .Single(package => package.Attribute("Include")!.Value == "Google.Api.CommonProtos").Attribute("Version")!.Value;
            return Path.Combine(packages, "google.api.commonprotos", version, "content", "protos");
        }
    }

    public static string? OnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(Path.PathSeparator)
            .Append("/usr/sbin").Append("/sbin")
            .Select(folder => Path.Combine(folder, program))
            .FirstOrDefault(File.Exists);

    private static string FindRepository()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "CityGrid.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException("The tests run from within the repository; CityGrid.sln was not found above " + AppContext.BaseDirectory);
    }
}
