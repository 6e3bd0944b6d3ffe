using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Seams;
using CityGrid.Node;
using CityGrid.Protocol.Names;

namespace CityGrid.Cli.Simulation;

/// <summary>
/// Now and then a tier puts a version of the catalogue in force for itself and all below: from today on or from a day to come, of a handful of types or of hundreds, mostly
/// under a name of its own, and sometimes under one that another tier has taken too.
/// </summary>
internal sealed class PackageWork(SimulatedTree tree, StoryPlan plan)
{
    /// <summary>As many types more, each of some 70 bytes, go down in several chunks.</summary>
    private const int TypesOfLarge = 300;

    private static readonly HashSet<string> Wanted = ["01001", "06010", "06011", "06013", "09012", "10002", "99000"];

    /// <summary>What was wanted of each issuer, whatever became of its directory since.</summary>
    private readonly Dictionary<NodeId, List<PackageWish>> _wanted = [];

    private int _requests;

    public void Work(int step)
    {
        foreach (var (index, node) in tree.Nodes.Values.Index())
        {
            var random = plan.Stream("package", (step * 64) + index);
            if (random.OneIn(24))
            {
                AskAgain(node, random);
            }

            if (random.OneIn(tree.ChildrenOf(node).Any() ? 20 : 80) && node.Core is { } core)
            {
                Publish(node, core, random);
            }
        }
    }

    /// <summary>One of those that were wanted of an issuer, with the same key.</summary>
    public void AskAgain(SimulatedNode issuer, SeededEntropy random)
    {
        if (issuer.Core is not null && _wanted.TryGetValue(issuer.Place.Node, out var before))
        {
            Ask(issuer, before[random.Below(before.Count)]);
            issuer.Pump();
        }
    }

    private void Publish(SimulatedNode issuer, NodeCore core, SeededEntropy random)
    {
        var place = core.PackageDesk.Place;
        var from = place.DayOf(core.Now).Plus(random.Below(3));
        var name = random.OneIn(5) ? $"common-{random.Below(2)}" : $"{issuer.Place.Node}.{_requests}";
        var types = place.IsRoot ? TypeCatalogue.BuiltIn : core.PackageDesk.Shelf.Above(from, place.Division, place.Register);
        var wish = new PackageWish($"p-{++_requests}", CatalogueVersion.Parse(name), from, "title", Rows(types, place.IsRoot && random.OneIn(5), random));
        (_wanted.TryGetValue(issuer.Place.Node, out var wanted) ? wanted : _wanted[issuer.Place.Node] = []).Add(wish);
        Ask(issuer, wish);
        if (!random.OneIn(3))
        {
            issuer.Pump();
        }
    }

    /// <summary>Also once more: whoever had no answer, or sees that the directory was put back, asks again with the same key.</summary>
    private static void Ask(SimulatedNode issuer, PackageWish wish)
    {
        var directory = issuer.Directories;
        issuer.Hear(node => node.Sequencer.Submit(node.PackageDesk.Publish(wish, "head"), answer =>
        {
            if (answer is { Refusal: null, Package: { } package } && issuer.Directories == directory)
            {
                issuer.Acknowledged.Packages[package.Name] = wish;
            }
        }));
    }

    private static string Rows(TypeCatalogue types, bool isLarge, SeededEntropy random)
    {
        var limit = $"{1 + random.Below(30)}d";
        var rows = types.All.Where(type => Wanted.Contains(type.Key.Code.ToString())).Select(type => $"{type.Key.Code}\t{type.NameZh}\t{type.NameEn}\t{limit}\n");
        var more = isLarge ? Enumerable.Range(20_000, TypesOfLarge).Select(code => $"{code}\t事项{code}\tone more matter of a version that has very many of them, {code}\t{limit}\n") : [];
        return string.Concat(rows.Concat(more).Prepend("code\tname_zh\tname_en\tlimits\n"));
    }
}
