using CityGrid.Hub.Divisions;

namespace CityGrid.Node.Configuration;

/// <summary>What a configuration says about divisions, held against the register.</summary>
public static class RegisterCheck
{
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
            else if (!register.IsAtOrBelow(configuration.Division, parent.Division))
            {
                faults.Add(new("parent.division", $"\"{parent.Division}\"", $"in the register {configuration.Division} does not lie below it, so that parent would refuse every report"));
            }
        }

        return faults;
    }
}
