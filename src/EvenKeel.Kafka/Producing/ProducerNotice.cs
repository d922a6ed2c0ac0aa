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
