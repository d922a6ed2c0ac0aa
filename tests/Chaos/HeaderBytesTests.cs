using System.Net.Sockets;
using System.Text;
using Xunit;

namespace Chaos;

/// <summary>Header bytes that no HTTP client library sends, against the server as it is configured.</summary>
public sealed class HeaderBytesTests : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("metricstream-headers-").FullName;

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Theory]
    [InlineData("X-Client-Id")]
    [InlineData("Idempotency-Key")]
    public async Task A_header_that_is_no_UTF_8_is_422_with_its_name(string header)
    {
        var cancellation = TestContext.Current.CancellationToken;
        using var server = await ServerProcess.StartAsync(_data, cancellation);
        using var client = new TcpClient();
        await client.ConnectAsync(server.Url.Host, server.Url.Port, cancellation);
        const string Body = """{"metrics":[{"name":"cpu","value":1,"type":"gauge"}]}""";
        var request = "POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            + $"{header}: caf\u00e9\r\nContent-Length: {Body.Length}\r\n\r\n{Body}";
        await client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(request), cancellation);

        using var reader = new StreamReader(client.GetStream());
        var answer = await reader.ReadToEndAsync(cancellation).WaitAsync(TimeSpan.FromSeconds(20), cancellation);

        Assert.StartsWith("HTTP/1.1 422", answer, StringComparison.Ordinal);
        Assert.Contains($"\"field\":\"{header}\",\"code\":\"bad_character\"", answer, StringComparison.Ordinal);
    }
}
