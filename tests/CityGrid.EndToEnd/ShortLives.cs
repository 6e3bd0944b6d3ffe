using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd;

/// <summary>
/// The processes started here live for seconds, and the runtime begins to compile anew what is called often after a tenth of one: two fifths of all processor time went into code that
/// ended with its process. They do so after ten seconds without a new method.
/// </summary>
[SetUpFixture]
public sealed class ShortLives
{
    /// <summary>Milliseconds, in hexadecimal digits as the runtime reads them.</summary>
    public const string Variable = "DOTNET_TC_CallCountingDelayMs";

    [OneTimeSetUp]
    public void Set() => Environment.SetEnvironmentVariable(Variable, "2710");
}
