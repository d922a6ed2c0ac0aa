using System.Diagnostics;

namespace EvenKeel.Kafka.Spilling;

/// <summary>
/// How many records of each key are in a lane, by a hash of the key: in bounded memory, 1 MiB while there are any. Two keys that share a
/// count only send each other the longer way. Guarded by the route's gate.
/// </summary>
internal sealed class SpilledKeys
{
    /// <summary>The bucket of records without a key, which have no order.</summary>
    public const int NoKey = -1;

    private const int Buckets = 1 << 18;
    private int[]? _counts;

    public static int BucketOf(ReadOnlySpan<byte> key)
    {
        if (key.IsEmpty)
            return NoKey;
        var hash = default(HashCode);
        hash.AddBytes(key);
        return hash.ToHashCode() & (Buckets - 1);
    }

    public bool Contains(int bucket) => bucket != NoKey && _counts is not null && _counts[bucket] > 0;

    public void Add(int bucket)
    {
        if (bucket != NoKey)
            (_counts ??= new int[Buckets])[bucket]++;
    }

    public void Remove(int bucket)
    {
        if (bucket == NoKey)
            return;
        Debug.Assert(Contains(bucket), "a key leaves as often as it came");
        _counts![bucket]--;
    }

    /// <summary>The lane is empty. What the disk damaged there was never seen, and its keys are forgotten here.</summary>
    public void Clear() => _counts = null;
}
