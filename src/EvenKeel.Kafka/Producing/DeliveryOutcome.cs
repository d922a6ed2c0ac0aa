namespace EvenKeel.Kafka.Producing;

/// <summary>How a record ended.</summary>
public enum DeliveryStatus
{
    /// <summary>No outcome: the default of the type, never handed out.</summary>
    None,

    /// <summary>All in-sync replicas have it.</summary>
    Delivered,

    /// <summary>It is not in the log: sending it again makes no duplicate.</summary>
    Refused,

    /// <summary>It was sent and not answered: it may be in the log, and sending it again may make a duplicate.</summary>
    Unknown,

    /// <summary>
    /// It is fsynced in the local spill of a producer that keeps one, and goes to Kafka from there; only where the caller chose to be
    /// answered from disk.
    /// </summary>
    Spilled,
}

/// <summary>Whether sending a refused record again can help.</summary>
public enum RetryAdvice
{
    /// <summary>The record itself is at fault; it will be refused again.</summary>
    Never,

    /// <summary>After somebody repaired the topic, the permission, the credentials or the settings.</summary>
    AfterRepair,

    /// <summary>Later, as it is: the broker was away, or the producer stopped first.</summary>
    Later,
}

/// <summary>
/// The one outcome of one record: delivered with its place, refused with the reason, unknown, or kept in the spill. Never two, never
/// none.
/// </summary>
public readonly record struct DeliveryOutcome
{
    private DeliveryOutcome(DeliveryStatus status, KafkaErrorCode error, RetryAdvice retry, string? reason)
    {
        Status = status;
        Error = error;
        Retry = retry;
        Reason = reason;
        Partition = -1;
        Offset = -1;
        TimestampMs = -1;
    }

    /// <summary>Which of them it is.</summary>
    public DeliveryStatus Status { get; }

    /// <summary>The partition; -1 unless delivered.</summary>
    public int Partition { get; private init; }

    /// <summary>The offset in the partition; -1 unless delivered.</summary>
    public long Offset { get; private init; }

    /// <summary>The record's time in the log, milliseconds since 1970; -1 unless delivered.</summary>
    public long TimestampMs { get; private init; }

    /// <summary>Why not; <see cref="KafkaErrorCode.None"/> if delivered.</summary>
    public KafkaErrorCode Error { get; }

    /// <summary>Whether sending again can help; of use when refused.</summary>
    public RetryAdvice Retry { get; }

    /// <summary>Why not, for people; null if delivered.</summary>
    public string? Reason { get; }

    /// <summary>All in-sync replicas have it.</summary>
    public bool IsDelivered => Status == DeliveryStatus.Delivered;

    /// <summary>It was refused, and would be again by anyone: no other producer can help.</summary>
    internal bool IsRecordAtFault => Status == DeliveryStatus.Refused && Retry == RetryAdvice.Never;

    internal static DeliveryOutcome Delivered(int partition, long offset, long timestampMs) =>
        new(DeliveryStatus.Delivered, KafkaErrorCode.None, RetryAdvice.Never, null)
        {
            Partition = partition,
            Offset = offset,
            TimestampMs = timestampMs,
        };

    internal static DeliveryOutcome Spilled(string reason) =>
        new(DeliveryStatus.Spilled, KafkaErrorCode.None, RetryAdvice.Never, reason);

    internal static DeliveryOutcome Refused(KafkaErrorCode error, string reason) =>
        new(DeliveryStatus.Refused, error, DeliveryErrors.Advice(error), reason);

    internal static DeliveryOutcome Unknown(KafkaErrorCode error, string reason) =>
        new(DeliveryStatus.Unknown, error, RetryAdvice.Later, reason);
}
