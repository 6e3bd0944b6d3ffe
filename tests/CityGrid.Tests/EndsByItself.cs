using CityGrid.Tests;
using NUnit.Framework;
using NUnit.Framework.Interfaces;

[assembly: EndsByItself]

namespace CityGrid.Tests;

/// <summary>
/// Ends the run where a test hangs, and says which: a wait without an end would otherwise take the whole check with it and tell nothing. It asserts no
/// speed; the longest test takes a tenth of this.
/// </summary>
[AttributeUsage(AttributeTargets.Assembly)]
public sealed class EndsByItselfAttribute : Attribute, ITestAction
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(15);

    private ITimer? _timer;

    public ActionTargets Targets => ActionTargets.Test;

    public void BeforeTest(ITest test) => _timer = TimeProvider.System.CreateTimer(
        _ => Environment.FailFast($"{test.FullName} has run for {Patience.TotalMinutes} minutes: it hangs. The run ends here."), null, Patience, Timeout.InfiniteTimeSpan);

    public void AfterTest(ITest test) => _timer?.Dispose();
}
