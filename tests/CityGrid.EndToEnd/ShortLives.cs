using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd;

/// <summary>
/// The processes started here live for seconds. The runtime begins to compile anew what is called often after a tenth of one: two fifths of all processor time went into code that ended
/// with its process, so they do so after ten seconds without a new method. Nor do they map each page of code twice so that none is ever writable and executable at once, which takes
/// some of each start.
/// </summary>
[SetUpFixture]
public sealed class ShortLives
{
    /// <summary>Milliseconds, in hexadecimal digits as the runtime reads them.</summary>
    public const string Variable = "DOTNET_TC_CallCountingDelayMs";

    [OneTimeSetUp]
    public void Set()
    {
        Environment.SetEnvironmentVariable(Variable, "2710");
        Environment.SetEnvironmentVariable("DOTNET_EnableWriteXorExecute", "0");
    }
}
