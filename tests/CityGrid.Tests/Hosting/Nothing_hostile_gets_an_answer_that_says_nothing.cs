using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using CityGrid.Hub.Identity;
using CityGrid.Node.Hosting;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Fuzz;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace CityGrid.Tests.Hosting;

/// <summary>
/// SEC-19, SEC-33, INV-26: every RPC and every route of both ports, found by reflection, and what children call at the doors of enrolment and of the link, is given what is wrong in every field. Each answer has a status
/// of the declared set and a code; none says UNKNOWN or INTERNAL, or shows a stack, a path or a type; and nothing of what was refused is recorded.
/// </summary>
public sealed class Nothing_hostile_gets_an_answer_that_says_nothing
{
    private static readonly int[] DeclaredHttp = [200, 400, 401, 403, 404, 405, 409, 413, 415, 429, 501, 503, 504];

    private static readonly Marshaller<byte[]> Raw = Marshallers.Create<byte[]>(bytes => bytes, bytes => bytes);

    private WholeNode _node = null!;
    private LinkCredential _child = null!;
    private DoorTargets _doors = null!;

    private static IEnumerable<TestCaseData> Calls => GoodRequests.Calls.Select(call => new TestCaseData(call).SetArgDisplayNames(call.FullName));

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        _node = await WholeNode.StartAsync("\"callsPerUser\": 1000000, \"readsPerUser\": 1000000, \"callsPerAddress\": 1000000, \"linkStreamsPerPeer\": 1000, \"callTime\": \"1s\"", inATree: true);
        _child = await _node.TakeInAsync("shangcheng", "330102");
        _doors = await DoorTargets.AtAsync(_node, _child);
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        Assert.That(_node.Failure, Is.Null);
        _doors.Dispose();
        await _node.DisposeAsync();
    }

    [TestCaseSource(nameof(Calls))]
    public async Task By_a_call_over_grpc(MethodDescriptor call)
    {
        var wrong = new List<string>();
        foreach (var (what, bytes) in HostileMessages.Of(call.InputType))
        {
            var before = _node.Core.Sequencer.Applied;
            var (channel, headers) = _doors.DoorOf(call);
            var (status, _) = await OnceAsync(channel, call, bytes, headers);

            Judge(wrong, what, DoorTargets.Declared.Contains(status.StatusCode), status.StatusCode == StatusCode.OK, $"{status.StatusCode} {status.Detail}", before);
        }

        Assert.That(wrong, Is.Empty);
    }

    /// <summary>TIER-6: good requests, those that are kept, and changed ones; the same run as every target of Fuzz, through the doors.</summary>
    [TestCaseSource(typeof(DoorTargets), nameof(DoorTargets.Names))]
    public void By_a_changed_request(string name)
    {
        var target = _doors.All.Single(one => one.Name == name);
        var (found, ways) = FuzzRun.Throw(target, [.. FuzzCorpus.Of(name).Select(kept => kept.Input)], FuzzCorpus.Seed, FuzzCorpus.RunsOf(target));
        TestContext.Out.WriteLine($"{name}: {ways} ways");
        if (found is not null)
        {
            FuzzCorpus.Keep(found);
        }

        Assert.That(found, Is.Null);
        Assert.That(ways, Is.GreaterThan(target.Seeds().Count), "and beyond the good ones they go other ways");
    }

    /// <summary>A request that is to be changed means something before: it comes to the call that it names, and none is malformed.</summary>
    [TestCaseSource(typeof(DoorTargets), nameof(DoorTargets.Names))]
    public void And_a_good_request_is_taken_for_one(string name)
    {
        var target = _doors.All.Single(one => one.Name == name);
        var ways = target.Seeds().Select(target.Run).ToArray();
        TestContext.Out.WriteLine(string.Join('\n', ways));

        Assert.That(ways.Where(way => way == "no call" || way.Contains($" {StatusCode.Unimplemented}", StringComparison.Ordinal) || way.EndsWith("MALFORMED", StringComparison.Ordinal)), Is.Empty);
    }

    [Test]
    public async Task By_a_frame_on_the_link()
    {
        var wrong = new List<string>();
        using var channel = _node.LinkChannel(_child);
        foreach (var (what, bytes) in HostileMessages.Of(ConnectRequest.Descriptor))
        {
            var before = _node.Core.Sequencer.Applied;
            var (status, bytesBack) = await OnceAsync(channel, LinkService.Descriptor.Methods.Single(), bytes, []);
            var answer = bytesBack is null ? null : ConnectResponse.Parser.ParseFrom(bytesBack);
            // Only a hello of this very child may be welcome, and these are none.
            Judge(wrong, what, DoorTargets.Declared.Contains(status.StatusCode), answer?.Welcome is not null || answer?.Receipt is not null, $"{status.StatusCode} {status.Detail} {answer?.Refusal?.Message}", before);
            if (answer is null && status.StatusCode == StatusCode.OK)
            {
                wrong.Add($"{what}: neither an answer nor a status");
            }
        }

        Assert.That(wrong, Is.Empty);
    }

    [Test]
    public async Task By_a_route_over_http()
    {
        var wrong = new List<string>();
        var (routes, sent) = (0, 0);
        foreach (var endpoint in _node.App.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>())
        {
            var path = "/" + endpoint.RoutePattern.RawText!.TrimStart('/');
            var methods = endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? [];
            if (path.StartsWith("/citygrid.", StringComparison.Ordinal) || methods.Count == 0)
            {
                continue;
            }

            routes++;
            var call = GoodRequests.OperatorCalls.SingleOrDefault(c => endpoint.Metadata.OfType<Microsoft.AspNetCore.Grpc.JsonTranscoding.GrpcJsonTranscodingMetadata>().Any(m => m.MethodDescriptor == c));
            foreach (var (what, request) in Requests(new HttpMethod(methods[0]), path, call))
            {
                sent++;
                var before = _node.Core.Sequencer.Applied;
                using (request)
                {
                    request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", NodeFolder.AdminToken);
                    using var answer = await _node.Http.SendAsync(request);
                    var text = await answer.Content.ReadAsStringAsync();
                    var good = (int)answer.StatusCode < 400;
                    // What the server cannot read as a request at all it refuses by itself, without a body.
                    var shaped = good || Shaped(text) || ((int)answer.StatusCode == 400 && text.Length == 0);
                    Judge(wrong, $"{methods[0]} {path} {what}", DeclaredHttp.Contains((int)answer.StatusCode) && shaped, good, good ? string.Empty : $"{(int)answer.StatusCode} {text}", before);
                }
            }
        }

        Assert.That(wrong, Is.Empty);
        Assert.That(routes, Is.GreaterThan(10));
        Assert.That(sent, Is.GreaterThan(1000));
    }

    private static IEnumerable<(string What, HttpRequestMessage Request)> Requests(HttpMethod method, string path, MethodDescriptor? call)
    {
        foreach (var part in new[] { "x", "%00", "..%2f..%2fetc%2fpasswd", "%C3%28", new string('x', 2_000), "-1", "%EF%BC%93%EF%BC%93" })
        {
            var filled = System.Text.RegularExpressions.Regex.Replace(path, @"\{[^}]+\}", part);
            if (filled != path)
            {
                yield return ($"path {part[..Math.Min(9, part.Length)]}", new HttpRequestMessage(method, filled));
            }
        }

        var plain = System.Text.RegularExpressions.Regex.Replace(path, @"\{[^}]+\}", "x");
        foreach (var query in call is null ? ["asOf=-1", "asOf=99999999999999999999", "x=%00", "asOf=1&asOf=2"] : HostileMessages.Queries(call.InputType))
        {
            yield return ($"?{query}", new HttpRequestMessage(method, $"{plain}?{query}"));
        }

        if (method == HttpMethod.Get)
        {
            yield break;
        }

        yield return ("text", new HttpRequestMessage(method, plain) { Content = new StringContent("x") });
        yield return ("bytes", new HttpRequestMessage(method, plain) { Content = new ByteArrayContent([0xFF, 0xFE, 0x00]) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } } });
        // The answer comes before the body has gone, so the client asks first.
        var large = new HttpRequestMessage(method, plain) { Content = new StringContent(new string(' ', 5 << 20), Encoding.UTF8, "application/json") };
        large.Headers.ExpectContinue = true;
        yield return ("too large", large);
        foreach (var (what, json) in call is null ? [] : HostileMessages.JsonOf(call.InputType))
        {
            yield return (what, new HttpRequestMessage(method, plain) { Content = new StringContent(json, Encoding.UTF8, "application/json") });
        }
    }

    /// <summary>Adds what is wrong with an answer. Erasing and reporting are meant to be recorded where they were good; all else must leave the journal as it was.</summary>
    private void Judge(List<string> wrong, string what, bool declared, bool good, string told, Lsn before)
    {
        if (!declared)
        {
            wrong.Add($"{what}: {told}");
        }

        if (DoorTargets.Telling(told) is { } secret)
        {
            wrong.Add($"{what} tells {secret}: {told}");
        }

        if (_node.FoldFailure is { } untaken)
        {
            wrong.Add($"{what}: {untaken}");
        }

        if (!good && _node.Core.Sequencer.Applied != before)
        {
            wrong.Add($"{what}: refused, and the journal grew");
        }
    }

    private static bool Shaped(string text)
    {
        try
        {
            return JsonSerializer.Deserialize<ErrorBody>(text, JsonSerializerOptions.Web) is { Code.Length: > 0, Message.Length: > 0 };
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>One message, whatever the kind of call, and the last one that came back.</summary>
    private static async Task<(Status Status, byte[]? Answer)> OnceAsync(GrpcChannel channel, MethodDescriptor of, byte[] bytes, Metadata headers)
    {
        var method = new Method<byte[], byte[]>(MethodType.DuplexStreaming, of.Service.FullName, of.Name, Raw, Raw);
        using var call = channel.CreateCallInvoker().AsyncDuplexStreamingCall(method, null, new CallOptions(headers));
        byte[]? answer = null;
        try
        {
            _ = call.RequestStream.WriteAsync(bytes).ContinueWith(async written => written.IsCompletedSuccessfully ? call.RequestStream.CompleteAsync() : null, TaskScheduler.Default);
            while (await call.ResponseStream.MoveNext(CancellationToken.None))
            {
                answer = call.ResponseStream.Current;
            }

            return (call.GetStatus(), answer);
        }
        catch (RpcException ended)
        {
            return (ended.Status, answer);
        }
    }
}
