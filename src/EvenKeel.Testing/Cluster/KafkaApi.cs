namespace EvenKeel.Testing.Cluster;

/// <summary>Requests of Kafka's protocol that the embedded broker answers, by their number there.</summary>
public enum KafkaApi
{
    /// <summary>Records from a producer.</summary>
    Produce = 0,

    /// <summary>Records for a consumer.</summary>
    Fetch = 1,

    /// <summary>The first and last offset of partitions.</summary>
    ListOffsets = 2,

    /// <summary>Brokers, topics, leaders.</summary>
    Metadata = 3,

    /// <summary>A group's offsets, written.</summary>
    OffsetCommit = 8,

    /// <summary>A group's offsets, read.</summary>
    OffsetFetch = 9,

    /// <summary>Which broker coordinates a group or transaction.</summary>
    FindCoordinator = 10,

    /// <summary>A member enters a group.</summary>
    JoinGroup = 11,

    /// <summary>A member shows that it lives.</summary>
    Heartbeat = 12,

    /// <summary>A member leaves.</summary>
    LeaveGroup = 13,

    /// <summary>The members' assignments.</summary>
    SyncGroup = 14,

    /// <summary>The first request of a connection.</summary>
    ApiVersions = 18,

    /// <summary>The identity of an idempotent producer.</summary>
    InitProducerId = 22,

    /// <summary>Membership in the new group protocol.</summary>
    ConsumerGroupHeartbeat = 68,
}
