using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using CityGrid.Node.Hosting;
using NUnit.Framework;

namespace CityGrid.Tests.Hosting;

/// <summary>JSON that is not exactly a call's request is refused with its place before the call begins; nothing of it is guessed, dropped or overwritten.</summary>
public sealed class A_body_is_taken_as_it_is_meant_or_not_at_all
{
    private const string Report = "/v1/cases";
    private const string Step = "/v1/cases/x/steps";
    private const string Import = "/v1/import";
    private const string View = "/v1/view";

    private TestNode _node = null!;

    private static IEnumerable<TestCaseData> Bad =>
    [
        // No JSON.
        Of(Report, "", "INVALID_ARGUMENT", "line 1, byte 1"),
        Of(Report, "{", "INVALID_ARGUMENT", "line 1, byte 2"),
        Of(Report, "{ \"type\": \"01001\" } trailing", "INVALID_ARGUMENT", "line 1, byte 21"),
        Of(Report, "{ \"type\": \"01001\" } { }", "INVALID_ARGUMENT", "line 1, byte 21"),
        Of(Report, "{\n  \"type\": \"01001\",\n}", "INVALID_ARGUMENT", "line 3, byte 1"),
        Of(Report, "{ // a comment\n }", "INVALID_ARGUMENT", "line 1, byte 3"),
        Of(Report, "{ 'type': '01001' }", "INVALID_ARGUMENT", "line 1, byte 3"),
        Of(Report, "{ \"type\": NaN }", "INVALID_ARGUMENT", "line 1, byte 11"),
        Of(Report, "\uFEFF{ }", "INVALID_ARGUMENT", "line 1, byte 1"),
        Of(Report, "{ \"type\": \"\\ud800\" }", "INVALID_ARGUMENT", "body"),
        Of(Report, $"{{ \"personal\": {new string('[', 40)}{new string(']', 40)} }}", "INVALID_ARGUMENT", "line 1, byte 46"),
        Of(Report, "[]", "INVALID_ARGUMENT", "body"),
        Of(Report, "\"01001\"", "INVALID_ARGUMENT", "body"),
        Of(Report, "null", "INVALID_ARGUMENT", "body"),

        // Fields that are not there.
        Of(Report, "{ \"occured_at\": \"2026-03-01T08:00:00+08:00\" }", "UNKNOWN_FIELD", "occured_at"),
        Of(Report, "{ \"TYPE\": \"01001\" }", "UNKNOWN_FIELD", "TYPE"),
        Of(Report, "{ \"personal\": { \"colour\": \"red\" } }", "UNKNOWN_FIELD", "personal.colour"),
        Of(Step, "{ \"requestKey\": \"a\", \"actor\": \"mayor\" }", "UNKNOWN_FIELD", "actor"),
        Of(Step, "{ \"close\": { \"stage\": \"closed\" } }", "UNKNOWN_FIELD", "close.stage"),
        Of(Import, "{ \"rows\": [ {}, { \"personal\": { \"phone\": \"1\" } } ] }", "UNKNOWN_FIELD", "rows[1].personal.phone"),
        Of(View, "{ \"where\": {} }", "UNKNOWN_FIELD", "where"),

        // Fields that stand twice, under either name, or in the path already, or beside another one of their choice.
        Of(Report, "{ \"type\": \"01001\", \"type\": \"01002\" }", "FIELD_TWICE", "type"),
        Of(Report, "{ \"requestKey\": \"a\", \"request_key\": \"b\" }", "FIELD_TWICE", "request_key"),
        Of(Report, "{ \"personal\": { \"contact\": \"1\", \"contact\": \"1\" } }", "FIELD_TWICE", "personal.contact"),
        Of(Step, "{ \"caseId\": \"y\" }", "FIELD_TWICE", "caseId"),
        Of(Step, "{ \"file\": {}, \"close\": {} }", "FIELD_TWICE", "close"),

        // Fields of another type.
        Of(Report, "{ \"type\": 1001 }", "WRONG_TYPE", "type"),
        Of(Import, $"{{ \"rows\": [ {string.Join(',', Enumerable.Repeat("{}", 10_001))} ] }}", "TOO_MANY_ITEMS", "rows"),
        Of(Report, "{ \"type\": true }", "WRONG_TYPE", "type"),
        Of(Report, "{ \"type\": [ \"01001\" ] }", "WRONG_TYPE", "type"),
        Of(Report, "{ \"type\": { \"code\": \"01001\" } }", "WRONG_TYPE", "type"),
        Of(Report, "{ \"grade\": \"HUGE\" }", "WRONG_TYPE", "grade"),
        Of(Report, "{ \"grade\": 99 }", "WRONG_TYPE", "grade"),
        Of(Report, "{ \"personal\": \"王\" }", "WRONG_TYPE", "personal"),
        Of(Report, "{ \"personal\": [] }", "WRONG_TYPE", "personal"),
        Of(Report, "{ \"personal\": { \"latitudeE7\": 30.5 } }", "WRONG_TYPE", "personal.latitudeE7"),
        Of(Report, "{ \"personal\": { \"latitudeE7\": 2147483648 } }", "WRONG_TYPE", "personal.latitudeE7"),
        Of(Report, "{ \"personal\": { \"latitudeE7\": \"north\" } }", "WRONG_TYPE", "personal.latitudeE7"),
        Of(Report, "{ \"personal\": { \"latitudeE7\": \"305000000\" } }", "WRONG_TYPE", "personal.latitudeE7"),
        Of(Import, "{ \"rows\": [ { \"reportedAt\": \"1\" } ] }", "WRONG_TYPE", "rows[0].reportedAt"),
        Of(Report, "{ \"grade\": \"1\" }", "WRONG_TYPE", "grade"),
        Of(Report, "{ \"personal\": { \"latitudeE7\": 1e400 } }", "WRONG_TYPE", "personal.latitudeE7"),
        Of(Step, "{ \"checkBeforeFiling\": { \"passed\": \"true\" } }", "WRONG_TYPE", "checkBeforeFiling.passed"),
        Of(Step, "{ \"checkBeforeFiling\": { \"passed\": 1 } }", "WRONG_TYPE", "checkBeforeFiling.passed"),
        Of(Step, "{ \"expectedVersion\": \"\" }", "WRONG_TYPE", "expectedVersion"),
        Of(Import, "{ \"rows\": {} }", "WRONG_TYPE", "rows"),
        Of(Import, "{ \"rows\": [ null ] }", "WRONG_TYPE", "rows[0]"),
        Of(Import, "{ \"rows\": [ { \"reportedAt\": 9223372036854775808 } ] }", "WRONG_TYPE", "rows[0].reportedAt"),
        Of(Import, "{ \"rows\": [ { \"contentHash\": \"no base64!\" } ] }", "WRONG_TYPE", "rows[0].contentHash"),
        Of(View, "{ \"by\": \"day\" }", "WRONG_TYPE", "by"),
        Of(View, "{ \"measures\": [ \"closed\", 7 ] }", "WRONG_TYPE", "measures[1]"),
    ];

