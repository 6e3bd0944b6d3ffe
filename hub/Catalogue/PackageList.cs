using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;
using NodaTime.Text;

namespace CityGrid.Hub.Catalogue;

/// <summary>Lists the packages known here and what the children have of them. For many threads at once.</summary>
public sealed class PackageList(CataloguePlace place, PackageFold packages, Sequencer sequencer, TimeProvider clock)
{
    public const string VersionUnknown = "CATALOGUE_VERSION_UNKNOWN";

    /// <summary>Everything, as it stands now. <paramref name="shelf"/> is asked for while the folds hold still; <paramref name="children"/> are those that report here now.</summary>
    public ListPackagesResponse List(Func<CatalogueShelf> shelf, Func<IEnumerable<NodeId>> children) => sequencer.Read(() =>
    {
        var inForce = InForce(shelf());
        var response = new ListPackagesResponse { InForce = inForce.Version.ToString(), Revision = sequencer.Applied.Value };
        response.Packages.Add(ViewOfBuiltIn(inForce));
        response.Packages.AddRange(packages.Packages.Select(record => ViewOf(record, inForce)));
        response.Children.AddRange(children().Union(packages.Children.Select(child => child.Child)).Order().Select(child => ViewOf(packages.Child(child))));
        return response;
    });

    /// <summary>A version with its rows; null for one that is not known here.</summary>
    public GetPackageResponse? Get(CatalogueVersion version, Func<CatalogueShelf> shelf)
    {
        var found = sequencer.Read(() => Look(version, InForce(shelf())));

        // Thousands of rows are written while nobody waits for the lock.
        return found is { } known ? new GetPackageResponse { Package = known.View, Rows = known.Types.ToText() } : null;
    }

    private (PackageView View, TypeCatalogue Types)? Look(CatalogueVersion version, TypeCatalogue inForce)
    {
        var record = packages.Packages.FirstOrDefault(record => record.Content?.Version == version.ToString());
        return packages.TypesOf(version) is { } types ? (record is null ? ViewOfBuiltIn(inForce) : ViewOf(record, inForce), types) : null;
    }

    /// <summary>One package as it stands now.</summary>
    public PackageView Show(PackageName name, Func<CatalogueShelf> shelf) => sequencer.Read(() => ViewOf(packages.Find(name)!, InForce(shelf())));

    private TypeCatalogue InForce(CatalogueShelf shelf) => shelf.At(place.DayOf(clock.Now()), place.Division, place.Register);

    private static PackageView ViewOfBuiltIn(TypeCatalogue inForce) => new()
    {
        Version = TypeCatalogue.BuiltIn.Version.ToString(),
        TypeCount = TypeCatalogue.BuiltIn.Count,
        InForce = inForce.Version == TypeCatalogue.BuiltIn.Version,
    };

    private PackageView ViewOf(PackageRecord record, TypeCatalogue inForce)
    {
        var view = new PackageView
        {
            Issuer = record.Name.Issuer.ToString(),
            Number = record.Name.Number,
            Hash = record.Name.Hash.ToString(),
            Signer = record.Envelope.Signature is { } said ? Convert.ToHexStringLower(said.Signer.Span) : string.Empty,
            Code = record.Refusal?.Code ?? string.Empty,
            Message = record.Refusal?.Message ?? string.Empty,
            ReceivedAt = record.IsOwn ? string.Empty : InstantPattern.General.Format(record.ReceivedAt),
        };
        view.Hops.AddRange(record.Envelope.Hops.Select(hop => hop.Node));

        // What was refused may have held anything: it is shown under its name alone.
        if (record.Content is { } taken)
        {
            view.Version = taken.Version;
            view.Title = taken.Title;
            view.EffectiveFrom = new StatDay(taken.EffectiveFrom).ToString();
            view.IssuedAt = InstantPattern.General.Format(Instant.FromUnixTimeSeconds(taken.IssuedAt));
            view.TypeCount = CatalogueVersion.TryParse(taken.Version, out var version) ? packages.TypesOf(version)?.Count ?? 0 : 0;
            view.InForce = taken.Version == inForce.Version.ToString();
        }

        return view;
    }

    private PackageChildView ViewOf(ChildPackages child)
    {
        var view = new PackageChildView
        {
            Node = child.Child.ToString(),
            ToldAt = child.ToldAt == Instant.MinValue ? string.Empty : InstantPattern.General.Format(child.ToldAt),
            Behind = packages.Issuers.Where(issuer => issuer != child.Child).Sum(issuer => packages.Of(issuer).Count(record => record.Name.Number > child.Heads.GetValueOrDefault(issuer).Number)),
        };
        view.Heads.AddRange(child.Heads.Values.Select(head => new PackageHeadView
        {
            Issuer = head.Issuer.ToString(),
            Number = head.Number,
            Version = packages.Find(head)?.Content?.Version ?? string.Empty,
        }));
        view.Refused.AddRange(child.Refused.Select(refused => new PackageRefusalView
        {
            Issuer = refused.Name.Issuer.ToString(),
            Number = refused.Name.Number,
            Code = refused.Refusal.Code,
            Message = refused.Refusal.Message,
        }));
        return view;
    }
}
