using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using CityGrid.Node.Hosting;
using NUnit.Framework;
using NodeProcess = CityGrid.Cli.Network.NodeProcess;

namespace CityGrid.Tests.EndToEnd;

/// <summary>A running city is given what it cannot use, by every call and command line; each is told what, where and what to do, and the journal does not grow.</summary>
public sealed class What_is_bad_is_refused_and_changes_nothing
{
    private LoneCity _city = null!;
    private NodeProcess _process = null!;
    private HttpClient _http = null!;
    private string _case = null!;

    private static IEnumerable<TestCaseData> Calls =>
    [
        Of("POST", "/v1/cases", "{ \"requestKey\": \"\", \"type\": \"01001\" }", 400, "REQUEST_KEY_BAD"),
        Of("POST", "/v1/cases", "{ \"requestKey\": \"b1\", \"type\": \"77777\" }", 400, "TYPE_UNKNOWN"),
        Of("POST", "/v1/cases", "{ \"requestKey\": \"b2\", \"type\": \"01001\", \"division\": \"NOWHERE\" }", 400, "DIVISION_UNKNOWN"),
        Of("POST", "/v1/cases", "{ \"requestKey\": \"b3\", \"type\": \"01001\", \"source\": \"a b\" }", 400, "SOURCE_BAD"),
        Of("POST", "/v1/cases", "{ \"requestKey\": \"b4\", \"type\": \"01001\", \"occurredAt\": \"yesterday\" }", 400, "TIME_BAD"),
        Of("POST", "/v1/cases", "{ \"requestKey\": \"b4\", \"type\": \"01001\", \"occurredAt\": \"2026-01-01T00:00:00+08:00\\u0000and more\" }", 400, "TIME_BAD"),
        Of("POST", "/v1/view", "{ \"from\": \"2026-01-01\\u0000\" }", 400, null),
        Of("POST", "/v1/cases", "{ \"requestKey\": \"b5\", \"type\": \"01001\", \"occurredAt\": \"2099-01-01T00:00:00+08:00\" }", 400, "OCCURRED_IN_FUTURE"),
        Of("POST", "/v1/cases", "{ \"requestKey\": \"b6\", \"type\": \"01001\", \"personal\": { \"latitudeE7\": 999999999 } }", 400, "POINT_BAD"),
        Of("POST", "/v1/cases", "{ \"requestKey\": \"good-1\", \"type\": \"01002\" }", 409, "REQUEST_KEY_REUSED"),
        Of("POST", "/v1/cases", "{ \"requestKey\": \"b7\", \"type\": \"01001\", \"colour\": 1 }", 400, "UNKNOWN_FIELD"),
        Of("POST", "/v1/cases", "{ \"requestKey\": \"b8\", \"type\": \"01001\" } x", 400, "INVALID_ARGUMENT"),
        Of("POST", "/v1/cases/{case}/steps", "{ \"requestKey\": \"b9\" }", 400, "STEP_MISSING"),
        Of("POST", "/v1/cases/{case}/steps", "{ \"requestKey\": \"b10\", \"close\": {} }", 400, "ILLEGAL_STEP"),
        Of("POST", "/v1/cases/{case}/steps", "{ \"requestKey\": \"b11\", \"checkBeforeFiling\": { \"passed\": true }, \"expectedVersion\": 9 }", 409, "VERSION_CONFLICT"),
        Of("POST", "/v1/cases/{case}/steps", "{ \"requestKey\": \"b12\", \"voidCase\": {} }", 400, "REASON_MISSING"),
        Of("POST", "/v1/cases/{case}/steps", "{ \"requestKey\": \"b13\", \"file\": {}, \"close\": {} }", 400, "FIELD_TWICE"),
        Of("POST", "/v1/cases/nothing/steps", "{ \"requestKey\": \"b14\", \"file\": {} }", 404, "CASE_UNKNOWN"),
        Of("GET", "/v1/cases/nothing", null, 404, "CASE_UNKNOWN"),
        Of("GET", "/v1/cases/{case}/history?asOf=noon", null, 400, "TIME_BAD"),
        Of("GET", "/v1/cases?stage=lost", null, 400, "STAGE_BAD"),
        Of("GET", "/v1/cases?pageSize=-1", null, 400, "PAGE_SIZE_BAD"),
        Of("GET", "/v1/cases?pageToken=x", null, 400, "PAGE_TOKEN_BAD"),
        Of("GET", "/v1/cases?stage=closed&month=2026-13", null, 400, "MONTH_BAD"),
        Of("POST", "/v1/view", "{ \"by\": [ \"colour\" ] }", 400, "DIMENSION_UNKNOWN"),
        Of("POST", "/v1/view", "{ \"measures\": [ \"happiness\" ] }", 400, "MEASURE_UNKNOWN"),
        Of("POST", "/v1/view", "{ \"divisions\": [ \"ZZ\" ] }", 400, "DIVISION_UNKNOWN"),
        Of("POST", "/v1/view", "{ \"from\": \"2026-02-30\" }", 400, null),
        Of("POST", "/v1/view", "{ \"from\": \"2026-03-02\", \"to\": \"2026-03-01\" }", 400, "PERIOD_EMPTY"),
        Of("GET", "/v1/escalations?pageToken=x", null, 400, "PAGE_TOKEN_BAD"),
        Of("POST", "/v1/import", "{ \"system\": \"\", \"rows\": [ { } ] }", 400, "SYSTEM_BAD"),
        Of("GET", "/ops/digest?asOf=-1", null, 400, "MALFORMED"),
        Of("GET", "/ops/digest?asOf=999999999", null, 409, "NOT_YET"),
        Of("GET", "/ops/nothing", null, 404, "NO_SUCH_CALL"),
        Of("PUT", "/v1/cases", "{ }", 405, "WRONG_METHOD"),
    ];

