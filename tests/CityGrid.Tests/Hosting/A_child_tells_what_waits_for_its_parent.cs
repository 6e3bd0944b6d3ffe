using CityGrid.Node;
using CityGrid.Node.Cases;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Cases;
using Microsoft.Extensions.DependencyInjection;
using NodaTime.Text;
using NUnit.Framework;

namespace CityGrid.Tests.Hosting;

/// <summary>O1, seen from below: what waits for the parent, since when, and how long the line will take for all of it.</summary>
public sealed class A_child_tells_what_waits_for_its_parent
{
    [Test]
    public async Task Cells_and_records_alike()
    {
        await using var node = await WholeNode.StartAsync("\"callsPerAddress\": 1000", inATree: true);
        var status = node.App.Services.GetRequiredService<NodeStatus>();
        var (before, beforehand) = (status.Status().Uplink, status.Links().Links.Single());
        Assert.Multiple(() =>
        {
            Assert.That((before.PendingCells, before.PendingEscalations, before.OldestPending), Is.EqualTo((0L, 0L, string.Empty)));
            Assert.That((beforehand.State, beforehand.OldestUnsentSeconds, beforehand.DrainSeconds), Is.EqualTo((LinkState.Never, 0L, 0L)));
        });

        var answer = await node.Core.Desk.SubmitAsync(new ReportCase(City.Cover, DivisionCode.Parse("330102"), City.Hotline)
        {
            Case = node.Core.Desk.Mint(),
            Actor = "desk",
            Request = new RequestMark("k-1", 1),
            Grade = EmergencyGrade.Serious,
            Summary = new string('桥', 200),
        });
        Assert.That(answer.Refusal, Is.Null);
        var (after, waiting) = (status.Status().Uplink, status.Links().Links.Single());
        Assert.Multiple(() =>
        {
            Assert.That((after.PendingCells, after.PendingEscalations), Is.EqualTo((waiting.PendingCells, 1L)));
            Assert.That(after.PendingCells, Is.Positive);
            Assert.That(InstantPattern.ExtendedIso.Parse(after.OldestPending).Value, Is.EqualTo(node.Core.Journal.ReadAt(node.Core.Sequencer.Applied)!.RecordedAt));
            Assert.That(waiting.DrainSeconds, Is.Positive);
        });
    }

    [TestCase(0, 1_200_000)]
    [TestCase(20_000, 0)]
    public void What_waits_drains_at_the_pace_of_the_line_whatever_it_is(long cells, long recordBytes) =>
        Assert.That(NodeStatus.DrainSeconds(cells, recordBytes, Node.Uplink.Pace.Start with { Window = 16_000 }), Is.EqualTo(38), "16 kB in half a second is a line of 256 kbit/s");
}
