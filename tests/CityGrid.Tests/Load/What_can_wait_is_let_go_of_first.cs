using CityGrid.Hub.Load;
using CityGrid.Hub.Seams;
using NUnit.Framework;

namespace CityGrid.Tests.Load;

/// <summary>Z4, INV-26: the declared order, by whichever of queue, memory and lag is highest; cases, alarms and commands are never let go of.</summary>
public sealed class What_can_wait_is_let_go_of_first
{
    private static readonly CallKind[] All = Enum.GetValues<CallKind>();

    [TestCase(0.0, new CallKind[] { })]
    [TestCase(0.74, new CallKind[] { })]
    [TestCase(0.75, new[] { CallKind.View })]
    [TestCase(0.80, new[] { CallKind.View, CallKind.DrillThrough })]
    [TestCase(0.85, new[] { CallKind.View, CallKind.DrillThrough, CallKind.BulkImport })]
    [TestCase(0.90, new[] { CallKind.View, CallKind.DrillThrough, CallKind.BulkImport, CallKind.IndicatorPush })]
    [TestCase(50.0, new[] { CallKind.View, CallKind.DrillThrough, CallKind.BulkImport, CallKind.IndicatorPush })]
    [TestCase(double.NaN, new CallKind[] { })]
    public void In_the_declared_order(double share, CallKind[] expected)
    {
        foreach (var pressure in new[] { new Pressure(share, 0, 0), new Pressure(0, share, 0), new Pressure(0, 0, share) })
        {
            var level = Shedding.Level(pressure, 0);

            Assert.That(All.Where(kind => Shedding.Decide(level, pressure, kind) is not null), Is.EqualTo(expected), $"{pressure}");
        }
    }

    [Test]
    public void A_pressure_that_stands_at_a_threshold_does_not_make_it_waver()
    {
        var level = Shedding.Level(new Pressure(0.75, 0, 0), 0);

        Assert.Multiple(() =>
        {
            Assert.That(Shedding.Level(new Pressure(0.71, 0, 0), level), Is.EqualTo(1), "not yet gone");
            Assert.That(Shedding.Level(new Pressure(0.69, 0, 0), level), Is.Zero);
        });
    }

    [Test]
    public void The_refusal_says_what_presses_and_when_to_come_again()
    {
        var pressure = new Pressure(0.2, 0.83, 0.1);
        var refusal = Shedding.Decide(Shedding.Level(pressure, 0), pressure, CallKind.View)!;

        Assert.That((refusal.Code, refusal.Message), Is.EqualTo((
            Shedding.Busy, "The node is at 83 % of its bound (memory) and puts cases and alarms first; call again in 10 seconds.")));
    }

    [Test]
    public void It_is_measured_ten_times_a_second_at_most_and_each_change_is_told_once()
    {
        var time = new VirtualTime(new DateTimeOffset(2026, 11, 24, 12, 0, 0, TimeSpan.Zero));
        var (measured, share, told) = (0, 0.95, new List<int>());
        var gauge = new PressureGauge(
            () =>
            {
                measured++;
                return new Pressure(share, 0, 0);
            },
            new VirtualClock(time))
        {
            Changed = (level, _) => told.Add(level),
        };

        for (var i = 0; i < 1000; i++)
        {
            Assert.That(gauge.Shed(CallKind.View), Is.Not.Null);
            Assert.That(gauge.Shed(CallKind.Essential), Is.Null);
        }

        Assert.That((measured, gauge.CountOf(CallKind.View)), Is.EqualTo((1, 1000L)));
        share = 0;
        time.Run(TimeSpan.FromMilliseconds(100));
        Assert.That(gauge.Shed(CallKind.View), Is.Null);
        Assert.That(told, Is.EqualTo(new[] { 4, 0 }));
    }
}