    private static IEnumerable<TestCaseData> Lines =>
    [
        Line(2, "command"),
        Line(2, "nonsense", "nonsense"),
        Line(2, "--shape", "demo", "--shape", "9x9"),
        Line(2, "--seed", "demo", "--seed", "many"),
        Line(2, "--data", "demo", "--data", "/nowhere"),
        Line(2, "DIR", "demo-tree"),
        Line(2, "--node", "view"),
        Line(2, "--token-file", "view", "--node", "http://127.0.0.1:1"),
        Line(2, "--where", "view", "--node", "http://127.0.0.1:1", "--where", "colour=red"),
        Line(2, "--mapping", "import", "cases.csv"),
        Line(2, "/nowhere.csv", "import", "/nowhere.csv", "--mapping", "boston-311", "--node", "http://127.0.0.1:1"),
        Line(2, "DIR", "journal", "verify"),
        Line(2, "--seeds", "simulate", "--seeds", "9..1"),
        Line(2, "fr", "demo", "--lang", "fr"),
        Line(2, "--lang", "demo", "--lang", "--once"),
        Line(2, "is no address", "status", "--node", "nonsense"),
        Line(2, "--token-file: there is no file", "status", "--node", "http://127.0.0.1:1", "--token-file", "/nowhere"),
        Line(1, "Is the node running", "status", "--node", "http://127.0.0.1:1", "--token-file", "/proc/version"),
        Line(2, "/proc/nowhere", "demo-tree", "/proc/nowhere"),
        Line(2, "/proc/nowhere", "demo", "--dir", "/proc/nowhere"),
        Line(2, "boston_311_", "demo", "--data", "/proc/self/fd"),
    ];

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        _city = new LoneCity();
        _process = NodeProcess.Start(_city.Node.Configuration);
        await _process.ReadyAsync(TimeSpan.FromMinutes(1));
        _http = new HttpClient { BaseAddress = new Uri(_city.Node.OperatorUrl) };
        var first = await SendAsync("POST", "/v1/cases", "{ \"requestKey\": \"good-1\", \"type\": \"01001\", \"source\": \"web\" }", "desk");
        using var answer = JsonDocument.Parse(await first.Content.ReadAsStringAsync());
        _case = answer.RootElement.GetProperty("step").GetProperty("caseId").GetString()!;
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        _http.Dispose();
        var code = await _process.StopAsync(TimeSpan.FromSeconds(10));
        _process.Dispose();
        _city.Dispose();
        Assert.That(code, Is.Zero, "after all of this it ends as clean as any");
    }

    [TestCaseSource(nameof(Calls))]
    public async Task By_a_call(string method, string path, string? json, int status, string? code)
    {
        var before = await LsnAsync();

        var answer = await SendAsync(method, path.Replace("{case}", _case, StringComparison.Ordinal), json, path.StartsWith("/ops", StringComparison.Ordinal) ? "admin" : "desk");
        var error = (await answer.Content.ReadFromJsonAsync<ErrorBody>())!;

        Assert.Multiple(async () =>
        {
            Assert.That((int)answer.StatusCode, Is.EqualTo(status), $"{error}");
            Assert.That(error.Code, code is null ? Is.Not.Empty : Is.EqualTo(code), error.Message);
            Assert.That(error.Message, Has.Length.GreaterThan(20).And.Not.Contain("   at ").And.Not.Contain("Exception"));
            Assert.That(await LsnAsync(), Is.EqualTo(before), "nothing was recorded");
            Assert.That((await _http.GetAsync("/healthz")).StatusCode, Is.EqualTo(HttpStatusCode.OK));
        });
    }

    [TestCase("{ \"type\": \"01001\", \"source\": \"web\" }", "REQUEST_KEY_BAD", "requestKey", "requestKey has")]
    [TestCase("{ \"requestKey\": \"good-1\", \"type\": \"01002\", \"source\": \"web\" }", "REQUEST_KEY_REUSED", "requestKey", "This request key")]
    [TestCase("{ \"requestKey\": \"k-9\", \"type\": \"01001\", \"source\": \"web\", \"occurredAt\": \"noon\" }", "TIME_BAD", "occurredAt", "occurredAt is")]
    public async Task By_the_names_that_json_has(string json, string code, string where, string message)
    {
        var error = (await (await SendAsync("POST", "/v1/cases", json, "desk")).Content.ReadFromJsonAsync<ErrorBody>())!;

        Assert.That((error.Code, error.Where), Is.EqualTo((code, where)), error.Message);
        Assert.That(error.Message, Does.StartWith(message).And.Not.Contain("_"));
    }

    [TestCase("zh", "没有这个指标，请从列出的指标中选择（", "colour")]
    [TestCase("en", "MEASURE_UNKNOWN: ", "colour")]
    public async Task In_the_language_of_the_tool(string language, string words, string exactly)
    {
        var token = Path.GetTempFileName();
        await File.WriteAllTextAsync(token, _city.Node.Tokens["viewer"]);
        var ended = await Programs.CityGridAsync("view", "--measures", exactly, "--node", _city.Node.GrpcUrl, "--token-file", token, "--lang", language);
        File.Delete(token);

        Assert.That(ended.Code, Is.EqualTo(1), ended.Output + ended.Error);
        Assert.That(ended.Error, Does.Contain(words).And.Contain(exactly));
        Assert.That(ended.Error.Contains("没有", StringComparison.Ordinal), Is.EqualTo(language == "zh"));
    }

    /// <summary>The door refuses before the call gets to its handler, so it speaks for itself.</summary>
    [Test]
    public async Task In_the_language_of_the_tool_at_the_door_too()
    {
        var token = Path.GetTempFileName();
        await File.WriteAllTextAsync(token, new string('x', 40));
        var ended = await Programs.CityGridAsync("status", "--node", _city.Node.GrpcUrl, "--token-file", token, "--lang", "zh");
        File.Delete(token);

        Assert.That(ended.Code, Is.EqualTo(1), ended.Error);
        Assert.That(ended.Error, Does.StartWith("UNAUTHENTICATED: 没有有效的令牌"));
    }

    [Test]
    public async Task By_an_import_for_another_place()
    {
        var folder = Directory.CreateTempSubdirectory("citygrid-e2e-").FullName;
        var (cases, mapping, token) = (Path.Combine(folder, "cases.csv"), Path.Combine(folder, "old-system.json"), Path.Combine(folder, "token"));
        await File.WriteAllTextAsync(cases, "id,at,kind\n1,2026-03-02T08:00:00Z,lamp\n");
        await File.WriteAllTextAsync(token, _city.Node.Tokens["desk"]);
        await File.WriteAllTextAsync(mapping, """
            { "format": "csv", "city": "999999", "zone": "Asia/Shanghai", "dateFormats": ["iso"], "columns": { "id": "id", "reported": "at", "type": "kind" } }
            """);
        var before = await LsnAsync();
        var ended = await Programs.CityGridAsync("import", cases, "--mapping", mapping, "--node", _city.Node.GrpcUrl, "--token-file", token);

        Assert.That(ended.Code, Is.EqualTo(2), ended.Output + ended.Error);
        Assert.That(ended.Error, Does.Contain("999999").And.Contain(_city.Node.Division).And.Contain("Nothing was imported"));
        Assert.That(await LsnAsync(), Is.EqualTo(before));
        Directory.Delete(folder, recursive: true);
    }

    [Test]
    public async Task A_row_that_is_refused_is_one_of_the_rows_told()
    {
        var folder = Directory.CreateTempSubdirectory("citygrid-e2e-").FullName;
        var (cases, mapping, token) = (Path.Combine(folder, "cases.csv"), Path.Combine(folder, "old-system.json"), Path.Combine(folder, "token"));
        await File.WriteAllTextAsync(cases, "id,at,kind\n1,2026-03-02T08:00:00Z,lamp\n2,yesterday,lamp\n");
        await File.WriteAllTextAsync(token, _city.Node.Tokens["desk"]);
        await File.WriteAllTextAsync(mapping, $$"""
            { "format": "csv", "city": "{{_city.Node.Division}}", "zone": "Asia/Shanghai", "dateFormats": ["iso"], "columns": { "id": "id", "reported": "at", "type": "kind" } }
            """);
        var ended = await Programs.CityGridAsync("import", cases, "--mapping", mapping, "--node", _city.Node.GrpcUrl, "--token-file", token);

        Assert.That((ended.Code, ended.Output.Split('\n')[0]), Is.EqualTo((1, "2 rows: 1 new, 0 unchanged, 0 corrected, 1 refused, 0 with dirt")), ended.Output + ended.Error);
        Directory.Delete(folder, recursive: true);
    }

    [Test]
    public async Task By_a_command_line_with_the_port_of_the_other_calls()
    {
        var token = Path.GetTempFileName();
        await File.WriteAllTextAsync(token, _city.Node.Tokens["viewer"]);
        var ended = await Programs.CityGridAsync("status", "--node", _city.Node.OperatorUrl, "--token-file", token);

        Assert.That((ended.Code, ended.Error), Is.EqualTo((1, "What answers at the address of --node does not speak gRPC: name the node's gRPC port (operator.grpcPort), not that of the JSON calls.\n")));
        File.Delete(token);
    }

    [TestCaseSource(nameof(Lines))]
    public async Task By_a_command_line(int code, string named, string[] arguments)
    {
        var ended = await Programs.CityGridAsync(arguments);

        Assert.Multiple(() =>
        {
            Assert.That(ended.Code, Is.EqualTo(code), ended.Error);
            Assert.That(ended.Error, Does.Contain(named).And.Not.Contain("   at "));
        });
    }

    private static TestCaseData Of(string method, string path, string? json, int status, string? code) => new(method, path, json, status, code);

    private static TestCaseData Line(int code, string named, params string[] arguments) => new(code, named, arguments);

    private async Task<long> LsnAsync()
    {
        using var status = JsonDocument.Parse(await (await SendAsync("GET", "/v1/status", null, "viewer")).Content.ReadAsStringAsync());
        return status.RootElement.GetProperty("lsn").GetInt64();
    }

    private async Task<HttpResponseMessage> SendAsync(string method, string path, string? json, string actor)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _city.Node.Tokens[actor]);
        request.Content = json is null ? null : new StringContent(json, new MediaTypeHeaderValue("application/json"));
        return await _http.SendAsync(request);
    }
}
