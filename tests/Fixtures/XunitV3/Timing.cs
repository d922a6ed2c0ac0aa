using System.Diagnostics;
using Xunit;

namespace Fixture.Timing;

public sealed class Impatient
{
    // A deadline on the clock for work that needs a processor: kept where one is free, missed where others want it.
    [Fact]
    public void Expects_a_processor_for_itself()
    {
        var before = Environment.CpuUsage.TotalTime;
        var watch = Stopwatch.StartNew();
        while ((Environment.CpuUsage.TotalTime - before).TotalMilliseconds < 200)
            Thread.SpinWait(1000);
        Assert.True(watch.ElapsedMilliseconds < 330, $"200 ms of work took {watch.ElapsedMilliseconds} ms");
    }

    [Fact]
    public void Is_patient() { }
}
