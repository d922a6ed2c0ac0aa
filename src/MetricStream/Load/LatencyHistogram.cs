using System.Numerics;

namespace MetricStream.Load;

/// <summary>
/// A latency histogram counts times in buckets whose width grows with the value, so that every time is kept to three significant digits
/// (a bucket is at most 1/1024 of its value wide) in a fixed 216 KiB, from a microsecond to 19 hours. Any thread may record.
/// </summary>
/// <remarks>Below 2048 µs a bucket is one microsecond; from there each doubling of the value has 1024 buckets twice as wide.</remarks>
internal sealed class LatencyHistogram
{
    private const int HalfBits = 10;
    private const int Half = 1 << HalfBits;
    private const int MaxBits = 36;
    private const long Limit = (1L << MaxBits) - 1;

    private readonly long[] _counts = new long[(MaxBits - HalfBits + 1) * Half];
    private long _count;
    private long _sum;
    private long _min = long.MaxValue;
    private long _max;

    public long Count => Volatile.Read(ref _count);

    public TimeSpan Min => Count == 0 ? TimeSpan.Zero : TimeSpan.FromMicroseconds(Volatile.Read(ref _min));

    public TimeSpan Max => TimeSpan.FromMicroseconds(Volatile.Read(ref _max));

    public TimeSpan Mean => Count == 0 ? TimeSpan.Zero : TimeSpan.FromMicroseconds(Volatile.Read(ref _sum) / (double)Count);

    /// <summary>Counts one time; below zero counts as zero, above 19 hours as 19 hours.</summary>
    public void Record(TimeSpan time)
    {
        var micros = Math.Clamp(time.Ticks / TimeSpan.TicksPerMicrosecond, 0, Limit);
        Interlocked.Increment(ref _counts[Bucket(micros)]);
        Interlocked.Increment(ref _count);
        Interlocked.Add(ref _sum, micros);
        Raise(ref _max, micros);
        Lower(ref _min, micros);
    }

    /// <summary>The smallest recorded time that at least <paramref name="percent"/> of all times do not exceed (nearest rank), rounded up
    /// within its bucket; zero when nothing was recorded.</summary>
    public TimeSpan Percentile(double percent)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(percent);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(percent, 100);
        var count = Count;
        if (count == 0) return TimeSpan.Zero;
        // 99.9 % of 1000 is 999.0000000000001 in doubles; without the slack it would be rank 1000.
        var rank = Math.Max(1, (long)Math.Ceiling((percent / 100 * count) - 1e-6));
        long seen = 0;
        for (var bucket = 0; bucket < _counts.Length; bucket++)
        {
            seen += Volatile.Read(ref _counts[bucket]);
            if (seen < rank) continue;
            var highest = Math.Min(HighestOf(bucket), Volatile.Read(ref _max));
            return TimeSpan.FromMicroseconds(Math.Max(highest, Volatile.Read(ref _min)));
        }
        return Max;
    }

    private static int Bucket(long micros)
    {
        if (micros < 2 * Half) return (int)micros;
        var shift = BitOperations.Log2((ulong)micros) - HalfBits;
        return (shift * Half) + (int)(micros >> shift);
    }

    private static long HighestOf(int bucket)
    {
        if (bucket < 2 * Half) return bucket;
        var shift = (bucket / Half) - 1;
        var mantissa = (long)(bucket - (shift * Half));
        return ((mantissa + 1) << shift) - 1;
    }

    private static void Raise(ref long target, long value)
    {
        for (var seen = Volatile.Read(ref target); value > seen;)
        {
            var before = Interlocked.CompareExchange(ref target, value, seen);
            if (before == seen) return;
            seen = before;
        }
    }

    private static void Lower(ref long target, long value)
    {
        for (var seen = Volatile.Read(ref target); value < seen;)
        {
            var before = Interlocked.CompareExchange(ref target, value, seen);
            if (before == seen) return;
            seen = before;
        }
    }
}
