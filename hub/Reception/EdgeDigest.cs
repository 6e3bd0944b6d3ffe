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
        var nothing = cells.DigestOf(Nobody, Relayed);
        foreach (var origin in origins.Append(child).Distinct().Order())
        {
            var digest = cells.DigestOf(origin, origin == child ? Own : Relayed);
            if (digest != nothing && cells.CountOf(origin, Grain.National) > 0)
            {
                hash.AppendData(Encoding.UTF8.GetBytes(origin + "\n"));
                hash.AppendData(digest.ToBytes());
            }
        }

        return Hash256.FromBytes(hash.GetHashAndReset());
    }

    /// <summary>A name that no node has cells under: its digest is that of nothing.</summary>
    private static readonly NodeId Nobody = NodeId.Parse("nobody");
}
