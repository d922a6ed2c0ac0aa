using System.Diagnostics;

namespace MetricStream.Intake;

/// <summary>Where the time of the acknowledged batches went since the start, summed: reading the body, the pass that validates it, and the
/// wait until it was durable (the group before it, the write, the fsync).</summary>
internal sealed class IntakeTimes
{
    // Interlocked.
    private long _batches;
    private long _bodyTicks;
    private long _parseTicks;
    private long _durableTicks;

    public long Batches => Interlocked.Read(ref _batches);

    public TimeSpan Body => Stopwatch.GetElapsedTime(0, Interlocked.Read(ref _bodyTicks));

    public TimeSpan Parse => Stopwatch.GetElapsedTime(0, Interlocked.Read(ref _parseTicks));

    public TimeSpan Durable => Stopwatch.GetElapsedTime(0, Interlocked.Read(ref _durableTicks));

    /// <summary>One batch, by the timestamps at which each part began, until now.</summary>
    public void Add(long body, long parse, long durable)
    {
        var end = Stopwatch.GetTimestamp();
        Interlocked.Increment(ref _batches);
        Interlocked.Add(ref _bodyTicks, parse - body);
        Interlocked.Add(ref _parseTicks, durable - parse);
        Interlocked.Add(ref _durableTicks, end - durable);
    }
}
