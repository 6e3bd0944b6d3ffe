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

    /// <summary>The things decided about, such as <c>case/…</c>, <c>request/…</c> or <c>child/…</c>.</summary>
    public abstract IEnumerable<string> Touches { get; }

    /// <summary>Events and an answer, or an answer alone. It computes and never acts.</summary>
    public abstract Decision<TAnswer> Decide(Instant now);
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
