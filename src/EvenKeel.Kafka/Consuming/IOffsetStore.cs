namespace EvenKeel.Kafka.Consuming;

/// <summary>Where to go on in a partition, by the caller's store, and the number under which this member owns it now.</summary>
/// <param name="Partition">The partition.</param>
/// <param name="NextOffset">The offset after the last record whose effect is stored; null if there is none.</param>
/// <param name="Fence">Higher than any that was handed out for the partition before.</param>
public readonly record struct ClaimedPosition(TopicPartition Partition, long? NextOffset, long Fence);

/// <summary>
/// The caller's own store of positions: the effect of a record and the position after it are written in one transaction, so that each
/// record's effect is there exactly once. Kafka's committed offsets are then for lag monitors only.
/// </summary>
/// <remarks>
/// A handler's transaction must write only while the store still has the fence number of <see cref="ReceivedRecord.Fence"/>, and throw
/// <see cref="FencedException"/> otherwise: a member that was paused and does not know yet that others own its partitions is refused there.
/// </remarks>
public interface IOffsetStore
{
    /// <summary>
    /// Takes partitions over: raises each one's fence number by one, in one atomic step that reads the position as well. Called when
    /// partitions are assigned, before their first record is read, and again after a <see cref="FencedException"/>.
    /// </summary>
    /// <param name="partitions">Those that were assigned.</param>
    /// <param name="cancellationToken">They were taken away again, or the consumer stops.</param>
    /// <returns>One position for each.</returns>
    ValueTask<IReadOnlyList<ClaimedPosition>> ClaimAsync(
        IReadOnlyList<TopicPartition> partitions, CancellationToken cancellationToken);
}
