#pragma warning disable RS0030 // The writer and the recount run beside each other on real threads: that is what is shown.
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Node.Cases;
using CityGrid.Node.Tally;
using CityGrid.Tests.Cases;
using CityGrid.Tests.Crashes;
using NUnit.Framework;

namespace CityGrid.Tests.Tally;

/// <summary>A recount stands at one position of a journal that grows under it, and agrees bit for bit with the cells of that position.</summary>
public sealed class A_recount_runs_while_cases_come_in
{
    private const int Passes = 3;

    private SeededEntropy _dice = null!;
    private VirtualTime _time = null!;
    private CityOnADisk _city = null!;
    private int _requests;

    [SetUp]
    public void Begin()
    {
        _dice = new SeededEntropy(17);
        _requests = 0;
        _time = new VirtualTime(new DateTimeOffset(2026, 3, 2, 1, 0, 0, TimeSpan.Zero));
        _city = new CityOnADisk(new ModelDisk(), new SeededEntropy(5), _time, JournalFaults.None);
        for (var i = 0; i < 300; i++)
        {
            WorkOn();
        }
    }

    [TearDown]
    public void End() => _city.Dispose();

    /// <summary>Between any two records that it reads, the city works on, keeps a snapshot, or packs the segments that are being read.</summary>
    [Test]
    public void With_something_new_between_any_two_records_it_reads()
    {
        var held = CountedCells.Of(_city.Core);
        var recount = Recount.OfJournal(Read, held.At, City.Node, City.Place, Passes);

        Assert.That(held.DifferenceFrom(recount), Is.Null);
        Assert.That(held.Count, Is.GreaterThan(50), "cells of several days");
        Assert.That(_city.Core.Sequencer.Applied.Value, Is.GreaterThan(2 * held.At.Value), "the journal grew under it");
        Assert.That(CountedCells.Of(_city.Core).DifferenceFrom(recount), Is.Not.Null, "it is not the count of now");
        _city.CheckCells();

        IEnumerable<JournalRecord> Read()
        {
            foreach (var record in _city.Records())
            {
                yield return record;
                switch (_dice.Below(30))
                {
                    case var _ when _requests > 3000:
                        break; // Whoever does not stop at its position comes to an end, too.
                    case 0:
                        _city.Core.SaveSnapshot();
                        break;
                    case 1:
                        _city.PackSealed();
                        break;
                    default:
                        WorkOn();
                        break;
                }
            }
        }
    }

    /// <summary>With the writer on its own thread; the recount goes on only after the writer did.</summary>
    [Test]
    public async Task Beside_the_writers_thread()
    {
        var held = CountedCells.Of(_city.Core);
        using var answered = new SemaphoreSlim(0);
        using var counted = new CancellationTokenSource();
        _city.Core.Sequencer.Start();
        var intake = Task.Run(async () =>
        {
            while (!counted.IsCancellationRequested)
            {
                await AnswerAsync();
                answered.Release();
            }
        });
        Recount recount;
        try
        {
            recount = await Task.Run(() => Recount.OfJournal(Read, held.At, City.Node, City.Place, Passes));
        }
        finally
        {
            await counted.CancelAsync();
            await intake;
        }

        Assert.That(held.DifferenceFrom(recount), Is.Null);
        Assert.That(_city.StoppedBy, Is.Null);
        var now = CountedCells.Of(_city.Core);
        Assert.That(now.At.Value, Is.GreaterThan(held.At.Value + 20), "the journal grew under it");
        Assert.That(now.DifferenceFrom(recount), Is.Not.Null, "it is not the count of now");
        _city.CheckCells();

        IEnumerable<JournalRecord> Read()
        {
            foreach (var (read, record) in _city.Records().Index())
            {
                yield return record;
                if (read % 30 == 0 && !answered.Wait(TimeSpan.FromMinutes(1)))
                {
                    throw new InvalidOperationException("Nobody was answered for a minute.");
                }
            }
        }
    }

    private void WorkOn()
    {
        _time.Run(TimeSpan.FromMinutes(_dice.Below(120)));
        _city.Submit(Next(), _ => { });
    }

    private Task<CaseAnswer> AnswerAsync()
    {
        var told = new TaskCompletionSource<CaseAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
        _city.Core.Desk.Submit(_city.Core.Sequencer.Read(Next), told.SetResult);
        return told.Task.WaitAsync(TimeSpan.FromMinutes(1));
    }

    /// <summary>A new case, or the next step of one that is open.</summary>
    private CaseCommand Next()
    {
        var open = _city.Core.Book.Open.Values.OrderBy(state => state.Id).ToArray();
        var next = open.Length == 0 || _dice.OneIn(4)
            ? new ReportCase(_dice.OneIn(2) ? City.Cover : City.Refuse, _dice.OneIn(2) ? City.North : City.South, City.Hotline) { Case = _city.Core.Desk.Mint(), Actor = "desk" }
            : City.NextStep(open[_dice.Below(open.Length)]);
        return next with { Request = new RequestMark($"r-{++_requests}", (ulong)_requests) };
    }
}
