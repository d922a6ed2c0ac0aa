using System.Runtime.InteropServices;

namespace EvenKeel.Kafka.Native;

/// <content>Sending, headers, and what a message tells.</content>
internal static unsafe partial class Librdkafka
{
    /// <returns>0, or -1 with the cause in <see cref="LastError"/>.</returns>
    [LibraryImport(Library, EntryPoint = "rd_kafka_produce")]
    public static partial int Produce(
        nint topic, int partition, MessageFlags flags, void* value, nuint valueSize, void* key, nuint keySize, nint opaque);

    /// <summary>Each message has its error set. The first that meets a full queue or a dead client ends all behind it.</summary>
    /// <returns>How many were queued.</returns>
    [LibraryImport(Library, EntryPoint = "rd_kafka_produce_batch")]
    public static partial int ProduceBatch(nint topic, int partition, MessageFlags flags, NativeMessage* messages, int count);

    /// <returns>0, or an error object to be destroyed.</returns>
    [LibraryImport(Library, EntryPoint = "rd_kafka_produceva")]
    public static partial nint ProduceVa(nint client, NativeArgument* arguments, nuint count);

    /// <summary>With delivery reports as events it only waits: somebody else must serve the queue meanwhile.</summary>
    [LibraryImport(Library, EntryPoint = "rd_kafka_flush")]
    public static partial KafkaErrorCode Flush(nint client, int timeoutMs);

    [LibraryImport(Library, EntryPoint = "rd_kafka_purge")]
    public static partial KafkaErrorCode Purge(nint client, PurgeScope scope);

    [LibraryImport(Library, EntryPoint = "rd_kafka_headers_new")]
    public static partial nint HeadersNew(nuint initialCount);

    [LibraryImport(Library, EntryPoint = "rd_kafka_headers_destroy")]
    public static partial void HeadersDestroy(nint headers);

    [LibraryImport(Library, EntryPoint = "rd_kafka_header_add")]
    public static partial KafkaErrorCode HeaderAdd(nint headers, byte* name, nint nameSize, void* value, nint valueSize);

    [LibraryImport(Library, EntryPoint = "rd_kafka_header_cnt")]
    public static partial nuint HeaderCount(nint headers);

    [LibraryImport(Library, EntryPoint = "rd_kafka_header_get_all")]
    public static partial KafkaErrorCode HeaderGetAll(nint headers, nuint index, byte** name, void** value, nuint* valueSize);

    [LibraryImport(Library, EntryPoint = "rd_kafka_message_headers")]
    public static partial KafkaErrorCode MessageHeaders(NativeMessage* message, nint* headers);

    /// <returns>Milliseconds since 1970, or -1.</returns>
    [LibraryImport(Library, EntryPoint = "rd_kafka_message_timestamp")]
    [SuppressGCTransition]
    public static partial long MessageTimestamp(NativeMessage* message, int* kind);

    /// <summary>Whether the broker may have written the message, as far as the client can tell.</summary>
    [LibraryImport(Library, EntryPoint = "rd_kafka_message_status")]
    [SuppressGCTransition]
    public static partial PersistenceStatus MessageStatus(NativeMessage* message);

    /// <returns>Microseconds from the produce call to the report, or -1.</returns>
    [LibraryImport(Library, EntryPoint = "rd_kafka_message_latency")]
    public static partial long MessageLatency(NativeMessage* message);

    [LibraryImport(Library, EntryPoint = "rd_kafka_message_broker_id")]
    [SuppressGCTransition]
    public static partial int MessageBrokerId(NativeMessage* message);

    [LibraryImport(Library, EntryPoint = "rd_kafka_message_leader_epoch")]
    [SuppressGCTransition]
    public static partial int MessageLeaderEpoch(NativeMessage* message);

    /// <summary>For consumed messages: an error's text.</summary>
    [LibraryImport(Library, EntryPoint = "rd_kafka_message_errstr")]
    public static partial byte* MessageErrorText(NativeMessage* message);

    /// <summary>For delivery reports: the broker's own text about this message; 0 when it sent none, also with an error.</summary>
    [LibraryImport(Library, EntryPoint = "rd_kafka_message_produce_errstr")]
    public static partial byte* MessageProduceErrorText(NativeMessage* message);
}
