using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace CityGrid.Bench;

/// <summary>
/// A PostgreSQL 15 of its own, started on loopback in a temporary folder and stopped by its own process id. As root it runs as the user
/// <c>postgres</c>, since the server refuses root.
/// </summary>
internal sealed class PostgresPeer : IDisposable
{
    private const string Binaries = "/usr/lib/postgresql/15/bin";

    private readonly string _folder;

    private PostgresPeer(string folder, int port)
    {
        _folder = folder;
        ConnectionString = $"Host=127.0.0.1;Port={port};Username=bench;Database=postgres;Maximum Pool Size=100;No Reset On Close=true";
    }

    public string ConnectionString { get; }

    /// <summary>Why it cannot run here; null where it can.</summary>
    public static string? Missing =>
        !OperatingSystem.IsLinux() ? "PostgreSQL rows need Linux"
        : !File.Exists(Path.Combine(Binaries, "initdb")) ? "no PostgreSQL 15 server (Debian: apt-get install postgresql-15)"
        : Environment.UserName == "root" && !File.Exists("/usr/sbin/runuser") ? "PostgreSQL refuses root and there is no runuser"
        : null;

    public static PostgresPeer Start()
    {
        var folder = Directory.CreateTempSubdirectory("citygrid-bench-pg-").FullName;
        if (Environment.UserName == "root")
        {
            Run("chown", "postgres", folder);
        }

        var port = FreePort();
        var data = Path.Combine(folder, "data");
        Server("initdb", "-D", data, "-U", "bench", "--auth=trust", "--encoding=UTF8", "--locale=C");
        Server("pg_ctl", "-D", data, "-w", "-t", "60", "-l", Path.Combine(folder, "log"),
            "-o", $"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=120 -c shared_buffers=512MB -c max_wal_size=4GB", "start");
        return new PostgresPeer(folder, port);
    }

    public void Execute(string sql)
    {
        using var connection = Open();
        using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 600 };
        command.ExecuteNonQuery();
    }

    public NpgsqlConnection Open()
    {
        var connection = new NpgsqlConnection(ConnectionString);
        connection.Open();
        return connection;
    }

    public void Dispose()
    {
        NpgsqlConnection.ClearAllPools();
        Server("pg_ctl", "-D", Path.Combine(_folder, "data"), "-m", "immediate", "-w", "stop");
        Directory.Delete(_folder, recursive: true);
    }

    private static void Server(string program, params string[] arguments)
    {
        var path = Path.Combine(Binaries, program);
        if (Environment.UserName == "root")
        {
            Run("/usr/sbin/runuser", ["-u", "postgres", "--", path, .. arguments]);
        }
        else
        {
            Run(path, arguments);
        }
    }

    private static void Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Path.GetTempPath() };
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start.");
        // The server that pg_ctl starts inherits the pipes, so only the program itself is waited for.
        if (!process.WaitForExit(TimeSpan.FromMinutes(2)) || process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} failed with exit code {(process.HasExited ? process.ExitCode : -1)}.");
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
