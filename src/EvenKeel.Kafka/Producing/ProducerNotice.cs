namespace EvenKeel.Kafka.Producing;

/// <summary>What a producer tells beside the outcomes of records.</summary>
public enum ProducerNoticeKind
{
    /// <summary>The backlog rose to its warning mark.</summary>
    BacklogHigh,

    /// <summary>librdkafka's word on connections and brokers; it goes on trying.</summary>
    BrokerError,

    /// <summary>The native client failed for good and is being replaced.</summary>
    ClientReplaced,

    /// <summary>A continuation or a handler of the user threw.</summary>
    UserCodeThrew,

    /// <summary>A log line of librdkafka.</summary>
    Log,

    /// <summary>librdkafka's statistics, JSON; with the property <c>statistics.interval.ms</c>.</summary>
    Statistics,

    /// <summary>Something that must not happen did, and was survived.</summary>
    Defect,

    /// <summary>The way that records take has changed: straight, into the spill, or both (a spilling producer).</summary>
    SpillState,

    /// <summary>A topic's records stay in the spill: Kafka refuses them or does not answer. Look at topic, permission, broker.</summary>
    TopicHeld,

    /// <summary>Kafka takes the records of a held topic again.</summary>
    TopicReleased,

    /// <summary>The spill is at its bound, or its disk is: records wait or are refused.</summary>
    SpillFull,

    /// <summary>The disk of a topic's spill failed; nothing more is taken into it until the producer is started anew.</summary>
    SpillFailed,

    /// <summary>The disk damaged records in the spill; they are lost and counted.</summary>
    SpillDamaged,

    /// <summary>Kafka refused for good a record that had been acknowledged; it is kept among the dead letters.</summary>
    DeadLettered,
}

/// <summary>Something that whoever runs a producer should know.</summary>
public sealed class ProducerNotice
{
    internal ProducerNotice(ProducerNoticeKind kind, string text, KafkaErrorCode error = KafkaErrorCode.None, Exception? exception = null)
    {
        Kind = kind;
        Text = text;
        Error = error;
        Exception = exception;
    }

    /// <summary>What it is about.</summary>
    public ProducerNoticeKind Kind { get; }

    /// <summary>For people, with the numbers.</summary>
    public string Text { get; }

    /// <summary>librdkafka's code, where there is one.</summary>
    public KafkaErrorCode Error { get; }

    /// <summary>What user code threw.</summary>
    public Exception? Exception { get; }

    /// <summary>Syslog's level of a log line: 3 error, 4 warning, 6 information, 7 debug.</summary>
    public int LogLevel { get; internal init; }
}
