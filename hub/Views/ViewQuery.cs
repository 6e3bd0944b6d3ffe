using System.Collections.Frozen;
using CityGrid.Hub.Divisions;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Hub.Views;

/// <summary>What rows can be told apart by; README.md of this folder says what each means.</summary>
public enum Dimension
{
    Province,
    City,
    Division,
    District,
    Type,
    Class,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Source,
}

/// <summary>
/// A slice of division × type × period × source, read and judged: every name is one that this node knows, or the answer is a refusal that
/// lists what is allowed. From is in, to is out; both are statistical days in the place's own zone.
/// </summary>
public sealed record ViewQuery(
    IReadOnlyList<Dimension> By,
    IReadOnlyList<DivisionCode> Divisions,
    IReadOnlyList<TypeCode> Types,
    IReadOnlyList<SourceCode> Sources,
    StatDay From,
    StatDay To,
    IReadOnlyList<ViewMeasure> Measures)
{
    /// <summary>The day whose tree says where every figure stands; null where each day's figures stand as the tree was on that day (H4).</summary>
    public StatDay? Tree { get; init; }

    /// <summary>The most dimensions of one query (features.md U5).</summary>
    public const int DimensionsMax = 6;

    /// <summary>The most names of each kind in one query: every county of a province, every type of the catalogue.</summary>
    public const int NamesMax = 1_000;

    /// <summary>The first day that can be asked for, and the first after the last: a cell outside them is somebody's typing error.</summary>
    public static readonly StatDay Beginning = StatDay.Of(new NodaTime.LocalDate(1900, 1, 1));
    public static readonly StatDay End = StatDay.Of(new NodaTime.LocalDate(2200, 1, 1));

    private static readonly FrozenDictionary<string, Dimension> DimensionNames = Enum.GetValues<Dimension>().ToFrozenDictionary(NameOf, StringComparer.Ordinal);

    /// <summary>What a query says for the tree as it was on each day, and as it is today.</summary>
    public const string AsWas = "as-was";
    public const string AsIs = "as-is";

    /// <summary>The dimensions of time that rows are told apart by.</summary>
    public IReadOnlyList<Dimension> Periods { get; } = [.. By.Where(d => d is Dimension.Day or Dimension.Week or Dimension.Month or Dimension.Quarter or Dimension.Year)];

    public bool NeedsStocks { get; } = Measures.Any(m => m.NeedsStocks);

    /// <summary>The first day whose cells the answer rests on: a stock rests on all days before, too.</summary>
    public StatDay FirstDayRead => NeedsStocks ? Beginning : From;

    /// <summary>The histograms that the measures read.</summary>
    public IReadOnlyList<Histogram> Histograms { get; } = [.. Measures.Select(m => m.Reads).OfType<Histogram>().Distinct()];

    public static string NameOf(Dimension dimension) => dimension.ToString().ToLowerInvariant();

    /// <summary>
    /// Reads a request, or answers everything that is wrong with it. <paramref name="place"/> is what the node answers for. A to that lies ahead becomes
    /// tomorrow: a day that has not begun has no figures and no stock.
    /// </summary>
    /// <param name="request">What is asked.</param>
    /// <param name="register">The register of today.</param>
    /// <param name="place">What the node answers for.</param>
    /// <param name="today">By the clock of the place.</param>
    /// <param name="refusal">What is wrong with it.</param>
    /// <param name="amongOthers">
    /// The question goes to many places: divisions elsewhere are no fault, and of those above the place it answers for its days below them.
    /// </param>
    public static ViewQuery? Read(QueryRequest request, DivisionRegister register, DivisionCode place, StatDay today, out Refusal? refusal, bool amongOthers = false)
    {
        var tree = TreeOf(request.Hierarchy, today, out var unknown);
        var reading = new Reading(register.At(tree > today ? tree.Value : today), register.At(tree ?? today), place, tree is null, amongOthers);
        var query = new ViewQuery(
            reading.Dimensions(request.By),
            reading.Divisions(request.Divisions),
            reading.Names<TypeCode>(request.Types_, TryParseType, "TYPE_UNKNOWN", "is no type code, such as 01001, or large class, such as 01", "types"),
            reading.Names<SourceCode>(request.Sources, TryParseSource, "SOURCE_UNKNOWN", "is no source, such as hotline; for all sources leave it out", "sources"),
            reading.Day(request.From, "from", Beginning),
            reading.Day(request.To, "to", today.Plus(1)),
            reading.Measures(request.Measures))
        { Tree = tree };
        if (unknown is not null)
        {
            reading.Refuse(unknown.Code, unknown.Message, unknown.Where!);
        }

        if (reading.Refusal is null && query.From > today)
        {
            reading.Refuse("PERIOD_AHEAD", $"from ({query.From}) lies after today ({today}): nothing can have been counted yet.", "from");
        }
        else if (reading.Refusal is null && query.To <= query.From)
        {
            reading.Refuse("PERIOD_EMPTY", $"from ({query.From}) is in and to ({query.To}) is out, so to must be later.", "to");
        }

        refusal = reading.Refusal;
        return refusal is not null ? null : query.To > today.Plus(1) ? query with { To = today.Plus(1) } : query;
    }

    private static StatDay? TreeOf(string text, StatDay today, out Refusal? refusal)
    {
        refusal = null;
        if (text is "" or AsWas or AsIs)
        {
            return text == AsIs ? today : null;
        }

        if (StatDay.TryParse(text, out var day) && day >= Beginning && day <= End)
        {
            return day;
        }

        refusal = new Refusal("HIERARCHY_UNKNOWN", $"'{Reading.Short(text)}' is no hierarchy: write {AsWas}, {AsIs}, or a day yyyy-MM-dd from {Beginning} to {End}.", "hierarchy");
        return null;
    }

    /// <summary>True where the type is asked for, by its code or by its large class.</summary>
    public bool Includes(TypeKey type)
    {
        if (Types.Count == 0)
        {
            return true;
        }

        var largeClass = type.Code.LargeClass;
        return Types.Any(wanted => wanted == type.Code || wanted.ToString() == largeClass);
    }

    private delegate bool TryParse<T>(string? text, out T name);

    /// <summary>A type or a large class; the class of <c>other</c> goes by that name, too.</summary>
    private static bool TryParseType(string? text, out TypeCode type) => TypeCode.TryParse(text == "other" ? TypeCode.OtherClass : text, out type);

    /// <summary>A source as cases have it: the one that totals stand under is none.</summary>
    private static bool TryParseSource(string? text, out SourceCode source) => SourceCode.TryParse(text, out source) && text != "all";

    /// <summary>Reads part by part; what is wrong adds up to one refusal, which has the code and the place of the first fault.</summary>
    private sealed class Reading(DivisionRegister register, DivisionRegister tree, DivisionCode place, bool asWas, bool amongOthers)
    {
        private const int ListedMax = 40;

        public Refusal? Refusal { get; private set; }

        public void Refuse(string code, string message, string where) =>
            Refusal = Refusal is null ? new Refusal(code, message, where)
                : Refusal.Message.Length < 4_000 ? Refusal with { Message = $"{Refusal.Message} {message}" } : Refusal;

        public List<Dimension> Dimensions(IReadOnlyList<string> words)
        {
            var dimensions = new List<Dimension>();
            foreach (var word in words)
            {
                if (!DimensionNames.TryGetValue(word, out var dimension))
                {
                    Refuse("DIMENSION_UNKNOWN", $"'{Short(word)}' is no dimension; there are {string.Join(", ", Enum.GetValues<Dimension>().Select(NameOf))}.", "by");
                }
                else if (!dimensions.Contains(dimension))
                {
                    dimensions.Add(dimension);
                }
            }

            if (dimensions.Count > DimensionsMax)
            {
                Refuse("TOO_MANY_DIMENSIONS", $"At most {DimensionsMax} dimensions are taken, not {dimensions.Count}.", "by");
            }

            return dimensions;
        }

        public List<DivisionCode> Divisions(IReadOnlyList<string> words)
        {
            var codes = Names<DivisionCode>(words, (string? word, out DivisionCode code) => DivisionCode.TryParse(word, out code) && register.Contains(code),
                "DIVISION_UNKNOWN", $"does not stand in this node's register; {Listed()}", "divisions");
            foreach (var code in codes.Where(c => !amongOthers && !(asWas ? tree.HasBeenAtOrBelow(c, place) : tree.IsAtOrBelow(c, place))))
            {
                Refuse("DIVISION_OUTSIDE", $"{code} does not lie at or below {place}, which this node answers for: ask the node of {code} or one above it; here, {Listed()}.", "divisions");
            }

            return codes;
        }

        public List<ViewMeasure> Measures(IReadOnlyList<string> words)
        {
            var measures = new List<ViewMeasure>();
            foreach (var word in words.Count == 0 ? ["reported", "closed"] : words.Distinct(StringComparer.Ordinal))
            {
                if (ViewMeasure.Read(word, out var refusal) is { } measure)
                {
                    measures.Add(measure);
                }
                else
                {
                    Refuse(refusal!.Code, refusal.Message, "measures");
                }
            }

            return measures;
        }

        public StatDay Day(string text, string where, StatDay otherwise)
        {
            if (text.Length == 0)
            {
                return otherwise;
            }

            if (!StatDay.TryParse(text, out var day) || day < Beginning || day > End)
            {
                Refuse("DAY_BAD", $"'{Short(text)}' is no day: write yyyy-MM-dd, from {Beginning} to {End}.", where);
                return otherwise;
            }

            return day;
        }

        public List<T> Names<T>(IReadOnlyList<string> words, TryParse<T> parse, string code, string what, string where)
        {
            var names = new List<T>();
            foreach (var word in words)
            {
                if (parse(word, out var name))
                {
                    names.Add(name);
                }
                else
                {
                    Refuse(code, $"'{Short(word)}' {what}.", where);
                }
            }

            if (words.Count > NamesMax)
            {
                Refuse("TOO_MANY_NAMES", $"At most {NamesMax} are taken, not {words.Count}.", where);
            }

            return names;
        }

        private string Listed()
        {
            var children = tree.ChildrenOf(place);
            var codes = string.Join(", ", children.Take(ListedMax).Select(d => d.Code.ToString()));
            return children.Count == 0 ? $"{place} has nothing below it" : $"directly below {place} stand {codes}{(children.Count > ListedMax ? $" and {children.Count - ListedMax} more" : "")}";
        }

        public static string Short(string word) => word.Length <= 40 ? word : word[..40] + "…";
    }
}
