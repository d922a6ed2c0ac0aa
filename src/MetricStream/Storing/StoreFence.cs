using EvenKeel.Kafka.Consuming;

namespace MetricStream.Storing;

/// <summary>The fence of a source: who was taken over is refused, and so is who reads from a place that the store has passed.</summary>
internal static class StoreFence
{
    /// <exception cref="FencedException">The caller must claim the source anew.</exception>
    public static void ThrowIfPassed(StoreTransaction transaction, long ours, long fence, long position)
    {
        if (fence != ours)
        {
            throw new FencedException(
                $"{transaction.Source} is written under fence {fence} now, this write has {ours}: another server took it over.");
        }

        // Whoever has the fence began at the position. A record before it is of a log that was cut or made anew.
        if (transaction.Records.Count > 0 && transaction.Records[0].Position < position)
        {
            throw new FencedException(
                $"{transaction.Source} is stored up to {position}, and record {transaction.Records[0].Position} came: its log is another.");
        }
    }

    /// <summary>Where a source goes on whose log has changed its bounds since.</summary>
    public static (long Position, long Lost, long Rewound) Settle(long position, in SourceBounds bounds)
    {
        if (position < bounds.First)
            return (bounds.First, bounds.First - position, 0);
        return position > bounds.End ? (bounds.End, 0, position - bounds.End) : (position, 0, 0);
    }
}
