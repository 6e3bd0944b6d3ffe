using CityGrid.Node.Hosting;

namespace CityGrid.Tests.Hosting;

/// <summary>What a node at rest would tell of itself.</summary>
internal static class Figures
{
    public static NodeReports Usual { get; } = new()
    {
        Health = () => new HealthReport(Health.Serving, string.Empty),
        Digest = () => new DigestReport("330100", "hangzhou", "1-00000000000000a1", "2-00000000000000b2", 40, 7, new string('a', 64), [new ChildDigest("330102", "shangcheng", "1-c3", 12, new string('b', 64))]),
        Release = (child, _) => Task.FromResult(child.ToString() == "shangcheng" ? false : (bool?)null),
        Outbox = () => new OutboxReport(3, 65, 1),
        Figures = () => new NodeFigures { Lsn = 40, ViewLsn = 38, Cells = 7, CellBytes = 700, OpenCases = 5, Pending = 3, OldestPendingSeconds = 65, Children = 1, ParentConnected = true },
    };
}
