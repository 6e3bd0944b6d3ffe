using System.Diagnostics;
using NUnit.Framework;

namespace CityGrid.Tests.EndToEnd;

/// <summary>
/// A client that shares no code with us (@grpc/grpc-js, the contract's own files) reports a case at the city, works it to its end, and reads it in the
/// ministry's view.
/// </summary>
public sealed class An_independent_client_works_a_case
{
    [Test, Requires(Need.GrpcJs)]
    public async Task From_report_to_the_national_view()
    {
        await using var trees = await Trees.StartAsync(1, 1);
        var city = trees.Tree.Cities.Single();
        var start = new ProcessStartInfo(Machine.OnPath("node")!) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Machine.Tools };
        start.ArgumentList.Add("client.mjs");
        start.Environment["CITY"] = new Uri(city.GrpcUrl).Authority;
        start.Environment["MINISTRY"] = new Uri(trees.Tree.Root.GrpcUrl).Authority;
        start.Environment["DESK"] = city.Tokens["desk"];
        start.Environment["HANDLER"] = city.Tokens["handler"];
        start.Environment["INSPECTOR"] = city.Tokens["inspector"];
        start.Environment["VIEWER"] = trees.Tree.Root.Tokens["viewer"];
        start.Environment["PROTOS"] = string.Join(Path.PathSeparator, Path.Combine(Machine.Repository, "protocol"), Path.Combine(Machine.Repository, "node"), Machine.GoogleApiProtos);

        using var client = Process.Start(start)!;
        var output = client.StandardOutput.ReadToEndAsync();
        var error = client.StandardError.ReadToEndAsync();
        await client.WaitForExitAsync();

        Assert.That(client.ExitCode, Is.Zero, await error + await output);
        Assert.That(await output, Does.Contain("closed at the ministry: 1"));
    }
}
