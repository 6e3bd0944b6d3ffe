using System.Globalization;
using CityGrid.Cli.Network;
using CityGrid.Node.V1;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Grpc.Core;
using NodaTime;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd.Failpoints;

/// <summary>
/// People at work in a city and in the province above it, while the nodes die under them: every request has a key of its own and is asked again under it until it is
/// answered.
/// </summary>
internal sealed class Labour(TreeNode city, TreeNode? province)
{
    private readonly Dictionary<string, ReportRequest> _unreported = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TakeRequest> _untaken = new(StringComparer.Ordinal);
    private readonly Dictionary<string, IssueOrderRequest> _unissued = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _cases = new(StringComparer.Ordinal);
    private readonly HashSet<string> _urgent = [];
    private readonly HashSet<string> _erased = [];
    private readonly HashSet<string> _voided = [];
    private readonly HashSet<string> _orders = [];
    private readonly List<(TreeNode Issuer, PublishPackageRequest Request)> _unpublished = [];
    private readonly Dictionary<string, string> _published = new(StringComparer.Ordinal);
    private readonly HashSet<string> _unfollowed = [];
    private int _made;
    private int _versions;
    private string? _last;

    /// <summary>How many reports were acknowledged.</summary>
    public int Acknowledged => _cases.Count;

    public int Orders => _orders.Count;

    /// <summary>How many versions of the catalogue the province published.</summary>
    public int Packages => _published.Keys.Count(name => province is not null && name.StartsWith(province.Node + "/", StringComparison.Ordinal));

    /// <summary>
    /// One more report, urgent every other time, with an order from above; else one that is void, or whose reporter wants to be forgotten. Orders that have come down are
    /// answered. Whatever a node does not answer waits for the next time.
    /// </summary>
    public async Task WorkAsync()
    {
        var number = ++_made;
        var isUrgent = number % 2 == 0;
        _unreported.Add($"report-{number}", new ReportRequest
        {
            RequestKey = $"report-{number}",
            Type = isUrgent ? "01001" : "06010",
            Source = "hotline",
            Grade = isUrgent ? EmergencyGrade.Serious : EmergencyGrade.Unspecified,
            Personal = isUrgent ? null : new Personal { ReporterName = $"Reporter {number}", Contact = "13800000000" },
        });
        if (province is not null && isUrgent)
        {
            AddOrder(number);
        }

        await TryAllAsync();
    }

    /// <summary>The province publishes one more version of the catalogue, of several pieces.</summary>
    public async Task PublishAsync()
    {
        Publish(province!, $"version-{++_versions}");
        await TryAllAsync();
    }

    /// <summary>The province publishes a version under a name that stands for other types in the city, which therefore does not follow it.</summary>
    public async Task PublishWhatIsRefusedAsync()
    {
        var version = $"of-the-city-{++_versions}";
        Publish(city, version);
        Publish(province!, version);
        _unfollowed.Add(version);
        await TryAllAsync();
    }

    /// <summary>The province orders something, whether the city hears of it or not.</summary>
    public async Task IssueAsync()
    {
        AddOrder(++_made);
        using var above = new NodeClient(province!.GrpcUrl, province.Tokens["desk"]);
        await Asking.UntilAsync(
            async () =>
            {
                try
                {
                    await IssueAllAsync(above);
                    return true;
                }
                catch (RpcException failed) when (MayBeAskedAgain(failed))
                {
                    return false;
                }
            },
            "the order is issued");
    }

    /// <summary>A report of a division, answered.</summary>
    public async Task ReportAsync(string division)
    {
        _unreported.Add($"report-of-{division}", new ReportRequest { RequestKey = $"report-of-{division}", Type = "06010", Division = division, Source = "hotline", Personal = new Personal { ReporterName = division } });
        await Asking.UntilAsync(TryAllAsync, () => "a report is answered");
    }

