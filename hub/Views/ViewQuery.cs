using CityGrid.Hub.Divisions;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Hub.Views;

/// <summary>What rows can be told apart by.</summary>
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
    /// <summary>The most dimensions of one query (features.md U5).</summary>
    public const int DimensionsMax = 6;

    /// <summary>The first day that any cell may have.</summary>
    public static readonly StatDay Beginning = StatDay.Of(new NodaTime.LocalDate(1900, 1, 1));

    private static readonly Dimension[] PeriodDimensions = [Dimension.Day, Dimension.Week, Dimension.Month, Dimension.Quarter, Dimension.Year];

    /// <summary>The dimension of time that rows are told apart by, the finest; null for one period.</summary>
    public Dimension? Period => PeriodDimensions.Where(By.Contains).Select(d => (Dimension?)d).FirstOrDefault();

    /// <summary>Reads a request, or answers why it is none.</summary>
    public static ViewQuery? Read(QueryRequest request, DivisionRegister register, StatDay today, out Refusal? refusal)
    {
        var reading = new Reading(register);
        var by = reading.Dimensions(request.By);
        var query = new ViewQuery(
            by,
            reading.Divisions(request.Divisions),
            reading.Types(request.Types_),
            reading.Sources(request.Sources),
            reading.Day(request.From, "from", Beginning),
            reading.Day(request.To, "to", today.Plus(1)),
            reading.Measures(request.Measures));
        if (reading.Refusal is null && query.To <= query.From)
        {
            reading.Refuse("PERIOD_EMPTY", $"from ({query.From}) is in and to ({query.To}) is out, so to must be later.", "to");
        }

        refusal = reading.Refusal;
        return refusal is null ? query : null;
    }

    private sealed class Reading(DivisionRegister register)
    {
        public Refusal? Refusal { get; private set; }

        public void Refuse(string code, string message, string where) => Refusal ??= new Refusal(code, message, where);

        public IReadOnlyList<Dimension> Dimensions(IReadOnlyList<string> words)
        {
            var dimensions = new List<Dimension>();
            foreach (var word in words)
            {
                if (!Enum.TryParse<Dimension>(word, ignoreCase: true, out var dimension) || char.IsAsciiDigit(word[0]))
                {
                    Refuse("DIMENSION_UNKNOWN", $"'{Short(word)}' is no dimension; there are {string.Join(", ", Enum.GetNames<Dimension>()).ToLowerInvariant()}.", "by");
                }
                else if (!dimensions.Contains(dimension))
                {
                    dimensions.Add(dimension);
                }
            }

            if (dimensions.Count > DimensionsMax)
            {
                Refuse("TOO_MANY_DIMENSIONS", $"At most {DimensionsMax} dimensions are taken.", "by");
            }

            return dimensions;
        }

        public IReadOnlyList<DivisionCode> Divisions(IReadOnlyList<string> words)
        {
            var codes = new List<DivisionCode>();
            foreach (var word in words)
            {
                if (DivisionCode.TryParse(word, out var code) && register.Contains(code))
                {
                    codes.Add(code);
                }
                else
                {
                    Refuse("DIVISION_UNKNOWN", $"'{Short(word)}' does not stand in this node's register of {register.Count} divisions.", "divisions");
                }
            }

            return codes;
        }

        public IReadOnlyList<TypeCode> Types(IReadOnlyList<string> words) =>
            Names<TypeCode>(words, TypeCode.TryParse, "TYPE_UNKNOWN", "is no type code, such as 01001, or class, such as 01", "types");

        public IReadOnlyList<SourceCode> Sources(IReadOnlyList<string> words) =>
            Names<SourceCode>(words, SourceCode.TryParse, "SOURCE_UNKNOWN", "is no source, such as hotline", "sources");

        public IReadOnlyList<ViewMeasure> Measures(IReadOnlyList<string> words)
        {
            var measures = new List<ViewMeasure>();
            foreach (var word in words.Count == 0 ? ["reported", "closed"] : words)
            {
                if (ViewMeasure.Read(word, out var refusal) is { } measure)
                {
                    measures.Add(measure);
                }
                else
                {
                    Refusal ??= refusal;
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

            if (!StatDay.TryParse(text, out var day))
            {
                Refuse("DAY_BAD", $"'{Short(text)}' is no day; write yyyy-MM-dd.", where);
            }

            return day;
        }

        private delegate bool TryParse<T>(string? text, out T name);

        private List<T> Names<T>(IReadOnlyList<string> words, TryParse<T> parse, string code, string what, string where)
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

            return names;
        }

        private static string Short(string word) => word.Length <= 40 ? word : word[..40] + "…";
    }
}
