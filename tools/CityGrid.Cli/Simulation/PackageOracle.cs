using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Catalogue.V1;
using CityGrid.Hub.Journal;
using CityGrid.Node.Cases;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Cli.Simulation;

/// <summary>
/// What must hold of catalogue packages (INV-1, 7, K1 to K6): at each step what is known at the nodes is held against what others know, at the end every journal is
/// read by itself. An issuer whose directory was lost or put back may give a number twice (K2): then each place below has one of the two and refuses the other, and what the issuer lost it has no more.
/// </summary>
internal sealed class PackageOracle(SimulatedTree tree, IReadOnlySet<NodeId> forked)
{
    private readonly Dictionary<NodeId, (int Directory, HashSet<PackageName> Taken)> _seen = [];
    private readonly Dictionary<(NodeId Issuer, long Number), HashSet<Hash256>> _given = [];

    /// <summary>At any moment.</summary>
    public void Look()
    {
        foreach (var node in tree.Nodes.Values.Where(n => n.Core is not null))
        {
            LookAt(node, node.Core!.Packages);
        }

        foreach (var (child, parent) in tree.Edges.Where(e => e.Parent.Core is not null && e.Child.Core is not null && e.Child.Directories == 0 && !forked.Contains(e.Child.Place.Node)))
        {
            foreach (var head in parent.Core!.Packages.Child(child.Place.Node).Heads.Values)
            {
                StoryBrokenException.Unless(
                    child.Core!.Packages.At(head.Issuer, head.Number) is { } there && there.Name == head, () => $"INV-7: {parent.Place.Node} heard that {child.Place.Node} has package {head}, and it has not");
            }
        }
    }

    /// <summary>Once all is healed and has come to rest.</summary>
    public void Check()
    {
        foreach (var (child, parent) in tree.Edges)
        {
            CheckEdge(child, parent);
        }

        foreach (var node in tree.Nodes.Values)
        {
            foreach (var name in node.Acknowledged.Packages.Keys)
            {
                StoryBrokenException.Unless(node.Core!.Packages.At(name.Issuer, name.Number) is { IsOwn: true } own && own.Name == name, () => $"INV-1: {node.Place.Node} acknowledged package {name}, and it is not there");
            }
        }
    }

    /// <summary>At the very end.</summary>
    public void CheckJournals()
    {
        foreach (var node in tree.Nodes.Values)
        {
            CheckJournal(node);
        }
    }

    /// <summary>INV-1, INV-7: who asks again has the same answer, and nothing changes.</summary>
    public void CheckRequests()
    {
        foreach (var node in tree.Nodes.Values)
        {
            foreach (var (name, wish) in node.Acknowledged.Packages.OrderBy(a => a.Key.Number).TakeLast(3))
            {
                var before = node.Core!.Sequencer.Applied;
                PackageAnswer? again = null;
                node.Do(core => core.Sequencer.Submit(core.PackageDesk.Publish(wish, "head"), answer => again = answer));
                StoryBrokenException.Unless(
                    again is { Refusal: null, Repeated: true } && again.Package!.Name == name && node.Core!.Sequencer.Applied == before, () => $"INV-7: {node.Place.Node} was asked again for package {name} and answered {again?.Refusal}");
            }
        }
    }

    /// <summary>K6: as long as a directory lives, what was taken stays, with the bytes that its name says.</summary>
    private void LookAt(SimulatedNode node, PackageFold packages)
    {
        if (!_seen.TryGetValue(node.Place.Node, out var seen) || seen.Directory != node.Directories)
        {
            _seen[node.Place.Node] = seen = (node.Directories, []);
        }

        foreach (var name in seen.Taken)
        {
            StoryBrokenException.Unless(packages.At(name.Issuer, name.Number)?.Name == name, () => $"K6: package {name} was taken at {node.Place.Node} and is no more");
        }

        foreach (var package in packages.Packages.Where(p => p.IsTaken && seen.Taken.Add(p.Name)))
        {
            StoryBrokenException.Unless(Hash256.Of(package.Envelope.Package.Span) == package.Name.Hash, () => $"K1: package {package.Name} at {node.Place.Node} has other bytes than its name says");
            if (!_given.TryGetValue((package.Name.Issuer, package.Name.Number), out var hashes))
            {
                _given.Add((package.Name.Issuer, package.Name.Number), hashes = []);
            }

            hashes.Add(package.Name.Hash);
        }
    }

