using System.Numerics;

namespace MetricStream.Queueing;

/// <summary>
/// Counts times in 8 buckets a doubling, from a microsecond to 71 minutes: a percentile read from it is at most an eighth too high. Adding
/// is one increment, no lock and no allocation; the buckets only grow, so that two readings tell what lies between them.
/// </summary>
internal sealed class TimeHistogram
{
    private const int PerDoublingBits = 3;
    private const int PerDoubling = 1 << PerDoublingBits;
    private const long MostMicroseconds = uint.MaxValue;
    private const int Buckets = (32 - PerDoublingBits + 1) * PerDoubling;

    // Interlocked.
    private readonly long[] _counts = new long[Buckets];

    public void Add(TimeSpan time)
    {
        var micros = Math.Clamp(time.Ticks / TimeSpan.TicksPerMicrosecond, 0, MostMicroseconds);
        Interlocked.Increment(ref _counts[BucketOf(micros)]);
    }

    /// <summary>The buckets as they are now, into <paramref name="counts"/> (null: a new array).</summary>
    public long[] Read(long[]? counts = null)
    {
        counts ??= new long[Buckets];
        for (var i = 0; i < Buckets; i++)
            counts[i] = Interlocked.Read(ref _counts[i]);
        return counts;
    }

    /// <summary>The time that <paramref name="percent"/> of those between two readings did not exceed, rounded up within its bucket; null
    /// when there were none.</summary>
    public static TimeSpan? Percentile(long[] before, long[] now, double percent)
    {
        var total = Count(before, now);
        if (total == 0)
            return null;
        var rank = Math.Max(1, (long)Math.Ceiling((percent / 100 * total) - 1e-6));
        var bucket = 0;
        for (var seen = now[0] - before[0]; seen < rank; seen += now[bucket] - before[bucket])
            bucket++;
        return TimeSpan.FromMicroseconds(HighestOf(bucket));
    }

    /// <summary>How many times lie between two readings.</summary>
    public static long Count(long[] before, long[] now)
    {
        var total = 0L;
        for (var i = 0; i < Buckets; i++)
            total += now[i] - before[i];
        return total;
    }

    private static int BucketOf(long micros)
    {
        if (micros < 2 * PerDoubling)
            return (int)micros;
        var shift = BitOperations.Log2((ulong)micros) - PerDoublingBits;
        return (shift * PerDoubling) + (int)(micros >> shift);
    }

    private static long HighestOf(int bucket)
    {
        if (bucket < 2 * PerDoubling)
            return bucket;
        var shift = (bucket / PerDoubling) - 1;
        return ((bucket - (shift * PerDoubling) + 1L) << shift) - 1;
    }
}
