using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using CityGrid.Node.Hosting;
using CityGrid.Node.V1;
using Grpc.Core;
using NUnit.Framework;

namespace CityGrid.Tests.Hosting;

/// <summary>A stable code, a message that repairs, and where; never a stack, a path of the machine, or the name of a type.</summary>
public sealed class Errors_have_one_shape
{
    private TestNode _node = null!;

    [OneTimeSetUp]
    public async Task StartAsync() => _node = await TestNode.StartAsync(settings: "\"limits\": { \"requestBytes\": 65536 }");

    [OneTimeTearDown]
    public async Task StopAsync() => await _node.DisposeAsync();

    [TestCase("GET", "/v1/nothing", null, HttpStatusCode.NotFound, "NO_SUCH_CALL")]
    [TestCase("DELETE", "/v1/cases", null, HttpStatusCode.MethodNotAllowed, "WRONG_METHOD")]
    [TestCase("GET", "/v1/cases/refused", null, HttpStatusCode.NotFound, "CASE_UNKNOWN")]
    [TestCase("POST", "/v1/cases", "{ not json", HttpStatusCode.BadRequest, "INVALID_ARGUMENT")]
    [TestCase("POST", "/v1/cases", "{ \"occured_at\": \"2026-03-01T08:00:00+08:00\" }", HttpStatusCode.BadRequest, "UNKNOWN_FIELD")]
    [TestCase("POST", "/v1/cases", "{ \"personal\": { \"colour\": 1 } }", HttpStatusCode.BadRequest, "UNKNOWN_FIELD")]
    [TestCase("POST", "/v1/cases", "{ \"requestKey\": \"a\", \"request_key\": \"b\" }", HttpStatusCode.BadRequest, "FIELD_TWICE")]
    [TestCase("POST", "/v1/cases", "{ \"type\": { \"code\": 1 } }", HttpStatusCode.BadRequest, "WRONG_TYPE")]
    [TestCase("GET", "/v1/cases/x?colour=red", null, HttpStatusCode.BadRequest, "UNKNOWN_FIELD")]
    [TestCase("POST", "/v1/cases", "[1]", HttpStatusCode.BadRequest, "INVALID_ARGUMENT")]
    [TestCase("GET", "/v1/cases/disk", null, HttpStatusCode.ServiceUnavailable, "STORAGE_FAILED")]
    [TestCase("GET", "/v1/cases/busy", null, HttpStatusCode.TooManyRequests, "NODE_BUSY")]
    [TestCase("GET", "/v1/cases/stopped", null, HttpStatusCode.ServiceUnavailable, "STOPPING")]
    [TestCase("GET", "/v1/cases/broken", null, HttpStatusCode.ServiceUnavailable, "STORAGE_FAILED")]
    [TestCase("GET", "/v1/cases/x/history", null, HttpStatusCode.NotImplemented, "UNIMPLEMENTED")]
    [TestCase("GET", "/ops/digest?asOf=soon", null, HttpStatusCode.BadRequest, "MALFORMED")]
    [TestCase("GET", "/ops/digest?asOf=41", null, HttpStatusCode.Conflict, "NOT_YET")]
    public async Task Over_http(string method, string path, string? json, HttpStatusCode status, string code)
    {
        var answer = await _node.SendAsync(new HttpMethod(method), path, NodeFolder.AdminToken, json);
        var text = await answer.Content.ReadAsStringAsync();
        var body = System.Text.Json.JsonSerializer.Deserialize<ErrorBody>(text, System.Text.Json.JsonSerializerOptions.Web)!;

        Assert.Multiple(() =>
        {
            Assert.That((answer.StatusCode, body.Code), Is.EqualTo((status, code)), text);
            Assert.That(body.Message, Is.Not.Empty);
            Assert.That(answer.Content.Headers.ContentType!.MediaType, Is.EqualTo("application/json"));
            Assert.That(text, Does.Not.Contain("Exception").And.Not.Contain("   at ").And.Not.Contain("System."));
        });
    }

