using CityGrid.Hub.Divisions;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Hub.Catalogue;

/// <summary>
/// The notary of packages (clause A7): signs those that are published here, and looks at the signatures of others before they are decided on. On the caller's thread, never
/// on the writer; what follows from it is decided by <see cref="PackageJudge"/>.
/// </summary>
/// <param name="signatures">Null where nobody signs and nothing is judged.</param>
/// <param name="register">The register of all days.</param>
/// <param name="policy">Whether packages must be signed.</param>
/// <param name="clock">The time of signing.</param>
public sealed class PackageNotary(ISignatures? signatures, DivisionRegister register, SignaturePolicy policy, TimeProvider clock)
{
    public SignaturePolicy Policy => policy;

    /// <summary>False where nobody signs and nothing is judged.</summary>
    public bool Signs => signatures is not null;

    public Instant Now => clock.Now();

    /// <summary>Signs a package; null where this node has no key, and with the refusal where nobody would believe it.</summary>
    public IssuerSignature? Sign(CataloguePackage package, ByteString bytes, out Refusal? refusal)
    {
        refusal = null;
        var said = IssuerWord.Sign(signatures, IssuedAs(package, bytes), Now);
        if (said is not null)
        {
            IssuerWord.Judge(signatures!, register, IssuedAs(package, bytes), said, Now, out refusal);
        }

        return said;
    }

    /// <summary>
    /// What was found of an envelope's signature: null where it is good, else why not. A package is state: whoever lacks it is told it again years later, so its signer is judged by
    /// the time of signing.
    /// </summary>
    public Refusal? Look(PackageEnvelope envelope)
    {
        // What is no package is told so elsewhere.
        if (signatures is null || PackageFile.Parse(envelope.Package) is not { } package || !NodeId.TryParse(package.Issuer, out _) || !DivisionCode.TryParse(package.IssuerDivision, out _))
        {
            return null;
        }

        IssuerWord.Judge(signatures, register, IssuedAs(package, envelope.Package), envelope.Signature, null, out var refusal);
        return refusal;
    }

    private static Issued IssuedAs(CataloguePackage package, ByteString bytes) =>
        new(IssuerWord.Package, NodeId.Parse(package.Issuer), DivisionCode.Parse(package.IssuerDivision), bytes);
}
