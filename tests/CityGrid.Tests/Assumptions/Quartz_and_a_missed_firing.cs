using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;
using Quartz;

namespace CityGrid.Tests.Assumptions;

/// <summary>
/// What Quartz 4.7.3 does about firings that came due while the node was down, and how it reads an expression: node/Schedule relies on it.
/// </summary>
public sealed class Quartz_and_a_missed_firing
{
    private static readonly TimeZoneInfo Shanghai = TimeZoneInfo.FindSystemTimeZoneById("Asia/Shanghai");
    private static readonly DateTimeOffset Now = new(2026, 3, 10, 5, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset NextTwoOClock = new(2026, 3, 10, 18, 0, 0, TimeSpan.Zero);

    /// <summary>A trigger asks the clock that its builder was given, not the scheduler's.</summary>
    private static readonly TimeProvider Clock = new StartingAt(Now);

    [TestCase(CronTriggerMisfireInstruction.DoNothing)]
    [TestCase(CronTriggerMisfireInstruction.FireAndProceed)]
    [TestCase(CronTriggerMisfireInstruction.SmartPolicy)]
    public async Task What_came_due_before_the_start_is_not_made_up_for_and_the_next_one_due_is_waited_for(CronTriggerMisfireInstruction missed)
    {
        await using var scheduler = await Running.StartAsync(Daily("daily", missed));

        Assert.Multiple(() =>
        {
            Assert.That(scheduler.Fired("daily"), Is.Zero);
            Assert.That(scheduler.Next("daily"), Is.EqualTo(NextTwoOClock));
        });
    }

    [Test]
    public void An_expression_is_read_in_the_zone_given_and_never_in_the_machines()
    {
        var expression = CronExpression.Parse("0 0 2 * * ?").WithTimeZone(Shanghai);

        Assert.That(expression.GetNextValidTimeAfter(Now), Is.EqualTo(NextTwoOClock));
    }

    [TestCase("0 0/5 * * * ?", true)]
    [TestCase("0 0 2 ? * MON 2027", true)]
    [TestCase("*/5 * * * *", false)]
    [TestCase("0 0/5 * * *", false)]
    [TestCase("0 0 25 * * ?", false)]
    [TestCase("every day", false)]
    public void An_expression_has_six_or_seven_fields(string text, bool valid) => Assert.That(CronExpression.TryParse(text, out _), Is.EqualTo(valid));

    private static ITrigger Daily(string name, CronTriggerMisfireInstruction missed) => TriggerBuilder.Create(Clock).WithIdentity(name).ForJob(name)
        .StartAt(Now.AddDays(-3)).WithPriority(9).WithCronSchedule("0 0 2 * * ?", cron => cron.InTimeZone(Shanghai).WithMisfireInstruction(missed)).Build();

    /// <summary>A scheduler that has started and dealt with everything missed: a trigger of lowest priority, due last, has fired.</summary>
    private sealed class Running : IAsyncDisposable
    {
        private readonly ServiceProvider _services;
        private readonly IScheduler _scheduler;
        private readonly Dictionary<string, DateTimeOffset?> _next = [];

        private Running(ServiceProvider services, IScheduler scheduler) => (_services, _scheduler) = (services, scheduler);

        public static async Task<Running> StartAsync(ITrigger trigger)
        {
            var services = new ServiceCollection().AddLogging();
            services.AddSingleton<Firings>();
            services.AddQuartz(quartz =>
            {
                quartz.UseTimeProvider(Clock);
                quartz.UseDefaultThreadPool(1);
            });
            var provider = services.BuildServiceProvider();
            var scheduler = await provider.GetRequiredService<ISchedulerFactory>().GetScheduler();
            await scheduler.ScheduleJob(JobBuilder.Create<Count>().WithIdentity(trigger.JobKey.Name).Build(), trigger);
            await scheduler.ScheduleJob(
                JobBuilder.Create<Count>().WithIdentity("last").Build(),
                TriggerBuilder.Create(Clock).WithIdentity("last").ForJob("last").StartAt(Now.AddMilliseconds(1)).WithPriority(1).Build());
            await scheduler.Start();
            await provider.GetRequiredService<Firings>().Last.Task.WaitAsync(TimeSpan.FromMinutes(1));
            var running = new Running(provider, scheduler);
            running._next[trigger.Key.Name] = (await scheduler.GetTrigger(trigger.Key))?.NextFireTimeUtc;
            return running;
        }

        public int Fired(string job) => _services.GetRequiredService<Firings>().Of(job);

        public DateTimeOffset? Next(string trigger) => _next[trigger];

        public async ValueTask DisposeAsync()
        {
            await _scheduler.Shutdown(waitForJobsToComplete: true);
            await _services.DisposeAsync();
        }
    }

    private sealed class Firings
    {
        private readonly System.Collections.Concurrent.ConcurrentQueue<string> _fired = new();

        public TaskCompletionSource Last { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Of(string job) => _fired.Count(fired => fired == job);

        public void Add(string job)
        {
            _fired.Enqueue(job);
            if (job == "last")
            {
                Last.TrySetResult();
            }
        }
    }

    private sealed class Count(Firings firings) : IJob
    {
        public ValueTask Execute(IJobExecutionContext context, CancellationToken stop)
        {
            firings.Add(context.JobDetail.Key.Name);
            return ValueTask.CompletedTask;
        }
    }

    /// <summary>The system's clock, put back to an instant at which it is known what is due.</summary>
    private sealed class StartingAt(DateTimeOffset start) : TimeProvider
    {
        private readonly long _from = System.GetTimestamp();

        public override DateTimeOffset GetUtcNow() => start + System.GetElapsedTime(_from);
    }
}
