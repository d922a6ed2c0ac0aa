using System.Text.Json;
using EvenKeel.Kafka.Producing;
using EvenKeel.Testing.Cluster;
using MetricStream.Storing;
using MetricStream.Tests.Kafka;
using Xunit;

namespace MetricStream.Tests.Storing;

public sealed class DeadLettersCommandTests : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("metricstream-dead-letters-").FullName;

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Fact]
    public async Task In_a_file_letters_are_listed_with_their_reason_and_stored_once_what_held_them_is_gone()
    {
        Directory.CreateDirectory(Path.Combine(_data, "store"));
        var file = Path.Combine(_data, "store", "metrics.db");
        using (var store = SqliteMetricStore.Open(file))
        {
            store.Write(Given.Transaction(
                Given.Batch(0, "web", "b1", Given.Gauge("cpu", 1, 1000)), Given.Batch(1, "web", "b1", Given.Gauge("cpu", 2, 2000)),
                Given.Batch(2, "web", "b2", "no batch")));
        }

        var (exit, output) = await RunAsync("list", "--data", _data);
        Assert.Equal(0, exit);
        Assert.Contains("web  b1", output, StringComparison.Ordinal);
        Assert.Contains("in use by a batch of this client with another body", output, StringComparison.Ordinal);
        Assert.EndsWith("2 dead letters.\n", output, StringComparison.Ordinal);

        // The id is still in use: nothing changes.
        Assert.Equal((1, "0 of 2 are stored or known now, 2 are refused again.\n"), await RunAsync("replay", "--data", _data));
        using (var store = SqliteMetricStore.Open(file))
        {
            Assert.Equal((1, 2), (store.Counters().Stored, store.Counters().DeadLettered));
            store.Expire(0, batchesBefore: 5000, 100);
        }

        Assert.Equal((1, "1 of 2 are stored or known now, 1 are refused again.\n"), await RunAsync("replay", "--data", _data));
        using (var store = SqliteMetricStore.Open(file))
        {
            Assert.Equal((2, 1), (store.Counters().Stored, store.Counters().DeadLettered));
            Assert.Equal([1, 2], Given.Points(store, "cpu").Select(point => point.Value));
            Assert.Equal(3, store.Clients(1)[0].Acknowledged);
        }

        var (_, lines) = await RunAsync("list", "--data", _data, "--json");
        using var left = JsonDocument.Parse(lines);
        Assert.Equal("no batch", left.RootElement.GetProperty("body").GetString());
    }

    [Fact]
    public async Task In_PostgreSQL_letters_of_every_server_are_tried_again_and_count_where_their_queue_does()
    {
        using var place = PostgresPlace.Take();
        string[] there = ["--postgres", place.ConnectionString];
        // Nothing is made in a database that is no store.
        var (none, missing) = await RunAsync(["list", .. there]);
        Assert.Equal(2, none);
        Assert.Contains("the server that stores makes them", missing, StringComparison.Ordinal);

        using var a = place.Open("a");
        using var b = place.Open("b");
        Write(a, "file:a", "web");
        Write(b, "file:b", "db");
        var (exit, output) = await RunAsync(["list", .. there]);
        Assert.Equal(0, exit);
        Assert.Contains("web  b1", output, StringComparison.Ordinal);
        Assert.Contains("db  b1", output, StringComparison.Ordinal);
        Assert.Contains("in use by a batch of this client with another body", output, StringComparison.Ordinal);
        Assert.EndsWith("6 dead letters.\n", output, StringComparison.Ordinal);

        // The id is still in use: nothing changes.
        var account = JsonSerializer.Serialize(a.Account());
        Assert.Equal((1, "0 of 6 are stored or known now, 6 are refused again.\n"), await RunAsync(["replay", .. there]));
        Assert.Equal(account, JsonSerializer.Serialize(a.Account()));
        a.Expire(0, batchesBefore: 5000, 100);

        // The first with the id is stored, the one like it is known by then, the body that is none stays.
        Assert.Equal((1, "4 of 6 are stored or known now, 2 are refused again.\n"), await RunAsync(["replay", .. there]));
        foreach (var store in (PostgresMetricStore[])[a, b])
            Assert.Equal(new StoreCounters(2, 1, 0, 1, 0), store.Counters());
        Assert.Equal([1, 1, 2, 2], Given.Points(a, "cpu").Select(point => point.Value));
        Assert.All(a.Clients(2), client => Assert.Equal(4, client.Acknowledged));
        Assert.Equal((4, 4), (a.Account().Positions["file:a"], a.Account().Positions["file:b"]));
        var (_, lines) = await RunAsync(["list", .. there, "--json"]);
        Assert.Equal(["no batch", "no batch"], lines.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement.GetProperty("body").GetString()));

        static void Write(PostgresMetricStore store, string source, string client) => store.Write(new StoreTransaction(source, 4, 0,
        [
            Given.Batch(0, client, "b1", Given.Gauge("cpu", 1, 1000)), Given.Batch(1, client, "b1", Given.Gauge("cpu", 2, 2000)),
            Given.Batch(2, client, "b1", Given.Gauge("cpu", 2, 2000)), Given.Batch(3, client, "b2", "no batch"),
        ]));
    }

    [Fact]
    public async Task In_a_topic_they_are_sent_back_and_what_is_refused_again_is_a_letter_again_and_still_counts_once()
    {
        await using var broker = EmbeddedBroker.Start();
        var settings = KafkaStoreTests.Settings(broker, _data);
        var topic = settings.Kafka!.Topic;
        string[] place = ["--bootstrap-servers", broker.BootstrapServers, "--topic", topic];
        await using var server = await KafkaServerRun.StartAsync(settings);
        Assert.Equal((0, "0 dead letters.\n"), await RunAsync(["list", .. place]));
        await using (var producer = new ReliableProducer(new ProducerOptions { BootstrapServers = broker.BootstrapServers }))
            await producer.SendAsync(topic, "web"u8, "no batch"u8, cancellationToken: TestContext.Current.CancellationToken);
        await server.UntilStatsAsync(stats => stats.GetProperty("dead_lettered").GetInt64() == 1);

        var (_, before) = await RunAsync(["list", .. place, "--json"]);
        var replay = await RunAsync(["replay", .. place]);
        await TopicReading.ReadAsync(broker, settings.Kafka.DeadLetters, 2);
        var (_, after) = await RunAsync(["list", .. place, "--json"]);
        var stats = await server.UntilStatsAsync(stats => stats.GetProperty("queued").GetInt64() == 0);

        Assert.Equal((0, $"1 sent back to '{topic}'; what is refused again becomes a dead letter again.\n"), replay);
        using var first = JsonDocument.Parse(before);
        using var second = JsonDocument.Parse(after);
        Assert.Equal("web", first.RootElement.GetProperty("client").GetString());
        Assert.Equal("no batch", first.RootElement.GetProperty("body").GetString());
        Assert.NotEqual(first.RootElement.GetProperty("source").GetString(), second.RootElement.GetProperty("source").GetString());
        Assert.Equal((1, 1, 0), (
            stats.GetProperty("acknowledged").GetInt64(), stats.GetProperty("dead_lettered").GetInt64(),
            stats.GetProperty("missing").GetInt64()));
    }

    [Theory]
    [InlineData("Name one place")]
    [InlineData("Name one place", "--data", "x", "--bootstrap-servers", "b:1")]
    [InlineData("Name one place", "--data", "x", "--postgres", "Host=x")]
    [InlineData("--postgres is no connection string", "--postgres", "Hots=x")]
    [InlineData("There is no store at", "--data", "/nowhere")]
    [InlineData("--topic is 'a/b'", "--bootstrap-servers", "b:1", "--topic", "a/b")]
    public async Task A_place_that_is_none_is_a_usage_error_that_says_what_to_name(string message, params string[] options)
    {
        var (exit, output) = await RunAsync(["list", .. options]);

        Assert.Equal(2, exit);
        Assert.Contains(message, output, StringComparison.Ordinal);
    }

    private static async Task<(int Exit, string Output)> RunAsync(params string[] words)
    {
        await using var output = new StringWriter();
        var exit = await DeadLettersCommand.Create().Parse(words)
            .InvokeAsync(new() { Output = output, Error = output }, TestContext.Current.CancellationToken);
        return (exit, output.ToString().ReplaceLineEndings("\n"));
    }
}
