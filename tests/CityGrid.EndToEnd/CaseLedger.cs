using System.Globalization;
using CityGrid.Cli.Network;
using CityGrid.Node.V1;
using CityGrid.Protocol.V1;
using Grpc.Core;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd;

/// <summary>
/// What a city told its callers, kept outside of it. Each desk works one case after the other: reports it under a key of its own, now and then with who
/// reported it, voids every second one, erases every fourth reporter. A request that was not answered is asked again under its key before anything else, so
/// that afterwards the city must have exactly what stands here.
/// </summary>
internal sealed class CaseLedger(string name, TreeNode city, int desks)
{
    private readonly Desk[] _desks = [.. Enumerable.Range(0, desks).Select(desk => new Desk($"{name}-{desk}"))];

    private IEnumerable<ToldCase> Told => _desks.SelectMany(desk => desk.Told);

    /// <summary>How many answers the city gave.</summary>
    public long Answers => Told.Sum(told => told.Answers);

    /// <summary>The same in the midst of the work.</summary>
    public long AnswersSoFar => _desks.Sum(desk => desk.AnswersSoFar);

    /// <summary>All desks work until the node is gone or the time is over.</summary>
    public async Task WorkAsync(CancellationToken stop)
    {
        using var client = new NodeClient(city.GrpcUrl, city.Tokens["desk"]);
        await Task.WhenAll(_desks.Select(desk => desk.WorkAsync(client, stop)));
    }

    /// <summary>
    /// Asks again what was not answered; then compares the newest cases of each desk (or everything) one by one, and all of them by the sums.
    /// </summary>
    /// <param name="everything">Each case, not the newest ones alone.</param>
    /// <param name="beside">How many cases the city has that do not stand here.</param>
    public async Task CompareAsync(bool everything, int beside = 0)
    {
        using var client = new NodeClient(city.GrpcUrl, city.Tokens["desk"]);
        await Task.WhenAll(_desks.Select(desk => desk.AskAgainAsync(client)));
        if (everything)
        {
            // Until the views are filled again each ended case is read out of the journal.
            await Asking.UntilAsync(
                async () => !(await client.Cases.ListAsync(new ListRequest { Stage = "voided", PageSize = 1 }, client.Soon(20))).Building, "the views are filled again");
        }

        await Task.WhenAll(_desks.Select(desk => desk.CompareAsync(client, everything)));
        Assert.That(Told.Select(told => told.Id), Is.Unique, "each key has a case of its own");

        var answer = await client.Views.QueryAsync(new QueryRequest { Measures = { "reported", "voided" } }, client.Options);
        var totals = answer.Rows.Count == 0 ? (0, 0) : (answer.Rows[0].Measures["reported"], answer.Rows[0].Measures["voided"]);
        Assert.That(totals, Is.EqualTo(((double)(Told.Count() + beside), (double)Told.Count(told => told.IsVoid))), "nothing is lost and nothing is doubled");
    }

    /// <summary>A case as the city last told it.</summary>
    private sealed record ToldCase(string Id, int Version, string? Reporter)
    {
        public bool IsVoid { get; init; }

        public bool IsErased { get; init; }

        public long Answers { get; init; } = 1;
    }

    private sealed class Desk(string name)
    {
        private const int Newest = 4;

        private readonly List<ToldCase> _told = [];
        private long _answers;
        private Func<NodeClient, Task>? _open;

        public IReadOnlyList<ToldCase> Told => _told;

        public long AnswersSoFar => Volatile.Read(ref _answers);

        public async Task WorkAsync(NodeClient client, CancellationToken stop)
        {
            try
            {
                while (!stop.IsCancellationRequested)
                {
                    await AskAgainAsync(client);
                    _open = Next();
                }
            }
            catch (RpcException gone) when (gone.IsOfADeadNode())
            {
                // The power is off. What is open stays open.
            }
        }

        public async Task AskAgainAsync(NodeClient client)
        {
            if (_open is { } open)
            {
                await open(client);
                _open = null;
            }
        }

        public async Task CompareAsync(NodeClient client, bool everything)
        {
            foreach (var told in _told.Skip(everything ? 0 : _told.Count - Newest))
            {
                var found = await client.Cases.GetAsync(new GetRequest { CaseId = told.Id, Personal = told.Reporter is not null }, client.Options);
                Assert.Multiple(() =>
                {
                    Assert.That(found.Case.Version, Is.EqualTo(told.Version), told.Id);
                    Assert.That(found.Case.Stage, told.IsVoid ? Is.EqualTo("voided") : Is.Not.EqualTo("voided"), told.Id);
                    Assert.That(found.Erased, Is.EqualTo(told.IsErased), told.Id);
                    Assert.That(found.Personal?.ReporterName ?? string.Empty, Is.EqualTo(told.IsErased ? string.Empty : told.Reporter ?? string.Empty), told.Id);
                });
            }
        }

        private Func<NodeClient, Task> Next()
        {
            var number = _told.Count;
            if (number > 0 && _told[^1] is var last)
            {
                if (!last.IsVoid && number % 2 == 0)
                {
                    var step = new TakeRequest { CaseId = last.Id, RequestKey = $"{last.Id}-void", Reason = "test", VoidCase = new VoidCase() };
                    return client => TakeAsync(client, step, told => told with { IsVoid = true });
                }

                if (last is { Reporter: not null, IsErased: false } && number % 4 == 0)
                {
                    var step = new TakeRequest { CaseId = last.Id, RequestKey = $"{last.Id}-erase", Reason = "reporter_request", EraseReporter = new EraseReporter() };
                    return client => TakeAsync(client, step, told => told with { IsErased = true });
                }
            }

            var key = string.Create(CultureInfo.InvariantCulture, $"{name}-{number}");
            var reporter = number % 4 is 0 or 3 ? $"Reporter of {key}" : null;
            var report = new ReportRequest { RequestKey = key, Type = "06010", Source = "hotline", Personal = reporter is null ? null : new Personal { ReporterName = reporter } };
            return async client =>
            {
                var step = (await client.Cases.ReportAsync(report, client.Options)).Step;
                _told.Add(new ToldCase(step.CaseId, step.Version, reporter));
                Interlocked.Increment(ref _answers);
            };
        }

        private async Task TakeAsync(NodeClient client, TakeRequest request, Func<ToldCase, ToldCase> effect)
        {
            var step = (await client.Cases.TakeAsync(request, client.Options)).Step;
            _told[^1] = effect(_told[^1]) with { Version = step.Version, Answers = _told[^1].Answers + 1 };
            Interlocked.Increment(ref _answers);
        }
    }
}
