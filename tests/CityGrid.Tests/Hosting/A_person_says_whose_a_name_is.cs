using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using CityGrid.Hub.Journal;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using Grpc.Core;
using NUnit.Framework;

namespace CityGrid.Tests.Hosting;

/// <summary>Clause L13: the call by which a person gives a name to a division, over HTTP and gRPC, and who it was stands in the journal.</summary>
public sealed class A_person_says_whose_a_name_is
{
    private WholeNode _node = null!;

    [OneTimeSetUp]
    public async Task StartAsync() => _node = await WholeNode.StartAsync("\"callsPerUser\": 1000");

    [OneTimeTearDown]
    public async Task StopAsync() => await _node.DisposeAsync();

    [TestCase("desk-1", "999999", "DIVISION_UNKNOWN")]
    [TestCase("desk-1", "nowhere at all", "DIVISION_UNKNOWN")]
    [TestCase("desk-1", "330100", "DIVISION_OUTSIDE")]
    [TestCase("desk-1", "320500", "DIVISION_OUTSIDE")]
    [TestCase("hangzhou", "330102", "NAME_BORNE")]
    [TestCase("No Node", "330102", "MALFORMED")]
    public async Task It_is_given_to_a_place_below_or_not_at_all(string name, string division, string code)
    {
        var before = _node.Core.Sequencer.Applied;
        var (status, body) = await SayAsync(name, division);
        Assert.That((status, body.GetProperty("code").GetString(), _node.Core.Sequencer.Applied), Is.EqualTo((HttpStatusCode.BadRequest, code, before)));
    }

    [Test]
    public async Task Said_once_it_holds_and_who_said_it_is_kept()
    {
        Assert.That((await SayAsync("desk-2", "330102")).Body.GetProperty("given").GetBoolean(), Is.True);
        var again = await new LinksService.LinksServiceClient(_node.Grpc).GiveNameAsync(new GiveNameRequest { Name = "desk-2", Division = "330102" }, new Metadata { { "Authorization", $"Bearer {NodeFolder.AdminToken}" } });
        Assert.That((again.Given, again.Settled, again.StillParked), Is.EqualTo((false, 0, 0)));
        Assert.That(_node.Core.Sequencer.Read(() => _node.Core.Reception.GivenTo(NodeId.Parse("desk-2"))), Is.EqualTo(DivisionCode.Parse("330102")));
        var kept = _node.Core.Journal.ReadFrom(Lsn.Zero).Where(record => record.Events.Any(e => e.Kind == EventKinds.NameGiven)).ToArray();
        Assert.That(kept.Select(record => record.Actor), Is.EqualTo(new[] { "keeper" }));
    }

    private async Task<(HttpStatusCode Status, JsonElement Body)> SayAsync(string name, string division)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/v1/links/{Uri.EscapeDataString(name)}/division") { Content = JsonContent.Create(new { division }) };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", NodeFolder.AdminToken);
        using var answer = await _node.Http.SendAsync(request);
        return (answer.StatusCode, JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement);
    }
}
