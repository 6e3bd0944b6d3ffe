using NodaTime;

namespace CityGrid.Hub.Journal;

/// <summary>
/// Something that wants to change the node's state. The sequencer calls <see cref="Decide"/> on the writer, one command after the other, with
/// the memory of everything durable; what it touches keeps two commands on one thing out of one batch, so a decision never misses an effect
/// that is still on its way to the disk.
/// </summary>
public abstract class Command<TAnswer>
{
    /// <summary>Who asks: the actor that every event of this command is recorded under.</summary>
    public required string Actor { get; init; }

    /// <summary>The things decided about: a case, a request, a child.</summary>
    public abstract IReadOnlyCollection<Touched> Touches { get; }

    /// <summary>Events and an answer, or an answer alone. It computes and never acts.</summary>
    public abstract Decision<TAnswer> Decide(Instant now);
}

/// <summary>A thing that commands decide about, under a name among those of its kind.</summary>
public readonly record struct Touched
{
    private readonly string _kind;
    private readonly string _name;
    private readonly UInt128 _number;

    private Touched(string kind, string name, UInt128 number) => (_kind, _name, _number) = (kind, name, number);

    public static Touched By(string kind, string name) => new(kind, name, UInt128.Zero);

    public static Touched By(string kind, UInt128 number) => new(kind, string.Empty, number);
}

/// <summary>
/// What a command decided: the records to append (none for a refusal or a repeated request), and the answer, made once the positions are
/// known and the records are durable.
/// </summary>
public sealed record Decision<TAnswer>(IReadOnlyList<RecordDraft> Records, Func<IReadOnlyList<LsnRange>, TAnswer> Answer)
{
    public static Decision<TAnswer> Nothing(TAnswer answer) => new([], _ => answer);

    public static Decision<TAnswer> Of(RecordDraft record, Func<LsnRange, TAnswer> answer) => new([record], ranges => answer(ranges[0]));
}
