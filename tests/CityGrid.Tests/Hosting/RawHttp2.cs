using System.Buffers.Binary;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace CityGrid.Tests.Hosting;

/// <summary>An HTTP/2 connection that writes any frame it is told to, right or wrong. What comes back is read and thrown away, so that nothing stands still for it.</summary>
internal sealed class RawHttp2 : IAsyncDisposable
{
    public const byte Data = 0, Headers = 1, ResetStream = 3, Settings = 4, Ping = 6, WindowUpdate = 8, Continuation = 9;
    public const byte EndStream = 1, EndHeaders = 4;

    private readonly TcpClient _client;
    private readonly Stream _stream;
    private readonly Task _drained;

    private RawHttp2(TcpClient client, Stream stream)
    {
        (_client, _stream) = (client, stream);
        _drained = DrainAsync();
    }

    /// <summary>Bytes that came back.</summary>
    public long Received { get; private set; }

    /// <summary>Ends when the server has closed the connection.</summary>
    public Task Closed => _drained;

    public static async Task<RawHttp2> ConnectAsync(int port, X509Certificate2? certificate)
    {
        var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync(IPAddress.Loopback, port);
        Stream stream = client.GetStream();
        if (certificate is not null)
        {
            var tls = new SslStream(stream, false, (_, _, _, _) => true);
            await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
            {
                TargetHost = "localhost",
                ClientCertificates = [certificate],
                ApplicationProtocols = [SslApplicationProtocol.Http2],
            });
            stream = tls;
        }

        await stream.WriteAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray());
        var connection = new RawHttp2(client, stream);
        await connection.SendAsync(Settings, 0, 0, ReadOnlyMemory<byte>.Empty);
        return connection;
    }

    /// <summary>False once the server has closed the connection.</summary>
    public async Task<bool> SendAsync(byte type, byte flags, int stream, ReadOnlyMemory<byte> payload)
    {
        var frame = new byte[9 + payload.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame, payload.Length << 8);
        (frame[3], frame[4]) = (type, flags);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame.AsMemory(9));
        try
        {
            await _stream.WriteAsync(frame);
            return true;
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            return false;
        }
    }

    /// <summary>Header fields in HPACK, each a literal without index and without Huffman.</summary>
    public static byte[] Block(params (string Name, string Value)[] fields)
    {
        using var block = new MemoryStream();
        foreach (var (name, value) in fields)
        {
            block.WriteByte(0);
            foreach (var text in new[] { name, value })
            {
                var bytes = Encoding.ASCII.GetBytes(text);
                if (bytes.Length < 127)
                {
                    block.WriteByte((byte)bytes.Length);
                }
                else
                {
                    block.WriteByte(127);
                    var rest = bytes.Length - 127;
                    for (; rest >= 128; rest /= 128)
                    {
                        block.WriteByte((byte)((rest % 128) + 128));
                    }

                    block.WriteByte((byte)rest);
                }

                block.Write(bytes);
            }
        }

        return block.ToArray();
    }

    public static byte[] Call(string path) => Block(
        (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost"), ("content-type", "application/grpc"), ("te", "trailers"),
        ("authorization", $"Bearer {NodeFolder.ViewerToken}"));

    public static byte[] Int32(uint value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return bytes;
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _drained;
    }

    private async Task DrainAsync()
    {
        var page = new byte[16 << 10];
        try
        {
            for (var read = 1; read > 0;)
            {
                read = await _stream.ReadAsync(page);
                Received += read;
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // Closed by either side.
        }
    }
}
