using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using EvenKeel.Kafka;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Spilling;
using MetricStream.Queueing;

namespace MetricStream.Kafka;

/// <summary>The batch queue in Kafka: a message for each acceptance, in the local spill while Kafka does not take it.</summary>
internal sealed class KafkaBatchQueue(SpillingProducer producer, string topic, AcceptanceIds ids) : IBatchQueue
{
    public const string BatchIdHeader = "batch-id";

    private const string ContentTypeHeader = "content-type";
    private const string TraceHeader = "traceparent";

    // What a client is told to wait: a full spill empties at Kafka's pace; what Kafka refuses, or a failed disk, waits for a person.
    private const int RetryFullSeconds = 1;
    private const int RetryRefusedSeconds = 30;

    private static readonly ReadOnlyMemory<byte> Json = "application/json"u8.ToArray();

    private readonly ConcurrentDictionary<int, long> _ends = new();
    private volatile bool _wasFull;
    private long _taken;

    public bool RepeatsBody => true;

    /// <summary>True from a batch that the spill had no room for until one is taken.</summary>
    public bool WasFull => _wasFull;

    /// <summary>Batches made durable since the start, in Kafka or in the spill.</summary>
    public long Taken => Interlocked.Read(ref _taken);

    /// <summary>From the send to the outcome, as each batch that went straight had it.</summary>
    public TimeHistogram Sends { get; } = new();

    /// <summary>The offset after the last batch that went straight to the partition from here; 0 if there was none.</summary>
    public long EndOf(int partition) => _ends.GetValueOrDefault(partition);

    /// <summary>The topic was made anew: its offsets begin again.</summary>
    public void ForgetEnds() => _ends.Clear();

    public ValueTask<long> AppendAsync(ReadOnlySpan<byte> header, ReadOnlySpan<byte> body, string? traceParent = null)
    {
        var arrivedUnixMs = BatchRecord.ReadHeader(header, out var client, out var batchId);
        Span<byte> id = stackalloc byte[AcceptanceIds.MaxBytes];
        id = id[..ids.WriteNext(id)];
        var hasTrace = ActivityContext.TryParse(traceParent, null, out _);
        var headers = new RecordHeader[hasTrace ? 4 : 3];
        headers[0] = new RecordHeader(BatchIdHeader, batchId.ToArray());
        headers[1] = new RecordHeader(SpillingProducer.RecordIdHeader, id.ToArray());
        headers[2] = new RecordHeader(ContentTypeHeader, Json);
        if (hasTrace)
            headers[3] = RecordHeader.Of(TraceHeader, traceParent!);
        return FinishAsync(producer.SendAsync(
            new OutgoingRecord(topic, client, body) { Headers = headers, TimestampMs = arrivedUnixMs }), Stopwatch.GetTimestamp());
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<long> FinishAsync(ValueTask<DeliveryOutcome> send, long began)
    {
        var outcome = await send.ConfigureAwait(false);
        switch (outcome.Status)
        {
            case DeliveryStatus.Delivered:
                _wasFull = false;
                Interlocked.Increment(ref _taken);
                Sends.Add(Stopwatch.GetElapsedTime(began));
                _ends.AddOrUpdate(
                    outcome.Partition, static (_, end) => end, static (_, known, end) => Math.Max(known, end), outcome.Offset + 1);
                return outcome.Offset;
            case DeliveryStatus.Spilled:
                _wasFull = false;
                Interlocked.Increment(ref _taken);
                return IBatchQueue.InSpill;
            default:
                throw Translate(outcome);
        }
    }

    private IntakeRefusedException Translate(in DeliveryOutcome outcome)
    {
        var reason = outcome.Reason ?? outcome.Error.ToString();
        if (outcome.Status == DeliveryStatus.Unknown)
            reason = $"Whether Kafka or the local spill has the batch is unknown: send it again under the same batch id. ({reason})";
        switch (outcome.Error)
        {
            case KafkaErrorCode.QueueFull:
                _wasFull = true;
                return new IntakeRefusedException(IntakeRefusal.Full, reason, RetryFullSeconds);
            case KafkaErrorCode.MessageTooLarge or KafkaErrorCode.RecordListTooLarge or KafkaErrorCode.InvalidMessageSize:
                return new IntakeRefusedException(
                    IntakeRefusal.TooLarge,
                    $"{reason} Send smaller batches, or raise --kafka-property message.max.bytes and the topic's max.message.bytes.", 0);
            default:
                return outcome is { Status: DeliveryStatus.Refused, Retry: RetryAdvice.Later, Error: not KafkaErrorCode.FileSystem }
                    ? new IntakeRefusedException(IntakeRefusal.Closed, reason, RetryFullSeconds)
                    : new IntakeRefusedException(IntakeRefusal.Rejected, reason, RetryRefusedSeconds);
        }
    }
}
