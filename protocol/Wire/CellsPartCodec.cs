using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Protocol.Wire;

/// <summary>A cell as received: its place in the part, and what it says. Its value is not judged yet.</summary>
public readonly record struct ReceivedCell(int Index, CellRow Row);

/// <summary>A cell of a part whose key or revision is none.</summary>
public sealed record RefusedCell(int Index, Refusal Refusal);

/// <summary>What a part says, in our types. <see cref="Fault"/> is set when the part as a whole cannot be read; all else is empty then.</summary>
public sealed record CellsReading(
    Refusal? Fault, IReadOnlyList<ReceivedCell> Cells, IReadOnlyList<RefusedCell> Refused, IReadOnlyList<OriginWatermark> Watermarks, IReadOnlyList<NodeId> CompleteOrigins);

/// <summary>
/// The cells lane's messages ⇄ our types (clauses C1, C7, C9). Names stand once in the part's dictionary. A bad cell is refused by itself; a bad
/// watermark or complete origin makes the part unreadable, for a figure's age and completeness may not be guessed.
/// </summary>
public static class CellsPartCodec
{
    /// <summary>The earliest and latest statistical day that a cell may name: 1900-01-01 and 9999-12-31.</summary>
    public static readonly StatDay FirstDay = StatDay.Of(new LocalDate(1900, 1, 1)), LastDay = StatDay.Of(new LocalDate(9999, 12, 31));

    /// <summary>Writes cells, watermarks and complete origins into a part whose cut the caller has filled in.</summary>
    public static void Write(CellsPart part, IEnumerable<CellRow> cells, IEnumerable<OriginWatermark> watermarks, IEnumerable<NodeId> completeOrigins)
    {
        var symbols = new SymbolWriter(part.Symbols);
        foreach (var row in cells)
        {
            part.Cells.Add(new Cell
            {
                Origin = symbols.NumberOf(row.Key.Origin.ToString()),
                Grain = row.Key.Grain.Number,
                Catalogue = symbols.NumberOf(row.Key.Type.Version.ToString()),
                Kind = (int)row.Key.Type.Kind,
                Code = symbols.NumberOf(row.Key.Type.Code.ToString()),
                Division = symbols.NumberOf(row.Key.Division.ToString()),
                Day = row.Key.Day.Number,
                Source = symbols.NumberOf(row.Key.Source.ToString()),
                Epoch = row.Revision.Epoch,
                Lsn = row.Revision.Lsn,
                Value = UnsafeByteOperations.UnsafeWrap(row.Value),
            });
        }

        part.Watermarks.AddRange(watermarks.Select(Write));
        part.CompleteOrigins.AddRange(completeOrigins.Select(origin => symbols.NumberOf(origin.ToString())));
    }

    /// <summary>Reads what <see cref="Write(CellsPart, IEnumerable{CellRow}, IEnumerable{OriginWatermark}, IEnumerable{NodeId})"/> wrote. Never throws, whatever the message says.</summary>
    public static CellsReading Read(CellsPart part)
    {
        var names = new SymbolReader(part.Symbols);
        var watermarks = new List<OriginWatermark>(part.Watermarks.Count);
        foreach (var message in part.Watermarks)
        {
            if (Read(message, out var watermark) is { } fault)
            {
                return new(fault, [], [], [], []);
            }

            watermarks.Add(watermark!);
        }

        var origins = new List<NodeId>(part.CompleteOrigins.Count);
        foreach (var symbol in part.CompleteOrigins)
        {
            if (!names.Origins.TryGet(symbol, out var origin))
            {
                return new(new Refusal(CellCodec.Malformed, $"Complete origin {symbol} is no node in the part's {part.Symbols.Count} symbols."), [], [], [], []);
            }

            origins.Add(origin);
        }

        var cells = new List<ReceivedCell>(part.Cells.Count);
        var refused = new List<RefusedCell>();
        for (var i = 0; i < part.Cells.Count; i++)
        {
            if (names.TryRead(part.Cells[i], out var row, out var what))
            {
                cells.Add(new(i, row));
            }
            else
            {
                refused.Add(new(i, new Refusal(CellCodec.Malformed, $"The cell's {what} is none.", $"cell {i} of the part")));
            }
        }

        return new(null, cells, refused, watermarks, origins);
    }

    public static Watermark Write(OriginWatermark watermark) => new()
    {
        Origin = watermark.Origin.ToString(),
        Incarnation = UnsafeByteOperations.UnsafeWrap(watermark.Incarnation.ToBytes()),
        Epoch = watermark.Epoch.Number,
        EpochNonce = watermark.Epoch.Nonce,
        Lsn = watermark.Lsn.Value,
        AsOf = watermark.AsOf.ToUnixTimeSeconds(),
        CompleteThrough = watermark.CompleteThrough.Number,
        Division = watermark.Division.ToString(),
        Digest = UnsafeByteOperations.UnsafeWrap(watermark.Digest.ToBytes()),
        Zone = watermark.Zone,
        Matters = { watermark.Matters.Beginnings },
        MattersSince = watermark.MattersSince.Value,
    };

