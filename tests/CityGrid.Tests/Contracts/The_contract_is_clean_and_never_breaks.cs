using NUnit.Framework;

namespace CityGrid.Tests.Contracts;

/// <summary>
/// buf holds the messages between places, the calls of programs and the stored payloads of events: one style, fields added and never reused. The
/// baseline is written anew with CITYGRID_APPROVE=1, when a version has been released or a break is meant.
/// </summary>
[Requires(Need.Buf)]
public sealed class The_contract_is_clean_and_never_breaks
{
    private static readonly string Baseline = Path.Combine(Machine.Repository, "tests", "CityGrid.Tests", "Approvals", "contract.binpb");

    private BufWorkspace _workspace = null!;

    [SetUp]
    public void CopyFiles() => _workspace = new BufWorkspace();

    [TearDown]
    public void Remove() => _workspace.Dispose();

    [Test]
    public void Lint_finds_nothing([Values("protocol", "node", "hub")] string module) => Assert.That(_workspace.Run("lint", module), Is.Empty);

    [Test]
    public void Nothing_that_others_rely_on_has_gone()
    {
        if (Environment.GetEnvironmentVariable("CITYGRID_APPROVE") == "1")
        {
            Assert.That(_workspace.Run("build", "--exclude-source-info", "-o", Baseline), Is.Empty);
        }

        Assert.That(Broken(), Is.Empty);
    }

    [TestCase("protocol/citygrid/v1/cells.proto", "int64 epoch = 9;", "int64 epoch = 90;")]
    [TestCase("node/citygrid/node/v1/cases.proto", "string request_key = 1;", "bytes request_key = 1;")]
    [TestCase("node/Cases/case_events.proto", "bytes case_id = 1;", "string case_id = 1;")]
    public void And_a_break_would_be_found(string file, string field, string other)
    {
        var path = _workspace.In(file);
        var text = File.ReadAllText(path);
        Assert.That(text, Does.Contain(field));
        File.WriteAllText(path, text.Replace(field, other, StringComparison.Ordinal));

        Assert.That(Broken(), Does.Contain(Path.GetFileName(file)));
    }

    private string Broken()
    {
        var now = _workspace.In("now.binpb");
        var built = _workspace.Run("build", "-o", now);
        return built.Length > 0 ? built : _workspace.Run("breaking", now, "--against", Baseline);
    }
}
