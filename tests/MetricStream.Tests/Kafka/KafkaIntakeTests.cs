using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using EvenKeel.Kafka.Settings;
using EvenKeel.Queue;
using EvenKeel.Testing.Cluster;
using MetricStream.Intake;
using MetricStream.Kafka;
using MetricStream.Serving;
using MetricStream.Tests.Intake;
using Xunit;

namespace MetricStream.Tests.Kafka;

public sealed class KafkaIntakeTests : IDisposable
{
    private const string Body = """{"metrics":[{"name":"cpu","value":0.5,"type":"gauge","note":"é"}]}""";

    // A server that starts although it must not is stopped then, and the test fails.
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(10);

    private readonly string _data = Directory.CreateTempSubdirectory("metricstream-kafka-").FullName;

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Fact]
    public async Task A_batch_is_a_message_with_the_client_as_key_the_body_as_posted_and_its_headers()
    {
        await using var broker = TestBroker.Start();
        var settings = Settings(broker.BootstrapServers);
        await using var server = await KafkaServerRun.StartAsync(settings);
        const string Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

        var answer = await server.PostAsync(Body, ("X-Client-Id", "web-1"), ("Idempotency-Key", "b1"), ("traceparent", Trace));
        var message = Assert.Single(await TopicReading.ReadAsync(broker, settings.Kafka!.Topic, 1));

        Assert.Equal(200, answer.Status);
        Assert.Equal("durable", answer.Json.GetProperty("ack").GetString());
        Assert.Equal("broker", answer.Json.GetProperty("held").GetString());
        Assert.Equal(("web-1", Body), (message.Key, message.Value));
        Assert.Equal("b1", message.Headers["batch-id"]);
        Assert.Equal("application/json", message.Headers["content-type"]);
        Assert.Equal(Trace, message.Headers["traceparent"]);
        Assert.StartsWith("ms-", message.Headers["record-id"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_re_send_is_a_message_of_its_own_with_the_same_batch_id_and_another_record_id()
    {
        await using var broker = TestBroker.Start();
        var settings = Settings(broker.BootstrapServers);
        await using var server = await KafkaServerRun.StartAsync(settings);

        await server.PostAsync(Body, ("Idempotency-Key", "b1"));
        var again = await server.PostAsync(Body, ("Idempotency-Key", "b1"));
        var other = await server.PostAsync("""{"metrics":[{"name":"x","value":1,"type":"gauge"}]}""", ("Idempotency-Key", "b1"));
        var messages = await TopicReading.ReadAsync(broker, settings.Kafka!.Topic, 2);

        Assert.Equal((200, 422), (again.Status, other.Status));
        Assert.All(messages, message => Assert.Equal(("b1", Body), (message.Headers["batch-id"], message.Value)));
        Assert.Equal(2, messages.Select(message => message.Headers["record-id"]).Distinct().Count());
    }

    [Fact]
    public async Task With_the_broker_down_at_start_the_server_is_ready_spills_and_counts_and_a_later_start_brings_it_to_the_broker()
    {
        var settings = Settings($"127.0.0.1:{ClosedPort()}");
        await using (var server = await KafkaServerRun.StartAsync(settings))
        {
            var answer = await server.PostAsync(Body, ("X-Client-Id", "web-1"), ("Idempotency-Key", "b1"));
            var stats = await server.StatsAsync();

            Assert.Equal(200, answer.Status);
            Assert.Equal("spill", answer.Json.GetProperty("held").GetString());
            Assert.Equal(200, await server.ReadyAsync());
            Assert.Equal((1, 1), (Number(stats, "acknowledged"), Number(stats, "spilled")));
            Assert.Equal("spilling", stats.GetProperty("queue").GetProperty("state").GetString());
            Assert.Equal(0, await server.StopAsync());
        }

        await using var broker = TestBroker.Start();
        settings = settings with { Kafka = settings.Kafka! with { Client = settings.Kafka.Client with { BootstrapServers = broker.BootstrapServers } } };
        await using (var server = await KafkaServerRun.StartAsync(settings))
        {
            var message = Assert.Single(await TopicReading.ReadAsync(broker, settings.Kafka!.Topic, 1));
            Assert.Equal(("web-1", Body, "b1"), (message.Key, message.Value, message.Headers["batch-id"]));
            var stats = await server.UntilStatsAsync(stats => Number(stats, "spilled") == 0);
            Assert.Equal(1, Number(stats, "acknowledged"));
        }

        await using (var server = await KafkaServerRun.StartAsync(settings))
            Assert.Equal(1, Number(await server.StatsAsync(), "acknowledged"));
    }

    [Fact]
    public async Task At_the_bound_of_the_spill_intake_answers_503_with_Retry_After_and_is_not_ready()
    {
        var settings = Settings($"127.0.0.1:{ClosedPort()}") with { MaxQueueBytes = 256 << 10 };
        await using var server = await KafkaServerRun.StartAsync(settings);
        var body = $$"""{"metrics":[{"name":"cpu","value":1,"type":"gauge","note":"{{new string('x', 8000)}}"}]}""";

        var acknowledged = 0;
        var answer = await server.PostAsync(body);
        for (; answer.Status == 200 && acknowledged < 1000; acknowledged++)
            answer = await server.PostAsync(body);
        var stats = await server.StatsAsync();

        Assert.Equal(503, answer.Status);
        Assert.NotNull(answer.Headers.RetryAfter);
        Assert.Equal((acknowledged, acknowledged), (Number(stats, "acknowledged"), Number(stats, "spilled")));
        Assert.InRange(stats.GetProperty("queue").GetProperty("bytes").GetInt64(), 1, settings.MaxQueueBytes);
        Assert.Equal(503, await server.ReadyAsync());
    }

    [Fact]
    public async Task With_a_disk_that_takes_no_spill_the_server_is_ready_while_Kafka_answers_and_goes_on_when_the_disk_is_mended()
    {
        // A file where the spill's folders belong: as on a read-only disk none can be made.
        var inTheWay = Path.Combine(_data, "spill", "topics");
        KafkaServerRun run;
        Answer first;
        int ready;
        await using (var broker = EmbeddedBroker.Start())
        {
            run = await KafkaServerRun.StartAsync(Settings(broker.BootstrapServers));
            if (Directory.Exists(inTheWay))
                Directory.Delete(inTheWay, recursive: true);
            await File.WriteAllTextAsync(inTheWay, "", TestContext.Current.CancellationToken);
            first = await run.PostAsync(Body, ("Idempotency-Key", "b1"));
            ready = await run.ReadyAsync();
        }

        await using var server = run;
        // 1. While Kafka answers: durable there.
        Assert.Equal("broker", first.Json.GetProperty("held").GetString());
        Assert.Equal(200, ready);

        // 2. Neither takes a batch: no acknowledgement, and no readiness.
        var refused = await server.PostAsync(Body, ("Idempotency-Key", "b2"));
        Assert.Equal(503, refused.Status);
        Assert.NotNull(refused.Headers.RetryAfter);
        var stats = await server.UntilStatsAsync(stats => !stats.GetProperty("ready").GetBoolean());
        Assert.Equal(503, await server.ReadyAsync());
        Assert.Contains("spill", stats.GetProperty("queue").GetProperty("fault").GetString(), StringComparison.Ordinal);
        Assert.Equal((1, 0), (Number(stats, "acknowledged"), Number(stats, "spilled")));

        // 3. The disk is mended.
        File.Delete(inTheWay);
        var taken = await server.PostAsync(Body, ("Idempotency-Key", "b2"));
        Assert.Equal((200, "spill"), (taken.Status, taken.Json.GetProperty("held").GetString()));
        Assert.Equal(200, await server.ReadyAsync());
        Assert.Equal(JsonValueKind.Null, (await server.StatsAsync()).GetProperty("queue").GetProperty("fault").ValueKind);
    }

    [Fact]
    public async Task A_batch_larger_than_a_message_may_be_is_413()
    {
        await using var broker = TestBroker.Start();
        await using var server = await KafkaServerRun.StartAsync(Settings(broker.BootstrapServers));
        var body = $$"""{"metrics":[{"name":"cpu","value":1,"type":"gauge","note":"{{new string('x', 1_100_000)}}"}]}""";

        var answer = await server.PostAsync(body);

        Assert.Equal(413, answer.Status);
        Assert.Contains("message.max.bytes", answer.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Enqueued_is_answered_202_and_says_so()
    {
        await using var broker = TestBroker.Start();
        var settings = Settings(broker.BootstrapServers) with { Ack = AckMode.Enqueued };
        await using var server = await KafkaServerRun.StartAsync(settings);

        var answer = await server.PostAsync(Body);

        Assert.Equal((202, "enqueued"), (answer.Status, answer.Json.GetProperty("ack").GetString()));
        Assert.Single(await TopicReading.ReadAsync(broker, settings.Kafka!.Topic, 1));
        await server.UntilStatsAsync(stats => Number(stats, "acknowledged") == 1);
    }

    [Fact]
    public async Task What_waits_in_the_other_queue_of_a_data_directory_refuses_the_start_by_its_number()
    {
        var settings = Settings($"127.0.0.1:{ClosedPort()}");
        await using (var server = await KafkaServerRun.StartAsync(settings))
            Assert.Equal(200, (await server.PostAsync(Body)).Status);

        using var soon = new CancellationTokenSource(StartLimit);
        var asFile = await Assert.ThrowsAsync<StartRefusedException>(
            () => Server.RunAsync(settings with { Queue = QueueKind.File, Kafka = null, Port = 0 }, soon.Token));

        Assert.Contains("1 acknowledged batches wait in the spill", asFile.Message, StringComparison.Ordinal);
        Assert.Contains("--queue kafka", asFile.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_spill_with_batches_for_another_topic_refuses_the_start_and_names_it()
    {
        var settings = Settings($"127.0.0.1:{ClosedPort()}");
        await using (var server = await KafkaServerRun.StartAsync(settings))
            Assert.Equal(200, (await server.PostAsync(Body)).Status);

        using var soon = new CancellationTokenSource(StartLimit);
        var elsewhere = settings.Kafka! with { Topic = "elsewhere" };
        var refused = await Assert.ThrowsAsync<StartRefusedException>(
            () => KafkaServer.RunAsync(settings with { Port = 0, Kafka = elsewhere }, elsewhere, soon.Token));

        Assert.Contains($"1 acknowledged batches wait in the spill '{settings.SpillFolder}'", refused.Message, StringComparison.Ordinal);
        Assert.Contains($"Start once with --topic {settings.Kafka!.Topic}", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_queue_with_batches_that_are_not_stored_refuses_a_start_with_kafka()
    {
        var settings = Settings($"127.0.0.1:{ClosedPort()}");
        using (var queue = DurableQueue.Open(new DurableQueueOptions { Directory = settings.QueueFolder }))
            await queue.AppendAsync("a batch"u8);

        using var soon = new CancellationTokenSource(StartLimit);
        var refused = await Assert.ThrowsAsync<StartRefusedException>(
            () => KafkaServer.RunAsync(settings with { Port = 0 }, settings.Kafka!, soon.Token));

        Assert.Contains("1 acknowledged batches wait in the file queue", refused.Message, StringComparison.Ordinal);
    }

    internal static long Number(System.Text.Json.JsonElement stats, string name) => stats.GetProperty(name).GetInt64();

    internal static int ClosedPort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private ServeSettings Settings(string servers) => new()
    {
        Data = _data,
        Queue = QueueKind.Kafka,
        Kafka = new KafkaOptions
        {
            Client = new KafkaSettings { BootstrapServers = servers },
            Topic = "metrics-" + Guid.NewGuid().ToString("n"),
            Role = ServerRole.Intake,
        },
    };
}
