using System.Diagnostics;
using EvenKeel.Kafka.Consuming;

namespace EvenKeel.Kafka.Telemetry;

/// <summary>The span of one call of a handler, linked to the spans that sent its records.</summary>
internal static class ProcessSpan
{
    private const string Operation = "process";

    /// <returns>Null while nobody listens.</returns>
    public static Activity? Begin(RecordView[] views, int start, int count, string group)
    {
        if (!KafkaTelemetry.Source.HasListeners())
            return null;
        var links = new List<ActivityLink>();
        for (var i = start; i < start + count; i++)
        {
            if (TraceHeaders.TryRead(new ReceivedRecord(views[i]).Headers, out var context) && context != default)
                links.Add(new ActivityLink(context));
        }
        var first = new ReceivedRecord(views[start]);
        var span = KafkaTelemetry.Source.StartActivity(
            $"{Operation} {first.Topic}", ActivityKind.Consumer, default(ActivityContext), tags: null, links);
        return span?.SetTag(KafkaTelemetry.SystemTag, KafkaTelemetry.System)
            .SetTag(KafkaTelemetry.OperationNameTag, Operation)
            .SetTag(KafkaTelemetry.OperationTypeTag, Operation)
            .SetTag(KafkaTelemetry.DestinationTag, first.Topic)
            .SetTag(KafkaTelemetry.PartitionTag, $"{first.Partition}")
            .SetTag(KafkaTelemetry.OffsetTag, first.Offset)
            .SetTag(KafkaTelemetry.GroupTag, group);
    }
}
