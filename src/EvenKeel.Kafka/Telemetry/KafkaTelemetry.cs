using System.Diagnostics;

namespace EvenKeel.Kafka.Telemetry;

/// <summary>The names under which this library is observed, after OpenTelemetry's semantic conventions for messaging.</summary>
public static class KafkaTelemetry
{
    /// <summary>Of the meter: <c>AddMeter("EvenKeel.Kafka")</c>.</summary>
    public const string MeterName = "EvenKeel.Kafka";

    /// <summary>Of the activity source: <c>AddSource("EvenKeel.Kafka")</c>.</summary>
    public const string ActivitySourceName = "EvenKeel.Kafka";

    internal const string SystemTag = "messaging.system";
    internal const string System = "kafka";
    internal const string OperationNameTag = "messaging.operation.name";
    internal const string OperationTypeTag = "messaging.operation.type";
    internal const string DestinationTag = "messaging.destination.name";
    internal const string PartitionTag = "messaging.destination.partition.id";
    internal const string ClientTag = "messaging.client.id";
    internal const string OffsetTag = "messaging.kafka.offset";
    internal const string TombstoneTag = "messaging.kafka.message.tombstone";
    internal const string BodySizeTag = "messaging.message.body.size";
    internal const string GroupTag = "messaging.consumer.group.name";
    internal const string ErrorTag = "error.type";
    internal const string ServerTag = "server.address";
    internal const string PortTag = "server.port";

    internal static ActivitySource Source { get; } = new(ActivitySourceName);
}
