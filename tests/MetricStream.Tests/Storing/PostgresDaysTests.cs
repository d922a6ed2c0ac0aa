using System.Globalization;
using MetricStream.Storing;
using Xunit;

namespace MetricStream.Tests.Storing;

public sealed class PostgresDaysTests : IDisposable
{
    private const long Day = PostgresDays.Day;

    // 2026-01-10 in UTC, at noon.
    private const long Today = 1_768_003_200_000;

    private static readonly string[] MadeAhead = ["samples_20260110", "samples_20260111", "samples_20260112"];

    private readonly PostgresPlace _place = PostgresPlace.Take();
    private readonly SetClock _clock = new(Today + (Day / 2));
    private long _position;

    public void Dispose() => _place.Dispose();

    [Fact]
    public void Many_days_in_one_batch_lie_in_a_partition_each_and_far_times_in_the_rest()
    {
        using var store = _place.Open(time: _clock);
        // Two samples at the ends of each of 40 days up to three days ahead, and clocks that are wrong.
        long[] times =
        [
            -62_135_596_800_000, 0, Today - (93 * Day), .. Enumerable.Range(-36, 40).SelectMany(day => Ends(Today + (day * Day))),
            Today + (8 * Day), 253_402_300_799_999,
        ];
        Write(store, times);

        Assert.Equal(times, Given.Points(store, "cpu").Select(point => point.Time));
        Assert.Equal(40, Tables().Count);
        Assert.Equal(5, Rows("samples_rest"));
        Assert.All(Tables(), table => Assert.Equal(2, Rows(table)));
        Assert.Contains("samples_20251205", Tables());

        static long[] Ends(long day) => [day, day + Day - 1];
    }

    [Fact]
    public void Servers_that_make_the_same_day_at_once_all_store()
    {
        using var a = _place.Open("a", time: _clock);
        using var b = _place.Open("b", time: _clock);
        using var both = new Barrier(2);
        Parallel.Invoke(() => Fill(a, "a"), () => Fill(b, "b"));

        Assert.Equal(20, Given.Points(a, "cpu").Length);
        Assert.Contains("samples_20260101", Tables());

        void Fill(PostgresMetricStore store, string server)
        {
            for (var i = 0; i < 10; i++)
            {
                Assert.True(
                    both.SignalAndWait(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken), "The other server failed.");
                store.Write(new StoreTransaction($"file:{server}", i + 1, 0,
                    [Given.Batch(i, server, $"{i}", Given.Gauge("cpu", i, Today - (i * Day)))]));
            }
        }
    }

    [Fact]
    public void Expiry_drops_whole_days_and_deletes_rows_of_the_day_that_is_cut_alone()
    {
        using var store = _place.Open(time: _clock);
        long[] times = [0, .. Enumerable.Range(0, 20 * 24).Select(hour => Today - (19 * Day) + (hour * Rollup.Hour))];
        Write(store, times);
        var before = Today - (5 * Day) + (7 * Rollup.Hour);

        var steps = new List<ExpiryStep>();
        do
        {
            steps.Add(store.Expire(before, 0, 3));
        }
        while (steps[^1].More);

        // The hours of one day, and what lay in the rest; fourteen days by the table.
        Assert.Equal(7 + 1, steps.Sum(step => step.Removed));
        Assert.Equal(times.Where(time => time >= before), Given.Points(store, "cpu").Select(point => point.Time));
        Assert.Equal(6 + 2, Tables().Count);
        Assert.Equal(new ExpiryStep(0, false), store.Expire(before, 0, 3));
    }

    [Fact]
    public void A_sample_of_a_day_that_was_dropped_is_stored_and_expires()
    {
        using var knowing = _place.Open("a", time: _clock);
        var old = Today - (10 * Day);
        Write(knowing, [old, old + 1]);
        while (knowing.Expire(Today - Day, 0, 100).More)
        {
        }

        Write(knowing, [old + 2]);
        using var fresh = _place.Open("b", time: _clock);
        Write(fresh, [old + 3]);

        Assert.Equal([old + 2, old + 3], Given.Points(fresh, "cpu").Select(point => point.Time));
        Assert.Equal(MadeAhead, Tables());
        Assert.Equal(2, fresh.Expire(Today - Day, 0, 100).Removed);
        Assert.Empty(Given.Points(fresh, "cpu"));
    }

    [Fact]
    public void A_day_that_an_operator_took_out_is_left_alone()
    {
        using (var store = _place.Open(time: _clock))
            Write(store, [Today]);
        _place.Run("ALTER TABLE samples_by_day DETACH PARTITION samples_20260110");

        using var later = _place.Open(time: _clock);
        Write(later, [Today + 1]);
        Assert.Equal([Today + 1], Given.Points(later, "cpu").Select(point => point.Time));
        Assert.Equal(1, Rows("samples_20260110"));
    }

    [Fact]
    public void While_a_partition_cannot_be_made_samples_lie_in_the_rest_and_move_later()
    {
        using var store = _place.Open(time: _clock);
        using (var reader = _place.Connect())
        {
            using var open = reader.BeginTransaction();
            PostgresDays.HoldRest(reader);
            Write(store, [Today, Today + Day, 5]);
            Assert.Empty(Tables());
            Write(store, [Today + 2]);
            Assert.Equal(4, Rows("samples_rest"));
        }

        _clock.Now += Rollup.Minute;
        Write(store, [Today + 1]);

        Assert.Equal(MadeAhead, Tables());
        Assert.Equal((3, 1, 1), (Rows("samples_20260110"), Rows("samples_20260111"), Rows("samples_rest")));
        Assert.Equal([5, Today, Today + 1, Today + 2, Today + Day], Given.Points(store, "cpu").Select(point => point.Time));
    }

