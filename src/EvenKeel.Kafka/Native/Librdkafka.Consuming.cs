using System.Runtime.InteropServices;

namespace EvenKeel.Kafka.Native;

/// <content>Partition lists and the group consumer. Functions that return <see langword="nint"/> return 0 or an error object.</content>
internal static unsafe partial class Librdkafka
{
    [LibraryImport(Library, EntryPoint = "rd_kafka_topic_partition_list_new")]
    public static partial NativePartitionList* PartitionListNew(int size);

    [LibraryImport(Library, EntryPoint = "rd_kafka_topic_partition_list_destroy")]
    public static partial void PartitionListDestroy(NativePartitionList* list);

    [LibraryImport(Library, EntryPoint = "rd_kafka_topic_partition_list_add", StringMarshalling = StringMarshalling.Utf8)]
    public static partial NativePartition* PartitionListAdd(NativePartitionList* list, string topic, int partition);

    /// <summary>For a partition that an event handed out by itself, outside a list.</summary>
    [LibraryImport(Library, EntryPoint = "rd_kafka_topic_partition_destroy")]
    public static partial void PartitionDestroy(NativePartition* partition);

    [LibraryImport(Library, EntryPoint = "rd_kafka_topic_partition_get_leader_epoch")]
    public static partial int PartitionGetLeaderEpoch(NativePartition* partition);

    [LibraryImport(Library, EntryPoint = "rd_kafka_topic_partition_set_leader_epoch")]
    public static partial void PartitionSetLeaderEpoch(NativePartition* partition, int leaderEpoch);

    /// <summary>From here on the main queue's events come from the consumer queue too.</summary>
    [LibraryImport(Library, EntryPoint = "rd_kafka_poll_set_consumer")]
    public static partial KafkaErrorCode PollSetConsumer(nint client);

    [LibraryImport(Library, EntryPoint = "rd_kafka_subscribe")]
    public static partial KafkaErrorCode Subscribe(nint client, NativePartitionList* topics);

    [LibraryImport(Library, EntryPoint = "rd_kafka_unsubscribe")]
    public static partial KafkaErrorCode Unsubscribe(nint client);

    [LibraryImport(Library, EntryPoint = "rd_kafka_subscription")]
    public static partial KafkaErrorCode Subscription(nint client, NativePartitionList** topics);

    [LibraryImport(Library, EntryPoint = "rd_kafka_assign")]
    public static partial KafkaErrorCode Assign(nint client, NativePartitionList* partitions);

    [LibraryImport(Library, EntryPoint = "rd_kafka_incremental_assign")]
    public static partial nint IncrementalAssign(nint client, NativePartitionList* partitions);

    [LibraryImport(Library, EntryPoint = "rd_kafka_incremental_unassign")]
    public static partial nint IncrementalUnassign(nint client, NativePartitionList* partitions);

    [LibraryImport(Library, EntryPoint = "rd_kafka_assignment")]
    public static partial KafkaErrorCode Assignment(nint client, NativePartitionList** partitions);

    [LibraryImport(Library, EntryPoint = "rd_kafka_assignment_lost")]
    public static partial int AssignmentLost(nint client);

    /// <returns>"NONE", "EAGER" or "COOPERATIVE".</returns>
    [LibraryImport(Library, EntryPoint = "rd_kafka_rebalance_protocol")]
    public static partial byte* RebalanceProtocol(nint client);

    [LibraryImport(Library, EntryPoint = "rd_kafka_memberid")]
    public static partial byte* MemberId(nint client);

    [LibraryImport(Library, EntryPoint = "rd_kafka_position")]
    public static partial KafkaErrorCode Position(nint client, NativePartitionList* partitions);

    [LibraryImport(Library, EntryPoint = "rd_kafka_committed")]
    public static partial KafkaErrorCode Committed(nint client, NativePartitionList* partitions, int timeoutMs);

    [LibraryImport(Library, EntryPoint = "rd_kafka_offsets_store")]
    public static partial KafkaErrorCode OffsetsStore(nint client, NativePartitionList* offsets);

    /// <summary>Blocks without a limit of its own when <paramref name="async"/> is 0.</summary>
    [LibraryImport(Library, EntryPoint = "rd_kafka_commit")]
    public static partial KafkaErrorCode Commit(nint client, NativePartitionList* offsets, int async);

    /// <summary>The result comes to the queue as <see cref="EventKinds.OffsetCommit"/>; the callback must be 0.</summary>
    [LibraryImport(Library, EntryPoint = "rd_kafka_commit_queue")]
    public static partial KafkaErrorCode CommitQueue(nint client, NativePartitionList* offsets, nint queue, nint callback, nint opaque);

    [LibraryImport(Library, EntryPoint = "rd_kafka_pause_partitions")]
    public static partial KafkaErrorCode PausePartitions(nint client, NativePartitionList* partitions);

    [LibraryImport(Library, EntryPoint = "rd_kafka_resume_partitions")]
    public static partial KafkaErrorCode ResumePartitions(nint client, NativePartitionList* partitions);

    [LibraryImport(Library, EntryPoint = "rd_kafka_seek_partitions")]
    public static partial nint SeekPartitions(nint client, NativePartitionList* partitions, int timeoutMs);

    /// <summary>Waits until the array is full or the time is over; served with 0 it takes what is there. Positions move on.</summary>
    /// <returns>How many were written, each to be destroyed with <see cref="MessageDestroy"/>; -1 with the cause in
    /// <see cref="LastError"/>.</returns>
    [LibraryImport(Library, EntryPoint = "rd_kafka_consume_batch_queue")]
    public static partial nint ConsumeBatchQueue(nint queue, int timeoutMs, NativeMessage** messages, nuint size);

    [LibraryImport(Library, EntryPoint = "rd_kafka_message_destroy")]
    public static partial void MessageDestroy(NativeMessage* message);

    /// <summary>Starts the close; what is left to decide (revocation) comes to the queue, until <see cref="ConsumerClosed"/>.</summary>
    [LibraryImport(Library, EntryPoint = "rd_kafka_consumer_close_queue")]
    public static partial nint ConsumerCloseQueue(nint client, nint queue);

    [LibraryImport(Library, EntryPoint = "rd_kafka_consumer_closed")]
    public static partial int ConsumerClosed(nint client);

    [LibraryImport(Library, EntryPoint = "rd_kafka_consumer_group_metadata")]
    public static partial nint ConsumerGroupMetadata(nint client);

    [LibraryImport(Library, EntryPoint = "rd_kafka_consumer_group_metadata_generation_id")]
    public static partial int ConsumerGroupGenerationId(nint metadata);

    [LibraryImport(Library, EntryPoint = "rd_kafka_consumer_group_metadata_destroy")]
    public static partial void ConsumerGroupMetadataDestroy(nint metadata);
}
