using System.Diagnostics;

namespace CityGrid.Tests.Contracts;

/// <summary>A copy of all .proto files with buf.yaml, and Google's annotations as one more module: buf needs no network.</summary>
internal sealed class BufWorkspace : IDisposable
{
    private static readonly string[] Modules = ["protocol", "node", "hub"];

    private readonly string _folder = Directory.CreateTempSubdirectory("citygrid-buf-").FullName;

    public BufWorkspace()
    {
        foreach (var file in Modules.SelectMany(ProtoFiles))
        {
            Copy(Path.Combine(Machine.Repository, file), file);
        }

        foreach (var name in new[] { "annotations.proto", "http.proto" })
        {
            Copy(Path.Combine(Machine.GoogleApiProtos, "google", "api", name), Path.Combine("googleapis", "google", "api", name));
        }

        var settings = File.ReadAllText(Path.Combine(Machine.Repository, "buf.yaml"));
        File.WriteAllText(In("buf.yaml"), settings.Replace("modules:\n", "modules:\n  - path: googleapis\n", StringComparison.Ordinal));
    }

    public string In(string name) => Path.Combine(_folder, name);

    /// <summary>Runs buf here; what it wrote, empty where it is content.</summary>
    public string Run(params string[] arguments)
    {
        var start = new ProcessStartInfo(Machine.Buf!) { WorkingDirectory = _folder, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        using var buf = Process.Start(start)!;
        var error = buf.StandardError.ReadToEndAsync();
        var output = buf.StandardOutput.ReadToEnd() + error.GetAwaiter().GetResult();
        buf.WaitForExit();
        return buf.ExitCode == 0 || output.Length > 0 ? output : $"buf ended with {buf.ExitCode}.";
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static IEnumerable<string> ProtoFiles(string module) =>
        Directory.EnumerateFiles(Path.Combine(Machine.Repository, module), "*.proto", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(Machine.Repository, path))
            .Where(path => !path.Split(Path.DirectorySeparatorChar).Any(folder => folder is "obj" or "bin"));

    private void Copy(string from, string to)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(In(to))!);
        File.Copy(from, In(to));
    }
}
