using CityGrid.Node;
using CityGrid.Node.Uplink;
using CityGrid.Node.V1;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.Hosting;

/// <summary>O1: that nothing waits is no proof; a confirmed exchange not long ago is.</summary>
public sealed class A_link_is_well_only_with_proof_of_progress
{
    private static readonly Instant Now = Instant.FromUtc(2026, 11, 29, 4, 0);

    [TestCase(0, true, LinkState.Progressing)]
    [TestCase(15 * 60, true, LinkState.Progressing)]
    [TestCase((15 * 60) + 1, true, LinkState.Stalled)]
    [TestCase(86_400 * 30, true, LinkState.Stalled)]
    [TestCase(60, false, LinkState.Progressing)]
    [TestCase(61, false, LinkState.Stalled)]
    [TestCase(-5, true, LinkState.Progressing)]
    [TestCase(-86_400 * 3, true, LinkState.Stalled)]
    [TestCase(-86_400 * 3, false, LinkState.Stalled)]
    public void As_old_as_its_last_confirmed_exchange(int seconds, bool connected, LinkState expected) =>
        Assert.That(NodeStatus.StateOf(Now - Duration.FromSeconds(seconds), null, connected, Now), Is.EqualTo(expected));

    [Test]
    public void Without_any_it_is_told_so() => Assert.That(NodeStatus.StateOf(null, null, true, Now), Is.EqualTo(LinkState.Never));

    [TestCase(15 * 60, true, LinkState.Progressing)]
    [TestCase((15 * 60) + 1, true, LinkState.Stalled)]
    [TestCase(-86_400 * 3, true, LinkState.Stalled)]
    [TestCase(0, false, LinkState.Progressing)]
    public void A_lane_that_waits_is_not_proved_well_by_another(int seconds, bool connected, LinkState expected) =>
        Assert.That(NodeStatus.StateOf(Now, Now - Duration.FromSeconds(seconds), connected, Now), Is.EqualTo(expected));

    [Test]
    public void What_waits_drains_at_the_pace_of_the_line()
    {
        // 16 kB in half a second is a line of 256 kbit/s: a million cells of 60 B are half an hour.
        Assert.That(NodeStatus.DrainSeconds(1_000_000, 0, Pace.Start with { Window = 16_000 }), Is.EqualTo(1875));
        Assert.That(NodeStatus.DrainSeconds(0, 0, Pace.Start), Is.Zero);
    }
}