    /// <summary>K3, K4: what a parent has of those above its child the child has too, bit for bit.</summary>
    private void CheckEdge(SimulatedNode child, SimulatedNode parent)
    {
        var (above, below) = (parent.Core!.Packages, child.Core!.Packages);
        foreach (var package in above.Packages.Where(p => p.IsTaken && p.Name.Issuer != child.Place.Node))
        {
            var name = package.Name;
            var found = below.At(name.Issuer, name.Number);
            if (found is not null && found.Name == name)
            {
                StoryBrokenException.Unless(found.Envelope.Package.Span.SequenceEqual(package.Envelope.Package.Span), () => $"K1: package {name} has other bytes at {child.Place.Node}");
                StoryBrokenException.Unless(found.Envelope.Signature is not null, () => $"A7: package {name} has lost its signature at {child.Place.Node}");
                continue;
            }

            StoryBrokenException.Unless(IsExcused(child, package), () => $"K3: package {name} is at {parent.Place.Node} and not at {child.Place.Node}, which has {string.Join(' ', below.Packages.Select(p => $"{p.Name}{(p.IsTaken ? string.Empty : " " + p.Refusal!.Code)}"))}");
        }
    }

    /// <summary>It was refused there for its version's name, which another package has taken; or its issuer, or one below that passed it on, has a history with two packages of one number.</summary>
    private bool IsExcused(SimulatedNode child, PackageRecord package)
    {
        var name = package.Name;
        if (tree[name.Issuer].Directories > 0 && _given.Any(given => given.Key.Issuer == name.Issuer && given.Value.Count > 1))
        {
            return true;
        }

        var reused = child.Core!.Packages.Packages.FirstOrDefault(p => p.IsTaken && p.Content!.Version == package.Content!.Version && p.Content.Rows != package.Content.Rows);
        return reused is not null && child.Core.Packages.Refused.Any(refused => refused.Name == name && refused.Refusal!.Code == PackageJudge.VersionReused);
    }

    /// <summary>INV-7, K5: a journal, read by itself, takes each package once, and files each case under the version that what stands before it puts in force on its day.</summary>
    private void CheckJournal(SimulatedNode node)
    {
        var taken = new HashSet<(string, long)>();
        var editions = new List<(Instant RecordedAt, CataloguePackage Package)>();
        foreach (var one in node.Core!.Journal.ReadFrom(Lsn.Zero).SelectMany(record => record.Events))
        {
            var envelope = one.Kind switch
            {
                EventKinds.PackagePublished => PackagePublished.Parser.ParseFrom(one.Payload.Span).Envelope,
                EventKinds.PackageReceived when PackageReceived.Parser.ParseFrom(one.Payload.Span) is { Code: "" } received => received.Envelope,
                _ => null,
            };
            if (envelope is not null)
            {
                var package = CataloguePackage.Parser.ParseFrom(PackageEnvelope.Parser.ParseFrom(envelope).Package);
                StoryBrokenException.Unless(taken.Add((package.Issuer, package.Number)), () => $"INV-7: {node.Place.Node} took package {package.Issuer}/{package.Number} twice");
                editions.Add((one.RecordedAt, package));
            }
            else if (CaseEventKinds.IsCaseEvent(one.Kind) && CaseEventCodec.Decode(one)?.Event is { } begun && TypeOf(begun) is { } type)
            {
                // What is decided in one batch is decided before any of it stands in the journal.
                var inForce = InForce(node, editions.Select(e => e.Package), begun.Day);
                var before = InForce(node, editions.Where(e => e.RecordedAt < one.RecordedAt).Select(e => e.Package), begun.Day);
                StoryBrokenException.Unless(type.Version == inForce || type.Version == before, () => $"K5: {node.Place.Node} filed a case of {begun.Day} under {type.Version}, where {inForce} is in force");
                if (type.Version != TypeCatalogue.BuiltIn.Version)
                {
                    tree.Sometimes.Reached("a case was filed under a version that a package brought");
                }
            }
        }
    }

    private static TypeKey? TypeOf(CaseEvent begun) => begun switch
    {
        Reported reported => reported.Type,
        Imported imported => imported.Type,
        _ => null,
    };

    /// <summary>Counted anew from the clause: the latest first day, then the nearest place, then the highest number.</summary>
    private CatalogueVersion InForce(SimulatedNode node, IEnumerable<CataloguePackage> packages, StatDay day)
    {
        var places = tree.Register.UpFrom(node.Place.Division).Select(division => division.Code.ToString()).ToList();
        var newest = packages.Where(p => p.EffectiveFrom <= day.Number && places.Contains(p.IssuerDivision))
            .OrderBy(p => p.EffectiveFrom).ThenByDescending(p => places.IndexOf(p.IssuerDivision)).ThenBy(p => p.Number).LastOrDefault();
        return newest is null ? TypeCatalogue.BuiltIn.Version : CatalogueVersion.Parse(newest.Version);
    }
}
