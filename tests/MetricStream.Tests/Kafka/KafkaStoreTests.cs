using System.Net.ServerSentEvents;
using System.Text;
using System.Text.Json;
using EvenKeel.Kafka.Consuming;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Settings;
using EvenKeel.Testing.Cluster;
using MetricStream.Kafka;
using MetricStream.Serving;
using Xunit;

namespace MetricStream.Tests.Kafka;

public sealed class KafkaStoreTests : IDisposable
{
    private const string Body = """{"metrics":[{"name":"cpu","value":0.5,"type":"gauge"}]}""";

    private readonly string _data = Directory.CreateTempSubdirectory("metricstream-kafka-store-").FullName;

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Fact]
    public async Task What_is_posted_or_written_into_the_topic_is_stored_once_or_a_dead_letter_with_its_reason_and_the_law_holds()
    {
        await using var broker = EmbeddedBroker.Start();
        var settings = Settings(broker);
        await using var server = await KafkaServerRun.StartAsync(settings);
        await using var producer = new ReliableProducer(new ProducerOptions { BootstrapServers = broker.BootstrapServers });
        var topic = settings.Kafka!.Topic;

        await server.PostAsync(Body, ("X-Client-Id", "web-1"), ("Idempotency-Key", "b1"));
        await server.PostAsync(Body, ("X-Client-Id", "web-1"), ("Idempotency-Key", "b1"));
        await SendAsync(producer, topic, "web-2", Body, ("batch-id", "b2"), ("record-id", "theirs-1"));
        await SendAsync(producer, topic, "web-2", Body, ("batch-id", "b2"), ("record-id", "theirs-1"));
        await SendAsync(producer, topic, "web-3", "no batch");
        await SendAsync(producer, topic, "no client!", Body);

        // Until all six are read: the topic's end is asked for once a second, and the law alone cannot see a replay that is still to come.
        var stats = await server.UntilStatsAsync(stats => Number(stats, "acknowledged") == 5 && Number(stats, "queued") == 0
            && stats.GetProperty("partitions").EnumerateArray().Sum(partition => Number(partition, "committed")) == 6);

        Assert.Equal((2, 1, 2, 0), (
            Number(stats, "stored"), Number(stats, "duplicates"), Number(stats, "dead_lettered"), Number(stats, "missing")));
        Assert.Equal(1, stats.GetProperty("store").GetProperty("replays").GetInt64());
        var partitions = stats.GetProperty("partitions").EnumerateArray().ToList();
        Assert.Equal(6, partitions.Sum(partition => Number(partition, "committed")));
        Assert.All(partitions, partition => Assert.Equal(
            (0, Number(partition, "high_watermark")), (Number(partition, "lag"), Number(partition, "committed"))));
        Assert.Equal(2, (await server.JsonAsync("/api/query?name=cpu"))[0].GetProperty("points").GetArrayLength());
        Assert.Equal("b1", (await server.JsonAsync("/api/clients/web-1/batches"))[0].GetProperty("batch_id").GetString());

        var letters = await TopicReading.ReadAsync(broker, settings.Kafka.DeadLetters, 2);
        var poison = letters.Single(letter => letter.Key == "web-3");
        Assert.Equal("no batch", poison.Value);
        Assert.Contains("not JSON", poison.Headers[DeadLetterHeaders.Reason], StringComparison.Ordinal);
        Assert.Equal((topic, StoreMember.Group), (poison.Headers[DeadLetterHeaders.Topic], poison.Headers[DeadLetterHeaders.Group]));
        var other = letters.Single(letter => letter != poison);
        Assert.Contains("no client id", other.Headers[DeadLetterHeaders.Reason], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_store_role_takes_up_what_an_intake_role_left_and_the_sum_of_their_laws_holds()
    {
        await using var broker = EmbeddedBroker.Start();
        var settings = Settings(broker);
        var taking = settings with { Data = Path.Combine(_data, "a"), Kafka = settings.Kafka! with { Role = ServerRole.Intake } };
        var storing = settings with { Data = Path.Combine(_data, "b"), Kafka = settings.Kafka! with { Role = ServerRole.Store } };
        await using var intake = await KafkaServerRun.StartAsync(taking);
        for (var i = 0; i < 10; i++)
            await intake.PostAsync(Body, ("X-Client-Id", $"web-{i}"), ("Idempotency-Key", "b"));

        await using (var store = await KafkaServerRun.StartAsync(storing))
        {
            Assert.Equal(405, (await store.PostAsync(Body)).Status);
            var stored = await store.UntilStatsAsync(stats => Number(stats, "stored") == 10);
            var taken = await intake.StatsAsync();
            Assert.Equal((0, 0, 0), (Number(stored, "acknowledged"), Number(stored, "queued"), Number(stored, "missing")));
            Assert.Equal((10, 0, 0), (Number(taken, "acknowledged"), Number(taken, "stored"), Number(taken, "missing")));
        }

        // Away, it misses nothing; back, it goes on where its store is, whatever the group has committed.
        await intake.PostAsync(Body, ("X-Client-Id", "web-1"), ("Idempotency-Key", "c"));
        await using (var store = await KafkaServerRun.StartAsync(storing))
        {
            var stored = await store.UntilStatsAsync(stats => Number(stats, "stored") == 11);
            Assert.Equal((0, 0), (Number(stored, "duplicates"), stored.GetProperty("store").GetProperty("replays").GetInt64()));
        }
    }

    [Fact]
    public async Task A_topic_that_is_deleted_and_made_again_while_the_server_runs_is_another_source_and_read_from_its_beginning()
    {
        await using var broker = TestBroker.Start();
        Assert.SkipWhen(broker.IsEmbedded, $"The embedded broker's topics have no ids: {TestBroker.AddressVariable} is not set.");
        var settings = Settings(broker);
        await using var server = await KafkaServerRun.StartAsync(settings);
        for (var i = 0; i < 10; i++)
            await server.PostAsync(Body, ("X-Client-Id", "web-1"), ("Idempotency-Key", $"a{i}"));
        await server.UntilStatsAsync(stats => Number(stats, "stored") == 10);

        await broker.DeleteTopicAsync(settings.Kafka!.Topic, TestContext.Current.CancellationToken);
        await server.PostAsync(Body, ("X-Client-Id", "web-1"), ("Idempotency-Key", "b"));
        var stats = await server.UntilStatsAsync(stats => Number(stats, "stored") == 11);

        Assert.Equal((11, 0, 0), (Number(stats, "acknowledged"), Number(stats, "queued"), Number(stats, "missing")));
    }

    [Fact]
    public async Task Who_watches_gets_what_is_posted_and_who_comes_back_with_an_id_what_was_missed()
    {
        await using var broker = EmbeddedBroker.Start();
        await using var server = await KafkaServerRun.StartAsync(Settings(broker));
        await server.UntilStatsAsync(stats => stats.GetProperty("partitions").GetArrayLength() == 4);

        string last;
        await using (var events = await WatchAsync(server, null))
        {
            await server.PostAsync(Body, ("X-Client-Id", "web-1"));
            var first = await events.NextAsync();
            Assert.Contains("\"points\":[[", first.Data, StringComparison.Ordinal);
            Assert.Contains(",0.5]]", first.Data, StringComparison.Ordinal);
            last = first.EventId!;
        }

        Assert.Matches("^0:-?[0-9]+,1:-?[0-9]+,2:-?[0-9]+,3:-?[0-9]+$", last);
        foreach (var client in (string[])["web-1", "web-2", "web-3"])
            await server.PostAsync(Body, ("X-Client-Id", client));
        await using var resumed = await WatchAsync(server, last);
        Assert.Equal(3, (await resumed.NextAsync()).Data.Split(",0.5]").Length - 1);
    }

    [Fact]
    public async Task A_member_that_the_group_refuses_says_so_while_intake_goes_on()
    {
        await using var broker = EmbeddedBroker.Start();
        broker.Faults.FailRequests(KafkaApi.JoinGroup, [.. Enumerable.Repeat(EvenKeel.Kafka.KafkaErrorCode.GroupAuthorizationFailed, 1000)]);
        await using var server = await KafkaServerRun.StartAsync(Settings(broker));

        Assert.Equal(200, (await server.PostAsync(Body)).Status);
        var stats = await server.UntilStatsAsync(stats => stats.GetProperty("store").GetProperty("trouble").GetString() is not null);

        Assert.Contains("Group authorization failed", stats.GetProperty("store").GetProperty("trouble").GetString(), StringComparison.Ordinal);
        Assert.Equal((1, 1), (Number(stats, "acknowledged"), Number(stats, "queued")));
    }

    [Fact]
    public async Task Batches_that_retention_takes_before_they_are_stored_are_missing_in_the_law()
    {
        await using var broker = EmbeddedBroker.Start();
        var settings = Settings(broker);
        var topic = settings.Kafka!.Topic;
        await broker.CreateTopicAsync(topic, 1, TestContext.Current.CancellationToken);
        await using (var producer = new ReliableProducer(new ProducerOptions { BootstrapServers = broker.BootstrapServers }))
        {
            for (var i = 0; i < 5; i++)
                await SendAsync(producer, topic, "c", Body);
        }

        await using (var server = await KafkaServerRun.StartAsync(settings))
        {
            await server.UntilStatsAsync(stats => Number(stats, "stored") == 5);
        }

        await using (var producer = new ReliableProducer(new ProducerOptions { BootstrapServers = broker.BootstrapServers }))
        {
            for (var i = 0; i < 5; i++)
                await SendAsync(producer, topic, "c", Body);
        }

        broker.DeleteRecords(topic, 0, 7);
        await using (var server = await KafkaServerRun.StartAsync(settings))
        {
            var stats = await server.UntilStatsAsync(stats => Number(stats, "stored") == 8);
            Assert.Equal((10, 2), (Number(stats, "acknowledged"), Number(stats, "missing")));
            Assert.Equal(2, stats.GetProperty("store").GetProperty("lost").GetInt64());
        }
    }

    private static long Number(JsonElement stats, string name) => KafkaIntakeTests.Number(stats, name);

    private static async Task SendAsync(
        ReliableProducer producer, string topic, string key, string value, params (string Name, string Value)[] headers)
    {
        var outcome = await producer.SendAsync(
            topic, Encoding.UTF8.GetBytes(key), Encoding.UTF8.GetBytes(value),
            [.. headers.Select(header => RecordHeader.Of(header.Name, header.Value))], TestContext.Current.CancellationToken);
        Assert.Equal(DeliveryStatus.Delivered, outcome.Status);
    }

    private static async Task<Watch> WatchAsync(KafkaServerRun server, string? lastEventId)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/stream?name=cpu");
        request.Headers.TryAddWithoutValidation("Last-Event-ID", lastEventId);
        var response = await server.Client.SendAsync(
            request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        Assert.Equal(System.Net.HttpStatusCode.OK, response.StatusCode);
        return new Watch(response, await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
    }

    private ServeSettings Settings(IBroker broker) => Settings(broker, _data);

    internal static ServeSettings Settings(IBroker broker, string data) => new()
    {
        Data = data,
        Queue = QueueKind.Kafka,
        Kafka = new KafkaOptions
        {
            // A member that comes back waits for the end of its session: the embedded broker knows no static members. A real one wants 6 s.
            Client = new KafkaSettings
            {
                BootstrapServers = broker.BootstrapServers,
                SessionTimeout = broker.IsEmbedded ? EmbeddedBroker.ShortestSession : TimeSpan.FromSeconds(6),
            },
            Topic = "metrics-" + Guid.NewGuid().ToString("n"),
            Role = ServerRole.All,
        },
    };

    /// <summary>A subscriber of the stream.</summary>
    private sealed class Watch(HttpResponseMessage response, Stream body) : IAsyncDisposable
    {
        private readonly IAsyncEnumerator<SseItem<string>> _events =
            SseParser.Create(body).EnumerateAsync(TestContext.Current.CancellationToken).GetAsyncEnumerator();

        public async Task<SseItem<string>> NextAsync()
        {
            do
                Assert.True(await _events.MoveNextAsync().AsTask().WaitAsync(KafkaServerRun.Deadline));
            while (_events.Current.EventType != "sample");
            return _events.Current;
        }

        public async ValueTask DisposeAsync()
        {
            await _events.DisposeAsync();
            response.Dispose();
        }
    }
}
