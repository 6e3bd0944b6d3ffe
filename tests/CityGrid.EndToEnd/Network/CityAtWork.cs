using System.Collections.Concurrent;
using CityGrid.Cli.Network;
using CityGrid.Node.V1;
using CityGrid.Protocol.V1;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd.Network;

/// <summary>
/// A city that takes in cases one after the other, every fourth of them a serious one that the ministry must know of at once, and remembers what it was told is kept.
/// </summary>
internal sealed class CityAtWork : IAsyncDisposable
{
    private readonly NodeClient _desk;
    private readonly NodeClient _viewer;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<string> _cases = new();
    private readonly ConcurrentQueue<string> _alarms = new();
    private readonly TimeSpan _pause;
    private readonly Task _work;
    private long _lsn;

    /// <param name="city">The city.</param>
    /// <param name="grpcUrl">Where its callers reach it.</param>
    /// <param name="pause">Between two cases.</param>
    public CityAtWork(TreeNode city, string grpcUrl, TimeSpan pause)
    {
        (City, _pause) = (city, pause);
        _desk = new NodeClient(grpcUrl, city.Tokens["desk"]);
        _viewer = new NodeClient(grpcUrl, city.Tokens["viewer"]);
        _work = WorkAsync();
    }

    public TreeNode City { get; }

    /// <summary>Cases that the city said it keeps.</summary>
    public IReadOnlyCollection<string> Cases => _cases;

    /// <summary>Those of them that are serious.</summary>
    public IReadOnlyCollection<string> Alarms => _alarms;

    /// <summary>The journal position of the last of them.</summary>
    public long Lsn => Volatile.Read(ref _lsn);

    /// <summary>How the city says that the link to its parent stands.</summary>
    public async Task<LinkView> LinkAsync() => (await _viewer.Links.ListLinksAsync(new ListLinksRequest(), Soon(_viewer))).Links.Single(link => link.Up);

    /// <summary>No more cases; those that were begun are in.</summary>
    public async Task RestAsync()
    {
        await _stop.CancelAsync();
        await _work;
    }

    public async ValueTask DisposeAsync()
    {
        await RestAsync();
        _desk.Dispose();
        _viewer.Dispose();
        _stop.Dispose();
    }

    public static Grpc.Core.CallOptions Soon(NodeClient client) => client.Options.WithDeadline(TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(20));

    private async Task WorkAsync()
    {
        for (var i = 0; !_stop.IsCancellationRequested; i++)
        {
            var isAlarm = i % 4 == 3;
            var request = new ReportRequest { RequestKey = $"work-{i}", Type = "06010", Source = "hotline", Grade = isAlarm ? EmergencyGrade.Serious : EmergencyGrade.Unspecified };
            var step = (await _desk.Cases.ReportAsync(request, Soon(_desk))).Step;
            _cases.Enqueue(step.CaseId);
            if (isAlarm)
            {
                _alarms.Enqueue(step.CaseId);
            }

            Volatile.Write(ref _lsn, step.Lsn);
            await Task.Delay(_pause, _stop.Token).ContinueWith(_ => { }, TaskScheduler.Default);
        }
    }
}

/// <summary>What is asked of the nodes above a city.</summary>
internal static class Above
{
    /// <summary>How a parent stands with a child; null where it never heard of it.</summary>
    public static async Task<ChildStatus?> ChildAsync(this NodeClient parent, TreeNode child) =>
        (await parent.Views.GetStatusAsync(new GetStatusRequest(), CityAtWork.Soon(parent))).Children.SingleOrDefault(row => row.Node == child.Node);

    public static async Task<long> ReportedAsync(this NodeClient node) =>
        (await node.Views.QueryAsync(new QueryRequest { Measures = { "reported" } }, CityAtWork.Soon(node))).Rows[0].Measures["reported"];

    /// <summary>Every escalation that a node knows, each once.</summary>
    public static async Task<List<EscalationRow>> EscalationsAsync(this NodeClient node)
    {
        var rows = new List<EscalationRow>();
        for (var page = string.Empty; ;)
        {
            var answer = await node.Views.ListEscalationsAsync(new ListEscalationsRequest { PageSize = 500, PageToken = page }, CityAtWork.Soon(node));
            rows.AddRange(answer.Escalations);
            page = answer.NextPageToken;
            if (page.Length == 0)
            {
                return rows;
            }
        }
    }

    /// <summary>Waits for what must come about; says what it was where it does not.</summary>
    public static async Task UntilAsync(Func<Task<bool>> holds, Func<string> what)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!await holds())
        {
            if (TimeProvider.System.GetElapsedTime(start) > Patience)
            {
                throw new AssertionException($"Within {Patience.TotalMinutes} minutes it did not come about: {what()}");
            }

            await Task.Delay(200);
        }
    }

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
}
