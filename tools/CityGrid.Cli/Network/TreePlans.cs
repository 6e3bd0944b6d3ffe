using CityGrid.Cli.Mappings;
using CityGrid.Hub.Divisions;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;

namespace CityGrid.Cli.Network;

/// <summary>The trees that the tool knows how to write.</summary>
public static class TreePlans
{
    private const string Shanghai = "Asia/Shanghai";

    /// <summary>Provinces and cities drawn from the built-in register, with their counties.</summary>
    public static TreePlan Generated(TreeShape shape, ulong seed)
    {
        var all = DivisionRegister.BuiltIn;
        var random = new SeededEntropy(seed);
        var nation = all.Find(DivisionCode.Parse("CN"))!;
        var provinces = all.ChildrenOf(nation.Code)
            .Where(p => p.Kind == DivisionKind.Province && all.ChildrenOf(p.Code).Count(c => c.Kind == DivisionKind.City) >= shape.Cities)
            .OrderBy(_ => random.Next()).Take(shape.Provinces).OrderBy(p => p.Code).ToArray();
        var rows = new List<Division> { nation };
        var places = new List<TreePlace> { new(nation.Code, "ministry", "ministry", Shanghai) };
        foreach (var province in provinces)
        {
            rows.Add(province);
            places.Add(new TreePlace(province.Code, $"province-{province.Code}", "province", Shanghai));
            foreach (var city in all.ChildrenOf(province.Code).Where(c => c.Kind == DivisionKind.City).OrderBy(_ => random.Next()).Take(shape.Cities).OrderBy(c => c.Code))
            {
                rows.Add(city);
                rows.AddRange(all.ChildrenOf(city.Code));
                places.Add(new TreePlace(city.Code, $"city-{city.Code}", "city", Shanghai));
            }
        }

        return new TreePlan(DivisionRegister.Of(rows), places);
    }

    /// <summary>The tree of the five cities whose real cases there are.</summary>
    public static TreePlan UnitedStates()
    {
        using var csv = new StringReader(ShippedMapping.RegisterCsv);
        var register = DivisionFile.Read(csv).Register ?? throw new InvalidOperationException("The shipped register has faults.");
        var places = register.All
            .Where(d => d.Kind is DivisionKind.Nation or DivisionKind.Province or DivisionKind.City)
            .OrderBy(d => d.Kind).ThenBy(d => d.Code)
            .Select(d => new TreePlace(d.Code, d.Code.ToString().ToLowerInvariant(), d.Kind switch
            {
                DivisionKind.Nation => "ministry",
                DivisionKind.Province => "province",
                _ => "city",
            }, ZoneOf(d.Code.ToString())));
        return new TreePlan(register, [.. places]);
    }

    /// <summary>The files of a folder that a shipped mapping reads, each with its mapping and the city that it belongs to.</summary>
    public static IEnumerable<(string File, ShippedMapping Mapping, string Division)> RealFiles(string folder)
    {
        foreach (var file in Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal))
        {
            if (ShippedMapping.ForFile(file) is { } mapping)
            {
                yield return (file, mapping, mapping.Read().City.ToString());
            }
        }
    }

    private static string ZoneOf(string code) => code.Contains("-CA", StringComparison.Ordinal) ? "America/Los_Angeles"
        : code.Contains("-IL", StringComparison.Ordinal) ? "America/Chicago"
        : "America/New_York";
}
