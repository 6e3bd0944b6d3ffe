using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Microsoft.Win32.SafeHandles;

namespace CityGrid.Tests.EndToEnd.Network;

/// <summary>
/// Network namespaces: one where a parent is, and one for each of its children, with a line (a pair of veth) to it. What is done to a line is done to its packets, by the kernel. All of it goes
/// with this object; nothing is added to the namespace of the test.
/// </summary>
internal sealed partial class DividedNetwork : IDisposable
{
    private const string Line = "line";

    /// <summary>The ends' hardware addresses are told to each other: asked for over a line that is deaf one way, neither way would work soon.</summary>
    private const string ChildCard = "02:00:00:00:00:01";
    private const string ParentCard = "02:00:00:00:00:02";

    private readonly string _name = $"citygrid-{Environment.ProcessId}-{Interlocked.Increment(ref _made)}";
    private static int _made;

    /// <param name="children">How many children have a line to the parent.</param>
    public DividedNetwork(int children)
    {
        try
        {
            Ip("netns", "add", Parent);
            Ip("-n", Parent, "link", "set", "lo", "up");
            for (var child = 0; child < children; child++)
            {
                Ip("netns", "add", Child(child));
                Children = child + 1;
                Ip("-n", Child(child), "link", "set", "lo", "up");
                Ip("link", "add", "name", Line, "address", ChildCard, "netns", Child(child), "type", "veth", "peer", "name", Line + child, "address", ParentCard, "netns", Parent);
                Ip("-n", Child(child), "address", "add", $"{ChildAddress(child)}/24", "dev", Line);
                Ip("-n", Parent, "address", "add", $"{ParentAddress(child)}/24", "dev", Line + child);
                Connect(child);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The namespace of the parent.</summary>
    public string Parent => $"{_name}-parent";

    private int Children { get; set; }

    /// <summary>The namespace of a child.</summary>
    public string Child(int child) => $"{_name}-{child}";

    /// <summary>Where a child reaches the parent.</summary>
    public static string ParentAddress(int child) => $"10.91.{child}.2";

    private static string ChildAddress(int child) => $"10.91.{child}.1";

    /// <summary>What starts a program within a namespace and then becomes it.</summary>
    public static IReadOnlyList<string> Within(string name) => ["ip", "netns", "exec", name];

    /// <summary>A child's line carries so much each way; 400 ms of it may wait in front, more is lost.</summary>
    public void Narrow(int child, int kilobits)
    {
        string[] rate = ["root", "tbf", "rate", $"{kilobits}kbit", "burst", "4kb", "latency", "400ms"];
        Discipline(child, true, rate);
        Discipline(child, false, rate);
    }

    /// <summary>What one end says does not reach the other; packets of the other way arrive.</summary>
    /// <param name="child">Whose line.</param>
    /// <param name="up">Those from the child to the parent are lost; else those from the parent.</param>
    public void LoseOneWay(int child, bool up) => Discipline(child, up, "root", "blackhole");

    /// <summary>So many of a hundred packets are lost each way, as drawn, from now on.</summary>
    public void Lose(int child, int percent)
    {
        foreach (var (name, card) in new[] { (Child(child), Line), (Parent, Line + child) })
        {
            // Else the kernel hands over 64 kB at a time, and there is little to draw from.
            Ip("-n", name, "link", "set", card, "gso_max_segs", "1");
            Require("ip", [.. Within(name).Skip(1), "nft", $"table inet loss {{ chain {card} {{ type filter hook input priority 0; iifname {card} numgen random mod 100 < {percent} counter drop; }}; }}"]);
        }
    }

    /// <summary>Packets of both ways that were lost so far, by the kernel's count.</summary>
    public long Lost(int child) => new[] { Child(child), Parent }.Sum(name =>
    {
        using var nft = Process.Start(new ProcessStartInfo("ip", [.. Within(name).Skip(1), "nft", "list", "table", "inet", "loss"]) { RedirectStandardOutput = true })!;
        var said = nft.StandardOutput.ReadToEnd();
        nft.WaitForExit();
        return Packets().Matches(said).Sum(match => long.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture));
    });

    [GeneratedRegex("counter packets ([0-9]+)")]
    private static partial Regex Packets();

    /// <summary>The line is drawn.</summary>
    public void Disconnect(int child) => Ip("-n", Child(child), "link", "set", Line, "down");

    /// <summary>The line is there.</summary>
    public void Connect(int child)
    {
        Ip("-n", Child(child), "link", "set", Line, "up");
        Ip("-n", Parent, "link", "set", Line + child, "up");
        Ip("-n", Child(child), "neighbour", "replace", ParentAddress(child), "lladdr", ParentCard, "nud", "permanent", "dev", Line);
        Ip("-n", Parent, "neighbour", "replace", ChildAddress(child), "lladdr", ChildCard, "nud", "permanent", "dev", Line + child);
    }

    /// <summary>The line is as fast as the machine, and loses nothing.</summary>
    public void Widen(int child)
    {
        string[] plain = ["root", "pfifo", "limit", "1000"];
        Discipline(child, true, plain);
        Discipline(child, false, plain);
    }

    /// <summary>A connection to a loopback port of a namespace, which stays one though whoever asked is elsewhere.</summary>
    public static Socket Dial(string name, int port)
    {
        using var here = File.OpenHandle("/proc/thread-self/ns/net", FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var there = File.OpenHandle($"/run/netns/{name}", FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        Enter(there);
        try
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                socket.Connect(IPAddress.Loopback, port);
                return socket;
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }
        finally
        {
            Enter(here);
        }
    }

    public void Dispose()
    {
        for (var child = 0; child < Children; child++)
        {
            Run("ip", "netns", "del", Child(child));
        }

        Run("ip", "netns", "del", Parent);
    }

    private void Discipline(int child, bool up, params string[] words)
    {
        string[] end = up ? ["-n", Child(child), "qdisc", "replace", "dev", Line] : ["-n", Parent, "qdisc", "replace", "dev", Line + child];
        Require("tc", [.. end, .. words]);
    }

    private static void Ip(params string[] words) => Require("ip", words);

    private static void Require(string program, params string[] words)
    {
        if (Run(program, words) is { Length: > 0 } error)
        {
            throw new InvalidOperationException($"{program} {string.Join(' ', words)}: {error}");
        }
    }

    /// <summary>What it said where it failed; empty where it did not.</summary>
    private static string Run(string program, params string[] words)
    {
        using var process = Process.Start(new ProcessStartInfo(program, words) { RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? string.Empty : $"{process.ExitCode} {error}";
    }

    /// <summary>Moves this thread into a namespace. One that could not be moved back would make every later connection of this process from elsewhere, so there is no going on.</summary>
    private static void Enter(SafeFileHandle name)
    {
        if (SetNamespace((int)name.DangerousGetHandle(), 0x40000000) != 0)
        {
            Environment.FailFast($"setns: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}");
        }
    }

    [LibraryImport("libc", EntryPoint = "setns", SetLastError = true)]
    private static partial int SetNamespace(int descriptor, int kind);
}
