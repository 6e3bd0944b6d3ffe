using CityGrid.Hub.Divisions;

namespace CityGrid.Node.Configuration;

/// <summary>What a configuration says about divisions, held against the register.</summary>
public static class RegisterCheck
{
    /// <summary>The register that the configuration names, which has the divisions that it speaks of; throws <see cref="ConfigurationException"/> with every fault.</summary>
    public static DivisionRegister Read(NodeConfiguration configuration)
    {
        var register = Load(configuration.RegisterFile);
        return Faults(configuration, register) is { Count: > 0 } faults ? throw new ConfigurationException(configuration.File, faults) : register;
    }

    /// <summary>
    /// The register by which the sector's parent is judged: its own where the configuration names one, which then has the sector above this node; else the node's, <paramref name="own"/>. Throws
    /// <see cref="ConfigurationException"/> with every fault.
    /// </summary>
    public static DivisionRegister OfSector(NodeConfiguration configuration, DivisionRegister own)
    {
        if (configuration.SectorParent is not { RegisterFile: { } file } sector)
        {
            return own;
        }

        var register = Load(file);
        return register.Contains(sector.Division) && register.HasBeenAtOrBelow(configuration.Division, sector.Division)
            ? register
            : throw new ConfigurationException(
                configuration.File, [new("sectorParent.register", $"\"{file}\"", $"in it {configuration.Division} does not lie below {sector.Division}; correct the code, or name the sector's register")]);
    }

    private static DivisionRegister Load(string? file)
    {
        var reading = DivisionRegister.Load(file);
        return reading.Register
            ?? throw new ConfigurationException(file!, [.. reading.Faults.Select(f => new ConfigurationFault($"line {f.Line} {f.Column}".TrimEnd(), f.What, f.Allowed))]);
    }

    /// <summary>
    /// What does not agree with the register on any of its days: on the day of a move a node must start with either parent, and the parent itself refuses it
    /// before that day or after.
    /// </summary>
    public static IReadOnlyList<ConfigurationFault> Faults(NodeConfiguration configuration, DivisionRegister register)
    {
        var faults = new List<ConfigurationFault>();
        switch (register.Find(configuration.Division))
        {
            case null:
                faults.Add(new("division", $"\"{configuration.Division}\"", "the register has no such division; correct the code, or name another register"));
                break;
            case { Kind: DivisionKind.Placeholder or DivisionKind.Unknown } division:
                faults.Add(new("division", $"\"{division.Code}\" ({division.NameZh})", "this row only groups others in the code table and is never a node"));
                break;
        }

        if (configuration.Parent is { } parent && faults.Count == 0)
        {
            if (!register.Contains(parent.Division))
            {
                faults.Add(new("parent.division", $"\"{parent.Division}\"", "the register has no such division; correct the code, or name another register"));
            }
            else if (!register.HasBeenAtOrBelow(configuration.Division, parent.Division))
            {
                faults.Add(new("parent.division", $"\"{parent.Division}\"", $"in the register {configuration.Division} does not lie below it, so that parent would refuse every report"));
            }
        }

        return faults;
    }
}
