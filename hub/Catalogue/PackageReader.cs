using System.Collections.Immutable;
using CityGrid.Protocol.Names;
using Google.Protobuf;

namespace CityGrid.Hub.Catalogue;

/// <summary>A package on its way to a child: its name, and the bytes of its envelope.</summary>
public sealed record PackageParcel(PackageName Name, ReadOnlyMemory<byte> Bytes);

/// <summary>Reads which package a child lacks (clause K3). Call it while the folds hold still.</summary>
public sealed class PackageReader(PackageFold packages)
{
    /// <summary>
    /// The first package, by issuer and number, that is newer than what the child has of its issuer; where the child's newest is another than the one here
    /// under the same number, that one, so that the child finds the fork. Null for none. Those in <paramref name="told"/> were answered already.
    /// </summary>
    public PackageParcel? Next(IReadOnlyDictionary<NodeId, PackageName> has, ImmutableHashSet<Hash256> told)
    {
        foreach (var issuer in packages.Issuers)
        {
            var chain = packages.Of(issuer);
            var head = has.GetValueOrDefault(issuer);
            var wanted = head.Number > 0 && packages.At(issuer, head.Number) is { } same && same.Name.Hash != head.Hash && !told.Contains(same.Name.Hash)
                ? same
                : chain.FirstOrDefault(record => record.Name.Number > head.Number && !told.Contains(record.Name.Hash));
            if (wanted is not null)
            {
                var envelope = wanted.Envelope.Clone();
                envelope.Begins = packages.At(issuer, wanted.Name.Number - 1) is null;
                return new PackageParcel(wanted.Name, envelope.ToByteArray());
            }
        }

        return null;
    }
}
