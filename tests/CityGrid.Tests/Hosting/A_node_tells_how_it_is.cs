#pragma warning disable RS0030 // Threads of its own are what the last test is about.
using System.Diagnostics.Metrics;
using System.Net;
using CityGrid.Node.Hosting;
using CityGrid.Tests.Approvals;
using NUnit.Framework;

namespace CityGrid.Tests.Hosting;

/// <summary>Health to anyone, digest and outbox to administrators, figures to whoever watches.</summary>
public sealed class A_node_tells_how_it_is
{
    [TestCase(Health.Serving, "", HttpStatusCode.OK, """{"status":"SERVING","reason":""}""")]
    [TestCase(Health.ReadOnly, "the journal failed", HttpStatusCode.ServiceUnavailable, """{"status":"READ_ONLY","reason":"the journal failed"}""")]
    [TestCase(Health.DiskFull, "the disk is full", HttpStatusCode.ServiceUnavailable, """{"status":"DISK_FULL","reason":"the disk is full"}""")]
    [TestCase(Health.NotServing, "starting", HttpStatusCode.ServiceUnavailable, """{"status":"NOT_SERVING","reason":"starting"}""")]
    public async Task Healthz_needs_no_token(Health health, string reason, HttpStatusCode status, string body)
    {
        await using var node = await TestNode.StartAsync(Figures.Usual with { Health = () => new HealthReport(health, reason) });

        var answer = await node.GetAsync("/healthz");

        Assert.That((answer.StatusCode, await answer.Content.ReadAsStringAsync()), Is.EqualTo((status, body)));
    }

    [Test]
    public async Task The_digest_has_the_place_its_position_and_its_children()
    {
        await using var node = await TestNode.StartAsync();

        var text = await (await node.GetAsync("/ops/digest?asOf=40", NodeFolder.AdminToken)).Content.ReadAsStringAsync();

        Approved.Matches("ops-digest", text);
    }

    [Test]
    public async Task The_outbox_says_what_waits_and_how_long()
    {
        await using var node = await TestNode.StartAsync();

        var text = await (await node.GetAsync("/ops/outbox", NodeFolder.AdminToken)).Content.ReadAsStringAsync();

        Assert.That(text, Is.EqualTo("""{"pending":3,"oldestSeconds":65,"deadLetter":1}"""));
    }

    [Test]
    public async Task Metrics_have_the_figures_of_the_node_by_approved_names()
    {
        await using var node = await TestNode.StartAsync();

        var text = await (await node.GetAsync("/metrics", NodeFolder.ViewerToken)).Content.ReadAsStringAsync();

        Assert.Multiple(() =>
        {
            Assert.That(text, Does.Contain("\ncitygrid_journal_lsn 40\n").And.Contain("\ncitygrid_health 1\n"));
            Approved.Matches("metrics", string.Join('\n', text.Split('\n').Where(line => line.StartsWith("# ", StringComparison.Ordinal) && line.Contains("citygrid_", StringComparison.Ordinal))));
        });
    }

    [Test]
    public async Task Requests_are_counted_by_route_and_never_by_path()
    {
        await using var node = await TestNode.StartAsync();
        await node.GetAsync("/v1/cases/01J0000000000000000000000A", NodeFolder.ViewerToken);

        var text = await (await node.GetAsync("/metrics", NodeFolder.ViewerToken)).Content.ReadAsStringAsync();

        Assert.That(text, Does.Contain("http_server_request_duration_seconds_bucket{").And.Not.Contain("01J0000000000000000000000A"));
    }

    [Test]
    public void The_same_tags_are_one_series_in_whichever_order_and_from_however_many_threads()
    {
        using var metrics = new MetricsText();
        using var meter = new Meter("CityGrid.Hub");
        var counter = meter.CreateCounter<long>("citygrid.test.calls");
        var threads = Enumerable.Range(0, 4).Select(_ => new Thread(() =>
        {
            for (var i = 0; i < 5_000; i++)
            {
                counter.Add(1, new("route", "/a"), new("status", 200));
                counter.Add(1, new("status", 200), new("route", "/a"));
                counter.Add(1, new("route", "/b"), new("status", 200));
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());

        Assert.That(
            metrics.Render().Split('\n').Where(line => line.StartsWith("citygrid_test_calls_total{", StringComparison.Ordinal)).Order(StringComparer.Ordinal),
            Is.EqualTo((string[])["citygrid_test_calls_total{route=\"/a\",status=\"200\"} 40000", "citygrid_test_calls_total{route=\"/b\",status=\"200\"} 20000"]));
    }
}
