using System.Diagnostics;

namespace KafkaChaos.Loads;

/// <summary>How long each send took from the call to its outcome, by the second of the run in which it began.</summary>
internal sealed class LatencyLog
{
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly Lock _gate = new();

    // Guarded by _gate.
    private readonly List<List<float>> _seconds = [];

    /// <summary>The time of the run.</summary>
    public TimeSpan Now => Stopwatch.GetElapsedTime(_start);

    public void Add(long begun, long ended)
    {
        var second = (int)Stopwatch.GetElapsedTime(_start, begun).TotalSeconds;
        lock (_gate)
        {
            while (_seconds.Count <= second)
                _seconds.Add([]);
            _seconds[second].Add((float)Stopwatch.GetElapsedTime(begun, ended).TotalMilliseconds);
        }
    }

    /// <summary>The share's latency of the sends begun in these seconds, in milliseconds; 0 without any.</summary>
    /// <param name="share">0.99 for the p99.</param>
    /// <param name="from">Whole seconds of the run.</param>
    /// <param name="to">Exclusive.</param>
    public double Percentile(double share, int from = 0, int to = int.MaxValue)
    {
        float[] all;
        lock (_gate)
            all = [.. _seconds.Take(from..Math.Min(to, _seconds.Count)).SelectMany(second => second)];
        if (all.Length == 0)
            return 0;
        Array.Sort(all);
        return all[Math.Min((int)(share * all.Length), all.Length - 1)];
    }
}
