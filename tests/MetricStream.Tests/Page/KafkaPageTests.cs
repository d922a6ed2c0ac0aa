using EvenKeel.Kafka.Settings;
using MetricStream.Kafka;
using MetricStream.Serving;
using MetricStream.Tests.Kafka;
using Xunit;

namespace MetricStream.Tests.Page;

/// <summary>The live page of a server with its queue in Kafka.</summary>
public sealed class KafkaPageTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("metricstream-kafka-page-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_server_that_spills_says_so_and_counts_what_waits_in_the_spill()
    {
        Assert.SkipUnless(Chromium.Executable is not null, "There is no Chromium here: install it as /usr/bin/chromium, or name one in CHROMIUM.");
        var away = new KafkaOptions { Client = new KafkaSettings { BootstrapServers = $"127.0.0.1:{KafkaIntakeTests.ClosedPort()}" } };
        await using var server = await KafkaServerRun.StartAsync(new ServeSettings { Data = _folder, Queue = QueueKind.Kafka, Kafka = away });
        for (var i = 0; i < 3; i++)
            Assert.Equal(200, (await server.PostAsync("""{"metrics":[{"name":"cpu","type":"gauge","value":1}]}""")).Status);
        await using var browser = await Chromium.StartAsync();
        var tab = await browser.OpenAsync(390, 844);
        await tab.GoAsync(server.Client.BaseAddress!);

        await tab.UntilAsync("document.getElementById('queue-batches').textContent === '3'");
        Assert.Equal("spilling", await tab.TextAsync("#modes [aria-current]"));
        Assert.Equal(("3", "3"), (await tab.TextAsync("#law-spilled"), await tab.TextAsync("#spill-batches")));
        Assert.NotEqual("–", await tab.TextAsync("#queue-age"));
        Assert.Contains("in the spill", await tab.TextAsync("#queue-hint"), StringComparison.Ordinal);
        await tab.UntilAsync("(async () => (await (await fetch('api/stats/history')).json()).spilled.at(-1) === 3)()");
        Assert.Equal(AcceptanceIds.NameIn(_folder), (await server.StatsAsync()).GetProperty("queue").GetProperty("server").GetString());
        Assert.Empty(tab.Complaints);
    }
}
