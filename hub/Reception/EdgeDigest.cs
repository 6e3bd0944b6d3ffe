using System.Text;
using CityGrid.Hub.Cells;
using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Reception;

/// <summary>
/// What the two ends of an edge compare (INV-10): the digest of everything that a child reports, its own cells at both grains and those it relays at
/// the national one. Equal exactly if the parent's copy is the child's own, bit for bit.
/// </summary>
public static class EdgeDigest
{
    private static readonly Grain[] Own = [Grain.Detail, Grain.National];
    private static readonly Grain[] Relayed = [Grain.National];

    /// <param name="cells">The cells at this end.</param>
    /// <param name="child">The node at the lower end.</param>
    /// <param name="origins">The origins that report through it, itself among them.</param>
    public static Hash256 Of(CellFold cells, NodeId child, IEnumerable<NodeId> origins)
    {
        using var hash = System.Security.Cryptography.IncrementalHash.CreateHash(System.Security.Cryptography.HashAlgorithmName.SHA256);
        foreach (var origin in origins.Append(child).Distinct().Order())
        {
            // A parent keeps the zeros of a life that is over, and the life after it never had them.
            var grains = origin == child ? Own : Relayed;
            if (!cells.IsZero(origin, grains))
            {
                hash.AppendData(Encoding.UTF8.GetBytes(origin + "\n"));
                hash.AppendData(cells.DigestOf(origin, grains).ToBytes());
            }
        }

        return Hash256.FromBytes(hash.GetHashAndReset());
    }
}
