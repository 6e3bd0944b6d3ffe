using CityGrid.Hub.Identity;
using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using NodaTime;

namespace CityGrid.Hub.Catalogue;

/// <summary>
/// What becomes of a package that has come: its outcome, and for one that is refused the reason. <paramref name="IsOfPackage"/> is false where that lies in what its hash does
/// not cover (hops, signature): the same package may come whole by another way, so nothing is kept of it.
/// </summary>
public sealed record PackageVerdict(PackageOutcome Outcome, Refusal? Refusal, bool IsOfPackage = true)
{
    public static PackageVerdict Taken { get; } = new(PackageOutcome.Taken, null);

    public static PackageVerdict Known { get; } = new(PackageOutcome.Known, null);

    public static PackageVerdict Gap { get; } = new(PackageOutcome.Gap, null);

    public static PackageVerdict No(string code, string message) => new(PackageOutcome.Refused, new Refusal(code, message));
}

/// <summary>What the bytes of an envelope say: read once, by whoever brought them, and not on the writer.</summary>
/// <param name="Hash">Of the package's bytes.</param>
/// <param name="Content">Null for bytes that are none.</param>
/// <param name="Catalogue">Null for another kind of package, and for rows with faults.</param>
/// <param name="Faults">Of the rows; null where they were not read.</param>
public sealed record PackageRead(Hash256 Hash, CataloguePackage? Content, TypeCatalogue? Catalogue, CatalogueFaults? Faults)
{
    public static PackageRead Of(PackageEnvelope envelope)
    {
        var (hash, content) = (Hash256.Of(envelope.Package.Span), PackageFile.Parse(envelope.Package));
        if (content is not { Kind: PackageKind.Catalogue } || !CatalogueVersion.TryParse(content.Version, out var version))
        {
            return new PackageRead(hash, content, null, null);
        }

        var catalogue = PackageFile.Read(version, content.Rows, out var faults);
        return new PackageRead(hash, content, catalogue, faults);
    }
}

/// <summary>What was found of a package's signature (null: it is good), and whether packages must be signed.</summary>
public sealed record PackageSignature(Refusal? Found, SignaturePolicy Policy);

/// <summary>What becomes of packages as they come in (clause K4): pure. One that is refused holds up no other.</summary>
public static class PackageJudge
{
    /// <summary>The bytes are no package, or not the one that they were named.</summary>
    public const string Malformed = "PACKAGE_MALFORMED";

    /// <summary>Its issuer does not stand above this place.</summary>
    public const string NotAbove = "PACKAGE_NOT_FROM_ABOVE";

    /// <summary>Its issuer has two packages with this number, or with another one before it.</summary>
    public const string Fork = "PACKAGE_FORK";

    /// <summary>Its version's name stands here with other types.</summary>
    public const string VersionReused = "CATALOGUE_VERSION_REUSED";

    private static readonly StatDay Earliest = StatDay.Of(new LocalDate(1900, 1, 1));
    private static readonly StatDay Latest = StatDay.Of(new LocalDate(9999, 12, 31));

    /// <param name="place">Where it came.</param>
    /// <param name="packages">What is known here.</param>
    /// <param name="named">Which package it is said to be.</param>
    /// <param name="envelope">What came.</param>
    /// <param name="now">The node's clock.</param>
    /// <param name="signature">What was found of its signature, and the policy; null where nothing is signed.</param>
    public static PackageVerdict Judge(CataloguePlace place, PackageFold packages, PackageName named, PackageEnvelope envelope, Instant now, PackageSignature? signature = null) =>
        Judge(place, packages, named, envelope, PackageRead.Of(envelope), now, signature);

    /// <summary>The same of an envelope that was read.</summary>
    public static PackageVerdict Judge(CataloguePlace place, PackageFold packages, PackageName named, PackageEnvelope envelope, PackageRead read, Instant now, PackageSignature? signature)
    {
        if (packages.Find(named) is not null)
        {
            return PackageVerdict.Known;
        }

        if (read.Hash != named.Hash)
        {
            return PackageVerdict.Gap;
        }

        var last = packages.Last(named.Issuer);
        var numberBefore = last?.Name.Number ?? 0;
        var isOlder = named.Number <= numberBefore;
        if (isOlder && packages.At(named.Issuer, named.Number) is null)
        {
            return PackageVerdict.Known;
        }

        // What the issuer itself names as the one before may have been refused here: it is not waited for.
        var follows = named.Number == numberBefore + 1;
        var content = read.Content;
        if (!isOlder && !follows && !envelope.Begins && !FollowsRefused(packages, named, content))
        {
            return PackageVerdict.Gap;
        }

        if (EnvelopeFault(envelope) is { } way)
        {
            return new PackageVerdict(PackageOutcome.Refused, new Refusal(Malformed, $"What goes with {named} is malformed: {way}"), IsOfPackage: false);
        }

        // Who speaks in the issuer's name makes no fork of its history.
        if (signature is not null && Disbelieved(packages, signature) is { } doubt)
        {
            return new PackageVerdict(PackageOutcome.Refused, doubt, IsOfPackage: false);
        }

        if (Fault(named, envelope, read) is { } fault)
        {
            return PackageVerdict.No(Malformed, $"{named} is no package: {fault}");
        }

        if (isOlder)
        {
            return PackageVerdict.No(Fork, $"{named} stands here with other bytes. {named.Issuer} was restored: have it publish anew.");
        }

        if (follows && !Continues(last, content!))
        {
            return PackageVerdict.No(Fork, $"{named} names another package before it than the one that stands here. {named.Issuer} was restored: have it publish anew.");
        }

        return ForeignFault(place, content!, now) ?? VersionFault(packages, read) ?? PackageVerdict.Taken;
    }

