namespace EvenKeel.Kafka.Consuming;

/// <summary>What a consumer tells beside the records.</summary>
public enum ConsumerNoticeKind
{
    /// <summary>Partitions were given to this member.</summary>
    Assigned,

    /// <summary>Partitions were taken from this member, with the time to finish and commit.</summary>
    Revoked,

    /// <summary>Partitions were somebody else's already: nothing was committed, and what was in hand is handled again there.</summary>
    Lost,

    /// <summary>Work in hand did not end in time and was given up uncommitted: it is handled again.</summary>
    Abandoned,

    /// <summary>A commit was refused or not answered; the next one tells the same offsets again, or the records come again.</summary>
    CommitFailed,

    /// <summary>A handler threw; the record is tried again.</summary>
    HandlerFailed,

    /// <summary>A record went to the dead letters.</summary>
    DeadLettered,

    /// <summary>
    /// The handler fails for one record after another, so that none goes to the dead letters any more: the consumer waits and tries the
    /// ones in hand until one succeeds.
    /// </summary>
    Paused,

    /// <summary>A handler succeeded again after <see cref="Paused"/>.</summary>
    Resumed,

    /// <summary>The caller's store was asked for positions and failed; it is asked again.</summary>
    StoreFailed,

    /// <summary>The caller's store refused a write: another member owns the partition by its fence number.</summary>
    Fenced,

    /// <summary>Records were deleted by the topic's retention before they were read.</summary>
    RecordsExpired,

    /// <summary>librdkafka's word on connections and brokers; it goes on trying.</summary>
    BrokerError,

    /// <summary>The consumer can do no more: create another one.</summary>
    Fatal,

    /// <summary>A log line of librdkafka.</summary>
    Log,

    /// <summary>librdkafka's statistics, JSON; with the property <c>statistics.interval.ms</c>.</summary>
    Statistics,

    /// <summary>Something that must not happen did, and was survived.</summary>
    Defect,
}

/// <summary>Something that whoever runs a consumer should know.</summary>
public sealed class ConsumerNotice
{
    internal ConsumerNotice(ConsumerNoticeKind kind, string text, KafkaErrorCode error = KafkaErrorCode.None, Exception? exception = null)
    {
        Kind = kind;
        Text = text;
        Error = error;
        Exception = exception;
    }

    /// <summary>What it is about.</summary>
    public ConsumerNoticeKind Kind { get; }

    /// <summary>For people, with the numbers.</summary>
    public string Text { get; }

    /// <summary>Kafka's code, where there is one.</summary>
    public KafkaErrorCode Error { get; }

    /// <summary>What the handler or the store threw.</summary>
    public Exception? Exception { get; }

    /// <summary>Syslog's level of a log line: 3 error, 4 warning, 6 information, 7 debug.</summary>
    public int LogLevel { get; internal init; }
}
