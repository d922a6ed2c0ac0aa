namespace MetricStream.Queueing;

/// <summary>
/// Where intake makes a batch durable: the file queue on local disk, or Kafka. May be called from any thread.
/// </summary>
internal interface IBatchQueue
{
    /// <summary>The position of a record that waits in Kafka's local spill and has none in Kafka yet.</summary>
    const long InSpill = -1;

    /// <summary>Whether the record of a re-send carries its body again: in Kafka every record is a batch that anybody can read.</summary>
    bool RepeatsBody => false;

    /// <summary>
    /// Appends one record, <paramref name="header"/> (see <see cref="BatchRecord.WriteHeader"/>) followed by <paramref name="body"/>.
    /// Both are copied before the call returns. Completes with the record's position, or <see cref="InSpill"/>, once the record is durable;
    /// faults, or throws, with <see cref="IntakeRefusedException"/> when it is not promised. The W3C trace context is that of the request.
    /// </summary>
    ValueTask<long> AppendAsync(ReadOnlySpan<byte> header, ReadOnlySpan<byte> body, string? traceParent = null);
}

/// <summary>Why the queue promises nothing for a record.</summary>
internal enum IntakeRefusal
{
    /// <summary>The queue is at its size limit; it takes records again when the store has caught up.</summary>
    Full,

    /// <summary>The disk has no room.</summary>
    DiskFull,

    /// <summary>The record is larger than a record of the queue may be.</summary>
    TooLarge,

    /// <summary>The queue is closing: the server stops.</summary>
    Closed,

    /// <summary>Kafka refuses the record, or its outcome is unknown and the disk failed as well; the message says more.</summary>
    Rejected,

    /// <summary>The queue has failed for good (a failed fsync); only a restart with a working disk helps.</summary>
    Faulted,
}

/// <summary>A batch was not made durable, with what the client is told: the reason and when to try again.</summary>
internal sealed class IntakeRefusedException(IntakeRefusal reason, string message, int retryAfterSeconds, Exception? inner = null)
    : Exception(message, inner)
{
    public IntakeRefusal Reason { get; } = reason;

    public int RetryAfterSeconds { get; } = retryAfterSeconds;
}
