using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace CityGrid.Protocol.Names;

/// <summary>
/// The matters that a parent is told of (clause L17): every type whose code begins with one of these beginnings, in whatever catalogue version, so that <c>01</c> is a
/// large class and <c>01001</c> one type. <see cref="Other"/> stands for the class of 99000 and of all local types, which begin with nothing else that is named.
/// One selection has one form: in order, and no beginning that another one covers.
/// </summary>
public sealed class Matters : IEquatable<Matters>
{
    /// <summary>What is written for 99000 and all local types.</summary>
    public const string Other = "other";

    /// <summary>Beginnings of one selection: all large classes and some types beside them.</summary>
    public const int CountMax = 64;

    /// <summary>Everything; what a parent is told that was given no selection.</summary>
    public static readonly Matters All = new([]);

    private Matters(ImmutableArray<string> beginnings) => Beginnings = beginnings;

    /// <summary>In order; empty for everything.</summary>
    public ImmutableArray<string> Beginnings { get; }

    public bool IsAll => Beginnings.IsEmpty;

    /// <summary>Reads one beginning: a type code, the start of one, or <see cref="Other"/>.</summary>
    public static bool TryParseBeginning(string? text, [NotNullWhen(true)] out string? beginning)
    {
        beginning = TypeCode.TryParse(text, out _) ? text : null;
        return beginning is not null;
    }

    /// <summary>The selection of these beginnings; everything where there are none. Null where one is none, or they are more than <see cref="CountMax"/>.</summary>
    public static Matters? Of(IReadOnlyCollection<string> beginnings)
    {
        if (beginnings.Count == 0)
        {
            return All;
        }

        if (beginnings.Count > CountMax || !beginnings.All(text => TryParseBeginning(text, out _)))
        {
            return null;
        }

        return new Matters([.. beginnings.Where(text => !beginnings.Any(wider => wider.Length < text.Length && Begins(text, wider))).Distinct().Order(StringComparer.Ordinal)]);
    }

    /// <summary>Whether a type is told.</summary>
    public bool Includes(TypeCode code) => IsAll || IsNamed(code.ToString()) || (Names(Other) && code.LargeClass == TypeCode.OtherClass);

    /// <summary>Whether all is told that is asked for by this code of a type or of a large class.</summary>
    public bool Covers(TypeCode asked)
    {
        var text = asked.ToString();

        // The class of local types is asked for by the code of its first type, and only its own name tells of all of it.
        return IsAll || (text == TypeCode.OtherClass ? Names(Other) : IsNamed(text) || (text.Length > TypeCode.OtherClass.Length && Includes(asked)));
    }

    public bool Equals(Matters? other) => other is not null && Beginnings.AsSpan().SequenceEqual(other.Beginnings.AsSpan());

    public override bool Equals(object? obj) => Equals(obj as Matters);

    public override int GetHashCode() => Beginnings.Aggregate(17, (hash, text) => HashCode.Combine(hash, text.GetHashCode(StringComparison.Ordinal)));

    public override string ToString() => IsAll ? "all" : string.Join(", ", Beginnings);

    private bool IsNamed(string code)
    {
        foreach (var beginning in Beginnings)
        {
            if (beginning != Other && code.StartsWith(beginning, StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }

    private bool Names(string beginning) => Beginnings.Contains(beginning);

    /// <summary>The word for the local types is no beginning of a code and has none.</summary>
    private static bool Begins(string text, string wider) => text != Other && wider != Other && text.StartsWith(wider, StringComparison.Ordinal);
}
