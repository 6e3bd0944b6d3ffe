using System.Collections.Immutable;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Hub.Catalogue;

/// <summary>The name of a package: whose it is, its number among the issuer's, and its hash.</summary>
public readonly record struct PackageName(NodeId Issuer, long Number, Hash256 Hash)
{
    public PackageHead ToHead() => new() { Issuer = Issuer.ToString(), Number = Number, Hash = ByteString.CopyFrom(Hash.ToBytes()) };

    /// <summary>Reads what a peer sent, without believing it; false where it names no package.</summary>
    public static bool TryRead(PackageHead? head, out PackageName name)
    {
        name = default;
        if (head is null || head.Number < 1 || head.Hash.Length != Hash256.Size || !NodeId.TryParse(head.Issuer, out var issuer))
        {
            return false;
        }

        name = new PackageName(issuer, head.Number, Hash256.FromBytes(head.Hash.Span));
        return true;
    }

    public override string ToString() => $"{Issuer}/{Number}";
}

/// <summary>A package as known here: the issuer's bytes untouched, the way they took, and what became of them.</summary>
/// <param name="Name">As its sender named it; bytes that are no package have a name too.</param>
/// <param name="Envelope">The bytes and their hops, this node among them where it came from above.</param>
/// <param name="Content">Null where the bytes are none.</param>
/// <param name="ReceivedAt">When it came, or was published here.</param>
/// <param name="IsOwn">It was published here.</param>
/// <param name="Refusal">Why it is not applied; null where it was taken.</param>
public sealed record PackageRecord(PackageName Name, PackageEnvelope Envelope, CataloguePackage? Content, Instant ReceivedAt, bool IsOwn, Refusal? Refusal)
{
    public bool IsTaken => Refusal is null;

    /// <summary>SHA-256 of the request key that published it; zero where it came from above.</summary>
    public Hash256 Request { get; init; }
}

/// <summary>What a child has said of the packages that it has.</summary>
public sealed record ChildPackages(NodeId Child, ImmutableSortedDictionary<NodeId, PackageName> Heads, Instant ToldAt, ImmutableArray<(PackageName Name, Refusal Refusal)> Refused)
{
    /// <summary>Of more than so many refusals the oldest are forgotten.</summary>
    public const int RefusedMax = 64;

    public static ChildPackages None(NodeId child) => new(child, ImmutableSortedDictionary<NodeId, PackageName>.Empty, Instant.MinValue, []);
}
