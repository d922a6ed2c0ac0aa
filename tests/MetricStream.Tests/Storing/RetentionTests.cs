using MetricStream.Storing;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace MetricStream.Tests.Storing;

public sealed class RetentionTests : IDisposable
{
    private readonly StoreFolder _folder = new();
    private readonly SqliteMetricStore _store;

    public RetentionTests() => _store = _folder.Open(new StoreLimits { BusyWait = TimeSpan.Zero });

    [Theory]
    [InlineData(false, 3)]
    [InlineData(false, 40)]
    [InlineData(false, 1000)]
    [InlineData(true, 40)]
    [InlineData(true, 1000)]
    public void A_round_of_expiry_removes_exactly_what_is_too_old_in_steps_of_the_limit(bool isShared, int limit)
    {
        using var place = isShared ? PostgresPlace.Take() : null;
        using var shared = place?.Open();
        var store = (IMetricStore?)shared ?? _store;
        // Ten series with times 0..99 each, arrived at ten times that.
        store.Write(Given.Transaction(
            [.. Enumerable.Range(0, 1000).Select(i => Given.Batch(i, "web", $"{i}", Given.Gauge($"m{i % 10}", i, i / 10), arrived: i))]));

        var steps = Round(store, samplesBefore: 40, batchesBefore: 250, limit);

        Assert.All(steps, step => Assert.InRange(step.Removed, 0, 2 * limit));
        Assert.Equal(400 + 250, steps.Sum(step => step.Removed));
        var series = store.Series(Given.Everything, TestContext.Current.CancellationToken);
        Assert.Equal(10, series.Count);
        Assert.All(series, one => Assert.Equal((40L, 99L, 60L), (one.First, one.Last, one.Samples)));
        Assert.All(series, one => Assert.Equal(60, Given.Points(store, one.Name).Length));
        Assert.Equal("250", store.Batches("web", null, 1)![0].BatchId);
        Assert.Equal(new StoreCounters(1000, 0, 0, 0, 0), store.Counters());
        Assert.Equal(0, Round(store, 40, 250, limit).Sum(step => step.Removed));
    }

    [Fact]
    public void A_series_without_samples_left_goes_and_comes_back_with_the_next_sample()
    {
        _store.Write(Given.Transaction(Given.Batch(0, "web", "a", Given.Gauge("old", 1, 5)), Given.Batch(1, "web", "b", Given.Gauge("new", 2, 50))));
        Round(_store, 10, 0, 100);
        Assert.Equal(["new"], _store.Series(Given.Everything, TestContext.Current.CancellationToken).Select(one => one.Name));

        _store.Write(Given.Transaction(Given.Batch(2, "web", "c", Given.Gauge("other", 4, 70)), Given.Batch(3, "web", "d", Given.Gauge("old", 3, 60))));

        Assert.Equal([new SamplePoint(60, 3)], Given.Points(_store, "old"));
        Assert.Equal([new SamplePoint(70, 4)], Given.Points(_store, "other"));
        Assert.Equal(["new", "old", "other"], _store.Series(Given.Everything, TestContext.Current.CancellationToken).Select(one => one.Name));
    }

    [Fact]
    public void A_batch_sent_again_after_the_id_window_is_stored_again()
    {
        var body = Given.Gauge("cpu", 1, 5);
        _store.Write(Given.Transaction(Given.Batch(0, "web", "a", body, arrived: 100)));
        Round(_store, 0, 101, 10);
        Assert.Null(_store.Find("web"u8, "a"u8));
        Assert.Equal(new StoreReceipt(1, 0, 0), _store.Write(Given.Transaction(Given.Batch(1, "web", "a", body, arrived: 200))));
    }

    [Fact]
    public void An_expiry_step_that_is_refused_is_made_again()
    {
        for (var i = 0; i < 10; i++)
            _store.Write(Given.Transaction(Given.Batch(i, "web", $"{i}", Given.Gauge($"m{i}", 1, i))));
        Assert.Equal(new ExpiryStep(3, true), _store.Expire(8, 0, 3));
        using (var other = Database.Open(_folder.File, write: true, TimeSpan.FromSeconds(1)))
        {
            other.Execute("BEGIN IMMEDIATE");
            Assert.Throws<StoreUnavailableException>(() => _store.Expire(8, 0, 3));
            other.Execute("ROLLBACK");
        }

        Assert.Equal(5, Round(_store, 8, 0, 3).Sum(step => step.Removed));
        Assert.Equal(["m8", "m9"], _store.Series(Given.Everything, TestContext.Current.CancellationToken).Select(one => one.Name));
    }

