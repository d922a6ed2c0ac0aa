namespace MetricStream.Streaming;

/// <summary>
/// A place in a source: the next position to be read in each of its partitions (the file queue has one). Places are ordered in part: one is
/// before another when any partition is.
/// </summary>
internal sealed class StreamPlace(params long[] next) : IEquatable<StreamPlace>
{
    public int Partitions => next.Length;

    /// <summary>The next position of a partition; 0 in one that the place does not know yet.</summary>
    public long this[int partition] => partition < next.Length ? next[partition] : 0;

    /// <summary>Whether something lies between this place and the other.</summary>
    public bool IsBefore(StreamPlace other)
    {
        for (var partition = 0; partition < other.Partitions; partition++)
        {
            if (this[partition] < other[partition])
                return true;
        }

        return false;
    }

    /// <summary>Whether a record is at this place or behind it.</summary>
    public bool Covers(in TailRecord record) => record.Position >= this[record.Partition];

    public static StreamPlace Later(StreamPlace a, StreamPlace b) => Combine(a, b, Math.Max);

    public static StreamPlace Earlier(StreamPlace a, StreamPlace b) => Combine(a, b, Math.Min);

    public bool Equals(StreamPlace? other) => other is not null && !IsBefore(other) && !other.IsBefore(this);

    public override bool Equals(object? obj) => Equals(obj as StreamPlace);

    public override int GetHashCode() => next.Length == 0 ? 0 : next[0].GetHashCode();

    private static StreamPlace Combine(StreamPlace a, StreamPlace b, Func<long, long, long> choose)
    {
        var chosen = new long[Math.Max(a.Partitions, b.Partitions)];
        for (var partition = 0; partition < chosen.Length; partition++)
            chosen[partition] = choose(a[partition], b[partition]);
        return new StreamPlace(chosen);
    }
}
