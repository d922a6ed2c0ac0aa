using System.Diagnostics;

namespace KafkaChaos;

/// <summary>A moment of a run: either one drawn from the seed, or one at which a condition came true.</summary>
internal static class Moment
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);

    /// <summary>Lets the run go on as it is for a time: how long a fault lasts, and when the next one comes.</summary>
    public static Task PassAsync(TimeSpan time, CancellationToken cancellation) => Task.Delay(time, cancellation);

    /// <summary>A time between two, drawn from the seed.</summary>
    public static TimeSpan Between(this Random random, double leastSeconds, double mostSeconds) =>
        TimeSpan.FromSeconds(leastSeconds + random.NextDouble() * (mostSeconds - leastSeconds));

    /// <returns>How long it took until the condition held; null when it did not within the limit.</returns>
    public static async Task<TimeSpan?> UntilAsync(Func<bool> condition, TimeSpan limit, CancellationToken cancellation)
    {
        var start = Stopwatch.GetTimestamp();
        using var tick = new PeriodicTimer(Look);
        while (!condition())
        {
            if (Stopwatch.GetElapsedTime(start) > limit)
                return null;
            await tick.WaitForNextTickAsync(cancellation);
        }
        return Stopwatch.GetElapsedTime(start);
    }
}