    [Fact]
    public async Task Retention_keeps_each_window_and_waits_for_a_store_that_is_away()
    {
        var cancellation = TestContext.Current.CancellationToken;
        var clock = new SetClock(DateTimeOffset.FromUnixTimeMilliseconds(1_000_000));
        var windows = new RetentionWindows { Samples = TimeSpan.FromSeconds(100), BatchIds = TimeSpan.FromSeconds(2) };
        var retention = new Retention(_store, windows, clock, NullLogger<Retention>.Instance);
        Assert.Equal(TimeSpan.FromMilliseconds(500), retention.Period);
        for (var i = 0; i < 5; i++)
            _store.Write(Given.Transaction(Given.Batch(i, "web", $"{i}", Given.Gauge("cpu", i, 899_998 + i), arrived: 997_997 + i)));

        using (var other = Database.Open(_folder.File, write: true, TimeSpan.FromSeconds(1)))
        {
            other.Execute("BEGIN IMMEDIATE");
            Assert.Equal(0, await retention.RoundAsync(cancellation));
            other.Execute("ROLLBACK");
        }

        Assert.Equal(3 + 2, await retention.RoundAsync(cancellation));
        Assert.Equal(900_000, Given.Points(_store, "cpu")[0].Time);
        Assert.Equal(["3", "4"], _store.Batches("web", null, 10)!.Select(batch => batch.BatchId));
    }

    [Fact]
    public void The_period_follows_small_windows_and_is_a_minute_at_most()
    {
        Assert.Equal(TimeSpan.FromMinutes(1), Period(TimeSpan.FromDays(30), TimeSpan.FromHours(24)));
        Assert.Equal(TimeSpan.FromSeconds(15), Period(TimeSpan.FromMinutes(1), TimeSpan.FromHours(24)));
        Assert.Equal(TimeSpan.FromMilliseconds(50), Period(TimeSpan.FromDays(30), TimeSpan.FromMilliseconds(1)));

        TimeSpan Period(TimeSpan samples, TimeSpan ids) => new Retention(
            _store, new RetentionWindows { Samples = samples, BatchIds = ids }, TimeProvider.System, NullLogger<Retention>.Instance).Period;
    }

    [Fact]
    public async Task Windows_longer_than_time_itself_keep_everything()
    {
        _store.Write(Given.Transaction(Given.Batch(0, "web", "a", Given.Gauge("cpu", 1, 0), arrived: 0)));
        var windows = new RetentionWindows { Samples = TimeSpan.MaxValue, BatchIds = TimeSpan.MaxValue };
        var retention = new Retention(_store, windows, TimeProvider.System, NullLogger<Retention>.Instance);
        Assert.Equal(0, await retention.RoundAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Running_retention_expires_and_ends_when_stopped()
    {
        _store.Write(Given.Transaction(Given.Batch(0, "web", "a", Given.Gauge("cpu", 1, 0), arrived: 0)));
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var running = new Retention(_store, new RetentionWindows(), TimeProvider.System, NullLogger<Retention>.Instance).RunAsync(stop.Token);
        Assert.Empty(_store.Series(Given.Everything, stop.Token));
        await stop.CancelAsync();
        await running.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
    }

    public void Dispose()
    {
        _store.Dispose();
        _folder.Dispose();
    }

    private static List<ExpiryStep> Round(IMetricStore store, long samplesBefore, long batchesBefore, int limit)
    {
        var steps = new List<ExpiryStep>();
        do
        {
            steps.Add(store.Expire(samplesBefore, batchesBefore, limit));
        }
        while (steps[^1].More);
        return steps;
    }

    /// <summary>A clock that stands still; its timers are those of the system.</summary>
    private sealed class SetClock(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
