using System.Diagnostics;
using Xunit;

namespace Fixture.Timing;

public sealed class Impatient
{
    // Two threads that take turns are done at once where each has a processor, and not where others want it.
    [Fact]
    public void Expects_turns_to_be_quick()
    {
        var watch = Stopwatch.StartNew();
        for (var turn = 0; turn < 40; turn++)
        {
            using var ready = new ManualResetEventSlim();
            var thread = new Thread(() => { Thread.SpinWait(2_000_000); ready.Set(); });
            thread.Start();
            Thread.SpinWait(2_000_000);
            ready.Wait();
            thread.Join();
        }
        Assert.True(watch.ElapsedMilliseconds < Limit, $"{watch.ElapsedMilliseconds} ms of {Limit}");
    }

    private static long Limit { get; } = long.Parse(Environment.GetEnvironmentVariable("FIXTURE_LIMIT_MS") ?? "2500");

    [Fact]
    public void Is_patient() { }
}
