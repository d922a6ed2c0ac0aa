using EvenKeel.Kafka.Producing;
using Microsoft.Extensions.Hosting;

namespace EvenKeel.Kafka.Hosting;

/// <summary>The time that a host's stop has, from its beginning, and how it is shared out.</summary>
internal sealed class StopBudget(HostOptions options, TimeProvider time)
{
    // The purge that ends a drain, and the host's own last steps.
    private static readonly TimeSpan Margin = TimeSpan.FromMilliseconds(500);
    private const double MarginShare = 0.1;

    // What consumers, and then what sends by itself, take at most: the producers' drain comes after them.
    private const double EarlierShare = 0.5;

    private readonly long _start = time.GetTimestamp();

    /// <summary>What is left now; null if the host waits for ever.</summary>
    public TimeSpan? Left
    {
        get
        {
            if (options.ShutdownTimeout == Timeout.InfiniteTimeSpan)
                return null;
            var margin = Min(Margin, options.ShutdownTimeout * MarginShare);
            return Max(TimeSpan.Zero, options.ShutdownTimeout - time.GetElapsedTime(_start) - margin);
        }
    }

    /// <summary>For what stops before the producers.</summary>
    public TimeSpan? ForEarlier => Left * EarlierShare;

    /// <summary>The limits as they are if they fit, or both shortened in proportion.</summary>
    public static DrainLimits Fit(DrainLimits limits, TimeSpan all)
    {
        var wanted = limits.Flush + limits.Stragglers;
        return wanted <= all
            ? limits
            : new DrainLimits { Flush = limits.Flush * (all / wanted), Stragglers = limits.Stragglers * (all / wanted) };
    }

    private static TimeSpan Max(TimeSpan one, TimeSpan other) => one > other ? one : other;

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;
}
