using CityGrid.Protocol.V1;
using NUnit.Framework;

namespace CityGrid.Tests.Views;

public sealed class Escalations_are_listed_newest_first
{
    [Test]
    public void In_pages_each_in_its_newest_version()
    {
        using var node = new ViewNode();
        for (byte id = 1; id <= 5; id++)
        {
            node.Raises(id, "D1", EscalationState.Open);
        }

        node.Raises(2, "D1", EscalationState.Closed, version: 2);
        var seen = new List<int>();
        var request = new ListEscalationsRequest { PageSize = 2 };
        do
        {
            var page = List(node, request);
            Assert.That(page.Revision, Is.EqualTo(node.Sequencer.Applied.Value));
            Assert.That(page.Escalations.Select(e => e.ReceivedAt), Is.All.EqualTo("2024-03-01T04:00:00Z"));
            seen.AddRange(page.Escalations.Select(e => (int)e.Escalation.Id[15]));
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);
        Assert.That(seen, Is.EqualTo(new[] { 2, 5, 4, 3, 1 }));
    }

    [Test]
    public void Of_a_division_and_of_a_state()
    {
        using var node = new ViewNode();
        node.Raises(1, "D1", EscalationState.Open);
        node.Raises(2, "D4", EscalationState.Open);
        node.Raises(3, "AC-NONE", EscalationState.Closed);
        Assert.That(Ids(node, new() { Division = "AC" }), Is.EqualTo(new[] { 3, 1 }));
        Assert.That(Ids(node, new() { Division = "M" }), Is.EqualTo(new[] { 2 }));
        Assert.That(Ids(node, new() { State = EscalationState.Open }), Is.EqualTo(new[] { 2, 1 }));
    }

    [Test]
    public void And_a_bad_question_is_refused()
    {
        using var node = new ViewNode();
        Assert.Multiple(() =>
        {
            Assert.That(Code(node, new() { Division = "XX" }), Is.EqualTo("DIVISION_UNKNOWN"));
            Assert.That(Code(node, new() { State = (EscalationState)9 }), Is.EqualTo("STATE_UNKNOWN"));
            Assert.That(Code(node, new() { PageSize = -1 }), Is.EqualTo("PAGE_SIZE_BAD"));
            Assert.That(Code(node, new() { PageToken = "next" }), Is.EqualTo("PAGE_TOKEN_BAD"));
        });
    }

    private static ListEscalationsResponse List(ViewNode node, ListEscalationsRequest request)
    {
        var answer = node.EscalationDesk.List(request, out var refusal);
        Assert.That(refusal, Is.Null);
        return answer!;
    }

    private static IEnumerable<int> Ids(ViewNode node, ListEscalationsRequest request) => List(node, request).Escalations.Select(e => (int)e.Escalation.Id[15]);

    private static string Code(ViewNode node, ListEscalationsRequest request)
    {
        Assert.That(node.EscalationDesk.List(request, out var refusal), Is.Null);
        return refusal!.Code;
    }
}
