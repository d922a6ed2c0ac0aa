using System.Text.Json;
using MetricStream.Storing;
using Xunit;

namespace MetricStream.Tests.Storing;

public sealed class PostgresStoreTests : IDisposable
{
    private readonly PostgresPlace _place = PostgresPlace.Take();
    private readonly StoreFolder _folder = new();

    public void Dispose()
    {
        _folder.Dispose();
        _place.Dispose();
    }

    [Fact]
    public void It_answers_what_the_store_in_a_file_answers()
    {
        using var file = _folder.Open();
        using var shared = _place.Open();

        foreach (var ask in (Func<IMetricStore, object?>[])
        [
            store => store.Write(Given.Transaction(
                Given.Batch(0, "web", "b1", Given.Gauge("cpu", 1, 1000, """{"host":"a"}""")),
                Given.Batch(1, "web", "b2", Given.Gauge("cpu", 2, 1000, """{"host":"a"}"""), arrived: 9000),
                Given.Batch(2, "web", "b1", Given.Gauge("cpu", 1, 1000, """{"host":"a"}""")),
                Given.Batch(3, "web", "b1", Given.Gauge("cpu", 3, 1000)),
                Given.Resend(4, "web", "b1"),
                Given.Batch(5, "db", "b1", Given.Gauge("cpü", 1e300, 2000, """{"host":"b","zone":"z"}"""), arrived: 9000),
                Given.Batch(6, "db", "b9", "no batch"))),
            store => store.Write(Given.Transaction(
                Given.Batch(5, "db", "b1", "skipped"), Given.Batch(7, "db", "b2", Given.Gauge("cpu", 4, 500)))),
            store => store.Write(new StoreTransaction(Given.Source, 12, 3, [Given.Batch(9, "db", "b3", Given.Gauge("mem", 5, 700))])),
            store => store.Position(Given.Source),
            store => store.Position("file:unknown"),
            store => store.Series(Given.Everything, default),
            store => store.Series(Given.Named("cpu", new KeyValuePair<string, string>("host", "a")), default),
            store => store.Names("CP", 10),
            store => store.Names(null, 1),
            store => store.Query(Given.All("cpu"), default),
            store => store.Query(new SampleQuery(Given.Everything, 0, 2000, 1000, Aggregation.Sum), default),
            store => store.Batches("web", null, 10),
            store => store.Batches("web", "b1", 10),
            store => store.Batches("web", "unknown", 10),
            store => store.Batches("nobody", null, 10),
            store => store.BatchesOf(Given.Source, 1, 8, 2),
            store => store.Find("web"u8, "b2"u8),
            store => store.Find("web"u8, "b9"u8),
            store => { store.AddRejected([new ClientRejections("web", 2, 7000), new ClientRejections("", 1, 7000)]); return null; },
            store => store.Clients(10),
            store => store.Counters(),
            store => { while (store.Expire(samplesBefore: 1000, batchesBefore: 5000, 1).More) { } return null; },
            store => store.Query(Given.All("cpu"), default),
            store => store.Series(Given.Everything, default),
            store => store.Batches("web", null, 10),
            store => store.Write(Given.Transaction(Given.Batch(12, "web", "b1", Given.Gauge("cpu", 9, 9000)))),
            store => store.Counters(),
        ])
            Assert.Equal(JsonSerializer.Serialize(ask(file)), JsonSerializer.Serialize(ask(shared)));
    }

    [Fact]
    public void Several_servers_share_it_each_with_counters_of_its_own()
    {
        using var a = _place.Open("a");
        using var b = _place.Open("b");
        Parallel.Invoke(
            () => Fill(a, "file:a"),
            () => Fill(b, "file:b"));

        // Both wrote the same batches: who came second has duplicates.
        Assert.Equal(200, a.Counters().Stored + b.Counters().Stored);
        Assert.Equal(200, a.Counters().Duplicates + b.Counters().Duplicates);
        Assert.Equal(200, Given.Points(a, "cpu").Length);
        Assert.Equal((200, 200), (a.Account().Positions["file:a"], b.Account().Positions["file:b"]));

        static void Fill(PostgresMetricStore store, string source)
        {
            for (var i = 0; i < 200; i += 10)
            {
                var records = Enumerable.Range(i, 10).Select(n => Given.Batch(n, "web", $"b{n}", Given.Gauge("cpu", n, n))).ToList();
                while (!TryWrite(store, new StoreTransaction(source, i + 10, 0, records)))
                {
                }
            }
        }

        // Two that wait for each other: PostgreSQL ends one, which tries again.
        static bool TryWrite(PostgresMetricStore store, StoreTransaction transaction)
        {
            try
            {
                store.Write(transaction);
                return true;
            }
            catch (StoreUnavailableException)
            {
                return false;
            }
        }
    }

    [Fact]
    public void Tables_of_a_newer_program_are_refused_and_a_server_that_does_not_answer_is_for_later()
    {
        _place.Open().Dispose();
        _place.Run("UPDATE format SET version = 99");
        Assert.Contains("format 99", Assert.Throws<StoreOpenException>(() => _place.Open()).Message, StringComparison.Ordinal);

        using var away = new PostgresMetricStore($"Host=127.0.0.1;Port={Kafka.KafkaIntakeTests.ClosedPort()};Username=x", "here");
        Assert.False(away.IsThere);
        Assert.Throws<StoreUnavailableException>(() => away.Write(Given.Transaction(Given.Batch(0, "c", "b", Given.Gauge("cpu", 1, 1)))));
        Assert.Contains("no connection string", Assert.Throws<StoreOpenException>(() => new PostgresMetricStore("Hots=x", "here")).Message,
            StringComparison.Ordinal);
    }
}
