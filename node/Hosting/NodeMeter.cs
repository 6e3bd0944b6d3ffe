using System.Diagnostics.Metrics;

namespace CityGrid.Node.Hosting;

/// <summary>The node's own figures as gauges, read from one <see cref="NodeFigures"/> a scrape. No tag is ever a case or a person.</summary>
internal sealed class NodeMeter : IDisposable
{
    public const string MeterName = "CityGrid.Node";

    private readonly Meter _meter;
    private readonly NodeReports _reports;
    private NodeFigures _figures = new();

    public NodeMeter(NodeReports reports)
    {
        _reports = reports;
        _meter = new Meter(MeterName);
        Gauge("citygrid.journal.lsn", "Position of the last durable event.", f => f.Lsn);
        Gauge("citygrid.view.lsn", "Position up to which the case lists stand.", f => f.ViewLsn);
        Gauge("citygrid.views.damaged", "Files of the case lists that were found damaged since the start; each was put aside and made anew.", f => f.ViewsDamaged);
        Gauge("citygrid.cells", "Cells held.", f => f.Cells);
        Gauge("citygrid.cells.size", "Memory that the cells take.", f => f.CellBytes, "By");
        Gauge("citygrid.cases.open", "Cases of this place that have not ended.", f => f.OpenCases);
        Gauge("citygrid.escalations.open", "Escalations known here that are open.", f => f.OpenEscalations);
        Gauge("citygrid.commands.waiting", "Commands that wait for the writer.", f => f.WaitingCommands);
        Gauge("citygrid.outbox.pending", "Cells and escalations that the parent has not confirmed.", f => f.Pending);
        Gauge("citygrid.outbox.oldest", "How long the oldest of them waits.", f => f.OldestPendingSeconds, "s");
        Gauge("citygrid.parked", "Records that children sent and that are kept aside.", f => f.Parked);
        Gauge("citygrid.children", "Children known.", f => f.Children);
        Gauge("citygrid.children.connected", "Children connected now.", f => f.ChildrenConnected);
        Gauge("citygrid.parent.connected", "1 while the link to the parent stands.", f => f.ParentConnected ? 1 : 0);
        Gauge("citygrid.certificate.left", "How long the first of this node's own certificates still holds.", f => f.CertificateSeconds, "s");
        Gauge("citygrid.children.certificate.left", "How long the first of the children's newest certificates still holds.", f => f.ChildCertificateSeconds, "s");
        Gauge("citygrid.pressure.percent", "How near the node is to what it can bear: queue, memory or lag of views, the highest.", f => f.PressurePercent);
        Gauge("citygrid.shed.kinds", "Kinds of calls let go of now: 1 views, 2 and drill-through, 3 and bulk imports, 4 and indicator pushes.", f => f.ShedKinds);
        Gauge("citygrid.shed.calls", "Calls that were let go of under pressure since the start.", f => f.ShedCalls);
        Gauge("citygrid.disk.free", "Bytes free where the data directory is.", f => f.DiskFreeBytes, "By");
        Gauge("citygrid.ranges.differing", "Ranges of children that are other here than there.", f => f.RangesDiffering);
        Gauge("citygrid.ranges.persisting", "Those that a repair did not make equal, here or at the parent: a person must look.", f => f.RangesPersisting);
        Gauge("citygrid.cells.repaired", "Cells that repairs by children changed, in all.", f => f.CellsRepaired);
        _meter.CreateObservableGauge("citygrid.health", () => reports.Health().Status == Health.Serving ? 1 : 0, null, "1 while the node serves.");
    }

    /// <summary>Takes the figures that the gauges show next.</summary>
    public void Sample() => _figures = _reports.Figures();

    public void Dispose() => _meter.Dispose();

    private void Gauge(string name, string help, Func<NodeFigures, long> read, string? unit = null) =>
        _meter.CreateObservableGauge(name, () => read(_figures), unit, help);
}
