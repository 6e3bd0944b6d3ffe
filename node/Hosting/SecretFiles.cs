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
        List<ConfigurationFault?> modes =
        [
            FaultOf("link.key", configuration.Link.KeyFile),
            configuration.Children is { } children ? FaultOf("children.authorityKey", children.AuthorityKeyFile) : null,
            configuration.Link.SigningKeyFile is { } signing ? FaultOf("link.signingKey", signing) : null,
            configuration.Operator.KeyFile is { } key ? FaultOf("operator.key", key) : null,
            FaultOf("tokens", configuration.TokensFile),
        ];
        return [.. modes.OfType<ConfigurationFault>(), .. TokenFile.Read(configuration.TokensFile).Faults];
    }

    /// <summary>What is wrong with one file, or null.</summary>
    public static ConfigurationFault? FaultOf(string key, string path)
    {
        // Windows has no such bits; there the folder's access list is the administrator's to set.
        if (OperatingSystem.IsWindows() || !File.Exists(path) || (File.GetUnixFileMode(path) & Others) == UnixFileMode.None)
        {
            return null;
        }

        var mode = Convert.ToString((int)File.GetUnixFileMode(path), 8).PadLeft(4, '0');
        return new ConfigurationFault(key, $"\"{path}\" with mode {mode}", $"a secret is its owner's only: chmod 600 {path}");
    }
}
