using System.Net;
using System.Net.Sockets;
using System.Text;
using NUnit.Framework;

namespace CityGrid.Tests.Hosting;

/// <summary>
/// SEC-21: requests of HTTP/1.1 that one reader ends here and another there (two lengths, chunks with loose ends, folded lines, …). Each gets one answer,
/// 400, and the connection closes, so that what stands behind it is never taken for a request of its own.
/// </summary>
public sealed class A_request_that_means_two_things_is_refused
{
    private const string Smuggled = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

    private static readonly string Head = $"POST /v1/cases HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer {NodeFolder.OperatorToken}\r\n";

    private TestNode _node = null!;

    private static IEnumerable<TestCaseData> Corpus =>
    [
        Of("length and chunks", Head + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        Of("chunks and length", Head + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"),
        Of("two lengths", Head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
        Of("two equal lengths", Head + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}"),
        Of("a list of lengths", Head + "Content-Length: 2, 2\r\n\r\n{}"),
        Of("a length in hex", Head + "Content-Length: 0x2\r\n\r\n{}"),
        Of("a length below zero", Head + "Content-Length: -2\r\n\r\n{}"),
        Of("a length past 64 bits", Head + "Content-Length: 99999999999999999999\r\n\r\n{}"),
        Of("chunks that are not last", Head + "Transfer-Encoding: chunked, identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
        Of("chunks of another name", Head + "Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
        Of("a tab before chunked", Head + "Transfer-Encoding:\u000Bchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
        Of("a chunk extension that ends with LF", Head + "Transfer-Encoding: chunked\r\n\r\n2;x\n{}\r\n0\r\n\r\n"),
        Of("a chunk extension with a CR inside", Head + "Transfer-Encoding: chunked\r\n\r\n2;x\rx\r\n{}\r\n0\r\n\r\n"),
        Of("a chunk size that ends with LF", Head + "Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n"),
        Of("a chunk size with a sign", Head + "Transfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n"),
        Of("a chunk size with 0x", Head + "Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n"),
        Of("a chunk size past 64 bits", Head + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
        Of("a chunk longer than its size", Head + "Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n"),
        Of("a folded header", Head + "X-A: b\r\n c\r\nContent-Length: 2\r\n\r\n{}"),
        Of("a space before the colon", Head + "Content-Length : 2\r\n\r\n{}"),
        Of("a header without a name", Head + ": b\r\nContent-Length: 2\r\n\r\n{}"),
        Of("a header without a colon", Head + "XA\r\nContent-Length: 2\r\n\r\n{}"),
        Of("a CR inside a header", Head + "X-A: b\rContent-Length: 0\r\nContent-Length: 2\r\n\r\n{}"),
        Of("a NUL inside a header", Head + "X-A: b\0c\r\nContent-Length: 2\r\n\r\n{}"),
        Of("no host", "GET /healthz HTTP/1.1\r\n\r\n"),
        Of("two hosts", "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        Of("a host that is none", "GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n"),
        Of("a host and another in the target", "GET http://a/healthz HTTP/1.1\r\nHost: b\r\n\r\n"),
        Of("a request line with a NUL", "GET /hea\0lthz HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        Of("a method that is none", "GE(T /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        Of("a version that is none", "GET /healthz HTTP/1.1.1\r\nHost: localhost\r\n\r\n"),
    ];

    [OneTimeSetUp]
    public async Task StartAsync() => _node = await TestNode.StartAsync(settings: "\"limits\": { \"callsPerAddress\": 1000000 }");

    [OneTimeTearDown]
    public async Task StopAsync() => await _node.DisposeAsync();

    [TestCaseSource(nameof(Corpus))]
    public async Task And_the_connection_closes(string request)
    {
        var answers = await SendAsync(request + Smuggled);

        Assert.Multiple(() =>
        {
            Assert.That(answers, Does.StartWith("HTTP/1.1 400 ").Or.StartWith("HTTP/1.1 505 "));
            Assert.That(answers.Split("HTTP/1.1 ").Length - 1, Is.EqualTo(1), answers);
        });
    }

    [Test]
    public async Task A_good_one_and_the_one_behind_it_are_two()
    {
        var answers = await SendAsync(Head + "Content-Length: 2\r\n\r\n{}" + Smuggled.Replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n", StringComparison.Ordinal));

        Assert.That(answers.Split("HTTP/1.1 200 ").Length - 1, Is.EqualTo(2), answers);
    }

    /// <summary>The server takes it although RFC 9110 has no sign there; it ends the body where every other reader of it would.</summary>
    [Test]
    public async Task A_length_with_a_sign_is_that_length()
    {
        var answers = await SendAsync(Head + "Content-Length: +2\r\n\r\n{}" + Smuggled.Replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n", StringComparison.Ordinal));

        Assert.That(answers.Split("HTTP/1.1 200 ").Length - 1, Is.EqualTo(2), answers);
    }

    [Test]
    public async Task Nobody_is_moved_to_another_protocol()
    {
        var answers = await SendAsync("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n");

        Assert.That(answers, Does.StartWith("HTTP/1.1 200 "));
    }

    private static TestCaseData Of(string name, string request) => new TestCaseData(request).SetName($"{{m}}: {name}");

    /// <summary>All that comes back until the node closes the connection.</summary>
    private async Task<string> SendAsync(string request)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, new Uri(_node.Addresses.Operator).Port);
        await client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(request));
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        using var answers = new MemoryStream();
        try
        {
            await client.GetStream().CopyToAsync(answers, patience.Token);
        }
        catch (IOException)
        {
            // Closed with what was sent still unread.
        }
        catch (OperationCanceledException)
        {
            answers.Write("(the connection stayed open)HTTP/1.1 "u8);
        }

        return Encoding.Latin1.GetString(answers.ToArray());
    }
}
