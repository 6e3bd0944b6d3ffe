using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using CityGrid.Cli.Network;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;

namespace CityGrid.Bench;

/// <summary>What a span of time at the parent brought.</summary>
/// <param name="Seconds">How long it was.</param>
/// <param name="Cells">Cells applied durably in it.</param>
/// <param name="Parts">The parts in which they came.</param>
/// <param name="CpuSeconds">Processor time of the parent alone.</param>
internal readonly record struct ParentSpan(double Seconds, long Cells, long Parts, double CpuSeconds)
{
    public double Rate => Cells / Seconds;

    public double PartsASecond => Parts / Seconds;

    /// <summary>Seconds of the parent's processor for a thousand cells.</summary>
    public double CpuAThousand => CpuSeconds * 1000 / Cells;
}

/// <summary>One storm.</summary>
/// <param name="Span">Until the last child was back and as much was applied as in quiet.</param>
/// <param name="HalfBack">Seconds until half of the children were back.</param>
/// <param name="LastBack">Seconds until all were.</param>
/// <param name="Dials">How often children dialled.</param>
/// <param name="Handshakes">How often the parent let one in.</param>
/// <param name="Refused">How often it then answered a refusal, BUSY among them.</param>
internal sealed record Storm(ParentSpan Span, double HalfBack, double LastBack, int Dials, int Handshakes, int Refused);

/// <summary>
/// 340 children of one parent, which is a process of its own with its journal on a disk: certificates, TLS, senders and signatures are those of the
/// product. They are in this process, and so take the same cores as the parent: what the parent itself spends is what the network would feel.
/// </summary>
internal sealed class ReconnectMeasures : IDisposable
{
    public const int Children = 340;

    private static readonly TimeSpan AtMost = TimeSpan.FromMinutes(3);

    private readonly LinkCounts _counts = new();
    private readonly CancellationTokenSource _lifetime = new();
    private readonly TreeNode _parent;
    private readonly LinkChild[] _children;
    private NodeProcess _process;
    private volatile Exception? _failure;

    public ReconnectMeasures(string folder)
    {
        var tree = TreeWriter.Write(folder, Plan(), TimeProvider.System.GetUtcNow(), new SystemEntropy());
        _parent = tree.Root;
        // All children call from one address here, and from 340 in life.
        var configuration = JsonNode.Parse(File.ReadAllText(_parent.Configuration))!;
        configuration["limits"] = new JsonObject { ["callsPerAddress"] = 1_000_000, ["linkHandshakes"] = 1_000, ["linkHandshakesPerAddress"] = 1_000 };
        File.WriteAllText(_parent.Configuration, configuration.ToJsonString());
        _process = StartParent();

        var roots = new X509Certificate2Collection();
        roots.ImportFromPemFile(Path.Combine(folder, "authority.pem"));
        var spawner = new PoolSpawner(_lifetime.Token, (_, failure) => _failure ??= failure);
        _children = [.. tree.Cities.Select((city, number) => new LinkChild(city, _parent, new NetworkTrust(roots, null), spawner, _counts, (ulong)number + 1))];
        foreach (var child in _children)
        {
            child.Start();
        }

        WaitFor(() => Back == Children);
    }

    private int Back => _children.Count(child => child.IsOpen);

    /// <summary>Nothing happens but that all report as fast as the parent takes it.</summary>
    public ParentSpan Quiet(double seconds)
    {
        var since = Now();
        WaitFor(() => Since(since).Seconds >= seconds);
        return Since(since);
    }

    /// <summary>Every connection is cut at one instant, while every child has more to report.</summary>
    public Storm CutAll(ParentSpan quiet)
    {
        var (before, since) = (_counts.Told, Now());
        foreach (var child in _children)
        {
            child.Cut();
        }

        return Storming(since, quiet.Cells, before);
    }

    /// <summary>Seconds of the parent's processor for one child that comes back, and nothing else: all are cut off while nobody has anything to report.</summary>
    public double CpuOfOneBack()
    {
        SetIdle(true);
        Quiet(2);
        var since = Now();
        foreach (var child in _children)
        {
            child.Cut();
        }

        WaitFor(() => Back == Children);
        var spent = Since(since).CpuSeconds;
        SetIdle(false);
        return spent / Children;
    }

