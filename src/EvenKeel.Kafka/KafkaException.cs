namespace EvenKeel.Kafka;

/// <summary>A refusal by librdkafka or by a broker: the message says of what, with librdkafka's own text.</summary>
public sealed class KafkaException : Exception
{
    /// <summary>Makes one from librdkafka's code and a text that names the value and the fix.</summary>
    public KafkaException(KafkaErrorCode code, string message, bool isFatal = false, bool isRetriable = false)
        : base(message)
    {
        Code = code;
        IsFatal = isFatal;
        IsRetriable = isRetriable;
    }

    /// <summary>librdkafka's code.</summary>
    public KafkaErrorCode Code { get; }

    /// <summary>The client can do no more; a new one is needed.</summary>
    public bool IsFatal { get; }

    /// <summary>librdkafka says that the same call may succeed later.</summary>
    public bool IsRetriable { get; }
}
