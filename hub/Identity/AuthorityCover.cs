using CityGrid.Hub.Divisions;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Identity;

/// <summary>
/// Whether every authority on the way from a certificate to the root covers, by the register, each division of the certificate that it issued (clause E2). Name constraints
/// could not say that: which division lies below which is in no code (SEC-03). A root that names no division is that of a network whose nodes it names itself.
/// On any of the register's days, those to come among them: a certificate outlives the day of a move, and whether its node may speak today is decided elsewhere (L13, O2).
/// </summary>
internal static class AuthorityCover
{
    /// <summary>Why the way is not taken; null where it is.</summary>
    /// <param name="way">What each certificate names: the peer's first, the root last.</param>
    /// <param name="register">Null where certificates come from a root directly and no other is taken.</param>
    public static Refusal? Refused(IReadOnlyList<CertificateNames> way, DivisionRegister? register)
    {
        for (var i = 0; i + 1 < way.Count; i++)
        {
            var isRoot = i + 2 == way.Count;
            var covering = way[i + 1].Divisions;
            if (isRoot && covering.Count == 0)
            {
                return way.Count == 2 || register is not null ? null : NoRegister();
            }

            if (register is null)
            {
                return NoRegister();
            }

            if (!isRoot && !way[i + 1].IsAuthority)
            {
                return new Refusal("CERTIFICATE_UNTRUSTED", $"{way[i + 1].Subject} issued the peer's certificate, and is named as no authority of this network.");
            }

            var outside = way[i].Divisions.FirstOrDefault(division => !covering.Any(above => register.HasBeenAtOrBelow(division, above)));
            if (!outside.IsNone)
            {
                return new Refusal("CERTIFICATE_OUTSIDE", $"{way[i + 1].Subject} may issue for {string.Join(", ", covering)} and what lies below; {way[i].Subject} names {outside}.");
            }
        }

        return null;

        static Refusal NoRegister() => new("CERTIFICATE_UNTRUSTED", "The peer's certificate comes through an authority between it and the root, and here is no register to judge that by.");
    }
}