    [TestCase("zh-CN,zh;q=0.9,en;q=0.8", true)]
    [TestCase("en;q=0.5, zh-Hans;q=0.9", true)]
    [TestCase("en-GB,en;q=0.9,zh;q=0.3", false)]
    [TestCase("", false)]
    [TestCase("no language at all", false)]
    public async Task In_the_language_that_the_caller_would_rather_read(string languages, bool chinese)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/cases/refused");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", NodeFolder.AdminToken);
        request.Headers.TryAddWithoutValidation("Accept-Language", languages);

        var body = (await (await _node.Http.SendAsync(request)).Content.ReadFromJsonAsync<ErrorBody>())!;

        Assert.That(body.Code, Is.EqualTo("CASE_UNKNOWN"), "the code is the same in every language");
        Assert.That(body.Message, chinese ? Does.StartWith("没有这个案件").And.EndsWith("）") : Does.Not.Contain("案件"));
    }

    [Test]
    public async Task A_fault_of_the_program_is_told_by_an_id_and_logged_under_it()
    {
        _node.Log.Announce(120);

        var answer = await _node.GetAsync("/v1/cases/failed", NodeFolder.ViewerToken);
        var body = (await answer.Content.ReadFromJsonAsync<ErrorBody>())!;

        Assert.Multiple(() =>
        {
            Assert.That((answer.StatusCode, body.Code), Is.EqualTo((HttpStatusCode.InternalServerError, "INTERNAL")));
            Assert.That(body.Message, Does.Not.Contain(LittleCases.Secret).And.Not.Contain("/srv"));
            var id = body.Message.Split(' ')[^1].TrimEnd('.');
            Assert.That(_node.Log.Lines.Single(line => line.Event == 120).Text, Does.Contain(id));
        });
    }

    [Test]
    public async Task A_body_larger_than_the_limit_is_413()
    {
        var answer = await _node.SendAsync(HttpMethod.Post, "/v1/cases", NodeFolder.OperatorToken, $$"""{ "summary": "{{new string('x', 70_000)}}" }""");

        Assert.That((answer.StatusCode, (await answer.Content.ReadFromJsonAsync<ErrorBody>())!.Code), Is.EqualTo((HttpStatusCode.RequestEntityTooLarge, "TOO_LARGE")));
    }

    [Test]
    public async Task A_body_of_unknown_length_is_cut_off_there_too()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/cases") { Content = new StreamContent(new Endless(200_000)) };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", NodeFolder.OperatorToken);
        request.Headers.TransferEncodingChunked = true;
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");

        var answer = await _node.Http.SendAsync(request);

        Assert.That((await answer.Content.ReadFromJsonAsync<ErrorBody>())!.Code, Is.EqualTo("TOO_LARGE"));
    }

    [Test]
    public async Task A_field_that_is_unknown_deep_inside_is_named_with_its_place()
    {
        var answer = await _node.SendAsync(
            HttpMethod.Post, "/v1/import", NodeFolder.OperatorToken, """{ "system": "s", "rows": [ {}, { "personal": { "free_text": "x", "colour": "red" } } ] }""");

        Assert.That((await answer.Content.ReadFromJsonAsync<ErrorBody>())!.Where, Is.EqualTo("rows[1].personal.colour"));
    }

    [TestCase("/citygrid.node.v1.CasesService/Nothing")]
    [TestCase("/citygrid.node.v1.NoService/Get")]
    public void Over_grpc_a_call_that_does_not_exist_is_unimplemented(string path)
    {
        var method = new Method<GetRequest, GetResponse>(
            MethodType.Unary, path.Split('/')[1], path.Split('/')[2], Marshaller<GetRequest>(GetRequest.Parser), Marshaller<GetResponse>(GetResponse.Parser));
        var call = _node.Grpc.CreateCallInvoker();

        var refused = Assert.Throws<RpcException>(() => call.BlockingUnaryCall(
            method, null, new CallOptions(Every_call_needs_a_token_that_may.Bearer(NodeFolder.ViewerToken)), new GetRequest()))!;

        Assert.That(refused.StatusCode, Is.EqualTo(StatusCode.Unimplemented));
    }

    [Test]
    public async Task Over_grpc_the_code_stands_in_front_and_in_a_trailer()
    {
        var cases = new CasesService.CasesServiceClient(_node.Grpc);

        var refused = (await Assert.ThrowsAsync<RpcException>(async () => await cases.GetAsync(
            new GetRequest { CaseId = "refused" }, Every_call_needs_a_token_that_may.Bearer(NodeFolder.ViewerToken))))!;

        Assert.Multiple(() =>
        {
            Assert.That(refused.StatusCode, Is.EqualTo(StatusCode.NotFound));
            Assert.That(refused.Status.Detail, Does.StartWith("CASE_UNKNOWN: "));
            Assert.That(refused.Trailers.GetValue(Refusals.CodeTrailer), Is.EqualTo("CASE_UNKNOWN"));
            Assert.That(refused.Trailers.GetValue(Refusals.WhereTrailer), Is.EqualTo("case_id"));
        });
    }

    [TestCase(new byte[] { 0x0A, 0xFF, 0xFF, 0x7F })]
    [TestCase(new byte[] { 0x0F })]
    [TestCase(new byte[] { })]
    public async Task Over_grpc_a_message_that_cannot_be_read_is_the_callers_fault(byte[] message)
    {
        var status = await RawAsync(message.Length == 0 ? Nested(101) : message);

        Assert.That(status, Is.EqualTo("3"), "INVALID_ARGUMENT, never UNKNOWN");
    }

    [Test]
    public async Task No_answer_is_kept_by_anyone_between()
    {
        var answer = await _node.GetAsync("/v1/cases/x", NodeFolder.ViewerToken);

        Assert.Multiple(() =>
        {
            Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
            Assert.That(answer.Headers.CacheControl!.NoStore, Is.True);
            Assert.That(answer.Headers.Contains("Server"), Is.False);
        });
    }

    /// <summary>Groups within groups, as field 15: more of them than a reader follows.</summary>
    private static byte[] Nested(int depth) => [.. Enumerable.Repeat((byte)0x7B, depth), .. Enumerable.Repeat((byte)0x7C, depth)];

    private static Marshaller<T> Marshaller<T>(Google.Protobuf.MessageParser<T> parser)
        where T : Google.Protobuf.IMessage<T> =>
        Marshallers.Create(message => Google.Protobuf.MessageExtensions.ToByteArray(message), parser.ParseFrom);

    private sealed class Endless(int length) : MemoryStream(System.Text.Encoding.ASCII.GetBytes($"{{ \"summary\": \"{new string('x', length)}\" }}"))
    {
        public override bool CanSeek => false;
    }

    private async Task<string?> RawAsync(byte[] message)
    {
        using var client = new HttpClient { BaseAddress = new Uri(_node.Addresses.Grpc) };
        using var request = new HttpRequestMessage(HttpMethod.Post, "/citygrid.node.v1.CasesService/Get")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent([0, 0, 0, 0, (byte)message.Length, .. message]),
        };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", NodeFolder.ViewerToken);
        request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        using var response = await client.SendAsync(request);
        await response.Content.ReadAsByteArrayAsync();
        return response.Headers.TryGetValues("grpc-status", out var head) ? head.Single()
            : response.TrailingHeaders.TryGetValues("grpc-status", out var tail) ? tail.Single() : null;
    }
}
