using System.Diagnostics;
using System.Runtime.InteropServices;

namespace CityGrid.Cli.Network;

/// <summary>Where a node listens, as it says itself when it is ready.</summary>
public sealed record NodePorts(string Link, string Operator, string Grpc)
{
    /// <summary>Empty where no node can enrol there.</summary>
    public string Enrolment { get; init; } = string.Empty;

    /// <summary>
    /// The line that a node prints once it serves: <c>citygrid-node ID ready link=HOST:PORT operator=URL grpc=URL enrolment=HOST:PORT</c>, the last where nodes can enrol; null for any other line.
    /// </summary>
    public static NodePorts? TryRead(string line)
    {
        var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words is not ["citygrid-node", _, "ready", .. var rest])
        {
            return null;
        }

        string Value(string name) => rest.FirstOrDefault(w => w.StartsWith(name + "=", StringComparison.Ordinal))?[(name.Length + 1)..] ?? string.Empty;
        return new NodePorts(Value("link"), Value("operator"), Value("grpc")) { Enrolment = Value("enrolment") };
    }
}

/// <summary>
/// A node as a process of its own, known by its own process id: started with one configuration file, waited for until it serves, ended by
/// SIGTERM, or killed.
/// </summary>
public sealed class NodeProcess : IDisposable
{
    private readonly Process _process;
    private readonly TaskCompletionSource<NodePorts> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Queue<string> _lastLines = new();
    private readonly Lock _lock = new();
    private Action<string>? _said;

    private NodeProcess(Process process) => _process = process;

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    public int ExitCode => _process.ExitCode;

    /// <summary>What it printed last, for an error message.</summary>
    public string LastOutput
    {
        get
        {
            lock (_lock)
            {
                return string.Join(Environment.NewLine, _lastLines);
            }
        }
    }

    /// <summary>Starts a node; wait for <see cref="ReadyAsync"/> before calling it.</summary>
    public static NodeProcess Start(string configuration, IReadOnlyDictionary<string, string>? environment = null, params string[] options) =>
        StartBy([], configuration, environment, options);

    /// <summary>The same for the program in another folder; <paramref name="said"/> is told of every line that it prints.</summary>
    public static NodeProcess StartFrom(string folder, string configuration, IReadOnlyDictionary<string, string>? environment, string[] options, Action<string>? said = null) =>
        Start([], Path.Combine(folder, "citygrid-node.dll"), configuration, environment, options, said);

    /// <summary>
    /// The same by another program that then becomes it, such as <c>ip netns exec NAME</c>: first its name, then what stands before the program that it is to run.
    /// </summary>
    public static NodeProcess StartBy(IReadOnlyList<string> runner, string configuration, IReadOnlyDictionary<string, string>? environment = null, params string[] options) =>
        Start(runner, Path.Combine(AppContext.BaseDirectory, "citygrid-node.dll"), configuration, environment, options, null);

    /// <summary>The same with a node of another build.</summary>
    public static NodeProcess StartProgram(string program, string configuration, params string[] options) => Start([], program, configuration, null, options, null);

    private static NodeProcess Start(
        IReadOnlyList<string> runner, string program, string configuration, IReadOnlyDictionary<string, string>? environment, string[] options, Action<string>? said)
    {
        var start = new ProcessStartInfo(runner is [var first, ..] ? first : DotnetHost()) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (var word in runner.Count == 0 ? [] : runner.Skip(1).Append(DotnetHost()))
        {
            start.ArgumentList.Add(word);
        }

        start.ArgumentList.Add(program);
        start.ArgumentList.Add("--config");
        start.ArgumentList.Add(configuration);
        foreach (var option in options)
        {
            start.ArgumentList.Add(option);
        }

        // A dozen nodes share one machine here: one heap each, and memory given back.
        start.Environment["DOTNET_gcServer"] = "0";
        start.Environment["DOTNET_TieredPGO"] = "0";

        // A node trusts none of the machine's roots, but TLS reads all of them at each start, for a tenth of its time.
        start.Environment["SSL_CERT_FILE"] = "/dev/null";
        start.Environment["SSL_CERT_DIR"] = "/dev/null";
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        var process = Process.Start(start) ?? throw new InvalidOperationException("The node did not start.");
        var node = new NodeProcess(process) { _said = said };
        process.OutputDataReceived += (_, line) => node.Heard(line.Data);
        process.ErrorDataReceived += (_, line) => node.Heard(line.Data);
        process.EnableRaisingEvents = true;
        process.Exited += (_, _) => node._ready.TrySetException(new InvalidOperationException(
            $"The node of {configuration} ended before it served. It said:{Environment.NewLine}{node.LastOutput}"));
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        process.StandardInput.Close();
        return node;
    }

    /// <summary>Ends when the node serves, or throws with what it said when it ended first.</summary>
    public Task<NodePorts> ReadyAsync(TimeSpan atMost) => _ready.Task.WaitAsync(atMost);

    /// <summary>SIGKILL: nothing is flushed, nothing is said.</summary>
    public void Kill()
    {
        _process.Kill(entireProcessTree: false);
        _process.WaitForExit();
    }

    /// <summary>SIGSTOP: it stands still where it is, and keeps all that it has.</summary>
    public void Pause() => SendSignal(_process.Id, 19);

    /// <summary>SIGCONT: it goes on as if no time had passed.</summary>
    public void Resume() => SendSignal(_process.Id, 18);

    /// <summary>SIGTERM, and no waiting. Unix.</summary>
    public void AskToEnd() => SendSignal(_process.Id, 15);

    /// <summary>Waits until it has ended by itself; its exit code.</summary>
    public async Task<int> EndedAsync(TimeSpan atMost)
    {
        await _process.WaitForExitAsync().WaitAsync(atMost);
        return _process.ExitCode;
    }

    /// <summary>SIGTERM, and SIGKILL where it has not ended in time. Returns the exit code, or −1 where it had to be killed.</summary>
    public async Task<int> StopAsync(TimeSpan atMost)
    {
        if (!_process.HasExited)
        {
            if (OperatingSystem.IsWindows() || SendSignal(_process.Id, 15) != 0)
            {
                _process.Kill();
            }

            try
            {
                await _process.WaitForExitAsync().WaitAsync(atMost);
            }
            catch (TimeoutException)
            {
                Kill();
                return -1;
            }
        }

        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            Kill();
        }

        _process.Dispose();
    }

    private void Heard(string? line)
    {
        if (line is null)
        {
            return;
        }

        lock (_lock)
        {
            _lastLines.Enqueue(line);
            while (_lastLines.Count > 40)
            {
                _lastLines.Dequeue();
            }
        }

        _said?.Invoke(line);
        if (NodePorts.TryRead(line) is { } ports)
        {
            _ready.TrySetResult(ports);
        }
    }

    private static string DotnetHost()
    {
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
        {
            return Environment.ProcessPath!;
        }

        var named = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH");
        if (!string.IsNullOrEmpty(named))
        {
            return named;
        }

        var program = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
        var beside = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", program));
        return File.Exists(beside) ? beside : program;
    }

#pragma warning disable SYSLIB1054 // One call in a development tool needs no generated marshalling.
    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static extern int SendSignal(int process, int signal);
#pragma warning restore SYSLIB1054
}
