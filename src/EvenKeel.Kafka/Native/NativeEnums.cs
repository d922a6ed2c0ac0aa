namespace EvenKeel.Kafka.Native;

/// <summary>What a client is for (<c>rd_kafka_type_t</c>).</summary>
internal enum ClientKind
{
    Producer = 0,
    Consumer = 1,
}

/// <summary>
/// Kinds of events (<c>RD_KAFKA_EVENT_*</c>): those up to <see cref="OAuthBearerTokenRefresh"/> are also flags that say which come to a
/// queue in place of a callback.
/// </summary>
[Flags]
internal enum EventKinds
{
    None = 0,
    DeliveryReport = 0x1,
    Fetch = 0x2,
    Log = 0x4,
    Error = 0x8,
    Rebalance = 0x10,
    OffsetCommit = 0x20,
    Statistics = 0x40,
    OAuthBearerTokenRefresh = 0x100,

    // Numbers, not flags, in librdkafka's own counting.
    CreateTopicsResult = 100,
    DeleteTopicsResult = 101,
    DescribeConfigsResult = 104,
    DescribeTopicsResult = 0x100000,
}

/// <summary>What an admin request asks for (<c>rd_kafka_admin_op_t</c>).</summary>
internal enum AdminOperation
{
    CreateTopics = 1,
    DeleteTopics = 2,
    DescribeConfigs = 5,
    DeleteGroups = 7,
    ListConsumerGroups = 12,
    DescribeTopics = 19,
}

/// <summary>How a client is destroyed (<c>RD_KAFKA_DESTROY_F_*</c>).</summary>
[Flags]
internal enum DestroyOptions
{
    None = 0,

    /// <summary>A consumer leaves its group unclosed: the group waits for its session to time out.</summary>
    NoConsumerClose = 0x8,
}

/// <summary>What of a producer is purged (<c>RD_KAFKA_PURGE_F_*</c>).</summary>
[Flags]
internal enum PurgeScope
{
    /// <summary>Not sent yet: reported as <see cref="KafkaErrorCode.PurgedInQueue"/>, safe to send again.</summary>
    Queue = 0x1,

    /// <summary>Sent and unanswered: reported as <see cref="KafkaErrorCode.PurgedInFlight"/>, may have been written.</summary>
    InFlight = 0x2,

    NonBlocking = 0x4,
}

/// <summary>How a produced value is held (<c>RD_KAFKA_MSG_F_*</c>).</summary>
[Flags]
internal enum MessageFlags
{
    None = 0,

    /// <summary>librdkafka copies the value; without it the memory must stay put until the report.</summary>
    Copy = 0x2,
}

/// <summary>Whether a produced message is in the log (<c>rd_kafka_msg_status_t</c>).</summary>
internal enum PersistenceStatus
{
    NotPersisted = 0,
    PossiblyPersisted = 1,
    Persisted = 2,
}

/// <summary>The tag of a <see cref="NativeArgument"/> (<c>rd_kafka_vtype_t</c>).</summary>
internal enum ArgumentKind
{
    End = 0,
    TopicName = 1,
    TopicHandle = 2,
    Partition = 3,
    Value = 4,
    Key = 5,
    Opaque = 6,
    Flags = 7,
    Timestamp = 8,
    Header = 9,
    Headers = 10,
}

/// <summary>Offsets with a meaning (<c>RD_KAFKA_OFFSET_*</c>), and the partition that stands for "choose one".</summary>
internal static class SpecialOffset
{
    public const long Beginning = -2;
    public const long End = -1;
    public const long Stored = -1000;
    public const long Invalid = -1001;
    public const int AnyPartition = -1;
}