    /// <summary>Why a version of this name may not have these types; null where it may.</summary>
    public static Refusal? Reused(PackageFold packages, TypeCatalogue catalogue) =>
        packages.TypesOf(catalogue.Version) is { } known && known.ToText() != catalogue.ToText()
            ? new Refusal(VersionReused, $"The version {catalogue.Version} stands here with other types. What was filed under a version is looked up in it for ever: choose another name.", "version")
            : null;

    /// <summary>An unsigned one is taken, where policy allows that, until the first signed one was taken here.</summary>
    private static Refusal? Disbelieved(PackageFold packages, PackageSignature signature) =>
        signature.Found is not { Code: IssuerWord.Unsigned } || signature.Policy == SignaturePolicy.Required || packages.HasSigned ? signature.Found : null;

    private static bool FollowsRefused(PackageFold packages, PackageName named, CataloguePackage? content) =>
        content?.Previous.Length == Hash256.Size && packages.Find(new PackageName(named.Issuer, named.Number - 1, Hash256.FromBytes(content.Previous.Span))) is { IsTaken: false } before && before.Refusal!.Code != Fork;

    private static bool Continues(PackageRecord? before, CataloguePackage content) =>
        before is null ? content.Previous.IsEmpty : content.Previous.Span.SequenceEqual(before.Name.Hash.ToBytes());

    private static PackageVerdict? ForeignFault(CataloguePlace place, CataloguePackage content, Instant now) =>
        content.Issuer == place.Node.ToString() || !place.IsBelow(DivisionCode.Parse(content.IssuerDivision), place.DayOf(now))
            ? PackageVerdict.No(NotAbove, $"{content.Issuer} ({content.IssuerDivision}) does not stand above {place.Division} by the register of today.")
            : null;

    private static PackageVerdict? VersionFault(PackageFold packages, PackageRead read) =>
        read.Catalogue is { } catalogue && Reused(packages, catalogue) is { } reused
            ? new PackageVerdict(PackageOutcome.Refused, reused)
            : null;

    private static string? EnvelopeFault(PackageEnvelope envelope) =>
        envelope.Hops.Count > RecordJudge.HopsMax || envelope.Hops.Any(hop => !NodeId.TryParse(hop.Node, out _) || !RecordJudge.IsTime(hop.ReceivedAt)) ? "its list of hops is none." : null;

    private static string? Fault(PackageName named, PackageEnvelope envelope, PackageRead read) =>
        envelope.Package.Length > PackageFile.BytesMax ? $"it has more than {PackageFile.BytesMax} bytes."
        : read.Content is not { } content ? "its bytes cannot be read."
        : content.Issuer != named.Issuer.ToString() || content.Number != named.Number ? $"it says that it is {content.Issuer}/{content.Number}."
        : named.Number > PackageName.NumberMax ? "no issuer reaches this number."
        : !DivisionCode.TryParse(content.IssuerDivision, out _) ? "its issuer has no division."
        : content.Previous.Length is not (0 or Hash256.Size) ? "what comes before it is no hash."
        : content.Title.Length > PackageFile.TextMax ? $"its title has more than {PackageFile.TextMax} characters."
        : content.EffectiveFrom < Earliest.Number || content.EffectiveFrom > Latest.Number ? "its first day is none."
        : content.IssuedAt < Instant.MinValue.ToUnixTimeSeconds() || content.IssuedAt > Instant.MaxValue.ToUnixTimeSeconds() ? "its time is none."
        : content.Kind != PackageKind.Catalogue ? null
        : read.Faults is not { } faults ? "its version has no name."
        : faults.Count > 0 ? $"{faults.Count} faults; the first: {faults.Named[0]}"
        : null;
}