    [OneTimeSetUp]
    public async Task StartAsync() => _node = await TestNode.StartAsync(map: app => Microsoft.AspNetCore.Builder.GrpcEndpointRouteBuilderExtensions.MapGrpcService<NoViews>(app));

    [OneTimeTearDown]
    public async Task StopAsync() => await _node.DisposeAsync();

    [TestCaseSource(nameof(Bad))]
    public async Task A_bad_one_is_told_what_and_where(string path, string json, string code, string where)
    {
        var answer = await PostAsync(path, new StringContent(json, new MediaTypeHeaderValue("application/json")));
        var error = (await answer.Content.ReadFromJsonAsync<ErrorBody>())!;

        Assert.Multiple(() =>
        {
            Assert.That((answer.StatusCode, error.Code, error.Where), Is.EqualTo((HttpStatusCode.BadRequest, code, where)), error.Message);
            Assert.That(error.Message, Does.EndWith("."));
        });
    }

    [TestCase("?stage=open&stage=closed", "FIELD_TWICE", "stage")]
    [TestCase("?pageSize=many", "WRONG_TYPE", "pageSize")]
    [TestCase("?overdueOnly=yes", "WRONG_TYPE", "overdueOnly")]
    [TestCase("?page_sise=1", "UNKNOWN_FIELD", "page_sise")]
    public async Task A_query_too(string query, string code, string where)
    {
        var answer = await _node.GetAsync(Report + query, NodeFolder.ViewerToken);
        var error = (await answer.Content.ReadFromJsonAsync<ErrorBody>())!;

        Assert.That((answer.StatusCode, error.Code, error.Where), Is.EqualTo((HttpStatusCode.BadRequest, code, where)), error.Message);
    }

