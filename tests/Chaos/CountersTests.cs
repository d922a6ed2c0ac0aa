using System.Net;
using System.Text;
using System.Text.Json;
using Xunit;

namespace Chaos;

/// <summary>Counters live as long as the data directory, whatever the server is started with.</summary>
public sealed class CountersTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly string _data = Directory.CreateTempSubdirectory("metricstream-counters-").FullName;
    private readonly HttpClient _http = new();

    public void Dispose()
    {
        _http.Dispose();
        Directory.Delete(_data, recursive: true);
    }

    [Fact]
    public async Task A_server_without_a_store_knows_what_an_earlier_one_stored_and_refused()
    {
        var cancellation = TestContext.Current.CancellationToken;
        using (var server = await ServerProcess.StartAsync(_data, cancellation))
        {
            for (var i = 0; i < 3; i++)
                Assert.Equal(HttpStatusCode.OK, await PostAsync(server, """{"metrics":[{"name":"cpu","value":1,"type":"gauge"}]}"""));
            Assert.Equal(HttpStatusCode.UnprocessableEntity, await PostAsync(server, """{"metrics":[]}"""));
            Assert.Equal(0, await server.TerminateAsync(Patience, cancellation));
        }
        using (var server = await ServerProcess.StartAsync(_data, cancellation, "--store", "none"))
        {
            Assert.Equal((3, 3, 0, 1), await CountersAsync(server));
            Assert.Equal(HttpStatusCode.OK, await PostAsync(server, """{"metrics":[{"name":"cpu","value":2,"type":"gauge"}]}"""));
            Assert.Equal(HttpStatusCode.UnprocessableEntity, await PostAsync(server, """{"metrics":1}"""));
            Assert.Equal((4, 3, 1, 2), await CountersAsync(server));
            Assert.Equal(0, await server.TerminateAsync(Patience, cancellation));
        }
        using (var server = await ServerProcess.StartAsync(_data, cancellation, "--store", "none"))
            Assert.Equal((4, 3, 1, 2), await CountersAsync(server));
    }

    private async Task<HttpStatusCode> PostAsync(ServerProcess server, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await _http.PostAsync(new Uri(server.Url, "/metrics"), content, TestContext.Current.CancellationToken);
        return answer.StatusCode;
    }

    private async Task<(long Acknowledged, long Stored, long Queued, long Rejected)> CountersAsync(ServerProcess server)
    {
        using var stats = JsonDocument.Parse(
            await _http.GetStringAsync(new Uri(server.Url, "/api/stats"), TestContext.Current.CancellationToken));
        long Of(string name) => stats.RootElement.GetProperty(name).GetInt64();
        return (Of("acknowledged"), Of("stored"), Of("queued"), Of("rejected"));
    }
}
