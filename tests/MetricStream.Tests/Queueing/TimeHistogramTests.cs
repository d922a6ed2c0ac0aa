using MetricStream.Queueing;
using Xunit;

namespace MetricStream.Tests;

public sealed class TimeHistogramTests
{
    [Fact]
    public void A_percentile_is_never_too_low_and_at_most_an_eighth_too_high()
    {
        for (var micros = 1L; micros < 4_000_000_000; micros = (micros * 3 / 2) + 1)
        {
            var histogram = new TimeHistogram();
            var before = histogram.Read();
            histogram.Add(TimeSpan.FromMicroseconds(micros));

            var read = TimeHistogram.Percentile(before, histogram.Read(), 50)!.Value.TotalMicroseconds;

            Assert.InRange(read, micros, micros * 1.125);
        }
    }

    [Fact]
    public void Percentiles_are_of_what_lies_between_two_readings()
    {
        var histogram = new TimeHistogram();
        for (var i = 0; i < 1000; i++)
            histogram.Add(TimeSpan.FromSeconds(1));
        var before = histogram.Read();
        Assert.Null(TimeHistogram.Percentile(before, histogram.Read(), 99));
        for (var i = 1; i <= 100; i++)
            histogram.Add(TimeSpan.FromMicroseconds(i <= 98 ? 10 : 2000));

        var now = histogram.Read();

        Assert.Equal(100, TimeHistogram.Count(before, now));
        Assert.Equal(10, TimeHistogram.Percentile(before, now, 50)!.Value.TotalMicroseconds);
        Assert.Equal(10, TimeHistogram.Percentile(before, now, 98)!.Value.TotalMicroseconds);
        Assert.InRange(TimeHistogram.Percentile(before, now, 99)!.Value.TotalMicroseconds, 2000, 2250);
    }

    [Fact]
    public void What_lies_outside_is_counted_at_the_ends_and_adding_allocates_nothing()
    {
        var histogram = new TimeHistogram();
        var before = histogram.Read();
        histogram.Add(TimeSpan.FromMicroseconds(-5));
        histogram.Add(TimeSpan.FromDays(30));
        var allocated = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
            histogram.Add(TimeSpan.FromMilliseconds(i));
        Assert.Equal(allocated, GC.GetAllocatedBytesForCurrentThread());

        Assert.Equal(1002, TimeHistogram.Count(before, histogram.Read()));
        Assert.Equal(uint.MaxValue, TimeHistogram.Percentile(before, histogram.Read(), 100)!.Value.TotalMicroseconds);
    }
}
