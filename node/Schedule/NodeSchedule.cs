using CityGrid.Hub.Reception;
using CityGrid.Hub.Seams;
using CityGrid.Node.Configuration;
using CityGrid.Node.Enrolment;
using Quartz;

namespace CityGrid.Node.Schedule;

/// <summary>
/// What happens by the clock, as Quartz jobs of three lines. The jobs hold no logic: what was missed while the node was down is found by the folders
/// they call (deadlines in the case book, changed cells by the parent's cursor), so a missed firing is never made up for.
/// </summary>
public static class NodeSchedule
{
    public static void AddNodeSchedule(this IServiceCollection services, NodeConfiguration configuration)
    {
        services.AddQuartz(quartz =>
        {
            quartz.ScheduleJob<PassTime>(trigger => trigger.WithIdentity("pass-time").StartNow().WithSimpleSchedule(Every(TimeSpan.FromSeconds(1))));
            quartz.ScheduleJob<SaveSnapshot>(trigger => trigger.WithIdentity("snapshot").WithSimpleSchedule(Every(configuration.SnapshotEvery.ToTimeSpan())));
            quartz.ScheduleJob<Redrive>(trigger => trigger.WithIdentity("redrive").StartNow().WithSimpleSchedule(Every(TimeSpan.FromHours(1))));
            quartz.ScheduleJob<RerouteOrders>(trigger => trigger.WithIdentity("reroute").StartNow().WithSimpleSchedule(Every(TimeSpan.FromHours(1))));
            quartz.ScheduleJob<FillViews>(trigger => trigger.WithIdentity("fill-views").StartNow().WithSimpleSchedule(Every(TimeSpan.FromMinutes(1))));
            quartz.ScheduleJob<WatchCertificates>(trigger => trigger.WithIdentity("certificates").StartNow().WithSimpleSchedule(Every(TimeSpan.FromSeconds(15))));
            if (configuration.Parent is { } parent)
            {
                quartz.ScheduleJob<PushCells>(trigger => trigger.WithIdentity("push").WithCronSchedule(parent.Schedule, InZone(configuration)));
                quartz.ScheduleJob<CompareRanges>(trigger => trigger.WithIdentity("reconcile").WithCronSchedule(parent.Reconcile, InZone(configuration)));
            }

            if (configuration.SectorParent is { } sector)
            {
                quartz.ScheduleJob<PushCellsToSector>(trigger => trigger.WithIdentity("push-sector").WithCronSchedule(sector.Schedule, InZone(configuration)));
                quartz.ScheduleJob<CompareRangesWithSector>(trigger => trigger.WithIdentity("reconcile-sector").WithCronSchedule(sector.Reconcile, InZone(configuration)));
            }
        });
        services.AddQuartzHostedService(quartz => quartz.WaitForJobsToComplete = true);
    }

    /// <summary>No burst after a pause: the next firing is the next one due.</summary>
    private static Action<SimpleScheduleBuilder> Every(TimeSpan interval) =>
        every => every.WithInterval(interval).RepeatForever().WithMisfireInstruction(SimpleTriggerMisfireInstruction.NextWithRemainingCount);

    private static Action<CronScheduleBuilder> InZone(NodeConfiguration configuration) =>
        cron => cron.InTimeZone(ZoneOf(configuration)).WithMisfireInstruction(CronTriggerMisfireInstruction.DoNothing);

    private static TimeZoneInfo ZoneOf(NodeConfiguration configuration) => TimeZoneInfo.FindSystemTimeZoneById(configuration.Zone.Id);

    /// <summary>Deadlines pass and suspensions end, at their own times.</summary>
    [DisallowConcurrentExecution]
    internal sealed class PassTime(NodeCore core) : IJob
    {
        public ValueTask Execute(IJobExecutionContext context, CancellationToken stop)
        {
            core.PassTime();
            return ValueTask.CompletedTask;
        }
    }

    /// <summary>Certificates are renewed in time, and files that have changed are taken up.</summary>
    [DisallowConcurrentExecution]
    internal sealed class WatchCertificates(CertificateWatch watch) : IJob
    {
        public async ValueTask Execute(IJobExecutionContext context, CancellationToken stop) => await watch.LookAsync(stop);
    }

    /// <summary>What children sent too early, or of a division that was not known, is judged again.</summary>
    [DisallowConcurrentExecution]
    internal sealed class Redrive(NodeCore core) : IJob
    {
        public ValueTask Execute(IJobExecutionContext context, CancellationToken stop)
        {
            core.Redriving.Begin();
            return ValueTask.CompletedTask;
        }
    }

    /// <summary>Orders under way to a place that has moved go down the new way.</summary>
    [DisallowConcurrentExecution]
    internal sealed class RerouteOrders(NodeCore core) : IJob
    {
        public ValueTask Execute(IJobExecutionContext context, CancellationToken stop)
        {
            core.RerouteOrders();
            return ValueTask.CompletedTask;
        }
    }

    /// <summary>Changed cells go up, put off by a random time so that the children of one parent do not come at once.</summary>
    [DisallowConcurrentExecution]
    internal sealed class PushCells(NodeCore core, NodeConfiguration configuration) : IJob
    {
        public async ValueTask Execute(IJobExecutionContext context, CancellationToken stop)
        {
            await Task.Delay(new SystemEntropy().Jitter(configuration.Parent!.Jitter.ToTimeSpan()), stop);
            core.PushDue();
        }
    }

    /// <summary>The same to the sector's parent, by its own schedule.</summary>
    [DisallowConcurrentExecution]
    internal sealed class PushCellsToSector(NodeCore core, NodeConfiguration configuration) : IJob
    {
        public async ValueTask Execute(IJobExecutionContext context, CancellationToken stop)
        {
            await Task.Delay(new SystemEntropy().Jitter(configuration.SectorParent!.Jitter.ToTimeSpan()), stop);
            core.PushDue(ParentKind.Sector);
        }
    }

    /// <summary>36 children over a quarter of an hour are one in 25 seconds; an exchange takes about one.</summary>
    private static readonly TimeSpan CompareSpread = TimeSpan.FromMinutes(15);

    /// <summary>What the parent holds is compared with what is here, at night, spread so that the children of one parent do not come at once.</summary>
    [DisallowConcurrentExecution]
    internal sealed class CompareRanges(NodeCore core) : IJob
    {
        public async ValueTask Execute(IJobExecutionContext context, CancellationToken stop)
        {
            await Task.Delay(new SystemEntropy().Jitter(CompareSpread), stop);
            core.CompareRanges();
        }
    }

    /// <summary>The same with the sector's parent, by its own schedule.</summary>
    [DisallowConcurrentExecution]
    internal sealed class CompareRangesWithSector(NodeCore core) : IJob
    {
        public async ValueTask Execute(IJobExecutionContext context, CancellationToken stop)
        {
            await Task.Delay(new SystemEntropy().Jitter(CompareSpread), stop);
            core.CompareRanges(ParentKind.Sector);
        }
    }

    [DisallowConcurrentExecution]
    internal sealed class FillViews(NodeCore core) : IJob
    {
        public ValueTask Execute(IJobExecutionContext context, CancellationToken stop)
        {
            core.FillGaps();
            return ValueTask.CompletedTask;
        }
    }

    [DisallowConcurrentExecution]
    internal sealed class SaveSnapshot(NodeCore core) : IJob
    {
        public ValueTask Execute(IJobExecutionContext context, CancellationToken stop)
        {
            core.SaveSnapshot();
            return ValueTask.CompletedTask;
        }
    }
}
