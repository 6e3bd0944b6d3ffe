using System.Text.Json.Nodes;
using CityGrid.Cli;
using CityGrid.Protocol.V1;
using NUnit.Framework;

namespace CityGrid.Tests.Cli;

/// <summary>What the tool prints is what the node's port writes over HTTP: whole numbers are numbers, wherever they stand, and nothing is left out because it is 0.</summary>
public sealed class An_answer_is_the_same_JSON_everywhere
{
    [Test]
    public void Of_a_view()
    {
        var answer = new QueryResponse
        {
            Rows = { new ViewRow { Dimensions = { ["division"] = "3301" }, Measures = { ["reported"] = 999_999_999_999_999, ["closed"] = 0 } } },
            AsOf = "2026-11-29T00:00:00Z",
            Coverage = new Coverage { Heard = 1, Expected = 2, Missing = { "杭州" } },
            State = ViewState.Provisional,
            Revision = 12,
        };

        Assert.That(JsonText.Of(answer), Is.EqualTo(
            """{"rows":[{"dimensions":{"division":"3301"},"measures":{"reported":999999999999999,"closed":0}}],"asOf":"2026-11-29T00:00:00Z","coverage":{"heard":1,"expected":2,"missing":["杭州"],"late":[],"toldInPart":[]},"state":"VIEW_STATE_PROVISIONAL","revision":12}"""));
    }

    [Test]
    public void Of_what_is_repeated_and_of_what_has_no_sign()
    {
        var hello = new Hello { EpochNonce = ulong.MaxValue, Positions = { new StreamPosition { Lsn = -1, EpochNonce = 7 } } };

        var json = JsonNode.Parse(JsonText.Of(hello))!;

        Assert.That((json["epochNonce"]!.GetValue<ulong>(), json["positions"]![0]!["lsn"]!.GetValue<long>(), json["positions"]![0]!["epochNonce"]!.GetValue<ulong>()), Is.EqualTo((ulong.MaxValue, -1L, 7UL)));
    }

    [Test]
    public void Of_nothing_at_all() => Assert.That(JsonNode.Parse(JsonText.Of(new GetStatusResponse(), indented: true))!["openCases"]!.GetValue<int>(), Is.Zero);
}
