using System.Collections.Concurrent;
using CityGrid.Protocol.Names;
using TypeCode = CityGrid.Protocol.Names.TypeCode;

namespace CityGrid.Node.Cases;

/// <summary>
/// Names that recur in cases, each read once and its text shared by all who bear it, so that a million cases do not keep a million copies. What is no name throws
/// <see cref="FormatException"/>. Safe for many threads.
/// </summary>
internal static class SharedNames
{
    private static readonly Pool<CatalogueVersion> Versions = new(CatalogueVersion.Parse);
    private static readonly Pool<TypeCode> Types = new(TypeCode.Parse);
    private static readonly Pool<DivisionCode> Divisions = new(DivisionCode.Parse);
    private static readonly Pool<SourceCode> Sources = new(SourceCode.Parse);
    private static readonly Pool<string> Words = new(text => text);

    public static CatalogueVersion Version(string text) => Versions[text];

    public static TypeCode Type(string text) => Types[text];

    public static DivisionCode Division(string text) => Divisions[text];

    public static SourceCode Source(string text) => Sources[text];

    /// <summary>A unit, a reason, a rule, a system of which rows come.</summary>
    public static string Word(string text) => Words[text];

    /// <summary>Past a bound (a hundred thousand names of 100 B are 10 MB) names are read anew each time.</summary>
    private sealed class Pool<T>(Func<string, T> read)
    {
        private const int CountMax = 100_000;

        private readonly ConcurrentDictionary<string, T> _known = new(StringComparer.Ordinal);
        private int _count;

        public T this[string text]
        {
            get
            {
                if (_known.TryGetValue(text, out var known))
                {
                    return known;
                }

                var name = read(text);
                if (Volatile.Read(ref _count) < CountMax && _known.TryAdd(text, name))
                {
                    Interlocked.Increment(ref _count);
                }

                return name;
            }
        }
    }
}
