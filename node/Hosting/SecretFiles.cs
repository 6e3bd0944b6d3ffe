using CityGrid.Node.Configuration;

namespace CityGrid.Node.Hosting;

/// <summary>The files that hold a secret are readable by their owner only, or the node does not start.</summary>
public static class SecretFiles
{
    private const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    /// <summary>What is wrong with the tokens and the keys of a configuration.</summary>
    public static IReadOnlyList<ConfigurationFault> Faults(NodeConfiguration configuration)
    {
        var faults = new List<ConfigurationFault>();
        AddFaultOf("link.key", configuration.Link.KeyFile, faults);
        if (configuration.Operator.KeyFile is { } key)
        {
            AddFaultOf("operator.key", key, faults);
        }

        AddFaultOf("tokens", configuration.TokensFile, faults);
        faults.AddRange(TokenFile.Read(configuration.TokensFile).Faults);
        return faults;
    }

    private static void AddFaultOf(string key, string path, List<ConfigurationFault> faults)
    {
        // Windows has no such bits; there the folder's access list is the administrator's to set.
        if (!OperatingSystem.IsWindows() && File.Exists(path) && (File.GetUnixFileMode(path) & Others) != UnixFileMode.None)
        {
            var mode = Convert.ToString((int)File.GetUnixFileMode(path), 8).PadLeft(4, '0');
            faults.Add(new ConfigurationFault(key, $"\"{path}\" with mode {mode}", $"a secret is its owner's only: chmod 600 {path}"));
        }
    }
}
