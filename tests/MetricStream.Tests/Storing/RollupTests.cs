using System.Diagnostics;
using MetricStream.Storing;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Xunit;

namespace MetricStream.Tests.Storing;

public sealed class RollupTests : IDisposable
{
    private const long Day = 24 * Rollup.Hour;

    private static readonly StoreLimits Always = new() { RollupRangeMs = 0 };
    private static readonly StoreLimits Never = new() { RollupRangeMs = long.MaxValue };

    private readonly StoreFolder _folder = new();
    private PostgresPlace? _place;
    private long _position;

    public static TheoryData<bool, int> Histories => [.. from shared in (bool[])[false, true]
                                                         from seed in Enumerable.Range(1, shared ? 1 : 6)
                                                         select (shared, seed)];

    public void Dispose()
    {
        _place?.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [MemberData(nameof(Histories))]
    public void Answers_from_roll_ups_are_those_of_the_samples_to_the_last_bit(bool isShared, int seed)
    {
        TestContext.Current.TestOutputHelper?.WriteLine($"SEED={seed}");
        var random = new Random(seed);
        using var rolled = Open(isShared, Always);
        using var raw = Open(isShared, Never);
        var origin = random.Next(2) == 0 ? 0 : 1_700_000_000_000;
        var now = origin;
        var (closed, expired) = (long.MinValue, long.MinValue);
        for (var phase = 0; phase < 12; phase++)
        {
            // 1. Samples of now, some at one time, some late by up to two days, some long before that.
            now += random.NextInt64(Day / 2);
            Write(rolled, [.. Enumerable.Range(0, 300).Select(_ => (
                $"m{random.Next(3)}", random.Next(-20, 60) / 3.0,
                Math.Max(origin - Day, now - random.NextInt64(random.Next(4) == 0 ? 2 * Day : Rollup.Hour) / 500 * 500)))]);
            // 2. A round, to its end or not; now and then the oldest go.
            closed = Math.Max(closed, now - random.NextInt64(Rollup.Hour));
            for (var steps = random.Next(60); steps > 0 && rolled.RollUp(closed, random.Next(1, 200)).More; steps--)
            {
            }

            if (random.Next(4) == 0)
            {
                expired = Math.Max(expired, origin + random.NextInt64(Math.Max(1, now - origin)) / 2);
                for (var steps = random.Next(20); steps > 0 && rolled.Expire(expired, 0, random.Next(1, 100)).More; steps--)
                {
                }
            }

            // 3. Whatever is asked, both answer the same.
            for (var asked = 0; asked < 6; asked++)
                AssertSame(rolled, raw, RandomQuery(random, origin, now));
        }

        while (rolled.RollUp(now + Rollup.Hour, 1000).More)
        {
        }

        foreach (var step in (long[])[Rollup.Minute, Rollup.Hour, Day])
            AssertSame(rolled, raw, new SampleQuery(Given.Everything, long.MinValue, long.MaxValue, step, Aggregation.Avg));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_long_range_is_answered_without_reading_its_samples(bool isShared)
    {
        using var store = Open(isShared, Always);
        Write(store, [.. Enumerable.Range(0, 180).Select(i => ("m", (double)i, i * 60_000L))]);
        RollUp(store, 3 * Rollup.Hour);
        DeleteSamples(isShared);

        Assert.Equal(
            [new SamplePoint(0, 1770), new SamplePoint(Rollup.Hour, 5370), new SamplePoint(2 * Rollup.Hour, 8970)],
            Points(store, Rollup.Hour, Aggregation.Sum));
        Assert.Equal(90, Points(store, 2 * Rollup.Minute, Aggregation.Max).Length);
        // A step of no whole minutes has none.
        Assert.Empty(Points(store, 90_000, Aggregation.Max));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_late_sample_is_in_the_answer_at_once_and_in_the_roll_up_after_the_next_round(bool isShared)
    {
        using var store = Open(isShared, Always);
        Write(store, [("m", 1, 10_000), ("m", 2, 70_000), ("m", 3, 130_000)]);
        RollUp(store, Rollup.Hour);

        Write(store, [("m", 10, 75_000)]);
        Assert.Equal([1, 12, 3], Points(store, Rollup.Minute, Aggregation.Sum).Select(point => point.Value));
        Assert.Equal([16.0], Points(store, Rollup.Hour, Aggregation.Sum).Select(point => point.Value));

        RollUp(store, Rollup.Hour);
        DeleteSamples(isShared);
        Assert.Equal([1, 12, 3], Points(store, Rollup.Minute, Aggregation.Sum).Select(point => point.Value));
        Assert.Equal([16.0], Points(store, Rollup.Hour, Aggregation.Sum).Select(point => point.Value));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Roll_ups_expire_with_their_samples_and_leave_nothing_behind(bool isShared)
    {
        using var store = Open(isShared, Always);
        Write(store, [.. Enumerable.Range(0, 300).Select(i => ($"m{i % 3}", (double)i, i * 60_000L))]);
        RollUp(store, 5 * Rollup.Hour);
        while (store.Expire(90 * Rollup.Minute + 1, 0, 7).More)
        {
        }

        // Sample 90 is gone, the hour it lay in is answered from what is left of it.
        Assert.Equal(
            Enumerable.Range(91, 29).Where(i => i % 3 == 0).Sum(), Points(store, Rollup.Hour, Aggregation.Sum, "m0")[0].Value);
        Assert.Equal(0, Count(isShared, $"SELECT count(*) FROM rollups WHERE start < {90 * Rollup.Minute + 1}"));

        while (store.Expire(Day, 0, 7).More)
        {
        }

        Assert.Equal(0, Count(isShared, "SELECT count(*) FROM rollups"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_walk_goes_on_where_it_was_when_the_store_is_opened_again(bool isShared)
    {
        using (var first = Open(isShared, Always))
        {
            Write(first, [.. Enumerable.Range(0, 600).Select(i => ($"m{i % 2}", (double)i, i * 10_000L))]);
            for (var step = 0; step < 5; step++)
                Assert.True(first.RollUp(2 * Rollup.Hour, 40).More);
        }

        var kept = Count(isShared, "SELECT count(*) FROM rollups");
        Assert.InRange(kept, 1, 150);
        using var store = Open(isShared, Always);
        RollUp(store, 2 * Rollup.Hour, 40);
        Assert.Equal(2 * (100 + 2), Count(isShared, "SELECT count(*) FROM rollups"));
        using var raw = Open(isShared, Never);
        AssertSame(store, raw, new SampleQuery(Given.Everything, long.MinValue, long.MaxValue, Rollup.Hour, Aggregation.Rate));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_round_waits_for_another_server_whose_samples_are_not_committed_yet(bool isMarked)
    {
        var cancellation = TestContext.Current.CancellationToken;
        using var store = Open(isShared: true, Always);
        Write(store, [("m", 1, 10_000)]);
        if (isMarked)
        {
            // The minute is rolled up and has a mark, which the other server makes its own.
            RollUp(store, Rollup.Hour);
            Write(store, [("m", 2, 20_000)]);
        }

        await using var other = NpgsqlDataSource.Create(_place!.ConnectionString);
        await using var connection = await other.OpenConnectionAsync(cancellation);
        var writer = new PostgresWriter(new PostgresKeys(100), new PostgresDays(TimeProvider.System), "there");
        var transaction = new StoreTransaction("file:there", 1, 0, [Given.Batch(0, "web", "there", Given.Gauge("m", 40, 30_000))]);
        writer.Prepare(connection, transaction);
        await using var open = await connection.BeginTransactionAsync(cancellation);
        writer.Write(connection, transaction);

        var round = Task.Run(() => RollUp(store, Rollup.Hour), cancellation);
        await UntilSomebodyWaitsAsync(round);
        await open.CommitAsync(cancellation);
        await round;

        Assert.Equal([isMarked ? 43.0 : 41.0], Points(store, Rollup.Minute, Aggregation.Sum).Select(point => point.Value));
        RollUp(store, Rollup.Hour);
        DeleteSamples(isShared: true);
        Assert.Equal([isMarked ? 43.0 : 41.0], Points(store, Rollup.Minute, Aggregation.Sum).Select(point => point.Value));
    }

    [Fact]
    public void A_file_of_the_format_before_is_upgraded_and_rolled_up()
    {
        using (var old = Database.Open(_folder.File, write: true, TimeSpan.Zero))
        {
            old.Execute("PRAGMA journal_mode=WAL");
            old.Execute(StoreSchema.Version1);
            old.Execute(StoreSchema.Version2);
            old.Execute($"PRAGMA application_id={StoreFile.ApplicationId}; PRAGMA user_version=2;");
            // A gauge "m" without tags, by its canonical key.
            old.Execute("""
                INSERT INTO series(id, key, name, type, tags) VALUES (7, x'0101006D', 'm', 'gauge', '{}');
                INSERT INTO series_totals VALUES (7, 120);
                WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 119)
                INSERT INTO samples SELECT 7, i * 60000, i, i FROM n;
                UPDATE counters SET stored = 120, next_ordinal = 120;
                """);
        }

        using var store = Open(isShared: false, Always);
        Assert.Equal(120, store.Counters().Stored);
        var before = Sums(store);
        RollUp(store, 2 * Rollup.Hour);
        Run(isShared: false, "DELETE FROM samples");
        Assert.Equal([1770.0, 5370.0], before);
        Assert.Equal(before, Sums(store));

        static double[] Sums(IMetricStore store) =>
            [.. store.Query(new SampleQuery(Given.Everything, 0, Day, Rollup.Hour, Aggregation.Sum), TestContext.Current.CancellationToken)
                .SelectMany(series => series.Points).Select(point => point.Value)];
    }

    [Fact]
    public void Tables_of_the_format_before_are_upgraded_and_rolled_up()
    {
        using (var place = PostgresPlace.Take())
        {
            place.Make(PostgresSchema.Version1, version: 1);
            place.Run("INSERT INTO series(key, name) VALUES ('\\x0101006D', 'm')");
            place.Run("INSERT INTO samples(series, time, value) SELECT 1, i * 60000, i FROM generate_series(0, 119) AS i");
            using var store = place.Open(limits: Always);
            RollUp(store, 2 * Rollup.Hour);
            place.Run("DELETE FROM samples_by_day");
            Assert.Equal([1770.0, 5370.0], Points(store, Rollup.Hour, Aggregation.Sum).Select(point => point.Value));
        }
    }

    [Fact]
    public async Task Rounds_close_what_is_older_than_their_grace_and_wait_for_a_store_that_is_away()
    {
        var cancellation = TestContext.Current.CancellationToken;
        using var store = _folder.Open(new StoreLimits { RollupRangeMs = 0, BusyWait = TimeSpan.Zero });
        Write(store, [("m", 1, 0), ("m", 2, 11 * Rollup.Minute)]);
        var rounds = new RollupRounds(store, new SetClock(DateTimeOffset.FromUnixTimeMilliseconds(15 * Rollup.Minute)), NullLogger<RollupRounds>.Instance);
        using (var other = Database.Open(_folder.File, write: true, TimeSpan.FromSeconds(1)))
        {
            other.Execute("BEGIN IMMEDIATE");
            await rounds.RoundAsync(cancellation);
            other.Execute("ROLLBACK");
        }

        Assert.Equal(0, Count(isShared: false, "SELECT count(*) FROM rollups"));
        await rounds.RoundAsync(cancellation);
        Assert.Equal(10 * Rollup.Minute, Count(isShared: false, "SELECT rolled_until FROM rollup_state"));
        Assert.Equal(1, Count(isShared: false, "SELECT count(*) FROM rollups"));

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var running = rounds.RunAsync(stop.Token);
        await stop.CancelAsync();
        await running.WaitAsync(TimeSpan.FromSeconds(10), cancellation);
    }

    private IMetricStore Open(bool isShared, StoreLimits limits)
    {
        if (!isShared)
            return _folder.Open(limits);
        _place ??= PostgresPlace.Take();
        return _place.Open(limits: limits);
    }

    private void Write(IMetricStore store, IReadOnlyList<(string Name, double Value, long Time)> samples)
    {
        var records = samples.Select(sample => Given.Batch(
            _position, "web", $"{_position++}", Given.Gauge(sample.Name, sample.Value, sample.Time), arrived: 1)).ToArray();
        store.Write(Given.Transaction(records));
    }

    private static void RollUp(IMetricStore store, long closeBefore, int limit = 1000)
    {
        while (store.RollUp(closeBefore, limit).More)
        {
        }
    }

    private void DeleteSamples(bool isShared) => Run(isShared, $"DELETE FROM {(isShared ? "samples_by_day" : "samples")}");

    private void Run(bool isShared, string sql)
    {
        if (isShared)
        {
            _place!.Run(sql);
            return;
        }

        using var database = Database.Open(_folder.File, write: true, TimeSpan.FromSeconds(1));
        database.Execute(sql);
    }

    private long Count(bool isShared, string sql)
    {
        if (isShared)
            return _place!.Number(sql);
        using var database = Database.Open(_folder.File, write: true, TimeSpan.FromSeconds(1));
        return database.Scalar(sql);
    }

    private async Task UntilSomebodyWaitsAsync(Task round)
    {
        var deadline = Stopwatch.StartNew();
        while (_place!.Number("SELECT count(*) FROM pg_locks WHERE NOT granted") == 0)
        {
            Assert.False(round.IsCompleted, "The round has ended beside an open transaction whose samples it has not seen.");
            Assert.True(deadline.Elapsed < TimeSpan.FromSeconds(10), "Nobody waits for a lock of PostgreSQL after 10 s.");
            await Task.Yield();
        }
    }

    private static SamplePoint[] Points(IMetricStore store, long step, Aggregation aggregation, string name = "m") =>
        [.. store.Query(new SampleQuery(Given.Named(name), long.MinValue, long.MaxValue, step, aggregation), TestContext.Current.CancellationToken)
            .SelectMany(series => series.Points)];

    private static SampleQuery RandomQuery(Random random, long origin, long now)
    {
        var from = random.Next(4) == 0 ? long.MinValue : origin - Day + random.NextInt64(now - origin + Day);
        var to = random.Next(4) == 0 ? long.MaxValue : Math.Max(from, origin - Day) + random.NextInt64(3 * Day);
        long[] steps = [Rollup.Minute, 7 * Rollup.Minute, Rollup.Hour, 5 * Rollup.Hour, Day, 90_000];
        return new SampleQuery(Given.Everything, from, to, steps[random.Next(steps.Length)], Aggregation.Avg);
    }

    private static void AssertSame(IMetricStore rolled, IMetricStore raw, SampleQuery query)
    {
        foreach (var aggregation in Enum.GetValues<Aggregation>())
        {
            var asked = query with { Aggregation = aggregation };
            var (answer, expected) = (rolled.Query(asked, default), raw.Query(asked, default));
            Assert.Equal(expected.Select(series => series.Name), answer.Select(series => series.Name));
            foreach (var (one, other) in answer.Zip(expected))
                Assert.True(one.Points.SequenceEqual(other.Points), $"{asked}: {Difference(one.Points, other.Points)}");
        }
    }

    private static string Difference(IReadOnlyList<SamplePoint> rolled, IReadOnlyList<SamplePoint> raw)
    {
        var first = Enumerable.Range(0, Math.Min(rolled.Count, raw.Count)).FirstOrDefault(i => rolled[i] != raw[i]);
        return $"{rolled.Count} points rolled up, {raw.Count} from samples; point {first} is {rolled.ElementAtOrDefault(first)}, "
            + $"from samples {raw.ElementAtOrDefault(first)}";
    }

    /// <summary>A clock that stands still; its timers are those of the system.</summary>
    private sealed class SetClock(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
