using System.Collections.Concurrent;
using System.Text;
using EvenKeel.Kafka.Producing;

namespace EvenKeel.Kafka.Tests.Publishing;

/// <summary>A record as the scripted producer was handed it.</summary>
internal sealed record SentRecord(string Topic, string Key, string? Value, string EventId, long TimestampMs, CancellationToken Room);

/// <summary>
/// A producer that answers as its script says, for what no broker says on demand: spilled, nothing at all, an exception, an answer at a
/// moment of the test's choosing.
/// </summary>
internal sealed class ScriptedProducer(Func<SentRecord, Task<DeliveryOutcome>> answer) : IRecordProducer
{
    private static long Offset;

    public ConcurrentQueue<SentRecord> Sent { get; } = new();

    public IEnumerable<string?> Values => Sent.Select(record => record.Value);

    public static DeliveryOutcome Delivered() => DeliveryOutcome.Delivered(0, Interlocked.Increment(ref Offset), 1);

    public static DeliveryOutcome RefusedForNow() => DeliveryOutcome.Refused(KafkaErrorCode.MessageTimedOut, "the broker was away");

    public static DeliveryOutcome RefusedForGood() => DeliveryOutcome.Refused(KafkaErrorCode.MessageTooLarge, "larger than the broker takes");

    public static ScriptedProducer Always(Func<DeliveryOutcome> outcome) => new(_ => Task.FromResult(outcome()));

    public ValueTask<DeliveryOutcome> SendAsync(scoped in OutgoingRecord record, CancellationToken cancellationToken = default)
    {
        var id = record.Headers?.SingleOrDefault(header => header.Name == "event-id").Value;
        var sent = new SentRecord(
            record.Topic, Encoding.UTF8.GetString(record.Key), record.IsTombstone ? null : Encoding.UTF8.GetString(record.Value),
            id is { } bytes ? Encoding.UTF8.GetString(bytes.Span) : "", record.TimestampMs, cancellationToken);
        Sent.Enqueue(sent);
        return new(answer(sent));
    }

    public ValueTask DisposeAsync() => default;
}
