using System.Collections.Concurrent;
using System.Security.Cryptography;
using CityGrid.Cli.Network;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd.Network;

/// <summary>
/// A city that takes in cases one after the other, every fourth of them a serious one that the ministry must know of at once, and remembers what it was told is kept.
/// </summary>
internal sealed class CityAtWork : IAsyncDisposable
{
    private static readonly DateTimeOffset FirstDay = new(2000, 1, 1, 4, 0, 0, TimeSpan.Zero);

    private readonly NodeClient _desk;
    private readonly NodeClient _viewer;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<string> _cases = new();
    private readonly ConcurrentQueue<string> _alarms = new();
    private readonly TimeSpan _pause;
    private readonly string _shift;
    private readonly Task _work;
    private long _lsn;
    private long _imported;

    /// <param name="city">The city.</param>
    /// <param name="grpcUrl">Where its callers reach it.</param>
    /// <param name="pause">Between two cases.</param>
    /// <param name="shift">A name: the cases of each shift are others.</param>
    public CityAtWork(TreeNode city, string grpcUrl, TimeSpan pause, string shift = "work")
    {
        (City, GrpcUrl, _pause, _shift) = (city, grpcUrl, pause, shift);
        _desk = new NodeClient(grpcUrl, city.Tokens["desk"]);
        _viewer = new NodeClient(grpcUrl, city.Tokens["viewer"]);
        _work = WorkAsync();
    }

    public TreeNode City { get; }

    public string GrpcUrl { get; }

    /// <summary>Cases that the city said it keeps.</summary>
    public IReadOnlyCollection<string> Cases => _cases;

    /// <summary>How many it keeps, with what it imported.</summary>
    public long Kept => _cases.Count + Volatile.Read(ref _imported);

    /// <summary>Those of the cases that are serious.</summary>
    public IReadOnlyCollection<string> Alarms => _alarms;

    /// <summary>The journal position of the last of them.</summary>
    public long Lsn => Volatile.Read(ref _lsn);

    /// <summary>How the city says that the link to its parent stands.</summary>
    public async Task<LinkView> LinkAsync() => (await _viewer.Links.ListLinksAsync(new ListLinksRequest(), _viewer.Soon(20))).Links.Single(link => link.Up);

    /// <summary>Waits until what the city had taken in when this was asked is at its parent, and the link is well by its own word.</summary>
    public async Task CaughtUpAsync(NodeClient parent, string after)
    {
        var lsn = Lsn;
        var (heard, view) = (0L, default(LinkView));
        await Asking.UntilAsync(
            async () =>
            {
                heard = (await parent.ChildAsync(City))?.CellsLsn ?? 0;
                view = await LinkAsync();
                return heard >= lsn && view is { Connected: true, LastError.Length: 0, OldestUnsentSeconds: < 15 };
            },
            () => $"after {after}, {City.Node} to {lsn} is at its parent, which has {heard}: {view}");
    }

    /// <summary>Takes in old cases of as many days: two cells each, about 150 bytes on the line.</summary>
    public async Task ImportAsync(int rows)
    {
        var request = new ImportRowsRequest { System = _shift };
        for (var i = 0; i < rows; i++)
        {
            var number = _imported + i;
            request.Rows.Add(new ImportRow
            {
                ExternalId = $"{number}",
                Type = "06010",
                Source = "hotline",
                ReportedAt = FirstDay.AddDays(number % 9_000).AddMinutes(number).ToUnixTimeMilliseconds(),
                ContentHash = ByteString.CopyFrom(SHA256.HashData(BitConverter.GetBytes(number))),
            });
        }

        var answer = await _desk.Cases.ImportRowsAsync(request, _desk.Soon(20));
        Assert.That((answer.Created, answer.Faults.Count), Is.EqualTo((rows, 0)), $"{answer.Faults.FirstOrDefault()}");
        Interlocked.Add(ref _imported, rows);
    }

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

    private async Task WorkAsync()
    {
        for (var i = 0; !_stop.IsCancellationRequested; i++)
        {
            var isAlarm = i % 4 == 3;
            var request = new ReportRequest { RequestKey = $"{_shift}-{i}", Type = "06010", Source = "hotline", Grade = isAlarm ? EmergencyGrade.Serious : EmergencyGrade.Unspecified };
            var step = (await _desk.Cases.ReportAsync(request, _desk.Soon(20))).Step;
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
        (await parent.Views.GetStatusAsync(new GetStatusRequest(), parent.Soon(20))).Children.SingleOrDefault(row => row.Node == child.Node);

    /// <summary>Each alarm that was raised below is known at this node, once, in its origin's own last words.</summary>
    public static async Task RequireAlarmsOnceAsync(this NodeClient node, IReadOnlyCollection<CityAtWork> workers)
    {
        var known = (await node.EscalationsAsync()).Select(row => row.Escalation).ToArray();
        Assert.That(known.Select(escalation => escalation.Id), Is.Unique);
        foreach (var shifts in workers.GroupBy(worker => worker.City))
        {
            using var city = new NodeClient(shifts.First().GrpcUrl, shifts.Key.Tokens["viewer"]);
            var own = (await city.EscalationsAsync()).Select(row => row.Escalation).ToArray();
            var arrived = known.Where(escalation => escalation.Origin == shifts.Key.Node).ToArray();
            Assert.That(own, Is.SupersetOf(arrived), shifts.Key.Node);
            Assert.That(
                arrived.Where(escalation => escalation.Rule == "grade").Select(escalation => CaseId.FromBytes(escalation.Subject.Span).ToString()),
                Is.EquivalentTo(shifts.SelectMany(shift => shift.Alarms)),
                shifts.Key.Node);
        }
    }
}
