using System.Net.Http.Headers;
using CityGrid.Node.V1;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Hosting;
using Grpc.Core;
using NUnit.Framework;

namespace CityGrid.Tests.Tally;

/// <summary>回访: the step through gRPC and as JSON, and the counters 26 to 28 that it raises.</summary>
public sealed class A_reporter_is_called_back_through_the_door
{
    private static readonly Metadata Operator = new() { { "authorization", $"Bearer {NodeFolder.OperatorToken}" } };
    private static readonly Metadata Keeper = new() { { "authorization", $"Bearer {NodeFolder.AdminToken}" } };

    private int _requests;

    [Test]
    public async Task Solved_and_satisfied_are_two_questions()
    {
        await using var node = await WholeNode.StartAsync("\"callsPerUser\": 1000000");
        var cases = new CasesService.CasesServiceClient(node.Grpc);
        var id = (await cases.ReportAsync(new ReportRequest { RequestKey = "report", Type = "01001", Source = "hotline" }, Operator)).Step.CaseId;
        var early = await Assert.ThrowsAsync<RpcException>(() => StepAsync(cases, id, request => request.CallBack = new CallBack { Solved = true }));
        Assert.That(early!.StatusCode, Is.EqualTo(StatusCode.FailedPrecondition));
        Assert.That(early.Status.Detail, Does.Contain("ILLEGAL_STEP"));
        await StepAsync(cases, id, request => request.CheckBeforeFiling = new CheckBeforeFiling { Passed = true });
        await StepAsync(cases, id, request => request.File = new FileCase());
        await StepAsync(cases, id, request => request.Dispatch = new DispatchCase { Unit = "unit-1" });
        await StepAsync(cases, id, request => request.FinishHandling = new FinishHandling());
        await StepAsync(cases, id, request => request.CheckBeforeClosing = new CheckBeforeClosing { Passed = true });
        await StepAsync(cases, id, request => request.Close = new CloseCase(), Keeper);

        await StepAsync(cases, id, request => request.CallBack = new CallBack { Solved = true, Satisfied = true });
        await JsonAsync(node, id, """{"requestKey":"json-1","callBack":{"solved":true}}""");
        await JsonAsync(node, id, """{"requestKey":"json-2","callBack":{"solved":false,"satisfied":false}}""");

        var history = await cases.GetHistoryAsync(new GetHistoryRequest { CaseId = id }, Operator);
        Assert.That(history.Entries.TakeLast(3).Select(e => e.Event), Has.All.EqualTo("CalledBack"));
        var asked = new QueryRequest();
        asked.Measures.AddRange(["called_back", "solved", "satisfied"]);
        var row = (await new ViewsService.ViewsServiceClient(node.Grpc).QueryAsync(asked, Operator)).Rows.Single();
        Assert.That(asked.Measures.Select(measure => row.Measures[measure]), Is.EqualTo(new[] { 3L, 2L, 1L }));
    }

    private async Task StepAsync(CasesService.CasesServiceClient cases, string id, Action<TakeRequest> step, Metadata? who = null)
    {
        var request = new TakeRequest { CaseId = id, RequestKey = $"step-{++_requests}" };
        step(request);
        await cases.TakeAsync(request, who ?? Operator);
    }

    private static async Task JsonAsync(WholeNode node, string id, string body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/v1/cases/{id}/steps") { Content = new StringContent(body, new MediaTypeHeaderValue("application/json")) };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", NodeFolder.OperatorToken);
        var answer = await node.Http.SendAsync(request);
        Assert.That(answer.IsSuccessStatusCode, Is.True, await answer.Content.ReadAsStringAsync());
    }
}
