using System.Collections.Immutable;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Hub.Catalogue;

/// <summary>The name of a package: whose it is, its number among the issuer's, and its hash.</summary>
public readonly record struct PackageName(NodeId Issuer, long Number, Hash256 Hash)
{
    /// <summary>No issuer comes near it: a number beyond it was made up.</summary>
    public const long NumberMax = 1_000_000;

    public PackageHead ToHead() => new() { Issuer = Issuer.ToString(), Number = Number, Hash = ByteString.CopyFrom(Hash.ToBytes()) };

    /// <summary>Reads what a peer sent, without believing it; false where it names no package.</summary>
    public static bool TryRead(PackageHead? head, out PackageName name)
    {
        name = default;
        if (head is null || head.Number is < 1 or > NumberMax || head.Hash.Length != Hash256.Size || !NodeId.TryParse(head.Issuer, out var issuer))
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
/// <param name="Envelope">The bytes and their hops, this node among them where it came from above; without bytes where it was refused.</param>
/// <param name="Content">Null where it was refused.</param>
/// <param name="ReceivedAt">When it came, or was published here.</param>
/// <param name="IsOwn">It was published here.</param>
/// <param name="Refusal">Why it is not applied; null where it was taken.</param>
public sealed record PackageRecord(PackageName Name, PackageEnvelope Envelope, CataloguePackage? Content, Instant ReceivedAt, bool IsOwn, Refusal? Refusal)
{
    public bool IsTaken => Refusal is null;

    /// <summary>SHA-256 of the request key that published it; zero where it came from above.</summary>
    public Hash256 Request { get; init; }
}

/// <summary>A package that a node does not follow, and why.</summary>
public readonly record struct RefusedPackage(PackageName Name, Refusal Refusal)
{
    /// <summary>Characters of a code, and of its words, that are kept of what a peer said.</summary>
    public const int TextMax = 300;

    public PackageRefusal ToMessage() => new() { Package = Name.ToHead(), Code = Refusal.Code, Message = Bounded(Refusal.Message) };

    /// <summary>Reads what a peer sent, without believing it; null where it names no package.</summary>
    public static RefusedPackage? Read(PackageRefusal sent) =>
        PackageName.TryRead(sent.Package, out var name) ? Of(name, sent.Code, sent.Message) : null;

    /// <summary>As much of a peer's words as is kept.</summary>
    public static RefusedPackage Of(PackageName name, string code, string message) => new(name, new Refusal(Bounded(code), Bounded(message)));

    private static string Bounded(string text) => text.Length <= TextMax ? text : text[..TextMax];
}

/// <summary>What a node says in its hello of its packages: the newest that it took of each issuer, and what it refused.</summary>
public sealed record PackagesSaid(IReadOnlyList<PackageHead> Heads, IReadOnlyList<PackageRefusal> Refused);

/// <summary>What a child said of its packages, as far as it can be read.</summary>
public sealed record PackagesHeard(IReadOnlyList<PackageName> Heads, IReadOnlyList<RefusedPackage> Refused)
{
    public static PackagesHeard Of(Hello hello) =>
        new(PackageDesk.HeadsOf(hello.Packages), [.. hello.RefusedPackages.Take(PackageFold.RefusedMax).Select(RefusedPackage.Read).OfType<RefusedPackage>()]);
}

/// <summary>What a child has said of the packages that it has.</summary>
public sealed record ChildPackages(NodeId Child, ImmutableSortedDictionary<NodeId, PackageName> Heads, Instant ToldAt, ImmutableArray<RefusedPackage> Refused)
{
    /// <summary>Of more than so many refusals the oldest are forgotten.</summary>
    public const int RefusedMax = 64;

    public static ChildPackages None(NodeId child) => new(child, ImmutableSortedDictionary<NodeId, PackageName>.Empty, Instant.MinValue, []);
}
