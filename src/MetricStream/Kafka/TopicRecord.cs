using System.Globalization;
using System.Text;
using EvenKeel.Kafka.Consuming;
using EvenKeel.Kafka.Spilling;
using MetricStream.Intake;
using MetricStream.Queueing;
using MetricStream.Storing;

namespace MetricStream.Kafka;

/// <summary>A partition of one topic as a source of the store. The name has the id that the cluster gave the topic: one that is deleted and
/// made again has another.</summary>
internal static class TopicSource
{
    public const string Prefix = "kafka-topic:";

    public static string Of(string topic, string topicId, int partition) =>
        string.Create(CultureInfo.InvariantCulture, $"{Prefix}{topic}:{topicId}:{partition}");
}

/// <summary>A record of the topic as the store takes it: written by intake, or by anybody who can write there.</summary>
internal static class TopicRecord
{
    private static readonly int MaxMetrics = new IntakeOptions().MaxMetrics;

    /// <summary>Its bytes stay Kafka's: good while the record is.</summary>
    public static StoreRecord Read(in ReceivedRecord record, string topicId)
    {
        var id = Copy(record, SpillingProducer.RecordIdHeader);
        var isOurs = !AcceptanceIds.ServerOf(id).IsEmpty;
        var place = string.Create(CultureInfo.InvariantCulture, $"{topicId}-{record.Partition}-{record.Offset}");
        if (id.Length == 0)
            id = Encoding.ASCII.GetBytes("kafka-" + place);
        var client = record.HasKey && !record.Key.IsEmpty ? record.Key : ClientId.Anonymous.ToArray();
        // Who writes without a batch id does not send again: each record is a batch.
        var batchId = Copy(record, KafkaBatchQueue.BatchIdHeader) is { Length: > 0 } given ? given : Encoding.ASCII.GetBytes(place);
        var refusal = isOurs ? null : Refusal(client.Span, batchId, record.Value.Span);
        var batch = new BatchRecord(BatchRecordKind.Batch, record.TimestampMs, 0, client, batchId, record.Value);
        // A client id that is none is not counted as one.
        var isReadable = ClientId.Flaw(client.Span) is null && BatchIdFlaw(batchId) is null;
        return new StoreRecord(record.Offset, isReadable ? batch : null, record.Value)
        {
            Id = id,
            Refusal = refusal,
        };
    }

    private static byte[] Copy(in ReceivedRecord record, string header) =>
        record.TryGetHeader(header, out var value) ? value.ToArray() : [];

    private static string? BatchIdFlaw(ReadOnlySpan<byte> id) =>
        id.Length > BatchId.MaxBytes ? BatchErrorCode.TooLong
        : id.ContainsAnyExceptInRange((byte)'!', (byte)'~') ? BatchErrorCode.BadCharacter : null;

    private static string? Refusal(ReadOnlySpan<byte> client, ReadOnlySpan<byte> batchId, ReadOnlySpan<byte> body)
    {
        if (ClientId.Flaw(client) is { } flaw)
            return $"The key is no client id: {flaw}.";
        if (BatchIdFlaw(batchId) is { } idFlaw)
            return $"The header {KafkaBatchQueue.BatchIdHeader} is no batch id: {idFlaw}.";
        var verdict = BatchValidator.Validate(body, MaxMetrics);
        if (verdict.Malformed is { } malformed)
            return malformed;
        return verdict.Errors is [var error, ..]
            ? $"The body is no batch: {(error.Index is { } index ? $"metric {index}, " : "")}{error.Field}: {error.Code}." : null;
    }
}
