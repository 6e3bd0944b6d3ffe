using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;

namespace CityGrid.Hub.Reception;

/// <summary>What a sender says of one origin at one grain: the root over all months, null where nothing is counted; and its months where it states them, all of them.</summary>
public sealed record RangeStatement(RangeScope Scope, Hash256? Root, IReadOnlyList<(int Month, Hash256 Digest)> Months);

/// <summary>The stretch of a month that a repair speaks of.</summary>
public readonly record struct RangeStretch(RangeKey Range, bool FromStart, bool ToEnd);

/// <summary>The ranges of a cells part ⇄ our types, and the shape that they must have (clauses C10, L16).</summary>
public static class RangeStatements
{
    /// <summary>A digest is 45 bytes on the line; 10,000 are eight centuries of months, or the origins of a nation.</summary>
    public const int RangesMax = 10_000;

    public static void Write(CellsPart part, IEnumerable<RangeStatement> statements)
    {
        foreach (var statement in statements)
        {
            var origin = SymbolOf(part, statement.Scope.Origin);
            part.Ranges.Add(new RangeDigest { Origin = origin, Grain = statement.Scope.Grain.Number, Digest = BytesOf(statement.Root) });
            part.Ranges.AddRange(statement.Months.Select(m => new RangeDigest { Origin = origin, Grain = statement.Scope.Grain.Number, Month = m.Month, Digest = BytesOf(m.Digest) }));
        }
    }

    public static void Write(CellsPart part, in RangeStretch stretch) => part.Repair = new RangeRepair
    {
        Origin = SymbolOf(part, stretch.Range.Origin),
        Grain = stretch.Range.Grain.Number,
        Month = stretch.Range.Month,
        FromStart = stretch.FromStart,
        ToEnd = stretch.ToEnd,
    };

    /// <summary>What the part states, root by root; call it for a part whose <see cref="Fault"/> is null.</summary>
    public static IReadOnlyList<RangeStatement> Read(CellsPart part)
    {
        var statements = new List<RangeStatement>();
        foreach (var range in part.Ranges)
        {
            if (!range.HasMonth)
            {
                statements.Add(new RangeStatement(ScopeOf(part, range.Origin, range.Grain)!.Value, HashOf(range.Digest), new List<(int, Hash256)>()));
            }
            else
            {
                ((List<(int, Hash256)>)statements[^1].Months).Add((range.Month, Hash256.FromBytes(range.Digest.Span)));
            }
        }

        return statements;
    }

    /// <summary>The stretch that the part repairs; null for a part that repairs none, and for one of a wrong shape.</summary>
    public static RangeStretch? StretchOf(CellsPart part) =>
        part.Repair is { } repair && ScopeOf(part, repair.Origin, repair.Grain) is { } scope ? new RangeStretch(new RangeKey(scope, repair.Month), repair.FromStart, repair.ToEnd) : null;

    /// <summary>What is wrong with the part's ranges; null for nothing (L4, L16).</summary>
    public static string? Fault(CellsPart part)
    {
        if (part.Ranges.Count > 0 && (part.Part < part.Parts || part.Cells.Count > 0 || part.Repair is not null || part.Ranges.Count > RangesMax))
        {
            return $"Ranges come in a last part without cells, at most {RangesMax} of them.";
        }

        RangeDigest? before = null;
        var scopes = new HashSet<RangeScope>();
        foreach (var range in part.Ranges)
        {
            var isMonth = range.HasMonth;
            var follows = before is not null && before.Origin == range.Origin && before.Grain == range.Grain && (!before.HasMonth || before.Month < range.Month);
            if (ScopeOf(part, range.Origin, range.Grain) is not { } scope || range.Digest.Length != Hash256.Size && (isMonth || range.Digest.Length != 0)
                || (isMonth ? !follows || !RangeKey.IsMonth(range.Month) : !scopes.Add(scope)))
            {
                return "A range names an origin, a grain and a digest; the months of a grain follow its root in order, none before 1900 or after 9999.";
            }

            before = range;
        }

        return part.Repair is null ? null : RepairFault(part);
    }

    /// <summary>Which cells a stretch does not name can be told only if every name in it is readable and in order.</summary>
    private static string? RepairFault(CellsPart part)
    {
        if (StretchOf(part) is not { } stretch || !RangeKey.IsMonth(stretch.Range.Month))
        {
            return "A repair names an origin, a grain and a month from 1900 to 9999.";
        }

        var reading = PartRecords.CellsOf(part);
        if (reading.Refused.Count > 0 || (part.Cells.Count == 0 && !(stretch.FromStart && stretch.ToEnd)))
        {
            return "A repair names its cells, and none only where the whole month has none.";
        }

        CellKey? last = null;
        foreach (var (_, row) in reading.Cells)
        {
            if (RangeKey.Of(row.Key) != stretch.Range || (last is { } key && key.CompareTo(row.Key) >= 0))
            {
                return "The cells of a repair are those of its range, in the order of clause C8.";
            }

            last = row.Key;
        }

        return null;
    }

    private static int SymbolOf(CellsPart part, NodeId origin)
    {
        var name = origin.ToString();
        var symbol = part.Symbols.IndexOf(name);
        if (symbol < 0)
        {
            symbol = part.Symbols.Count;
            part.Symbols.Add(name);
        }

        return symbol;
    }

    private static RangeScope? ScopeOf(CellsPart part, int symbol, int grain) =>
        symbol >= 0 && symbol < part.Symbols.Count ? RangeScope.Of(part.Symbols[symbol], grain) : null;

    private static ByteString BytesOf(Hash256? digest) => digest is { } some ? ByteString.CopyFrom(some.ToBytes()) : ByteString.Empty;

    private static Hash256? HashOf(ByteString bytes) => bytes.IsEmpty ? null : Hash256.FromBytes(bytes.Span);
}
