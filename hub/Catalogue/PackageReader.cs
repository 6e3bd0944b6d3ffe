using System.Collections.Immutable;
using CityGrid.Protocol.Names;
using Google.Protobuf;

namespace CityGrid.Hub.Catalogue;

/// <summary>A package on its way to a child: its name, and the bytes of its envelope.</summary>
public sealed record PackageParcel(PackageName Name, ReadOnlyMemory<byte> Bytes);

/// <summary>A package that a child lacks, and whether it need not wait for the one before it: that is not here, or the child has refused it.</summary>
public sealed record PackageLacking(PackageRecord Record, bool Begins);

/// <summary>Reads which package a child lacks (clause K3), and makes its bytes.</summary>
public sealed class PackageReader(PackageFold packages)
{
    /// <summary>Made last: the children that stand here lack the same one at the same time, and share its bytes.</summary>
    private Made? _last;

    /// <summary>
    /// The first package, by issuer and number, that is newer than what the child has of its issuer; where the child's newest is another than the one here
    /// under the same number, that one, so that the child finds the fork. Null for none. Those in <paramref name="told"/> were answered already, those in <paramref name="refused"/> with a refusal that is no fork.
    /// Call it while the folds hold still.
    /// </summary>
    public PackageLacking? Lacking(IReadOnlyDictionary<NodeId, PackageName> has, ImmutableHashSet<Hash256> told, ImmutableHashSet<Hash256> refused)
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
                return new PackageLacking(wanted, packages.At(issuer, wanted.Name.Number - 1) is not { } before || refused.Contains(before.Name.Hash));
            }
        }

        return null;
    }

    /// <summary>Its bytes, up to a megabyte of them. No lock is needed, and on any thread.</summary>
    public PackageParcel ParcelOf(PackageLacking lacking)
    {
        if (Volatile.Read(ref _last) is { } last && ReferenceEquals(last.Of.Record, lacking.Record) && last.Of.Begins == lacking.Begins)
        {
            return last.Parcel;
        }

        var envelope = lacking.Record.Envelope.Clone();
        envelope.Begins = lacking.Begins;
        var parcel = new PackageParcel(lacking.Record.Name, envelope.ToByteArray());
        Volatile.Write(ref _last, new Made(lacking, parcel));
        return parcel;
    }

    private sealed record Made(PackageLacking Of, PackageParcel Parcel);
}