    /// <summary>Null with the watermark, or the refusal.</summary>
    public static Refusal? Read(Watermark message, out OriginWatermark? watermark)
    {
        watermark = null;
        var incarnation = Incarnation.FromBytes(message.Incarnation.Span);
        if (!NodeId.TryParse(message.Origin, out var origin))
        {
            return Bad(message, "origin");
        }

        if (!DivisionCode.TryParse(message.Division, out var division))
        {
            return Bad(message, "division");
        }

        if (incarnation.IsNone || message.Epoch < 0 || message.Lsn < 0)
        {
            return Bad(message, "incarnation, epoch or lsn");
        }

        if (message.Digest.Length != Hash256.Size)
        {
            return Bad(message, "digest");
        }

        if (message.AsOf < Instant.MinValue.ToUnixTimeSeconds() || message.AsOf > Instant.MaxValue.ToUnixTimeSeconds())
        {
            return Bad(message, "as-of");
        }

        var day = new StatDay(message.CompleteThrough);
        if (day < FirstDay || day > LastDay)
        {
            return Bad(message, "complete-through day");
        }

        if (DateTimeZoneProviders.Tzdb.GetZoneOrNull(message.Zone) is null)
        {
            return Bad(message, "zone");
        }

        if (Matters.Of(message.Matters) is not { } matters || (matters.IsAll ? message.MattersSince != 0 : message.MattersSince < 1 || message.MattersSince > message.Lsn))
        {
            return Bad(message, "list of matters, or the position since which it holds,");
        }

        watermark = new(
            origin, incarnation, new Epoch(message.Epoch, message.EpochNonce), new Lsn(message.Lsn), Instant.FromUnixTimeSeconds(message.AsOf), day, division,
            Hash256.FromBytes(message.Digest.Span), message.Zone)
        {
            Matters = matters,
            MattersSince = new Lsn(message.MattersSince),
        };
        return null;
    }

    private static Refusal Bad(Watermark message, string what) =>
        new("WATERMARK_MALFORMED", $"The watermark's {what} is none.", message.Origin.Length <= NodeId.LengthMax ? message.Origin : null);

    /// <summary>Gives each text one number. Rows come sorted or nearly so: the text asked for last at a place is known by its reference.</summary>
    private sealed class SymbolWriter(ICollection<string> symbols)
    {
        private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal);

        public int NumberOf(string text)
        {
            if (!_numbers.TryGetValue(text, out var number))
            {
                number = symbols.Count;
                symbols.Add(text);
                _numbers.Add(text, number);
            }

            return number;
        }
    }

    private delegate bool TryParse<T>(string? text, out T name);

    /// <summary>Parses each symbol once for each kind of name that it is used as.</summary>
    private sealed class Parsed<T>(IReadOnlyList<string> symbols, TryParse<T> parse)
    {
        private readonly (bool Known, bool Good, T Name)[] _names = new (bool, bool, T)[symbols.Count];

        public bool TryGet(int symbol, out T name)
        {
            if (symbol < 0 || symbol >= _names.Length)
            {
                name = default!;
                return false;
            }

            ref var entry = ref _names[symbol];
            if (!entry.Known)
            {
                entry.Known = true;
                entry.Good = parse(symbols[symbol], out entry.Name);
            }

            name = entry.Name;
            return entry.Good;
        }
    }

    private sealed class SymbolReader(IReadOnlyList<string> symbols)
    {
        private readonly Parsed<CatalogueVersion> _catalogues = new(symbols, CatalogueVersion.TryParse);
        private readonly Parsed<Names.TypeCode> _codes = new(symbols, Names.TypeCode.TryParse);
        private readonly Parsed<DivisionCode> _divisions = new(symbols, DivisionCode.TryParse);
        private readonly Parsed<SourceCode> _sources = new(symbols, SourceCode.TryParse);

        public Parsed<NodeId> Origins { get; } = new(symbols, NodeId.TryParse);

        /// <summary>False with the word for what is wrong.</summary>
        public bool TryRead(Cell cell, out CellRow row, out string what)
        {
            row = default;
            what = "origin";
            if (!Origins.TryGet(cell.Origin, out var origin))
            {
                return false;
            }

            what = "type";
            if (!_catalogues.TryGet(cell.Catalogue, out var catalogue) || !_codes.TryGet(cell.Code, out var code) || cell.Kind is < 1 or > byte.MaxValue)
            {
                return false;
            }

            what = "division";
            if (!_divisions.TryGet(cell.Division, out var division))
            {
                return false;
            }

            what = "source";
            if (!_sources.TryGet(cell.Source, out var source))
            {
                return false;
            }

            what = cell.Grain is < 1 or > byte.MaxValue ? "grain" : cell.Epoch < 0 || cell.Lsn < 1 ? "revision" : "day";
            var day = new StatDay(cell.Day);
            if (what != "day" || day < FirstDay || day > LastDay)
            {
                return false;
            }

            var key = new CellKey(origin, new Grain((byte)cell.Grain), new TypeKey(catalogue, (TypeKind)cell.Kind, code), division, day, source);
            row = new CellRow(key, new Revision(cell.Epoch, cell.Lsn), cell.Value.Memory);
            return true;
        }
    }
}
