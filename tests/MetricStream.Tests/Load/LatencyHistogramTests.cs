using MetricStream.Load;
using Xunit;

namespace MetricStream.Tests.Load;

public sealed class LatencyHistogramTests
{
    [Theory]
    [InlineData(1, 100)]
    [InlineData(2, 5_000)]
    [InlineData(3, 3_000_000)]
    [InlineData(4, 60_000_000_000)]
    public void Percentiles_differ_from_the_exact_ones_by_less_than_a_thousandth(int seed, long mostMicros)
    {
        var random = new Random(seed);
        var histogram = new LatencyHistogram();
        // Squared: most times are short and some are long, as latencies are.
        long[] times = [.. Enumerable.Range(0, 20_000).Select(_ => (long)(Math.Pow(random.NextDouble(), 2) * mostMicros))];
        foreach (var micros in times) histogram.Record(TimeSpan.FromMicroseconds(micros));
        Array.Sort(times);
        foreach (var percent in new[] { 0, 1, 10, 50, 90, 99, 99.9, 99.99, 100 })
        {
            var exact = times[Math.Max(0, (int)Math.Ceiling((percent / 100 * times.Length) - 1e-6) - 1)];
            var seen = histogram.Percentile(percent).TotalMicroseconds;
            Assert.True(seen >= exact && seen - exact <= exact / 1000.0,
                $"seed {seed}, p{percent}: exact {exact} µs, histogram {seen} µs");
        }
        Assert.Equal(times[0], histogram.Min.TotalMicroseconds);
        Assert.Equal(times[^1], histogram.Max.TotalMicroseconds);
        Assert.Equal(times.Average(), histogram.Mean.TotalMicroseconds, 1.0);
        Assert.Equal(times.Length, histogram.Count);
    }

    [Fact]
    public void Every_border_between_buckets_keeps_three_digits()
    {
        for (var bit = 1; bit < 36; bit++)
        {
            foreach (var micros in new[] { (1L << bit) - 1, 1L << bit, (1L << bit) + 1 })
            {
                var histogram = new LatencyHistogram();
                histogram.Record(TimeSpan.FromMicroseconds(micros));
                histogram.Record(TimeSpan.FromMicroseconds(micros * 2));
                var seen = histogram.Percentile(50).TotalMicroseconds;
                Assert.True(Math.Abs(seen - micros) <= micros / 1000.0, $"{micros} µs is read back as {seen} µs");
            }
        }
    }

    [Fact]
    public void An_empty_histogram_says_zero_and_times_out_of_range_are_kept_at_the_border()
    {
        var histogram = new LatencyHistogram();
        Assert.Equal(TimeSpan.Zero, histogram.Percentile(99));
        Assert.Equal(TimeSpan.Zero, histogram.Mean);
        histogram.Record(TimeSpan.FromSeconds(-1));
        histogram.Record(TimeSpan.FromDays(30));
        Assert.Equal(TimeSpan.Zero, histogram.Min);
        Assert.InRange(histogram.Max, TimeSpan.FromHours(19), TimeSpan.FromHours(20));
        Assert.Throws<ArgumentOutOfRangeException>(() => histogram.Percentile(101));
    }

    [Fact]
    public async Task Times_recorded_by_several_threads_are_all_counted()
    {
        var histogram = new LatencyHistogram();
        await Task.WhenAll(Enumerable.Range(1, 4).Select(thread => Task.Run(() =>
        {
            for (var i = 0; i < 10_000; i++) histogram.Record(TimeSpan.FromMicroseconds(thread * 100));
        })));
        Assert.Equal(40_000, histogram.Count);
        Assert.Equal(250, histogram.Mean.TotalMicroseconds);
        Assert.Equal(100, histogram.Min.TotalMicroseconds);
        Assert.Equal(400, histogram.Max.TotalMicroseconds);
    }
}
