using MetricStream.Storing;
using Xunit;

namespace MetricStream.Tests.Storing;

public sealed class StoreQueryTests : IDisposable
{
    private readonly StoreFolder _folder = new();
    private readonly SqliteMetricStore _store;

    public StoreQueryTests() => _store = _folder.Open();

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 12)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Every_aggregation_equals_a_naive_one_over_the_same_samples(int seed)
    {
        TestContext.Current.TestOutputHelper?.WriteLine($"SEED={seed}");
        var random = new Random(seed);
        var samples = new List<SamplePoint>();
        var center = random.Next(2) == 0 ? 0 : 1_700_000_000_000;
        // Steps of whole minutes and hours are folded through those.
        var unit = (seed % 3) switch { 0 => 1L, 1 => Rollup.Minute / 10, _ => Rollup.Hour / 10 };
        for (var i = 0; i < 400; i++)
            samples.Add(new SamplePoint(center + random.Next(-5000, 5000) * unit, random.Next(-50, 100) / 4.0));
        _store.Write(Given.Transaction(
            [.. samples.Select((sample, i) => Given.Batch(i, "web", $"{i}", Given.Gauge("cpu", sample.Value, sample.Time)))]));

        for (var run = 0; run < 20; run++)
        {
            var from = center + random.Next(-6000, 3000) * unit;
            var to = from + random.Next(0, 9000) * unit;
            var step = unit == 1 ? random.Next(1, 2500) : random.Next(1, 250) * 10 * unit;
            // Stable: samples of one time stay in the order they came.
            var inRange = samples.Where(sample => sample.Time >= from && sample.Time < to).OrderBy(sample => sample.Time).ToList();
            Assert.Equal(inRange, Points(new SampleQuery(Given.Named("cpu"), from, to, null, Aggregation.Avg)));
            foreach (var aggregation in Enum.GetValues<Aggregation>())
            {
                var expected = Naive(inRange, step, aggregation);
                var actual = Points(new SampleQuery(Given.Named("cpu"), from, to, step, aggregation));
                Assert.Equal(expected.Select(point => point.Time), actual.Select(point => point.Time));
                Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First.Value, pair.Second.Value, 1e-9));
            }
        }
    }

    [Fact]
    public void Names_are_searched_in_either_case_and_counted_beyond_the_limit()
    {
        using var folder = new StoreFolder();
        using var store = folder.Open();
        store.Write(Given.Transaction(
            Given.Batch(0, "web", "1", Given.Gauge("cpu_usage", 1, 1, """{"host":"a"}""")),
            Given.Batch(1, "web", "2", Given.Gauge("cpu_usage", 1, 1, """{"host":"b"}""")),
            Given.Batch(2, "web", "3", Given.Gauge("CPU%", 1, 1)),
            Given.Batch(3, "web", "4", Given.Gauge("memory", 1, 1))));

        Assert.Equal([new("CPU%", 1), new("cpu_usage", 2)], store.Names("cPu", 10).Names);
        Assert.Equal([new("CPU%", 1)], store.Names("%", 10).Names);
        var all = store.Names(null, 2);
        Assert.Equal((3L, 2), (all.Matching, all.Names.Count));
        Assert.Equal(0, store.Names("disk", 10).Matching);
    }

    [Fact]
    public void Batches_are_found_by_their_place_in_their_source_among_those_of_others()
    {
        using var folder = new StoreFolder();
        using var store = folder.Open();
        for (var i = 0; i < 40; i++)
        {
            // Two sources take turns; every fifth position is a re-send, which is no batch of its own.
            var source = i % 3 == 0 ? "kafka:1" : "kafka:0";
            var record = i % 5 == 4 ? Given.Resend(i, "web", "0") : Given.Batch(i, "web", $"{i}", Given.Gauge("cpu", i, i), arrived: i);
            store.Write(new StoreTransaction(source, i + 1, 0, [record]));
        }

        for (var from = 0; from < 45; from++)
        {
            var expected = Enumerable.Range(0, 40).Where(i => i % 3 != 0 && i % 5 != 4 && i >= from && i < 35).Select(i => (long)i);
            var found = store.BatchesOf("kafka:0", from, 35, 100);
            Assert.Equal(expected, found.Select(batch => batch.Position));
            Assert.All(found, batch => Assert.Equal(batch.Position, batch.ArrivedUnixMs));
        }

        Assert.Equal([3L, 6, 12], store.BatchesOf("kafka:1", 1, long.MaxValue, 3).Select(batch => batch.Position));
        Assert.Empty(store.BatchesOf("kafka:2", 0, long.MaxValue, 100));
    }

    [Fact]
    public void The_rate_takes_a_counter_that_fell_as_reset_and_counts_from_zero()
    {
        // 10 in 1 s, then a reset to 4 within the bucket, then 6 more: 20 in 3 s. The second bucket goes on from the last sample.
        (long Time, double Value)[] samples = [(0, 100), (1000, 110), (2000, 4), (3000, 10), (12_000, 28)];
        for (var i = 0; i < samples.Length; i++)
            _store.Write(Given.Transaction(Given.Batch(i, "web", $"{i}", Given.Gauge("total", samples[i].Value, samples[i].Time))));

        var points = Points(new SampleQuery(Given.Named("total"), 0, 20_000, 10_000, Aggregation.Rate));

        Assert.Equal([new SamplePoint(0, 20 / 3.0), new SamplePoint(10_000, 18 / 9.0)], points);
    }

    [Fact]
    public void Buckets_leave_out_samples_that_are_no_number_and_raw_points_show_them()
    {
        var fold = new BucketFold(10, Aggregation.Avg);
        fold.Add(1, double.NaN);
        fold.Add(11, 4);
        fold.Add(12, double.NaN);
        fold.Add(21, double.PositiveInfinity);
        fold.End();
        Assert.Equal([new SamplePoint(10, 4), new SamplePoint(20, double.PositiveInfinity)], fold.Points);

        // As a later protocol will write it: NaN is NULL on disk, infinities are themselves.
        _store.Write(Given.Transaction(Given.Batch(0, "web", "a", Given.Gauge("cpu", 1, 5))));
        using (var database = Database.Open(_folder.File, write: true, TimeSpan.FromSeconds(1)))
        {
            var insert = database.Prepare("INSERT INTO samples SELECT id, ?, 99, ? FROM series");
            insert.Bind(1, 6).Bind(2, double.NaN).Run();
            insert.Bind(1, 7).Bind(2, double.NegativeInfinity).Run();
        }

        Assert.Equal([1, double.NaN, double.NegativeInfinity], Given.Points(_store, "cpu").Select(point => point.Value));
    }

    [Fact]
    public void Series_are_found_by_name_and_by_all_of_the_given_tags_in_the_order_of_name_and_tags()
    {
        string[] tags = ["""{"host":"b","zone":"1"}""", """{"host":"a","zone":"1"}""", """{"host":"a","zone":"2"}""", "{}"];
        var position = 0;
        foreach (var name in (string[])["memory", "cpu"])
        {
            foreach (var set in tags)
            {
                _store.Write(Given.Transaction(Given.Batch(position, "web", $"{position}", Given.Gauge(name, position, 10 + position, set))));
                position++;
            }
        }

        Assert.Equal(
            ["cpu[]", "cpu[a,1]", "cpu[a,2]", "cpu[b,1]", "memory[]", "memory[a,1]", "memory[a,2]", "memory[b,1]"], Names(Given.Everything));
        Assert.Equal(["cpu[a,1]", "cpu[a,2]"], Names(Given.Named("cpu", new KeyValuePair<string, string>("host", "a"))));
        Assert.Equal(["cpu[a,2]"], Names(Given.Named("cpu", new("zone", "2"), new("host", "a"))));
        Assert.Empty(Names(Given.Named("cpu", new KeyValuePair<string, string>("host", "c"))));
        Assert.Empty(Names(Given.Named("disk")));

        var points = _store.Query(
            new SampleQuery(Given.Named("cpu", new KeyValuePair<string, string>("host", "a")), 0, 16, null, Aggregation.Avg), TestContext.Current.CancellationToken);
        Assert.Equal([new SamplePoint(15, 5)], Assert.Single(points).Points);
    }

    [Fact]
    public void An_answer_beyond_the_limit_is_refused_with_the_way_to_ask_for_less()
    {
        _store.Dispose();
        using var store = _folder.Open(new StoreLimits { QueryPoints = 10, QuerySeries = 3 });
        for (var i = 0; i < 11; i++)
            store.Write(Given.Transaction(Given.Batch(i, "web", $"{i}", Given.Gauge("cpu", i, i * 10, $$"""{"host":"{{i % 3}}"}"""))));
        var query = new SampleQuery(Given.Named("cpu"), 0, 1000, null, Aggregation.Avg);

        Assert.Contains("more than 10 points; use a step", Refusal(() => store.Query(query, default)), StringComparison.Ordinal);
        Assert.Contains("use a step above 1 ms", Refusal(() => store.Query(query with { StepMs = 1 }, default)), StringComparison.Ordinal);
        Assert.Equal(3, store.Query(query with { StepMs = 1000 }, TestContext.Current.CancellationToken).Count);
        Assert.Equal(10, store.Query(query with { To = 100 }, TestContext.Current.CancellationToken).Sum(series => series.Points.Count));

        store.Write(Given.Transaction(Given.Batch(11, "web", "11", Given.Gauge("cpu", 1, 1))));
        Assert.Contains("More than 3 series match", Refusal(() => store.Series(Given.Everything, default)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_cancelled_query_stops_and_leaves_its_reader_usable()
    {
        _store.Write(Given.Transaction(Given.Batch(0, "web", "0", Given.Gauge("cpu", 1, 1))));
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        for (var i = 0; i < 10; i++)
            Assert.Throws<OperationCanceledException>(() => _store.Query(Given.All("cpu"), cancelled.Token));

        Assert.Equal([new SamplePoint(1, 1)], Given.Points(_store, "cpu"));
    }

    [Fact]
    public void Paging_through_the_batches_of_a_client_shows_each_once_in_the_order_of_storing()
    {
        _store.Dispose();
        using var store = _folder.Open(new StoreLimits { ListedBodyBytes = 1500 });
        for (var i = 0; i < 57; i++)
            store.Write(Given.Transaction(Given.Batch(i, i % 2 == 0 ? "web" : "api", $"id-{i * 31 % 57}", Given.Gauge("cpu", i, i))));

        foreach (var limit in (int[])[1, 2, 5, 29, 1000])
        {
            var seen = new List<string>();
            while (store.Batches("web", seen.LastOrDefault(), limit) is { Count: > 0 } page)
            {
                Assert.InRange(page.Count, 1, limit);
                seen.AddRange(page.Select(batch => batch.BatchId));
            }

            Assert.Equal(Enumerable.Range(0, 29).Select(i => $"id-{i * 2 * 31 % 57}"), seen);
        }

        Assert.Empty(store.Batches("nobody", "id-0", 10)!);
        Assert.Null(store.Batches("web", "id-31", 10));
    }

    public void Dispose()
    {
        _store.Dispose();
        _folder.Dispose();
    }

    private static string Refusal(Action query) => Assert.Throws<QueryTooLargeException>(query).Message;

    private List<SamplePoint> Points(SampleQuery query) =>
        [.. _store.Query(query, TestContext.Current.CancellationToken).SelectMany(series => series.Points)];

    private IEnumerable<string> Names(SeriesFilter filter) => _store.Series(filter, TestContext.Current.CancellationToken)
        .Select(series => $"{series.Name}[{string.Join(',', series.Tags.Select(tag => tag.Value))}]");

    private static List<SamplePoint> Naive(List<SamplePoint> samples, long step, Aggregation aggregation)
    {
        var buckets = samples.Select((sample, index) => (sample, index)).GroupBy(one => (long)Math.Floor((double)one.sample.Time / step) * step);
        var points = new List<SamplePoint>();
        foreach (var bucket in buckets)
        {
            var values = bucket.Select(one => one.sample.Value).ToList();
            var pairs = bucket.Where(one => one.index > 0).Select(one => (Before: samples[one.index - 1], After: one.sample)).ToList();
            var seconds = pairs.Sum(pair => pair.After.Time - pair.Before.Time) / 1000.0;
            if (aggregation == Aggregation.Rate && seconds == 0)
                continue;
            points.Add(new SamplePoint(bucket.Key, aggregation switch
            {
                Aggregation.Avg => values.Average(),
                Aggregation.Min => values.Min(),
                Aggregation.Max => values.Max(),
                Aggregation.Sum => values.Sum(),
                Aggregation.Last => values[^1],
                _ => pairs.Sum(pair => pair.After.Value < pair.Before.Value ? pair.After.Value : pair.After.Value - pair.Before.Value) / seconds,
            }));
        }

        return points;
    }
}
