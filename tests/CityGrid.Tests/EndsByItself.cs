using System.Collections.Concurrent;
using System.Globalization;
using CityGrid.Tests;
using NUnit.Framework;
using NUnit.Framework.Interfaces;

[assembly: EndsByItself]

namespace CityGrid.Tests;

/// <summary>
/// Ends the run where a test hangs, and says which: a wait without an end would otherwise take the whole check with it and tell nothing. It asserts no
/// speed: the longest tests take two minutes; those of a night have what CITYGRID_TEST_MINUTES gives them.
/// </summary>
[AttributeUsage(AttributeTargets.Assembly)]
public sealed class EndsByItselfAttribute : Attribute, ITestAction
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(
        int.TryParse(Environment.GetEnvironmentVariable("CITYGRID_TEST_MINUTES"), NumberStyles.None, CultureInfo.InvariantCulture, out var minutes) && minutes > 0 ? minutes : 15);

    private readonly ConcurrentDictionary<string, ITimer> _running = new(StringComparer.Ordinal);

    public ActionTargets Targets => ActionTargets.Test;

    public void BeforeTest(ITest test) => _running[test.Id] = TimeProvider.System.CreateTimer(
        _ => Environment.FailFast($"{test.FullName} has run for {Patience.TotalMinutes} minutes: it hangs, and the run ends here. Run it alone to see where it waits."),
        null,
        Patience,
        Timeout.InfiniteTimeSpan);

    public void AfterTest(ITest test)
    {
        if (_running.TryRemove(test.Id, out var timer))
        {
            timer.Dispose();
        }
    }
}
