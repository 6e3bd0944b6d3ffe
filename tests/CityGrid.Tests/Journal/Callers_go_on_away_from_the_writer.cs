using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using NUnit.Framework;

namespace CityGrid.Tests.Journal;

/// <summary>Whoever was answered, or told of a fault, goes on elsewhere: the writer takes the next batch.</summary>
public sealed class Callers_go_on_away_from_the_writer
{
    /// <summary>Several times as many as go on together, every tenth with a fault of its own.</summary>
    [Test]
    public async Task Each_with_its_own_answer()
    {
        using var sequencer = new Sequencer(new MemoryJournal(new SeededEntropy(1)), [], TimeProvider.System);
        int? writer = null;
        sequencer.Start();
        var answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(async number =>
        {
            try
            {
                // The context of a test would bring every caller to one thread, whoever let it go.
                var answer = await sequencer.SubmitAsync(new Number(number, () => writer = Environment.CurrentManagedThreadId) { Actor = "a" }).ConfigureAwait(ConfigureAwaitOptions.None);
                return (Answer: answer, Thread: Environment.CurrentManagedThreadId);
            }
            catch (InvalidDataException)
            {
                return (Answer: -number, Thread: Environment.CurrentManagedThreadId);
            }
        })).WaitAsync(TimeSpan.FromMinutes(1));

        Assert.That(answers.Select(a => a.Answer), Is.EqualTo(Enumerable.Range(0, 100).Select(number => number % 10 == 0 ? -number : number)));
        Assert.That(answers.Select(a => (int?)a.Thread), Has.None.EqualTo(writer));
    }

    private sealed class Number(int number, Action decided) : Command<int>
    {
        public override IReadOnlyCollection<Touched> Touches => [];

        public override Decision<int> Decide(NodaTime.Instant now)
        {
            decided();
            return number % 10 == 0
                ? throw new InvalidDataException("A fault of this one.")
                : Decision<int>.Of(new RecordDraft("a", [new EventDraft(1, 1, new byte[] { 1 })]), _ => number);
        }
    }
}
