using System.Security.Cryptography;
using NUnit.Framework;

namespace CityGrid.Tests.Fuzz;

/// <summary>
/// TIER-6, INV-26: each reader of this program is given the inputs that are kept, and so many changed ones. It answers, or refuses in its declared way; it
/// throws nothing else, takes no more memory than it may, comes to its end, and what it holds afterwards is sound.
/// </summary>
/// <remarks>
/// More, or one target alone: <c>CITYGRID_FUZZ_RUNS=1000000 CITYGRID_FUZZ_SEED=7 dotnet test tests/CityGrid.Tests --filter "Name~Changed_inputs&amp;Name~link-frame"</c>.
/// A find is written to the folder of its target, and is mended before it is committed there.
/// </remarks>
public sealed class Whatever_is_thrown_at_a_reader_it_bears
{
    private static IEnumerable<TestCaseData> Targets => FuzzTargets.All.Select(target => new TestCaseData(target.Name).SetArgDisplayNames(target.Name));

    [TestCaseSource(nameof(Targets))]
    public void Kept_inputs(string name)
    {
        var target = FuzzTargets.Of(name);
        var kept = FuzzCorpus.Of(name);
        var found = FuzzRun.First(target, kept.Select(one => one.Input));
        Assert.That(found, Is.Null, () => kept.First(one => one.Input == found!.Input).File);
    }

    [TestCaseSource(nameof(Targets))]
    public void Changed_inputs(string name)
    {
        var target = FuzzTargets.Of(name);
        var (found, ways) = FuzzRun.Throw(target, [.. FuzzCorpus.Of(name).Select(kept => kept.Input)], FuzzCorpus.Seed, FuzzCorpus.RunsOf(target));
        TestContext.Out.WriteLine($"{name}: {ways} ways");
        if (found is not null)
        {
            FuzzCorpus.Keep(found);
        }

        Assert.That(found, Is.Null);
        Assert.That(ways, Is.GreaterThan(1), "a target that goes one way whatever it is given is not reached");
    }

    /// <summary>A reader with a fault: it believes a length. Found from a good input, and made small.</summary>
    [Test]
    public void A_reader_with_a_fault_is_found_out()
    {
        var target = new FuzzTarget("planted", Shape.Bytes, 0, () => [[4, 1, 2, 3, 4, 9, 9, 9]], input => input.Length == 0 ? "empty" : $"{input.AsSpan(1, input[0])[^1]}");

        var (found, _) = FuzzRun.Throw(target, [], 1, 10_000);

        Assert.That(found!.Failure, Is.InstanceOf<ArgumentException>().Or.InstanceOf<IndexOutOfRangeException>());
        Assert.That(found.Input, Has.Length.LessThanOrEqualTo(2));
    }

    [Test]
    public void One_that_takes_too_much_memory_is_found_out_too()
    {
        var target = new FuzzTarget("greedy", Shape.Bytes, 0, () => [[0]], input => $"{new byte[input.Length > 0 && input[0] == 0xFF ? 64 << 20 : 1].Length}");

        Assert.That(FuzzRun.Throw(target, [], 1, 10_000).Found!.Failure.Message, Does.Contain("bytes of memory"));
    }

    [Test]
    public void One_that_does_not_come_to_its_end_is_told_by_name_and_input()
    {
        var end = new TaskCompletionSource();
        var target = new FuzzTarget("endless", Shape.Bytes, 0, () => [[7]], _ =>
        {
            end.Task.Wait();
            return "ended";
        });

        var (found, _) = FuzzRun.Throw(target, [], 3, 10, TimeSpan.FromSeconds(1));
        end.SetResult();

        Assert.That(found!.Failure, Is.InstanceOf<HangsException>());
        Assert.That($"{found}", Does.StartWith("endless: HangsException: endless, seed 3: ").And.Contain("input: 07"));
    }

    [Test]
    public void One_seed_throws_the_same()
    {
        List<string> Thrown(ulong seed)
        {
            var thrown = new List<string>();
            var target = new FuzzTarget("told", Shape.Protobuf, 0, () => FuzzTargets.Of("link-frame").Seeds(), input =>
            {
                thrown.Add(Convert.ToHexString(SHA256.HashData(input)));
                return thrown.Count % 3 == 0 ? $"{thrown.Count}" : "same";
            });
            FuzzRun.Throw(target, [], seed, 300);
            return thrown;
        }

        var (first, again, other) = (Thrown(5), Thrown(5), Thrown(6));
        Assert.That(again, Is.EqualTo(first));
        Assert.That(other, Is.Not.EqualTo(first));
    }
}
