using System.Net;
using System.Net.Http.Json;
using CityGrid.Node.Hosting;
using CityGrid.Node.V1;
using Grpc.Core;
using NUnit.Framework;

namespace CityGrid.Tests.Hosting;

/// <summary>All but /healthz, over JSON and gRPC alike; the actor of the token is who did it.</summary>
public sealed class Every_call_needs_a_token_that_may
{
    private const string Report = """{ "request_key": "k1", "type": "01001" }""";

    private TestNode _node = null!;

    [OneTimeSetUp]
    public async Task StartAsync() => _node = await TestNode.StartAsync();

    [OneTimeTearDown]
    public async Task StopAsync() => await _node.DisposeAsync();

    [TestCase("/v1/cases/x")]
    [TestCase("/ops/digest")]
    [TestCase("/ops/outbox")]
    [TestCase("/metrics")]
    public async Task Without_one_the_answer_is_401(string path)
    {
        var answer = await _node.GetAsync(path);
        var body = await answer.Content.ReadFromJsonAsync<ErrorBody>();

        Assert.Multiple(() =>
        {
            Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.Unauthorized));
            Assert.That(answer.Headers.WwwAuthenticate.ToString(), Is.EqualTo("Bearer"));
            Assert.That(body!.Code, Is.EqualTo("UNAUTHENTICATED"));
        });
    }

    [TestCase("nobody-000000000000000000000000000000000")]
    [TestCase("")]
    [TestCase("operator-token-000000000000000000000000 x")]
    public async Task With_one_that_is_not_in_the_file_too(string token) =>
        Assert.That((await _node.GetAsync("/v1/cases/x", token)).StatusCode, Is.EqualTo(HttpStatusCode.Unauthorized));

    [TestCase(NodeFolder.ViewerToken, HttpStatusCode.Forbidden)]
    [TestCase(NodeFolder.OperatorToken, HttpStatusCode.OK)]
    [TestCase(NodeFolder.AdminToken, HttpStatusCode.OK)]
    public async Task Only_an_operator_takes_in_cases(string token, HttpStatusCode status) =>
        Assert.That((await _node.SendAsync(HttpMethod.Post, "/v1/cases", token, Report)).StatusCode, Is.EqualTo(status));

    [TestCase(NodeFolder.ViewerToken, HttpStatusCode.Forbidden)]
    [TestCase(NodeFolder.OperatorToken, HttpStatusCode.Forbidden)]
    [TestCase(NodeFolder.AdminToken, HttpStatusCode.OK)]
    public async Task Only_an_administrator_asks_for_digests(string token, HttpStatusCode status) =>
        Assert.That((await _node.GetAsync("/ops/digest", token)).StatusCode, Is.EqualTo(status));

    [TestCase(NodeFolder.AdminToken, HttpStatusCode.OK)]
    [TestCase(NodeFolder.OperatorToken, HttpStatusCode.Forbidden)]
    [TestCase(NodeFolder.ViewerToken, HttpStatusCode.Forbidden)]
    public async Task Only_an_administrator_releases_a_child(string token, HttpStatusCode status) =>
        Assert.That((await _node.SendAsync(HttpMethod.Post, "/ops/children/shangcheng/release", token)).StatusCode, Is.EqualTo(status));

    [Test]
    public async Task A_child_that_is_none_is_not_released()
    {
        var answer = await _node.SendAsync(HttpMethod.Post, "/ops/children/a%20b/release", NodeFolder.AdminToken);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.BadRequest));
        Assert.That(await answer.Content.ReadAsStringAsync(), Does.Contain("MALFORMED").And.Contain("names the child"));
    }

    [Test]
    public async Task Nor_one_that_never_spoke_to_this_node()
    {
        var answer = await _node.SendAsync(HttpMethod.Post, "/ops/children/nobody/release", NodeFolder.AdminToken);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
        Assert.That(await answer.Content.ReadAsStringAsync(), Does.Contain("CHILD_UNKNOWN").And.Contain("nobody"));
    }

    [Test]
    public async Task A_refusal_says_so_in_the_shape_of_all_errors()
    {
        var answer = await _node.SendAsync(HttpMethod.Post, "/v1/cases", NodeFolder.ViewerToken, Report);

        Assert.That((await answer.Content.ReadFromJsonAsync<ErrorBody>())!.Code, Is.EqualTo("PERMISSION_DENIED"));
    }

    [Test]
    public async Task It_says_what_is_needed_and_what_is_there()
    {
        var viewer = await (await _node.SendAsync(HttpMethod.Post, "/v1/cases", NodeFolder.ViewerToken, Report)).Content.ReadFromJsonAsync<ErrorBody>();
        var desk = await (await _node.GetAsync("/ops/digest", NodeFolder.OperatorToken)).Content.ReadFromJsonAsync<ErrorBody>();
        var none = await (await _node.GetAsync("/ops/digest")).Content.ReadFromJsonAsync<ErrorBody>();
        var wrong = await (await _node.GetAsync("/ops/digest", "nobody-000000000000000000000000000000000")).Content.ReadFromJsonAsync<ErrorBody>();

        Assert.Multiple(() =>
        {
            Assert.That(viewer!.Message, Is.EqualTo("This call needs a token with the role operator. This token has: viewer."));
            Assert.That(desk!.Message, Is.EqualTo("This call needs a token with the role admin. This token has: operator."));
            Assert.That(none!.Message, Does.Contain("Authorization: Bearer TOKEN"));
            Assert.That(wrong!.Message, Does.Contain("no bearer token of this node"));
        });
    }

    [Test]
    public async Task The_actor_of_the_token_is_who_did_it()
    {
        var answer = await _node.SendAsync(HttpMethod.Post, "/v1/cases", NodeFolder.OperatorToken, Report);

        Assert.That(await answer.Content.ReadAsStringAsync(), Does.Contain("desk-1"));
    }

    [Test]
    public async Task Over_grpc_it_is_the_same()
    {
        var cases = new CasesService.CasesServiceClient(_node.Grpc);

        var nobody = await Assert.ThrowsAsync<RpcException>(async () => await cases.GetAsync(new GetRequest { CaseId = "x" }));
        var viewer = await Assert.ThrowsAsync<RpcException>(async () => await cases.ReportAsync(new ReportRequest(), Bearer(NodeFolder.ViewerToken)));
        var desk = await cases.ReportAsync(new ReportRequest(), Bearer(NodeFolder.OperatorToken));

        Assert.Multiple(() =>
        {
            Assert.That(nobody!.StatusCode, Is.EqualTo(StatusCode.Unauthenticated));
            Assert.That(viewer!.StatusCode, Is.EqualTo(StatusCode.PermissionDenied));
            Assert.That(viewer.Status.Detail, Does.StartWith("PERMISSION_DENIED: "));
            Assert.That(desk.Step.CaseId, Is.EqualTo("desk-1"));
        });
    }

    [Test]
    public async Task An_endpoint_that_forgot_its_policy_is_for_nobody()
    {
        await using var node = await TestNode.StartAsync(map: app => Microsoft.AspNetCore.Builder.EndpointRouteBuilderExtensions.MapGet(app, "/forgotten", () => "open"));

        Assert.That((await node.GetAsync("/forgotten", NodeFolder.AdminToken)).StatusCode, Is.EqualTo(HttpStatusCode.Forbidden));
    }

    internal static Metadata Bearer(string token) => new() { { "authorization", $"Bearer {token}" } };
}
