using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using MetricStream.Serving;
using MetricStream.Tests.Intake;
using Xunit;

namespace MetricStream.Tests.Serving;

/// <summary>Connections, slow ones and secured ones, to the server as its user starts it.</summary>
public sealed class ListeningTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("metricstream-listening-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_body_that_stalls_is_408_and_headers_that_do_not_end_are_cut()
    {
        await using var server = await ServedProcess.StartAsync(_folder, [], ("Kestrel__Limits__RequestHeadersTimeout", "00:00:02"));
        using var stalled = await ConnectAsync(server);
        using var headers = await ConnectAsync(server);
        await stalled.SendAsync("POST /metrics HTTP/1.1\r\nHost: x\r\nX-Client-Id: slow\r\nContent-Length: 5000\r\n\r\n{\"metrics\":[");
        await headers.SendAsync("POST /metrics HTTP/1.1\r\nHost: x\r\nX-Half: ");

        Assert.DoesNotContain("HTTP/1.1 200", await headers.ReadToEndAsync(), StringComparison.Ordinal);
        var answer = await stalled.ReadToEndAsync();

        Assert.StartsWith("HTTP/1.1 408", answer, StringComparison.Ordinal);
        Assert.Contains("application/problem+json", answer, StringComparison.Ordinal);
        Assert.Equal(200, (await server.PostAsync(IntakeServer.GoodBody)).Status);
        // On its way from memory into the store, a rejection is in neither for a moment.
        var counted = (0L, 0L);
        await ServedProcess.UntilAsync(
            async () =>
            {
                var stats = (await server.GetAsync("/api/stats")).Json;
                counted = (stats.GetProperty("acknowledged").GetInt64(), stats.GetProperty("rejected").GetInt64());
                return counted == (1, 1);
            },
            () => counted.ToString());
    }

    [Fact]
    public async Task One_connection_more_than_allowed_is_refused_until_another_ends()
    {
        await using var server = await ServedProcess.StartAsync(_folder, ["--max-connections", "2"]);
        const string Live = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";
        using var one = await ConnectAsync(server);
        var two = await ConnectAsync(server);
        foreach (var connection in new[] { one, two })
        {
            await connection.SendAsync(Live);
            await connection.ReadAsync(IsOk);
        }

        Assert.Equal("", await AskAsync());
        two.Dispose();

        await ServedProcess.UntilAsync(async () => IsOk(await AskAsync()), () => "no third connection is taken");
        one.Dispose();
        var page = (await server.GetAsync("/metrics")).Body;
        Assert.Contains("metricstream_connections_max 2\n", page, StringComparison.Ordinal);
        Assert.Matches("metricstream_connections_refused_total [1-9]", page);

        // Nothing: closed before it was read.
        async Task<string> AskAsync()
        {
            try
            {
                using var connection = await ConnectAsync(server);
                await connection.SendAsync(Live);
                return await connection.ReadAsync(IsOk);
            }
            catch (SocketException refused) when (refused.SocketErrorCode is SocketError.ConnectionReset or SocketError.Shutdown)
            {
                return "";
            }
        }

        static bool IsOk(string text) => text.Contains("\r\nok\r\n", StringComparison.Ordinal);
    }

    [Fact]
    public async Task Kestrels_own_section_gives_TLS_with_a_certificate_of_its_users()
    {
        using var certificate = MakeCertificate();
        var (file, key) = (Path.Combine(_folder, "tls.crt"), Path.Combine(_folder, "tls.key"));
        await File.WriteAllTextAsync(file, certificate.ExportCertificatePem(), TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(key, certificate.GetRSAPrivateKey()!.ExportPkcs8PrivateKeyPem(), TestContext.Current.CancellationToken);
        await using var server = await ServedProcess.StartAsync(
            _folder, [], ("Kestrel__Endpoints__Secured__Url", "https://127.0.0.1:0"),
            ("Kestrel__Certificates__Default__Path", file), ("Kestrel__Certificates__Default__KeyPath", key));
        await ServedProcess.UntilAsync(() => Task.FromResult(server.Said.Contains("https://", StringComparison.Ordinal)), () => server.Said);
        var address = server.Said.Split("is listening on ").Last(line => line.StartsWith("https", StringComparison.Ordinal)).Split('\n')[0];
        using var handler = new SocketsHttpHandler();
        handler.SslOptions.RemoteCertificateValidationCallback = (_, shown, _, _) => shown?.GetCertHashString() == certificate.GetCertHashString();
        using var client = new HttpClient(handler) { BaseAddress = new Uri(address) };

        using var body = new StringContent(IntakeServer.GoodBody, Encoding.UTF8, "application/json");
        using var answer = await client.PostAsync(new Uri("/metrics", UriKind.Relative), body, TestContext.Current.CancellationToken);

        Assert.Equal(200, (int)answer.StatusCode);
        Assert.Equal("http", server.Address.Scheme);
        Assert.Equal(200, (await server.PostAsync(IntakeServer.GoodBody)).Status);
    }

    [Fact]
    public async Task A_certificate_that_is_not_there_ends_the_start_with_2_and_its_name()
    {
        var (exit, said) = await ServedProcess.RunAsync(
            _folder, [("Kestrel__Endpoints__Tls__Url", "https://127.0.0.1:0"), ("Kestrel__Certificates__Default__Path", "none.pem")],
            "serve", "--port", "0", "--data", Path.Combine(_folder, "data"));

        Assert.Equal(2, exit);
        Assert.Contains("none.pem", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_log_is_JSON_where_that_is_asked_for_with_the_values_by_their_names()
    {
        await using var server = await ServedProcess.StartAsync(_folder, ["--log-format", "json"]);
        var line = "";

        await ServedProcess.UntilAsync(
            () => Task.FromResult((line = server.Said.Split('\n').FirstOrDefault(said => said.Contains("\"EventId\":101", StringComparison.Ordinal)) ?? "") != ""),
            () => server.Said);

        using var json = JsonDocument.Parse(line);
        Assert.Equal(server.Address, new Uri(json.RootElement.GetProperty("State").GetProperty("Address").GetString()!));
    }

    [Fact]
    public void The_process_knows_how_many_descriptors_it_has() => Assert.InRange(Listening.Descriptors(), 64, long.MaxValue);

    private static async Task<RawConnection> ConnectAsync(ServedProcess server)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(server.Address.Host, server.Address.Port);
        return new RawConnection(socket);
    }

    private static X509Certificate2 MakeCertificate()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
    }
}
