using System.Text.Json;
using MetricStream.Serving;

namespace MetricStream.Kafka;

/// <summary>What the writer of stats needs beside the parts, as of one moment.</summary>
internal sealed record KafkaStatsMoment(ServeSettings Settings, IReadOnlyList<PartitionState> Partitions, ServerPulse Pulse);

/// <summary>The members of <c>/api/stats</c> that only a server with its queue in Kafka has.</summary>
internal static class KafkaStatsJson
{
    public static void WriteQueue(Utf8JsonWriter json, KafkaParts parts, in ConservationLaw law, KafkaStatsMoment moment)
    {
        var (topic, producer) = (parts.Survey.Report, parts.Intake.Producer);
        var counters = producer.Counters;
        json.WriteStartObject("queue");
        json.WriteString("kind", "kafka");
        json.WriteString("role", Name(parts.Options.Role));
        json.WriteString("server", moment.Settings.ServerId);
        json.WriteString("topic", parts.Options.Topic);
        WriteNumber(json, "replicas", topic.Replicas);
        WriteNumber(json, "min_in_sync", topic.MinInSync);
        if (topic.SurvivesPowerLoss is { } survives)
            json.WriteBoolean("survives_power_loss", survives);
        else
            json.WriteNull("survives_power_loss");
        json.WriteNumber("handed_over", law.HandedOver);
        json.WriteNumber("handed_in", law.HandedIn);
        json.WriteString("state", Name(producer.State));
        json.WriteNumber("bytes", counters.SpillBytes);
        json.WriteNumber("max_bytes", moment.Settings.MaxQueueBytes);
        json.WriteNumber("oldest_seconds", Math.Max(counters.OldestAge.TotalSeconds, moment.Partitions.Max(p => p.LagSeconds) ?? 0));
        json.WritePropertyName("full_in_seconds");
        StatsJson.WriteValue(json, moment.Pulse.SecondsUntilFull(moment.Settings.MaxQueueBytes));
        json.WriteNumber("sent_straight", counters.Direct);
        json.WriteNumber("sent_through_spill", counters.Spilled);
        json.WriteNumber("replayed", counters.Replayed);
        json.WriteString("fault", parts.Intake.SpillFault);
        json.WriteEndObject();

        json.WriteStartObject("spill");
        json.WriteNumber("batches", counters.SpillRecords);
        json.WriteNumber("bytes", counters.SpillBytes);
        json.WriteNumber("oldest_seconds", counters.OldestAge.TotalSeconds);
        json.WritePropertyName("replayed_per_second");
        StatsJson.WriteValue(json, moment.Pulse.Rates()?.Replayed);
        json.WriteEndObject();
        WritePartitions(json, moment.Partitions);
    }

    private static void WritePartitions(Utf8JsonWriter json, IReadOnlyList<PartitionState> partitions)
    {
        json.WriteStartArray("partitions");
        foreach (var partition in partitions)
        {
            json.WriteStartObject();
            json.WriteNumber("partition", partition.Partition);
            json.WriteNumber("high_watermark", partition.End);
            json.WriteNumber("committed", partition.Next);
            json.WriteNumber("lag", partition.Lag);
            json.WritePropertyName("lag_seconds");
            StatsJson.WriteValue(json, partition.LagSeconds);
            json.WriteString("owner", partition.Owner);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteNumber(Utf8JsonWriter json, string name, int? value)
    {
        if (value is { } number)
            json.WriteNumber(name, number);
        else
            json.WriteNull(name);
    }

#pragma warning disable CA1308 // For people and programs in lower case; nothing is compared with it.
    private static string Name<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();
#pragma warning restore CA1308
}
