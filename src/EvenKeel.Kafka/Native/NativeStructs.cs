using System.Runtime.InteropServices;

namespace EvenKeel.Kafka.Native;

// The structs of librdkafka's ABI, field by field in its order. LayoutTests compares their sizes with the C compiler's.

/// <summary>A message: a consumed one, or the report of a produced one (<c>rd_kafka_message_t</c>).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeMessage
{
    public KafkaErrorCode Error;
    public nint Topic;
    public int Partition;
    public byte* Value;
    public nuint ValueSize;
    public byte* Key;
    public nuint KeySize;
    public long Offset;

    /// <summary>In a delivery report: the opaque handed to the produce call.</summary>
    public nint Opaque;
}

/// <summary>A partition with an offset or an error (<c>rd_kafka_topic_partition_t</c>).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativePartition
{
    public byte* Topic;
    public int Partition;
    public long Offset;
    public void* Metadata;
    public nuint MetadataSize;
    public nint Opaque;
    public KafkaErrorCode Error;
    private readonly nint _private;
}

/// <summary>A list of partitions (<c>rd_kafka_topic_partition_list_t</c>); <see cref="PartitionList"/> owns one.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativePartitionList
{
    public int Count;
    public int Size;
    public NativePartition* Elements;
}

/// <summary>One argument of <see cref="Librdkafka.ProduceVa"/> (<c>rd_kafka_vu_t</c>): a tag and a union of 64 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 72)]
internal unsafe struct NativeArgument
{
    [FieldOffset(0)] public ArgumentKind Kind;
    [FieldOffset(8)] public int Int32;
    [FieldOffset(8)] public long Int64;
    [FieldOffset(8)] public void* Pointer;
    [FieldOffset(16)] public nuint Size;
    [FieldOffset(16)] public void* HeaderValue;
    [FieldOffset(24)] public nint HeaderValueSize;

    public static NativeArgument Topic(nint topic) => new() { Kind = ArgumentKind.TopicHandle, Pointer = (void*)topic };

    public static NativeArgument Partition(int partition) => new() { Kind = ArgumentKind.Partition, Int32 = partition };

    public static NativeArgument Value(void* value, nuint size) => new() { Kind = ArgumentKind.Value, Pointer = value, Size = size };

    public static NativeArgument Key(void* key, nuint size) => new() { Kind = ArgumentKind.Key, Pointer = key, Size = size };

    public static NativeArgument Opaque(nint opaque) => new() { Kind = ArgumentKind.Opaque, Pointer = (void*)opaque };

    public static NativeArgument Flags(MessageFlags flags) => new() { Kind = ArgumentKind.Flags, Int32 = (int)flags };

    public static NativeArgument Timestamp(long unixMs) => new() { Kind = ArgumentKind.Timestamp, Int64 = unixMs };

    /// <param name="name">Ends in a zero byte.</param>
    /// <param name="value">0 makes the value null.</param>
    /// <param name="size">In bytes.</param>
    public static NativeArgument Header(byte* name, void* value, nint size) =>
        new() { Kind = ArgumentKind.Header, Pointer = name, HeaderValue = value, HeaderValueSize = size };

    /// <summary>The list goes over to the message, unless the call fails.</summary>
    public static NativeArgument Headers(nint headers) => new() { Kind = ArgumentKind.Headers, Pointer = (void*)headers };
}

/// <summary>The cluster as one broker describes it (<c>rd_kafka_metadata_t</c>).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeMetadata
{
    public int BrokerCount;
    public NativeMetadataBroker* Brokers;
    public int TopicCount;
    public NativeMetadataTopic* Topics;
    public int OriginBroker;
    public byte* OriginBrokerName;
}

/// <summary>A broker in metadata (<c>rd_kafka_metadata_broker_t</c>).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeMetadataBroker
{
    public int Id;
    public byte* Host;
    public int Port;
}

/// <summary>A topic in metadata (<c>rd_kafka_metadata_topic_t</c>).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeMetadataTopic
{
    public byte* Name;
    public int PartitionCount;
    public NativeMetadataPartition* Partitions;
    public KafkaErrorCode Error;
}

/// <summary>A partition in metadata (<c>rd_kafka_metadata_partition_t</c>).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeMetadataPartition
{
    public int Id;
    public KafkaErrorCode Error;
    public int Leader;
    public int ReplicaCount;
    public int* Replicas;
    public int InSyncCount;
    public int* InSync;
}
