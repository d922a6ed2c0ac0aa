using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using MetricStream.Load;
using Microsoft.AspNetCore.Hosting;
using Xunit;

namespace MetricStream.Tests.Load;

public sealed class HttpConnectionTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, true)]
    [InlineData("HTTP/1.1 204 No Content\r\n\r\n", 204, true)]
    [InlineData("HTTP/1.1 200\r\ncontent-length:0\r\nCONNECTION: Close\r\n\r\n", 200, false)]
    [InlineData("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, false)]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x\r\n0123456789\r\n0\r\nT: t\r\n\r\n", 200, true)]
    [InlineData("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok", 202, true)]
    public async Task An_answer_is_read_to_its_end_also_when_it_comes_byte_by_byte(string answer, int status, bool keepsAlive)
    {
        foreach (var pieceBytes in new[] { int.MaxValue, 1 })
        {
            var exchange = await ExchangeAsync(answer, pieceBytes, closes: false);
            Assert.Equal((status, keepsAlive), (exchange.Status, exchange.KeepsAlive));
        }
    }

    [Fact]
    public async Task A_body_without_a_length_ends_with_the_connection()
    {
        var exchange = await ExchangeAsync("HTTP/1.1 200 OK\r\n\r\n" + new string('x', 40_000), 1000, closes: true);
        Assert.Equal((200, false), (exchange.Status, exchange.KeepsAlive));
    }

    [Fact]
    public async Task A_body_larger_than_the_buffer_is_passed_over()
    {
        var answer = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + new string('x', 100_000);
        Assert.Equal(200, (await ExchangeAsync(answer, 7000, closes: false)).Status);
    }

    [Fact]
    public async Task What_an_error_says_is_kept_without_control_characters()
    {
        var exchange = await ExchangeAsync("HTTP/1.1 422 No\r\nContent-Length: 11\r\n\r\nempty\nname!", int.MaxValue, closes: false);
        Assert.Equal("empty name!", exchange.Excerpt);
    }

    [Theory]
    [InlineData("SSH-2.0-OpenSSH_9.2\r\n", "no HTTP/1.x status line")]
    [InlineData("HTTP/1.1 2x0 OK\r\n\r\n", "no HTTP/1.x status line")]
    [InlineData("HTTP/1.1 999 OK\r\n\r\n", "status 999")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "a Content-Length that is no number")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", "a Content-Length that is no number")]
    [InlineData("HTTP/1.1 200 OK\r\nno field\r\n\r\n", "a header field without a name")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "a transfer coding we did not ask for")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "a chunk without a size")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n", "a chunk longer than its size says")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy", "more bytes than its answer has")]
    public async Task What_is_not_http_is_named(string answer, string named)
    {
        var error = await Assert.ThrowsAsync<BadResponseException>(() => ExchangeAsync(answer, int.MaxValue, closes: false));
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_head_without_an_end_is_refused_at_the_size_of_the_buffer()
    {
        var answer = "HTTP/1.1 200 OK\r\nX: " + new string('x', 20_000);
        var error = await Assert.ThrowsAsync<BadResponseException>(() => ExchangeAsync(answer, int.MaxValue, closes: false));
        Assert.Contains("more than 16384 bytes", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Le")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")]
    public async Task A_connection_closed_within_an_answer_is_an_error(string answer)
    {
        var error = await Assert.ThrowsAsync<IOException>(() => ExchangeAsync(answer, int.MaxValue, closes: true));
        Assert.Contains("closed the connection before its answer was complete", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Https_works_when_the_certificate_is_trusted_and_is_no_connection_when_not()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        await using var server = await MisbehavingServer.StartAsync(listen => listen.UseHttps(certificate));
        var untrusting = new LoadTarget(server.Url, null, null, Limit);
        var trusting = untrusting with
        {
            CertificateValidation = (_, seen, _, _) => seen?.GetCertHashString() == certificate.GetCertHashString(),
        };
        var shape = new LoadShape(2, 5, 3, null, null);
        var ended = TestContext.Current.CancellationToken;

        var (trusted, _) = await new LoadRun(trusting, shape, "tls", null).RunAsync(TimeSpan.Zero, null, ended);
        Assert.Equal((10, 0), (trusted.Tally.Succeeded, trusted.Tally.Failed));
        var once = shape with { Clients = 1, Requests = 1 };
        var (refused, _) = await new LoadRun(untrusting, once, "tls", null).RunAsync(TimeSpan.Zero, null, ended);
        Assert.Equal([KeyValuePair.Create(FailureKind.NoConnection, 1L)], refused.Tally.Failures);
    }

    private static async Task<HttpExchange> ExchangeAsync(string answer, int pieceBytes, bool closes)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var target = new LoadTarget(new($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}"), null, null, Limit);
        using var connection = await HttpConnection.OpenAsync(target, TestContext.Current.CancellationToken);
        using var accepted = await listener.AcceptSocketAsync();
        accepted.NoDelay = true;
        var exchange = connection.ExchangeAsync("GET / HTTP/1.1\r\n\r\n"u8.ToArray()).AsTask();
        // What was asked is read first: closing a socket with unread bytes resets it.
        await accepted.ReceiveAsync(new byte[1024]);
        var bytes = Encoding.ASCII.GetBytes(answer);
        foreach (var piece in bytes.Chunk(Math.Clamp(bytes.Length, 1, pieceBytes))) await accepted.SendAsync(piece);
        if (closes) accepted.Shutdown(SocketShutdown.Send);
        return await exchange.WaitAsync(Limit);
    }
}
