namespace CityGrid.Tests.Hosting;

/// <summary>A folder with the files of a node, gone after the test.</summary>
internal sealed class NodeFolder : IDisposable
{
    public const string OperatorToken = "operator-token-000000000000000000000000";
    public const string ViewerToken = "viewer-token-00000000000000000000000000";
    public const string AdminToken = "admin-token-000000000000000000000000000";

    private const string City = """
        {
          "node": "hangzhou", "division": "330100", "tier": "city", "zone": "Asia/Shanghai",
          "link": { "certificate": "node.pem", "key": "node.key", "authority": "authority.pem" },
          "operator": { "port": 0, "grpcPort": 0 }
        }
        """;

    public NodeFolder(string configuration = City)
    {
        Path = Directory.CreateTempSubdirectory("citygrid-").FullName;
        Write("node.json", configuration);
        Write("node.pem", "a certificate");
        Write("node.key", "a key");
        Write("authority.pem", "an authority");
        Write("tokens", $"""
            # who may call this node
            desk-1 operator {OperatorToken}
            wall viewer {ViewerToken}
            keeper admin,operator {AdminToken}
            """);
    }

    public string Path { get; }

    public string ConfigurationFile => In("node.json");

    public string In(string name) => System.IO.Path.Combine(Path, name);

    public void Write(string name, string text)
    {
        File.WriteAllText(In(name), text);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(In(name), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