    [Fact]
    public void The_next_days_are_made_ahead()
    {
        using var store = _place.Open(time: _clock);
        Write(store, [Today]);
        Assert.Equal(MadeAhead, Tables());
        _clock.Now += Day;
        Write(store, [Today]);
        Assert.Equal([.. MadeAhead, "samples_20260113"], Tables());
    }

    [Theory]
    [InlineData(PostgresReads.SamplesOfOne)]
    [InlineData(PostgresRollups.SamplesPage)]
    public void A_range_of_time_is_looked_for_in_its_days_alone(string sql)
    {
        using var store = _place.Open(time: _clock);
        Write(store, [.. Enumerable.Range(-10, 10).Select(day => Today + (day * Day))]);
        object[] values = sql == PostgresReads.SamplesOfOne
            ? [1L, Today - (3 * Day), Today - Day] : [1L, Today - (3 * Day), 0L, Today - Day, 10];

        using var connection = _place.Connect();
        using var explain = connection.Command("EXPLAIN " + sql, values);
        using var rows = explain.ExecuteReader();
        var plan = "";
        while (rows.Read())
            plan += rows.GetString(0) + "\n";
        Assert.All(Tables().Append("samples_rest"), table => Assert.True(
            plan.Contains($" on {table}", StringComparison.Ordinal) == table is "samples_20260107" or "samples_20260108", plan));
    }

    [Fact]
    public async Task An_older_store_is_one_partition_after_the_upgrade_whatever_interrupts_it()
    {
        var cancellation = TestContext.Current.CancellationToken;
        var tomorrow = Rollup.Floor(TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds(), Day) + Day;
        _place.Make(PostgresSchema.Version1 + PostgresSchema.Version2, version: 2);
        _place.Run("INSERT INTO series(key, name) VALUES ('\\x0101006D', 'm')");
        _place.Run(FormattableString.Invariant($"""
            INSERT INTO samples(series, time, value) SELECT 1, {tomorrow} - i * {Day / 2}::bigint, i FROM generate_series(-9, 200) AS i;
            INSERT INTO samples(series, time, value) VALUES (1, 5, 1), (1, 5, 2)
            """));

        // 1. Its connection is cut while it holds what it has done so far.
        using (var blocker = _place.Connect())
        {
            using var open = blocker.BeginTransaction();
            blocker.Run("LOCK TABLE series IN ACCESS EXCLUSIVE MODE");
            var opening = Task.Run(() => Record.Exception(() => _place.Open().Dispose()), cancellation);
            while (blocker.Number("""
                SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE relation = 'series'::regclass AND NOT granted
                """) == 0)
            {
                Assert.False(opening.IsCompleted, $"The upgrade did not wait: {(opening.IsCompleted ? await opening : null)}");
                cancellation.ThrowIfCancellationRequested();
            }

            await opening.WaitAsync(TimeSpan.FromSeconds(30), cancellation);
        }

        Assert.Equal(212, Rows("samples"));
        Assert.Equal(0, _place.Number("SELECT count(to_regclass('samples_by_day'))"));

        // 2. Two servers open it at once.
        PostgresMetricStore? a = null, b = null;
        Parallel.Invoke(() => a = _place.Open("a"), () => b = _place.Open("b"));
        using var first = a!;
        using var second = b!;
        Assert.True(first.IsThere && second.IsThere);
        Assert.Equal((202, 10), (Rows("samples_before"), Rows("samples_rest")));
        Write(first, [5, tomorrow - 1, tomorrow, tomorrow + Day], "m");

        // 3. Everything is there, in the order in which it came; what lay ahead is in its day by now.
        var points = Given.Points(second, "m");
        Assert.Equal(212 + 4, points.Length);
        Assert.Equal([1.0, 2.0, 0.0], points.Where(point => point.Time == 5).Select(point => point.Value));
        Assert.Equal(203 + 1, Rows("samples_before"));
        Assert.Equal(2 + 1, Rows(Name(tomorrow)));

        // 4. It goes as a whole when all of it is too old.
        while (first.Expire(tomorrow, 0, 1000).More)
        {
        }

        Assert.DoesNotContain("samples_before", Tables());
        Assert.Equal(10 + 2, Given.Points(second, "m").Length);
    }

    private static string Name(long day) =>
        "samples_" + DateTimeOffset.FromUnixTimeMilliseconds(day).ToString("yyyyMMdd", CultureInfo.InvariantCulture);

    private void Write(PostgresMetricStore store, long[] times, string name = "cpu")
    {
        var metrics = string.Join(",", times.Select((time, i) => FormattableString.Invariant(
            $$$"""{"name":"{{{name}}}","type":"gauge","value":{{{i}}},"timestamp":{{{time}}},"tags":{}}""")));
        store.Write(Given.Transaction(Given.Batch(_position, "web", $"{_position}", $$"""{"metrics":[{{metrics}}]}""")));
        _position++;
    }

    private List<string> Tables()
    {
        using var connection = _place.Connect();
        return [.. PostgresDays.All(connection).Select(day => day.Table).Order(StringComparer.Ordinal)];
    }

    private long Rows(string table) => _place.Number($"SELECT count(*) FROM {table}");

    /// <summary>A clock that stands where it was set; stopwatches follow it.</summary>
    private sealed class SetClock(long now) : TimeProvider
    {
        public long Now { get; set; } = now;

        public override long TimestampFrequency => 1000;

        public override long GetTimestamp() => Now;

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.FromUnixTimeMilliseconds(Now);
    }
}