    private void SetIdle(bool value)
    {
        foreach (var child in _children)
        {
            child.IsIdle = value;
        }
    }

    /// <summary>The parent's process is killed and started again; the storm is measured from when it serves.</summary>
    public Storm RestartParent(ParentSpan quiet)
    {
        var before = _counts.Told;
        _process.Kill();
        _process.Dispose();
        _process = StartParent();
        return Storming(Now(), quiet.Cells, before);
    }

    public void Dispose()
    {
        _lifetime.Cancel();
        foreach (var child in _children)
        {
            child.Dispose();
        }

        _process.StopAsync(TimeSpan.FromSeconds(60)).GetAwaiter().GetResult();
        _process.Dispose();
        _lifetime.Dispose();
    }

    private Storm Storming(Moment since, long work, (int Dials, int Handshakes, int Refused) before)
    {
        WaitFor(() => Back >= Children / 2);
        var half = Since(since).Seconds;
        WaitFor(() => Back == Children);
        var last = Since(since).Seconds;
        WaitFor(() => Since(since).Cells >= work);
        var told = _counts.Told;
        return new Storm(Since(since), half, last, told.Dials - before.Dials, told.Handshakes - before.Handshakes, told.Refused - before.Refused);
    }

    private void WaitFor(Func<bool> reached)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!reached())
        {
            if (_failure is { } failure)
            {
                throw new InvalidOperationException("A child failed.", failure);
            }

            if (_process.HasExited || TimeProvider.System.GetElapsedTime(start) > AtMost)
            {
                throw new InvalidOperationException($"{Back} of {Children} children are connected ({_counts.Endings}). The parent said: {_process.LastOutput}");
            }

            _lifetime.Token.WaitHandle.WaitOne(5);
        }
    }

    private NodeProcess StartParent()
    {
        var process = NodeProcess.Start(_parent.Configuration, BenchCity.AsDeployed);
        process.ReadyAsync(AtMost).GetAwaiter().GetResult();
        return process;
    }

    private Moment Now() => new(TimeProvider.System.GetTimestamp(), _counts.Cells, _counts.Parts, CpuSeconds());

    private ParentSpan Since(Moment then) =>
        new(TimeProvider.System.GetElapsedTime(then.At).TotalSeconds, _counts.Cells - then.Cells, _counts.Parts - then.Parts, CpuSeconds() - then.Cpu);

    /// <summary>User and system time of the parent's process: the 14th and 15th word of its stat line, in hundredths of a second (proc(5)).</summary>
    private double CpuSeconds()
    {
        var line = File.ReadAllText($"/proc/{_process.Id}/stat");
        var words = line[(line.LastIndexOf(')') + 2)..].Split(' ');
        return (long.Parse(words[11], CultureInfo.InvariantCulture) + long.Parse(words[12], CultureInfo.InvariantCulture)) / 100.0;
    }

    /// <summary>A ministry to which 340 places below its provinces report directly.</summary>
    private static TreePlan Plan()
    {
        var all = DivisionRegister.BuiltIn;
        var nation = all.Find(DivisionCode.Parse("CN"))!;
        var provinces = all.ChildrenOf(nation.Code).Where(p => p.Kind == DivisionKind.Province).ToArray();
        var below = provinces.SelectMany(p => all.ChildrenOf(p.Code)).ToArray();
        var cities = below.Where(c => c.Kind is DivisionKind.City or DivisionKind.DirectCounty)
            .OrderBy(c => c.Kind).ThenBy(c => c.Code).Take(Children).ToArray();
        const string Zone = "Asia/Shanghai";
        return new TreePlan(
            DivisionRegister.Of([nation, .. provinces, .. cities]),
            [new TreePlace(nation.Code, "ministry", "ministry", Zone), .. cities.Select(c => new TreePlace(c.Code, $"city-{c.Code}", "city", Zone))]);
    }

    private readonly record struct Moment(long At, long Cells, long Parts, double Cpu);
}