    /// <summary>Asks again until all is answered, and sees that what was acknowledged is there once, at each tier.</summary>
    public async Task SettleAsync(RunningTree edges)
    {
        await Asking.UntilAsync(async () => await TryAllAsync() && _unreported.Count + _untaken.Count + _unissued.Count + _unpublished.Count == 0, () => $"unanswered: {string.Join(", ", _unreported.Keys.Concat(_untaken.Keys).Concat(_unissued.Keys).Concat(_unpublished.Select(one => one.Request.RequestKey)))}");
        await RequireCasesAsync();
        if (province is null)
        {
            return;
        }

        await Asking.UntilAsync(() => edges.IsEqualAsync(), () => "the province's figures are the city's");
        Assert.That(await Asking.ReportedAsync(province), Is.EqualTo(_cases.Count), "each report counts once above");
        await RequireEscalationsAsync();
        await RequireOrdersAsync();
        await RequirePackagesAsync();
    }

    /// <summary>The last acknowledged report is there.</summary>
    private async Task RequireLastAsync(NodeClient client)
    {
        if (_last is { } id)
        {
            Assert.That((await client.Cases.GetAsync(new GetRequest { CaseId = id }, client.Soon())).Case.CaseId, Is.EqualTo(id), "it was acknowledged");
        }
    }

    /// <summary>False where a node did not answer.</summary>
    private async Task<bool> TryAllAsync()
    {
        try
        {
            using var desk = new NodeClient(city.GrpcUrl, city.Tokens["desk"]);
            await RequireLastAsync(desk);
            foreach (var (key, request) in _unreported.ToArray())
            {
                var id = (await desk.Cases.ReportAsync(request, desk.Soon())).Step.CaseId;
                _unreported.Remove(key);
                _cases.Add(key, id);
                _last = id;
                if (request.Grade != EmergencyGrade.Unspecified)
                {
                    _urgent.Add(id);
                }
                else
                {
                    _untaken.Add(id, _voided.Count > _erased.Count
                        ? new TakeRequest { CaseId = id, RequestKey = $"{key}-erase", Reason = "reporter_request", EraseReporter = new EraseReporter() }
                        : new TakeRequest { CaseId = id, RequestKey = $"{key}-void", Reason = "test", VoidCase = new VoidCase() });
                }
            }

            foreach (var (id, request) in _untaken.ToArray())
            {
                await desk.Cases.TakeAsync(request, desk.Soon());
                _untaken.Remove(id);
                (request.EraseReporter is null ? _voided : _erased).Add(id);
            }

            if (province is not null)
            {
                using var above = new NodeClient(province.GrpcUrl, province.Tokens["desk"]);
                await IssueAllAsync(above);
                await PublishAllAsync();
                await AnswerOrdersAsync(desk);
            }

            return true;
        }
        catch (RpcException failed) when (MayBeAskedAgain(failed))
        {
            return false;
        }
    }

    private void AddOrder(int number) =>
        _unissued.Add($"order-{number}", new IssueOrderRequest { RequestKey = $"order-{number}", TargetDivision = city.Division, Kind = OrderKind.Supervise, Text = $"Order {number}" });

    private async Task IssueAllAsync(NodeClient above)
    {
        foreach (var (key, request) in _unissued.ToArray())
        {
            _orders.Add((await above.Orders.IssueOrderAsync(request, above.Soon())).Order.OrderId);
            _unissued.Remove(key);
        }
    }

    private void Publish(TreeNode issuer, string version)
    {
        const string rows = "code\tname_zh\tname_en\tlimits\n01001\t供水井盖异常\tmanhole cover\t2h\n06010\t垃圾\trefuse\t\n99000\t其他\tother\t\n";
        _unpublished.Add((issuer, new PublishPackageRequest
        {
            RequestKey = $"publish-{issuer.Node}-{version}",
            Version = version,
            EffectiveFrom = Instant.FromDateTimeOffset(TimeProvider.System.GetUtcNow()).InZone(DateTimeZoneProviders.Tzdb["Asia/Shanghai"]).Date.ToString("uuuu-MM-dd", CultureInfo.InvariantCulture),
            Title = version,
            Rows = issuer == city ? rows : rows + string.Concat(Enumerable.Range(50_000, 800).Select(code => $"{code}\t名称{code}\ta matter with the number {code}\t1d\n")),
        }));
    }

