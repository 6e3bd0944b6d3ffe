#pragma warning disable RS0030 // Callers on threads of their own.
using CityGrid.Hub.Storage;
using NUnit.Framework;

namespace CityGrid.Tests.Storage;

public sealed class One_thread_calls_the_database
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>One delegate for all callers: each waits for its own call, and none for another's.</summary>
    [Test]
    public void Each_caller_gets_its_answer_from_the_same_thread_whatever_it_shares_with_others()
    {
        using var owner = new OwnerThread("test");
        var calls = 0;
        var ids = new HashSet<int>();
        int Work()
        {
            ids.Add(Environment.CurrentManagedThreadId);
            return ++calls;
        }

        Func<int> shared = Work;
        var answers = new List<int>[6];
        var callers = Enumerable.Range(0, answers.Length)
            .Select(caller => new Thread(() => answers[caller] = [.. Enumerable.Range(0, 3_000).Select(_ => owner.Call(shared))])).ToList();
        callers.ForEach(caller => caller.IsBackground = true);
        callers.ForEach(caller => caller.Start());

        Assert.That(callers.TrueForAll(caller => caller.Join(Patience)), Is.True, "nobody waits for ever");
        Assert.That(ids, Has.Count.EqualTo(1));
        Assert.That(answers.SelectMany(a => a).Order(), Is.EqualTo(Enumerable.Range(1, 18_000)));
    }

    [Test]
    public void What_it_throws_its_caller_gets_and_the_next_call_is_taken()
    {
        using var owner = new OwnerThread("test");
        Assert.That(() => owner.Call<int>(() => throw new InvalidDataException("this one")), Throws.TypeOf<InvalidDataException>().With.Message.EqualTo("this one"));
        Assert.That(owner.Call(() => 7), Is.EqualTo(7));
    }

    [Test]
    public void Once_it_is_closed_it_says_so()
    {
        var owner = new OwnerThread("test");
        owner.Dispose();
        owner.Dispose();
        Assert.That(() => owner.Call(() => 7), Throws.TypeOf<ObjectDisposedException>());
    }
}