    [TestCase("/ops/digest?as_of=1")]
    [TestCase("/ops/outbox?asOf=1")]
    public async Task And_what_the_node_tells_of_itself_takes_no_word_that_it_does_not_know(string path)
    {
        var answer = await _node.GetAsync(path, NodeFolder.AdminToken);

        Assert.That((answer.StatusCode, (await answer.Content.ReadFromJsonAsync<ErrorBody>())!.Code), Is.EqualTo((HttpStatusCode.BadRequest, "UNKNOWN_FIELD")));
    }

    [Test]
    public async Task Bytes_that_are_no_utf8_are_refused()
    {
        var content = new ByteArrayContent([.. Encoding.ASCII.GetBytes("{ \"type\": \""), 0xC3, 0x28, .. Encoding.ASCII.GetBytes("\" }")]);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");

        var answer = await PostAsync(Report, content);

        Assert.That((answer.StatusCode, (await answer.Content.ReadFromJsonAsync<ErrorBody>())!.Code), Is.EqualTo((HttpStatusCode.BadRequest, "INVALID_ARGUMENT")));
    }

    [TestCase("text/plain")]
    [TestCase("application/x-www-form-urlencoded")]
    public async Task A_body_that_says_it_is_something_else_is_refused(string type)
    {
        var answer = await PostAsync(Report, new StringContent("{ }", new MediaTypeHeaderValue(type)));

        Assert.That((answer.StatusCode, (await answer.Content.ReadFromJsonAsync<ErrorBody>())!.Code), Is.EqualTo((HttpStatusCode.UnsupportedMediaType, "WRONG_MEDIA_TYPE")));
    }

    [TestCase("{ }")]
    [TestCase("{ \"requestKey\": \"a\", \"type\": \"01001\", \"grade\": \"EMERGENCY_GRADE_SERIOUS\", \"personal\": { \"latitude_e7\": 305000000, \"longitudeE7\": -1, \"contact\": null } }")]
    [TestCase("{ \"request_key\": \"a\", \"grade\": 1, \"personal\": null, \"summary\": \"\\ud83d\\ude00\" }")]
    public async Task A_good_one_is_taken(string json)
    {
        var answer = await PostAsync(Report, new StringContent(json, new MediaTypeHeaderValue("application/json") { CharSet = "utf-8" }));

        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK), await answer.Content.ReadAsStringAsync());
    }

    private static TestCaseData Of(string path, string json, string code, string where) => new(path, json, code, where);

    private async Task<HttpResponseMessage> PostAsync(string path, HttpContent content)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = content };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", NodeFolder.OperatorToken);
        return await _node.Http.SendAsync(request);
    }

    [Microsoft.AspNetCore.Authorization.Authorize(Access.View)]
    private sealed class NoViews : Protocol.V1.ViewsService.ViewsServiceBase;
}
