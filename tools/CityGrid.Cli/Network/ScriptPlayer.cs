using CityGrid.Cli.Generate;
using CityGrid.Node.V1;
using CityGrid.Protocol.V1;
using Grpc.Core;
using NodaTime;
using NodaTime.Text;

namespace CityGrid.Cli.Network;

/// <summary>Plays scripted lives through a node's own calls, with the tokens of those who take each step.</summary>
internal sealed class ScriptPlayer(NodeClient client, IReadOnlyDictionary<string, string> tokens)
{
    /// <summary>Cases played side by side: enough to share the node's syncs.</summary>
    private const int AtOnce = 16;

    private long _reported;
    private long _steps;
    private long _refused;

    public long Reported => _reported;

    public long Steps => _steps;

    public long Refused => _refused;

    public async Task PlayAsync(CaseGenerator generator, CancellationToken stop)
    {
        using var room = new SemaphoreSlim(AtOnce);
        var playing = new List<Task>();
        foreach (var life in generator.Cases())
        {
            await room.WaitAsync(stop);
            playing.Add(OneAsync(life, room, stop));
        }

        await Task.WhenAll(playing);
    }

    private async Task OneAsync(ScriptedCase life, SemaphoreSlim room, CancellationToken stop)
    {
        try
        {
            var id = await ReportAsync(life, stop);
            foreach (var step in life.Steps)
            {
                await TakeAsync(id, step, stop);
            }
        }
        catch (RpcException refused) when (refused.StatusCode is StatusCode.FailedPrecondition or StatusCode.InvalidArgument or StatusCode.PermissionDenied or StatusCode.Aborted)
        {
            Interlocked.Increment(ref _refused);
            LastRefusal = refused.Status.Detail;
        }
        finally
        {
            room.Release();
        }
    }

    /// <summary>What the node last refused, in its own words.</summary>
    public string LastRefusal { get; private set; } = string.Empty;

    private async Task<string> ReportAsync(ScriptedCase life, CancellationToken stop)
    {
        var request = new ReportRequest
        {
            RequestKey = life.Key,
            Type = life.Type,
            Division = life.Division,
            Source = life.Source,
            OccurredAt = Iso(life.ReportedAt),
            Grade = life.Grade is null ? EmergencyGrade.Unspecified : Enum.Parse<EmergencyGrade>(life.Grade.Replace("_", string.Empty, StringComparison.Ordinal), ignoreCase: true),
            Summary = life.Summary ?? string.Empty,
            Personal = new Personal { ReporterName = life.Reporter.Name, Contact = life.Reporter.Contact, Address = life.Reporter.Address, FreeText = life.Reporter.Text },
        };
        var response = await client.Cases.ReportAsync(request, NodeClient.OptionsFor(tokens["desk"]).WithCancellationToken(stop));
        Interlocked.Increment(ref _reported);
        return response.Step.CaseId;
    }

    private async Task TakeAsync(string id, ScriptedStep step, CancellationToken stop)
    {
        var request = new TakeRequest { CaseId = id, RequestKey = step.Key, OccurredAt = Iso(step.At), Reason = step.Reason ?? string.Empty };
        Set(request, step);
        await client.Cases.TakeAsync(request, NodeClient.OptionsFor(tokens[step.Role.ToString().ToLowerInvariant()]).WithCancellationToken(stop));
        Interlocked.Increment(ref _steps);
    }

    private static void Set(TakeRequest request, ScriptedStep step)
    {
        switch (step.Kind)
        {
            case "check_before_filing":
                request.CheckBeforeFiling = new CheckBeforeFiling { Passed = step.Passed };
                break;
            case "file":
                request.File = new FileCase { Row = step.Row };
                break;
            case "dispatch":
                request.Dispatch = new DispatchCase { Unit = step.Unit ?? string.Empty };
                break;
            case "finish_handling":
                request.FinishHandling = new FinishHandling();
                break;
            case "check_before_closing":
                request.CheckBeforeClosing = new CheckBeforeClosing { Passed = step.Passed };
                break;
            case "close":
                request.Close = new CloseCase();
                break;
            case "return_case":
                request.ReturnCase = new ReturnCase();
                break;
            case "rework":
                request.Rework = new ReworkCase();
                break;
            case "void_case":
                request.VoidCase = new VoidCase();
                break;
            case "extend":
                request.Extend = new ExtendCase();
                break;
            case "suspend":
                request.Suspend = new SuspendCase { Until = step.Until is { } until ? Iso(until) : string.Empty };
                break;
            case "resume":
                request.Resume = new ResumeCase();
                break;
            case "reopen":
                request.Reopen = new ReopenCase();
                break;
            case "correct":
                request.Correct = new CorrectCase { Type = step.Type ?? string.Empty, Division = step.Division ?? string.Empty };
                break;
            case "move":
                request.Move = new MoveCase { Division = step.Division ?? string.Empty };
                break;
            default:
                throw new InvalidOperationException($"A script has the unknown step '{step.Kind}'.");
        }
    }

    private static string Iso(Instant at) => InstantPattern.ExtendedIso.Format(at);
}
