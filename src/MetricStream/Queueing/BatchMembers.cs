using System.Text.Json;

namespace MetricStream.Queueing;

/// <summary>A member of a batch object that means something to us.</summary>
internal enum BatchMember : byte { Unknown, Metrics, BatchTimestamp, ClientId }

/// <summary>A member of a metric object that means something to us.</summary>
internal enum MetricMember : byte { Unknown, Name, Value, Type, Tags, Timestamp }

/// <summary>
/// The members of a batch and of a metric by their JSON names: the one place that knows them, for the validator and the reader.
/// Names are compared after unescaping, so <c>"n\u0061me"</c> is <c>name</c>.
/// </summary>
internal static class BatchMembers
{
    public const int MaxDepth = 64;
    public const int MaxTags = 64;

    public static JsonReaderOptions JsonOptions => new() { MaxDepth = MaxDepth };

    public static BatchMember OfBatch(ref Utf8JsonReader json)
    {
        if (json.ValueTextEquals("metrics"u8))
            return BatchMember.Metrics;
        if (json.ValueTextEquals("batch_timestamp"u8))
            return BatchMember.BatchTimestamp;
        return json.ValueTextEquals("client_id"u8) ? BatchMember.ClientId : BatchMember.Unknown;
    }

    public static MetricMember OfMetric(ref Utf8JsonReader json)
    {
        if (!json.ValueIsEscaped)
        {
            var name = json.ValueSpan;
            return name.Length switch
            {
                4 when name.SequenceEqual("name"u8) => MetricMember.Name,
                4 when name.SequenceEqual("type"u8) => MetricMember.Type,
                4 when name.SequenceEqual("tags"u8) => MetricMember.Tags,
                5 when name.SequenceEqual("value"u8) => MetricMember.Value,
                9 when name.SequenceEqual("timestamp"u8) => MetricMember.Timestamp,
                _ => MetricMember.Unknown,
            };
        }

        if (json.ValueTextEquals("name"u8))
            return MetricMember.Name;
        if (json.ValueTextEquals("type"u8))
            return MetricMember.Type;
        if (json.ValueTextEquals("tags"u8))
            return MetricMember.Tags;
        if (json.ValueTextEquals("value"u8))
            return MetricMember.Value;
        return json.ValueTextEquals("timestamp"u8) ? MetricMember.Timestamp : MetricMember.Unknown;
    }

    /// <summary>False when the current string names no metric type.</summary>
    public static bool TryReadType(ref Utf8JsonReader json, out MetricType type)
    {
        type = default;
        if (json.ValueTextEquals("gauge"u8))
            type = MetricType.Gauge;
        else if (json.ValueTextEquals("counter"u8))
            type = MetricType.Counter;
        else if (json.ValueTextEquals("histogram"u8))
            type = MetricType.Histogram;
        return type != default;
    }
}