    private async Task PublishAllAsync()
    {
        foreach (var (issuer, request) in _unpublished.ToArray())
        {
            using var client = new NodeClient(issuer.GrpcUrl, issuer.Tokens["admin"]);
            var package = (await client.Catalogue.PublishPackageAsync(request, client.Soon())).Package;
            _published.Add($"{package.Issuer}/{package.Number}", package.Version);
            _unpublished.Remove((issuer, request));
        }
    }

    /// <summary>A node that is down, or dies; and one in a new life, which has not heard yet what became of its orders.</summary>
    private static bool MayBeAskedAgain(RpcException failed) =>
        failed.IsOfADeadNode() || failed.Status.Detail.StartsWith("ORDER_UNCERTAIN", StringComparison.Ordinal);

    private static async Task AnswerOrdersAsync(NodeClient desk)
    {
        var list = await desk.Orders.ListOrdersAsync(new ListOrdersRequest { PageSize = 500, OpenOnly = true }, desk.Soon());
        foreach (var order in list.Orders.Where(order => order.State == OrderState.Delivered))
        {
            await desk.Orders.StepOrderAsync(new StepOrderRequest { OrderId = order.OrderId, State = OrderState.Answered, Text = $"Done: {order.Text}" }, desk.Soon());
        }
    }

    private async Task RequireCasesAsync()
    {
        using var desk = new NodeClient(city.GrpcUrl, city.Tokens["desk"]);
        Assert.That(_cases.Values, Is.Unique, "each key has a case of its own");
        foreach (var id in _cases.Values)
        {
            var found = await desk.Cases.GetAsync(new GetRequest { CaseId = id, Personal = true }, desk.Options);
            Assert.That(found.Erased, Is.EqualTo(_erased.Contains(id)), $"{id}: nobody is forgotten or known against what was answered");
            Assert.That(found.Case.Stage == "voided", Is.EqualTo(_voided.Contains(id)), $"{id}: {found.Case.Stage}");
        }

        Assert.That(await Asking.ReportedAsync(city), Is.EqualTo(_cases.Count), "each report counts once here");
    }

    /// <summary>An escalation is there if and only if its case is (INV-6), once at each tier.</summary>
    private async Task RequireEscalationsAsync()
    {
        var here = await VersionsAsync(city);
        await Asking.UntilAsync(async () => (await VersionsAsync(province!)).Count == here.Count, () => "the escalations have come up");
        var above = await VersionsAsync(province!);
        Assert.That(above, Is.EquivalentTo(here));
        Assert.That(here.Select(e => (e.Id, e.Version)), Is.Unique);
        Assert.That(here.Select(e => e.Subject).Distinct(), Is.SubsetOf(_cases.Values), "none is there without its case");
        Assert.That(here.Select(e => e.Subject).Where(_urgent.Contains).Distinct().Count(), Is.EqualTo(_urgent.Count), "each urgent case is escalated");
    }

    private static async Task<List<(string Id, uint Version, string Subject)>> VersionsAsync(TreeNode node) =>
        [.. (await Asking.EscalationsAsync(node)).Select(row => row.Escalation).Select(e => (Convert.ToHexStringLower(e.Id.Span), (uint)e.Version, CaseId.FromBytes(e.Subject.Span).ToString()))];

