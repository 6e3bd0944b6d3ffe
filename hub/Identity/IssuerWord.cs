using CityGrid.Hub.Divisions;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Hub.Identity;

/// <summary>Something that its issuer made once and that others carry, as it came.</summary>
/// <param name="Kind">What it is: <see cref="IssuerWord.Order"/>, <see cref="IssuerWord.Package"/>.</param>
/// <param name="Issuer">The node that it says it is of.</param>
/// <param name="Division">The division that it says its issuer speaks for.</param>
/// <param name="Content">The issuer's bytes.</param>
public sealed record Issued(string Kind, NodeId Issuer, DivisionCode Division, ByteString Content);

/// <summary>
/// The word of an issuer for what it made (clause A7): signed with its own key, whoever carries it, and judged by everyone whom it passes. A relay can keep it back and cannot
/// change it; and no authority makes a signer that speaks for a division outside its own.
/// </summary>
public static class IssuerWord
{
    /// <summary>The kind of an order's bytes.</summary>
    public const string Order = "order";

    /// <summary>The kind of a catalogue package's bytes.</summary>
    public const string Package = "package";

    /// <summary>It bears no signature, and one is wanted.</summary>
    public const string Unsigned = "ISSUER_UNSIGNED";

    /// <summary>What was shown is no signer of this network.</summary>
    public const string Untrusted = "ISSUER_UNTRUSTED";

    /// <summary>The signer's certificate, or an authority's, does not hold at the time by which it is judged.</summary>
    public const string OutOfTime = "ISSUER_OUT_OF_TIME";

    /// <summary>The signer is that of another node.</summary>
    public const string OfAnother = "ISSUER_OF_ANOTHER";

    /// <summary>The signer does not speak for the issuer's division, or who issued it may not let it.</summary>
    public const string Outside = "ISSUER_OUTSIDE";

    /// <summary>The signature is not one of the signer's key over these bytes.</summary>
    public const string Wrong = "ISSUER_SIGNATURE_WRONG";

    /// <summary>Bytes of a signature with its certificates: five certificates of this network have some 4,000.</summary>
    public const int BytesMax = 16 * 1024;

    private static readonly long TimeMax = Instant.MaxValue.ToUnixTimeMilliseconds();

    /// <summary>Signs what this node makes; null where it has no signing key.</summary>
    public static IssuerSignature? Sign(ISignatures? signatures, Issued issued, Instant now)
    {
        if (signatures?.Own is not { } own)
        {
            return null;
        }

        var said = new IssuerSignature
        {
            Algorithm = (int)own.Signer.Algorithm,
            Signer = ByteString.CopyFrom(own.Signer.Fingerprint.ToBytes()),
            Certificates = { own.Signer.Certificates },
            SignedAt = now.ToUnixTimeMilliseconds(),
        };
        said.Signature = ByteString.CopyFrom(own.Sign(Bytes(issued, said)));
        return said;
    }

    /// <summary>
    /// Judges who signed it. Whether something unsigned is taken is the caller's policy; here it is refused <see cref="Unsigned"/>.
    /// </summary>
    /// <param name="signatures">By what certificates and keys are judged.</param>
    /// <param name="register">The register by which divisions lie below one another, on any of its days.</param>
    /// <param name="issued">What was signed, and whose it says it is.</param>
    /// <param name="said">What came with it; null for nothing.</param>
    /// <param name="now">The time here, for whoever is about to act on it for the first time; null where it is passed on or told again, which is judged by the time of signing.</param>
    /// <param name="refusal">Why it is not believed.</param>
    public static Signer? Judge(ISignatures signatures, DivisionRegister register, Issued issued, IssuerSignature? said, Instant? now, out Refusal? refusal)
    {
        if (said is null)
        {
            refusal = new Refusal(Unsigned, $"It bears no signature of {issued.Issuer}. Configure link.signingCertificate and link.signingKey there.");
            return null;
        }

        if (said.CalculateSize() > BytesMax)
        {
            refusal = new Refusal(Untrusted, $"A signature with its certificates has at most {BytesMax} bytes, this one has {said.CalculateSize()}.");
            return null;
        }

        if (said.SignedAt is < 0 || said.SignedAt > TimeMax)
        {
            refusal = new Refusal(Wrong, "The time of signing is none.");
            return null;
        }

        var signer = signatures.Judge([.. said.Certificates], now ?? Instant.FromUnixTimeMilliseconds(said.SignedAt), out var untrusted);
        refusal = signer is null ? new Refusal(untrusted!.Code == "SIGNER_OUT_OF_TIME" ? OutOfTime : Untrusted, untrusted.ToString()) : Fault(signatures, register, issued, said, signer);
        return refusal is null ? signer : null;
    }

    private static Refusal? Fault(ISignatures signatures, DivisionRegister register, Issued issued, IssuerSignature said, Signer signer) =>
        signer.Node != issued.Issuer ? new Refusal(OfAnother, $"The signer is that of {signer.Node}; this says that it is of {issued.Issuer}.")
        : !signer.Divisions.Any(named => register.HasBeenAtOrBelow(issued.Division, named))
            ? new Refusal(Outside, $"{signer.Node} signs for {string.Join(", ", signer.Divisions)} and what lies below; this speaks for {issued.Division}.")
        : AuthorityCover.Refused(signer.Way, register) is { } uncovered ? new Refusal(Outside, uncovered.ToString())
        : said.Algorithm != (int)signer.Algorithm || !said.Signer.Span.SequenceEqual(signer.Fingerprint.ToBytes())
            || !signatures.Verify(signer, Bytes(issued, said), said.Signature.Span) ? new Refusal(Wrong, $"The signature is not one of the key of {signer.Node} over these bytes.")
        : null;

    private static byte[] Bytes(Issued issued, IssuerSignature said) => Statements.BytesOf(issued.Kind, issued.Issuer.ToString(), issued.Content, said);
}
