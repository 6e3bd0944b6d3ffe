using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Journal;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Reception;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Tests.Catalogue;

/// <summary>Packages as a test needs them, and a city of Hubei that they come to.</summary>
internal static class Packages
{
    public const string Rows = "code\tname_zh\tname_en\tlimits\n01001\t井盖\tcover\t2h\n99000\t其他\tother\t\n";

    public static readonly Instant Now = Instant.FromUtc(2026, 11, 29, 4, 0);

    public static readonly CataloguePlace Wuhan = new(NodeId.Parse("wuhan"), DivisionCode.Parse("4201"), Registers.Tempting, DateTimeZone.Utc, IsRoot: false);

    public static CataloguePackage Of(int number, Hash256 previous, Action<CataloguePackage>? twist = null, string issuer = "ministry", string division = "CN")
    {
        var package = new CataloguePackage
        {
            Issuer = issuer,
            IssuerDivision = division,
            Number = number,
            Previous = previous == Hash256.Zero ? ByteString.Empty : ByteString.CopyFrom(previous.ToBytes()),
            Kind = PackageKind.Catalogue,
            Version = $"{issuer}-{number}",
            EffectiveFrom = StatDay.Of(new LocalDate(2027, 1, number)).Number,
            Title = "title",
            IssuedAt = Now.ToUnixTimeSeconds(),
            Rows = Rows,
        };
        twist?.Invoke(package);
        return package;
    }

    /// <summary>The first so many of an issuer, each with the hash of the one before.</summary>
    public static List<CataloguePackage> Chain(int count, string issuer = "ministry", string division = "CN")
    {
        var chain = new List<CataloguePackage>();
        for (var number = 1; number <= count; number++)
        {
            chain.Add(Of(number, number == 1 ? Hash256.Zero : NameOf(chain[^1]).Hash, null, issuer, division));
        }

        return chain;
    }

    public static PackageName NameOf(CataloguePackage package) => new(NodeId.Parse(package.Issuer), package.Number, Hash256.Of(package.ToByteArray()));

    public static PackageEnvelope Enveloped(CataloguePackage package, bool begins = false) => new() { Package = package.ToByteString(), Begins = begins };

    public static JournalEvent Event(long lsn, EventDraft draft) => new(new Lsn(lsn), new Lsn(lsn), new Lsn(lsn), Now, "test", draft.Kind, draft.Schema, draft.Payload);
}
