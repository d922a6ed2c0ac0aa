using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

// Every signature below is blittable: no marshalling stub is generated, and none of it needs reflection.
[assembly: DisableRuntimeMarshalling]

namespace EvenKeel.Kafka.Native;

/// <summary>
/// The functions of librdkafka's C API that this library calls, one line each, by the C name without <c>rd_kafka_</c>.
/// Opaque handles are <see langword="nint"/>; <see cref="ClientHandle"/> and the types beside it say who owns them, and when they may
/// be used.
/// </summary>
internal static unsafe partial class Librdkafka
{
    public const string Library = "librdkafka";

    // Precise static initialisation: the resolver is in place before the first native call, whichever it is.
    static Librdkafka() => LibraryResolver.Register();

    [LibraryImport(Library, EntryPoint = "rd_kafka_version")]
    public static partial int Version();

    [LibraryImport(Library, EntryPoint = "rd_kafka_thread_cnt")]
    public static partial int ThreadCount();

    // Errors.

    [LibraryImport(Library, EntryPoint = "rd_kafka_err2str")]
    public static partial byte* ErrorText(KafkaErrorCode code);

    [LibraryImport(Library, EntryPoint = "rd_kafka_err2name")]
    public static partial byte* ErrorName(KafkaErrorCode code);

    /// <summary>Thread-local: read it on the thread of the failed call, before any other call.</summary>
    [LibraryImport(Library, EntryPoint = "rd_kafka_last_error")]
    [SuppressGCTransition]
    public static partial KafkaErrorCode LastError();

    [LibraryImport(Library, EntryPoint = "rd_kafka_error_code")]
    public static partial KafkaErrorCode ErrorObjectCode(nint error);

    [LibraryImport(Library, EntryPoint = "rd_kafka_error_string")]
    public static partial byte* ErrorObjectText(nint error);

    [LibraryImport(Library, EntryPoint = "rd_kafka_error_is_fatal")]
    public static partial int ErrorObjectIsFatal(nint error);

    [LibraryImport(Library, EntryPoint = "rd_kafka_error_is_retriable")]
    public static partial int ErrorObjectIsRetriable(nint error);

    [LibraryImport(Library, EntryPoint = "rd_kafka_error_destroy")]
    public static partial void ErrorObjectDestroy(nint error);

    // Configuration.

    [LibraryImport(Library, EntryPoint = "rd_kafka_conf_new")]
    public static partial nint ConfNew();

    [LibraryImport(Library, EntryPoint = "rd_kafka_conf_destroy")]
    public static partial void ConfDestroy(nint conf);

    [LibraryImport(Library, EntryPoint = "rd_kafka_conf_dup")]
    public static partial nint ConfDup(nint conf);

    /// <returns>0 set, -1 invalid value, -2 unknown name.</returns>
    [LibraryImport(Library, EntryPoint = "rd_kafka_conf_set", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int ConfSet(nint conf, string name, string value, byte* errorText, nuint errorTextSize);

    [LibraryImport(Library, EntryPoint = "rd_kafka_conf_get", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int ConfGet(nint conf, string name, byte* destination, nuint* size);

    [LibraryImport(Library, EntryPoint = "rd_kafka_conf_dump")]
    public static partial byte** ConfDump(nint conf, nuint* count);

    [LibraryImport(Library, EntryPoint = "rd_kafka_conf_dump_free")]
    public static partial void ConfDumpFree(byte** pairs, nuint count);

    [LibraryImport(Library, EntryPoint = "rd_kafka_conf_set_events")]
    public static partial void ConfSetEvents(nint conf, EventKinds kinds);

    // Client.

    /// <summary>Takes over the configuration, unless it fails and returns 0.</summary>
    [LibraryImport(Library, EntryPoint = "rd_kafka_new")]
    public static partial nint New(ClientKind kind, nint conf, byte* errorText, nuint errorTextSize);

    [LibraryImport(Library, EntryPoint = "rd_kafka_destroy_flags")]
    public static partial void DestroyFlags(nint client, DestroyOptions options);

    [LibraryImport(Library, EntryPoint = "rd_kafka_conf")]
    public static partial nint Conf(nint client);

    [LibraryImport(Library, EntryPoint = "rd_kafka_name")]
    public static partial byte* Name(nint client);

    [LibraryImport(Library, EntryPoint = "rd_kafka_clusterid")]
    public static partial byte* ClusterId(nint client, int timeoutMs);

    [LibraryImport(Library, EntryPoint = "rd_kafka_mem_free")]
    public static partial void MemFree(nint client, void* memory);

    [LibraryImport(Library, EntryPoint = "rd_kafka_fatal_error")]
    public static partial KafkaErrorCode FatalError(nint client, byte* errorText, nuint errorTextSize);

    [LibraryImport(Library, EntryPoint = "rd_kafka_test_fatal_error", StringMarshalling = StringMarshalling.Utf8)]
    public static partial KafkaErrorCode TestFatalError(nint client, KafkaErrorCode code, string reason);

    [LibraryImport(Library, EntryPoint = "rd_kafka_set_log_queue")]
    public static partial KafkaErrorCode SetLogQueue(nint client, nint queue);

    [LibraryImport(Library, EntryPoint = "rd_kafka_outq_len")]
    public static partial int OutqLen(nint client);

    [LibraryImport(Library, EntryPoint = "rd_kafka_oauthbearer_set_token", StringMarshalling = StringMarshalling.Utf8)]
    public static partial KafkaErrorCode OAuthBearerSetToken(
        nint client, string token, long lifetimeMs, string principal, byte** extensions, nuint extensionSize, byte* errorText,
        nuint errorTextSize);

    [LibraryImport(Library, EntryPoint = "rd_kafka_oauthbearer_set_token_failure", StringMarshalling = StringMarshalling.Utf8)]
    public static partial KafkaErrorCode OAuthBearerSetTokenFailure(nint client, string errorText);

    // Topics and metadata.

    [LibraryImport(Library, EntryPoint = "rd_kafka_topic_new", StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint TopicNew(nint client, string topic, nint topicConf);

    [LibraryImport(Library, EntryPoint = "rd_kafka_topic_destroy")]
    public static partial void TopicDestroy(nint topic);

    [LibraryImport(Library, EntryPoint = "rd_kafka_topic_name")]
    [SuppressGCTransition]
    public static partial byte* TopicName(nint topic);

    [LibraryImport(Library, EntryPoint = "rd_kafka_metadata")]
    public static partial KafkaErrorCode Metadata(nint client, int allTopics, nint onlyTopic, NativeMetadata** metadata, int timeoutMs);

    [LibraryImport(Library, EntryPoint = "rd_kafka_metadata_destroy")]
    public static partial void MetadataDestroy(NativeMetadata* metadata);

    [LibraryImport(Library, EntryPoint = "rd_kafka_query_watermark_offsets", StringMarshalling = StringMarshalling.Utf8)]
    public static partial KafkaErrorCode QueryWatermarkOffsets(
        nint client, string topic, int partition, long* low, long* high, int timeoutMs);

    [LibraryImport(Library, EntryPoint = "rd_kafka_get_watermark_offsets", StringMarshalling = StringMarshalling.Utf8)]
    public static partial KafkaErrorCode GetWatermarkOffsets(nint client, string topic, int partition, long* low, long* high);

    [LibraryImport(Library, EntryPoint = "rd_kafka_offsets_for_times")]
    public static partial KafkaErrorCode OffsetsForTimes(nint client, NativePartitionList* offsets, int timeoutMs);
}
