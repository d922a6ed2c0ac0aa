namespace EvenKeel.Kafka.Spilling;

/// <summary>Which way records take.</summary>
public enum SpillState
{
    /// <summary>Straight to Kafka: the spill is empty.</summary>
    Direct,

    /// <summary>Into the spill, those of one topic at least: Kafka is away, too slow, or refuses.</summary>
    Spilling,

    /// <summary>Kafka takes records again: what is in the spill is sent, the keys that have some there go on through it.</summary>
    Replaying,
}

/// <summary>What a <see cref="SpillingProducer"/> did since its start and holds now, at one moment.</summary>
public record struct SpillCounters
{
    /// <summary>Records that Kafka got without the spill.</summary>
    public long Direct { get; internal set; }

    /// <summary>Records made durable in the spill.</summary>
    public long Spilled { get; internal set; }

    /// <summary>Records that Kafka got from the spill, those of earlier processes included.</summary>
    public long Replayed { get; internal set; }

    /// <summary>Records that Kafka refused for good, or that the spill had no room for: their callers were told.</summary>
    public long Refused { get; internal set; }

    /// <summary>Records whose outcome nobody knows and that the spill could not take either: their callers were told.</summary>
    public long Unknown { get; internal set; }

    /// <summary>Records that the disk damaged in the spill: lost, and counted here.</summary>
    public long Quarantined { get; internal set; }

    /// <summary>Records that Kafka refused for good after they had been acknowledged from disk: kept among the dead letters.</summary>
    public long DeadLettered { get; internal set; }

    /// <summary>
    /// Records sent again after a try whose outcome nobody knows. Without a crash in between, at most so many are in Kafka twice, each
    /// under one id.
    /// </summary>
    public long SentAgain { get; internal set; }

    /// <summary>How often the records on their way were taken back from Kafka's client and spilled.</summary>
    public long Takeovers { get; internal set; }

    /// <summary>Records in the spill now.</summary>
    public long SpillRecords { get; internal set; }

    /// <summary>Bytes on disk now, those of replayed records whose file is still there included.</summary>
    public long SpillBytes { get; internal set; }

    /// <summary>How long the oldest record that is being replayed has been in the spill; zero without one.</summary>
    public TimeSpan OldestAge { get; internal set; }

    /// <summary>Dead letters there now, those of earlier processes included.</summary>
    public long DeadLetters { get; internal set; }

    /// <summary>Records that wait to be written to the spill, for room or behind others, now.</summary>
    public int Waiting { get; internal set; }

    /// <summary>Callers who wait for Kafka to have their spilled record, now.</summary>
    public int PendingCallers { get; internal set; }

    /// <summary>Topics that are held because Kafka does not take their records, now.</summary>
    public int HeldTopics { get; internal set; }
}

/// <summary>What the stop of a <see cref="SpillingProducer"/> came to. What is left is on disk, and sent by the next one there.</summary>
/// <param name="Delivered">Delivered meanwhile, straight or from the spill.</param>
/// <param name="Refused">Refused meanwhile, those that waited for room included.</param>
/// <param name="Unknown">Neither answered by Kafka nor taken by the spill.</param>
/// <param name="LeftInSpill">Records that stay on disk.</param>
/// <param name="DeadLetters">Dead letters that stay on disk.</param>
/// <param name="Elapsed">From the call to the end.</param>
public sealed record SpillDrainReport(
    long Delivered, long Refused, long Unknown, long LeftInSpill, long DeadLetters, TimeSpan Elapsed);
