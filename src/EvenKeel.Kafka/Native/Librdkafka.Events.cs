using System.Runtime.InteropServices;

namespace EvenKeel.Kafka.Native;

/// <content>Queues and the events taken from them: what takes the place of callbacks.</content>
internal static unsafe partial class Librdkafka
{
    [LibraryImport(Library, EntryPoint = "rd_kafka_queue_new")]
    public static partial nint QueueNew(nint client);

    [LibraryImport(Library, EntryPoint = "rd_kafka_queue_destroy")]
    public static partial void QueueDestroy(nint queue);

    [LibraryImport(Library, EntryPoint = "rd_kafka_queue_get_main")]
    public static partial nint QueueGetMain(nint client);

    /// <returns>0 on a client without a group.</returns>
    [LibraryImport(Library, EntryPoint = "rd_kafka_queue_get_consumer")]
    public static partial nint QueueGetConsumer(nint client);

    [LibraryImport(Library, EntryPoint = "rd_kafka_queue_get_partition", StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint QueueGetPartition(nint client, string topic, int partition);

    /// <summary>A destination of 0 makes the source stand alone again.</summary>
    [LibraryImport(Library, EntryPoint = "rd_kafka_queue_forward")]
    public static partial void QueueForward(nint source, nint destination);

    [LibraryImport(Library, EntryPoint = "rd_kafka_queue_length")]
    public static partial nuint QueueLength(nint queue);

    /// <summary>Wakes one poll of the queue, the running one or the next.</summary>
    [LibraryImport(Library, EntryPoint = "rd_kafka_queue_yield")]
    public static partial void QueueYield(nint queue);

    [LibraryImport(Library, EntryPoint = "rd_kafka_queue_poll")]
    public static partial nint QueuePoll(nint queue, int timeoutMs);

    [LibraryImport(Library, EntryPoint = "rd_kafka_event_destroy")]
    public static partial void EventDestroy(nint nativeEvent);

    [LibraryImport(Library, EntryPoint = "rd_kafka_event_type")]
    [SuppressGCTransition]
    public static partial EventKinds EventType(nint nativeEvent);

    [LibraryImport(Library, EntryPoint = "rd_kafka_event_message_count")]
    public static partial nuint EventMessageCount(nint nativeEvent);

    /// <summary>Fills the array with the next messages of the event; they live until the event is destroyed.</summary>
    [LibraryImport(Library, EntryPoint = "rd_kafka_event_message_array")]
    public static partial nuint EventMessageArray(nint nativeEvent, NativeMessage** messages, nuint size);

    [LibraryImport(Library, EntryPoint = "rd_kafka_event_message_next")]
    public static partial NativeMessage* EventMessageNext(nint nativeEvent);

    [LibraryImport(Library, EntryPoint = "rd_kafka_event_error")]
    public static partial KafkaErrorCode EventError(nint nativeEvent);

    [LibraryImport(Library, EntryPoint = "rd_kafka_event_error_string")]
    public static partial byte* EventErrorText(nint nativeEvent);

    [LibraryImport(Library, EntryPoint = "rd_kafka_event_error_is_fatal")]
    public static partial int EventErrorIsFatal(nint nativeEvent);

    [LibraryImport(Library, EntryPoint = "rd_kafka_event_opaque")]
    public static partial nint EventOpaque(nint nativeEvent);

    /// <returns>0, or -1 if the event is no log line.</returns>
    [LibraryImport(Library, EntryPoint = "rd_kafka_event_log")]
    public static partial int EventLog(nint nativeEvent, byte** facility, byte** text, int* level);

    [LibraryImport(Library, EntryPoint = "rd_kafka_event_stats")]
    public static partial byte* EventStats(nint nativeEvent);

    [LibraryImport(Library, EntryPoint = "rd_kafka_event_config_string")]
    public static partial byte* EventConfigString(nint nativeEvent);

    [LibraryImport(Library, EntryPoint = "rd_kafka_event_topic_partition_list")]
    public static partial NativePartitionList* EventPartitions(nint nativeEvent);

    [LibraryImport(Library, EntryPoint = "rd_kafka_event_topic_partition")]
    public static partial NativePartition* EventPartition(nint nativeEvent);
}
