using EvenKeel.Kafka.Native;
using Xunit;

namespace EvenKeel.Kafka.Tests.Native;

/// <summary>The sizes and offsets that a C compiler gives librdkafka's structs on 64-bit platforms.</summary>
public sealed unsafe class LayoutTests
{
    [Fact]
    public void Structs_have_the_sizes_of_the_C_header() => Assert.Equal(
        (72, 64, 16, 72, 48, 24, 32, 40),
        (sizeof(NativeMessage), sizeof(NativePartition), sizeof(NativePartitionList), sizeof(NativeArgument), sizeof(NativeMetadata),
            sizeof(NativeMetadataBroker), sizeof(NativeMetadataTopic), sizeof(NativeMetadataPartition)));

    [Fact]
    public void Fields_lie_where_the_C_header_has_them()
    {
        NativeMessage message;
        Assert.Equal(
            (8, 16, 24, 32, 40, 48, 56, 64),
            (At(&message, &message.Topic), At(&message, &message.Partition), At(&message, &message.Value), At(&message, &message.ValueSize),
                At(&message, &message.Key), At(&message, &message.KeySize), At(&message, &message.Offset), At(&message, &message.Opaque)));
        NativePartition partition;
        Assert.Equal(
            (8, 16, 24, 32, 40, 48),
            (At(&partition, &partition.Partition), At(&partition, &partition.Offset), At(&partition, &partition.Metadata),
                At(&partition, &partition.MetadataSize), At(&partition, &partition.Opaque), At(&partition, &partition.Error)));
    }

    private static int At(void* start, void* field) => (int)((byte*)field - (byte*)start);
}
