using System.Diagnostics;
using System.Diagnostics.Metrics;
using MetricStream.Queueing;

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
    private long _refused;
    private long _enqueuedLost;

    /// <summary>The validating pass of each batch.</summary>
    public TimeHistogram Parses { get; } = new();

    /// <summary>From the last byte of the body to the acknowledgement: what the server took; the network and the client's pace are not in
    /// it.</summary>
    public TimeHistogram Totals { get; } = new();

    /// <summary>Takes each of those, in seconds, where somebody collects them.</summary>
    public Histogram<double>? Durations { get; set; }

    /// <summary>Posts that were refused, for whatever reason.</summary>
    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>Batches answered 202 that could not be made durable afterwards.</summary>
    public long EnqueuedLost => Interlocked.Read(ref _enqueuedLost);

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
        Parses.Add(Stopwatch.GetElapsedTime(parse, durable));
        var total = Stopwatch.GetElapsedTime(parse, end);
        Totals.Add(total);
        Durations?.Record(total.TotalSeconds);
    }

    public void AddEnqueuedLost() => Interlocked.Increment(ref _enqueuedLost);

    public void AddRefused() => Interlocked.Increment(ref _refused);
}
