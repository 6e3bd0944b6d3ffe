namespace CityGrid.Node.Configuration;

/// <summary>One thing that is wrong with a configuration file: where, what stands there (null where nothing does), and what is allowed.</summary>
public sealed record ConfigurationFault(string Path, string? Value, string Allowed)
{
    public override string ToString() => Value is null ? $"{Path} is missing: {Allowed}" : $"{Path} is {Value}: {Allowed}";
}

/// <summary>The file cannot be used; all that is wrong with it, at once. The node ends with exit code 64.</summary>
public sealed class ConfigurationException(string file, IReadOnlyList<ConfigurationFault> faults)
    : Exception($"The configuration {file} has {(faults.Count == 1 ? "a fault" : $"{faults.Count} faults")}:"
        + string.Concat(faults.Select(fault => $"{Environment.NewLine}  {fault}")))
{
    public string File { get; } = file;

    public IReadOnlyList<ConfigurationFault> Faults { get; } = faults;
}
