namespace EvenKeel.Kafka.Consuming;

/// <summary>What a consumer did so far, and what it holds, at one moment.</summary>
public readonly record struct ConsumerCounters
{
    /// <summary>Records taken from Kafka.</summary>
    public long Taken { get; internal init; }

    /// <summary>Of those, records whose handler succeeded or that became dead letters.</summary>
    public long Done { get; internal init; }

    /// <summary>Of those done, dead letters.</summary>
    public long DeadLetters { get; internal init; }

    /// <summary>Calls of the handler that threw.</summary>
    public long HandlerFailures { get; internal init; }

    /// <summary>Records given up because their partition was taken away or the consumer stopped; they come again elsewhere.</summary>
    public long Abandoned { get; internal init; }

    /// <summary>Records that retention deleted before they were read: at most so many.</summary>
    public long Expired { get; internal init; }

    /// <summary>Records taken and not done, now.</summary>
    public long InHand { get; internal init; }

    /// <summary>Their bytes: keys and values.</summary>
    public long InHandBytes { get; internal init; }

    /// <summary>Changes of the assignment.</summary>
    public long Rebalances { get; internal init; }

    /// <summary>Offsets of partitions that the coordinator confirmed.</summary>
    public long Commits { get; internal init; }

    /// <summary>Commits that were refused.</summary>
    public long CommitFailures { get; internal init; }

    /// <summary>Notices that nobody was told, because too many were on their way.</summary>
    public long NoticesDropped { get; internal init; }
}

/// <summary>Where a partition stands that is this member's.</summary>
/// <param name="Partition">The partition.</param>
/// <param name="NextOffset">The offset after the last record taken; null before the first.</param>
/// <param name="DoneOffset">The offset before which all that was taken is done; null before the first.</param>
/// <param name="CommittedOffset">What the coordinator confirmed; null if nothing of this member's.</param>
/// <param name="EndOffset">The end of the partition as the last fetch told it; null if it is not known.</param>
/// <param name="InHand">Records taken and not done.</param>
/// <param name="DoneTimestampMs">The time of the last record that is done, milliseconds since 1970; null before the first.</param>
public sealed record PartitionPosition(
    TopicPartition Partition, long? NextOffset, long? DoneOffset, long? CommittedOffset, long? EndOffset, long InHand,
    long? DoneTimestampMs)
{
    /// <summary>Records, control records among them, between what is done and the end; null while nothing was taken.</summary>
    public long? Lag { get; internal init; }
}
