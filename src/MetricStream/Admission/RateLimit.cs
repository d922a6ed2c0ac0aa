namespace MetricStream.Admission;

/// <summary>
/// A token bucket of <paramref name="perSecond"/> batches for each client, filled at that pace. A bucket is one number, the time at which
/// it will be full again (the generic cell rate algorithm, ITU-T I.371), which is kept where the client is counted; clients beyond the
/// ledger's bound share a fixed number of buckets by the hash of their names.
/// </summary>
internal sealed class RateLimit(int perSecond, TimeProvider clock)
{
    private const int SharedBuckets = 1 << 14;

    private readonly long _second = clock.TimestampFrequency;
    private readonly long _token = Math.Max(1, clock.TimestampFrequency / perSecond);

    // Interlocked.
    private readonly long[] _shared = new long[SharedBuckets];

    public int PerSecond => perSecond;

    /// <summary>The bucket of a client that has none of its own. Names are hashed with a secret of this process: who wants to empty
    /// another's bucket cannot know which names share it.</summary>
    public ref long Shared(string client) => ref _shared[(uint)client.GetHashCode(StringComparison.Ordinal) % SharedBuckets];

    /// <summary>Takes a token. Zero when there was one, else the time until there will be.</summary>
    public TimeSpan Take(ref long fullAt)
    {
        var known = Volatile.Read(ref fullAt);
        var now = clock.GetTimestamp();
        while (true)
        {
            // A bucket is filled within a second; more than that is left of another limit, or of nothing.
            var full = Math.Clamp(known, now, now + _second);
            var early = full + _token - now - _second;
            if (early > 0)
                return clock.GetElapsedTime(0, early);
            var seen = Interlocked.CompareExchange(ref fullAt, full + _token, known);
            if (seen == known)
                return TimeSpan.Zero;
            known = seen;
        }
    }
}
