using EvenKeel.Queue;
using MetricStream.Intake;
using MetricStream.Queueing;
using MetricStream.Serving;
using MetricStream.Storing;
using MetricStream.Tests.Intake;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;
using Xunit;

namespace MetricStream.Tests.Serving;

public sealed class StateEndpointsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("metricstream-state-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Statistics_of_a_store_that_cannot_be_read_are_503_with_the_reason_and_health_goes_on()
    {
        using var store = new ScriptedStore(
            () => null, () => throw new StoreUnavailableException("The store is damaged.", new IOException()));
        await using var server = await StartAsync(store);
        using var client = new HttpClient { BaseAddress = new Uri(server.Urls.Single()) };

        using var stats = await client.GetAsync(new Uri("/api/stats", UriKind.Relative), TestContext.Current.CancellationToken);
        using var live = await client.GetAsync(new Uri("/health/live", UriKind.Relative), TestContext.Current.CancellationToken);

        Assert.Equal((503, Problem.MediaType), ((int)stats.StatusCode, stats.Content.Headers.ContentType?.MediaType));
        Assert.NotNull(stats.Headers.RetryAfter);
        Assert.Contains("damaged", await stats.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Equal(200, (int)live.StatusCode);
    }

    [Theory]
    [InlineData("/health/live")]
    [InlineData("/health/ready")]
    [InlineData("/api/stats")]
    [InlineData("/metrics")]
    public async Task What_answers_GET_answers_HEAD_without_a_body(string path)
    {
        using var store = new ScriptedStore(() => null, () => new StoreAccount(default, new Dictionary<string, long>()));
        await using var server = await StartAsync(store);
        using var client = new HttpClient { BaseAddress = new Uri(server.Urls.Single()) };
        using var request = new HttpRequestMessage(HttpMethod.Head, path);

        using var head = await client.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(200, (int)head.StatusCode);
        Assert.Empty(await head.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task The_law_stands_in_the_prometheus_page_in_its_text_format()
    {
        using var store = new ScriptedStore(
            () => null,
            () => new StoreAccount(new StoreCounters(5, 2, 1, 1, 7), new Dictionary<string, long> { ["file:earlier"] = 9 }));
        await using var server = await StartAsync(store);
        using var client = new HttpClient { BaseAddress = new Uri(server.Urls.Single()) };

        using var answer = await client.GetAsync(new Uri("/metrics", UriKind.Relative), TestContext.Current.CancellationToken);
        var lines = (await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).Split('\n', StringSplitOptions.RemoveEmptyEntries);

        Assert.Equal("text/plain", answer.Content.Headers.ContentType?.MediaType);
        Assert.Contains("metricstream_batches_acknowledged_total 9", lines);
        Assert.Contains("metricstream_batches_stored_total 5", lines);
        Assert.Contains("metricstream_batches_rejected_total 7", lines);
        Assert.Contains("metricstream_batches_missing 0", lines);
        Assert.All(lines, line => Assert.Matches(@"^(# (HELP|TYPE) )?metricstream_[a-z_]+ \S.*$", line));
    }

    private async Task<WebApplication> StartAsync(IMetricStore store)
    {
        var settings = new ServeSettings { Data = _folder };
        var queue = DurableQueue.Open(new DurableQueueOptions { Directory = settings.QueueFolder });
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Lifetime.ApplicationStopped.Register(queue.Dispose);
        var batches = new FileBatchQueue(queue);
        var state = new ServerState(settings, queue, batches, store, new IntakeLedger());
        var times = new IntakeTimes();
        using var pulse = new ServerPulse(new FilePulse(queue, batches), times, TimeProvider.System);
        new StateEndpoints(state, times, new StatsJson(state, times, pulse, null, TimeProvider.System)).Map(app);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return app;
    }
}
