using MetricStream.Storing;
using Xunit;

namespace MetricStream.Tests.Storing;

/// <summary>Random deliveries of one log, with repeats, overlaps, failures and restarts, against a model in memory.</summary>
public sealed class StoreDeliveryTests
{
    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 12)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Every_acknowledged_record_counts_once_in_whatever_overlap_it_is_delivered(int seed)
    {
        TestContext.Current.TestOutputHelper?.WriteLine($"SEED={seed}");
        var random = new Random(seed);
        using var folder = new StoreFolder();
        var limits = new StoreLimits { BusyWait = TimeSpan.Zero, RememberedRows = random.Next(1, 20) };
        var log = Log(random, 300);
        var model = new Model();
        var store = folder.Open(limits);
        try
        {
            while (store.Position(Given.Source) < log.Length)
            {
                var position = (int)store.Position(Given.Source);
                var from = Math.Max(0, position - random.Next(0, 30));
                var to = Math.Min(log.Length, position + random.Next(0, 40));
                Deliver(store, folder, Read(log, from, to), random.Next(8) == 0);
                model.Apply(log, position, Math.Max(position, to));
                if (store.Position(Given.Source) != Math.Max(position, to))
                    model.Undo();
                model.AssertEquals(store);

                var restart = random.Next(10);
                if (restart == 0)
                {
                    store.Dispose();
                    store = folder.Open(limits);
                }
                else if (restart == 1)
                {
                    // What a power cut after the last commit leaves must be the whole of it.
                    using var copy = folder.OpenCopy("copy.db");
                    model.AssertEquals(copy);
                }
            }
        }
        finally
        {
            store.Dispose();
        }

        Assert.Equal(log.Length, model.Position);
    }

    private static void Deliver(SqliteMetricStore store, StoreFolder folder, StoreTransaction transaction, bool fail)
    {
        if (!fail)
        {
            store.Write(transaction);
            return;
        }

        using var other = Database.Open(folder.File, write: true, TimeSpan.FromSeconds(1));
        other.Execute("BEGIN IMMEDIATE");
        Assert.Throws<StoreUnavailableException>(() => store.Write(transaction));
        other.Execute("ROLLBACK");
    }

    // A null entry is a record that the disk damaged: the reader skips and counts it.
    private static StoreRecord?[] Log(Random random, int length)
    {
        var log = new StoreRecord?[length];
        for (var i = 0; i < length; i++)
        {
            var client = $"client-{random.Next(4)}";
            var id = $"id-{random.Next(length / 3)}";
            // The body follows from the id, but for a few that reuse it with another.
            var value = random.Next(15) == 0 ? -1 : id.Length + id[^1];
            log[i] = random.Next(20) switch
            {
                0 => null,
                1 => Given.Resend(i, client, id),
                2 => StoreRecord.Of(i, new byte[] { 77 }),
                3 => Given.Batch(i, client, id, "{\"metrics\":[{}]}"),
                _ => Given.Batch(i, client, id, Given.Gauge($"m-{id[^1]}", value, 100 + id[^1]), arrived: i),
            };
        }

        return log;
    }

    private static StoreTransaction Read(StoreRecord?[] log, int from, int to)
    {
        var range = log[from..to];
        return new StoreTransaction(Given.Source, to, range.Count(record => record is null), [.. range.OfType<StoreRecord>()]);
    }

    /// <summary>What the store must hold after a prefix of the log.</summary>
    private sealed class Model
    {
        private StoreRecord?[] _log = [];
        private int _before;

        public int Position { get; private set; }

        public void Apply(StoreRecord?[] log, int from, int to)
        {
            Assert.Equal(Position, from);
            _log = log;
            _before = Position;
            Position = to;
        }

        public void Undo() => Position = _before;

        public void AssertEquals(SqliteMetricStore store)
        {
            var bodies = new Dictionary<string, byte[]>();
            var samples = new SortedDictionary<string, int>(StringComparer.Ordinal);
            long duplicates = 0, quarantined = 0, dead = 0;
            foreach (var record in _log[..Position])
            {
                if (record is null)
                    quarantined++;
                else if (record.Value.Batch is not { } batch)
                    dead++;
                else if (batch.Body.IsEmpty)
                    duplicates++;
                else if (!TryName(batch.Body.Span, out var name))
                    dead++;
                else if (bodies.TryAdd(Key(batch), batch.Body.ToArray()))
                    samples[name] = samples.GetValueOrDefault(name) + 1;
                else if (bodies[Key(batch)].AsSpan().SequenceEqual(batch.Body.Span))
                    duplicates++;
                else
                    dead++;
            }

            Assert.Equal(Position, store.Position(Given.Source));
            Assert.Equal(new StoreCounters(bodies.Count, duplicates, quarantined, dead, 0), store.Counters());
            Assert.Equal(Position, bodies.Count + duplicates + quarantined + dead);
            var series = store.Series(Given.Everything, TestContext.Current.CancellationToken);
            Assert.Equal(samples.Select(one => (one.Key, (long)one.Value)), series.Select(one => (one.Name, one.Samples)));
            Assert.All(series, one => Assert.Equal(one.Samples, Given.Points(store, one.Name).Length));
        }

        private static string Key(Queueing.BatchRecord batch) =>
            Convert.ToHexString(batch.ClientId.Span) + "/" + Convert.ToHexString(batch.BatchId.Span);

        private static bool TryName(ReadOnlySpan<byte> body, out string name)
        {
            using var json = System.Text.Json.JsonDocument.Parse(body.ToArray());
            var metric = json.RootElement.GetProperty("metrics")[0];
            name = metric.TryGetProperty("name", out var value) ? value.GetString()! : "";
            return name.Length > 0;
        }
    }
}