    /// <summary>Each order has one end, the same at both places (INV-13).</summary>
    private async Task RequireOrdersAsync()
    {
        Dictionary<string, OrderView> here = [], above = [];
        await Asking.UntilAsync(
            async () =>
            {
                await TryAllAsync();
                (here, above) = (await OrdersAsync(city), await OrdersAsync(province!));
                return above.Values.All(order => order.State == OrderState.Answered);
            },
            () => $"every order is answered: {string.Join(", ", above.Values.Where(order => order.State != OrderState.Answered).Select(order => $"{order.OrderId} {order.State}"))}");
        Assert.That(above.Keys, Is.EquivalentTo(_orders), "no order is lost, and none is there that nobody issued");
        Assert.That(here.Keys, Is.EquivalentTo(_orders));
        foreach (var id in _orders)
        {
            var ends = new[] { here[id], above[id] }.Select(order => string.Join(", ", order.Receipts.Select(receipt => $"{receipt.Node} {receipt.State} {receipt.Text}"))).ToArray();
            Assert.That(ends.Distinct().Count(), Is.EqualTo(1), $"{id}: {string.Join(" | ", ends)}");
            Assert.That(here[id].Receipts.Select(receipt => receipt.State), Is.EqualTo(new[] { OrderState.Delivered, OrderState.Answered }), id);
        }
    }

    /// <summary>The city has decided on each package of the province's, once and as it was meant; the province knows that, and at both places the newest version is in force.</summary>
    private async Task RequirePackagesAsync()
    {
        if (_published.Count == 0)
        {
            return;
        }

        ListPackagesResponse here = new(), above = new();
        await Asking.UntilAsync(
            async () =>
            {
                (here, above) = (await PackagesAsync(city), await PackagesAsync(province!));
                return here.Packages.Count == _published.Count + 1 && above.Children.SingleOrDefault() is { Behind: 0 } child && child.Refused.Count == _unfollowed.Count;
            },
            () => $"the city has decided on every package, and the province knows it: {string.Join(", ", _published.Keys.Except(here.Packages.Select(NameOf)))} | {above.Children}");
        var ofTheProvince = above.Packages.Where(package => package.Issuer == province!.Node).ToArray();
        Assert.That(ofTheProvince.Concat(here.Packages.Where(package => package.Issuer == city.Node)).ToDictionary(NameOf, package => package.Version), Is.EquivalentTo(_published), "what was answered is there, and nothing else");
        Assert.That(
            here.Packages.Where(package => package.Issuer == province!.Node).OrderBy(package => package.Number).Select(package => (NameOf(package), package.Hash, package.Code)),
            Is.EqualTo(ofTheProvince.Select(package => (NameOf(package), package.Hash, _unfollowed.Contains(package.Version) ? "CATALOGUE_VERSION_REUSED" : string.Empty))));
        Assert.That(above.Children.Single().Refused.Select(refused => refused.Code), Is.All.EqualTo("CATALOGUE_VERSION_REUSED"));
        Assert.That(above.InForce, Is.EqualTo(ofTheProvince[^1].Version));
        Assert.That(here.InForce, Is.EqualTo((here.Packages.LastOrDefault(package => package.Issuer == city.Node) ?? ofTheProvince[^1]).Version), "its own goes before that of the place above it");
    }

    private static string NameOf(PackageView package) => $"{package.Issuer}/{package.Number}";

    private static async Task<ListPackagesResponse> PackagesAsync(TreeNode node)
    {
        using var client = new NodeClient(node.GrpcUrl, node.Tokens["viewer"]);
        return await client.Catalogue.ListPackagesAsync(new ListPackagesRequest(), client.Soon());
    }

    private static async Task<Dictionary<string, OrderView>> OrdersAsync(TreeNode node)
    {
        using var client = new NodeClient(node.GrpcUrl, node.Tokens["desk"]);
        return (await client.Orders.ListOrdersAsync(new ListOrdersRequest { PageSize = 500 }, client.Options)).Orders.ToDictionary(order => order.OrderId);
    }
}
