using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using EvenKeel.Kafka.Producing;

namespace EvenKeel.Kafka.Telemetry;

/// <summary>
/// What is observed of one producer: a span and a measurement a record, the trace context in its headers, and librdkafka's statistics.
/// Costs three reads a record while nobody listens and there is no current activity. Listeners that throw are counted and harm nobody.
/// </summary>
internal sealed class ProducerTelemetry(string name, KafkaMeter meter)
{
    private const string Operation = "send";
    private const string CancelledType = "cancelled";

    private static readonly KeyValuePair<string, object?>[] FixedTags =
    [
        new(KafkaTelemetry.SystemTag, KafkaTelemetry.System), new(KafkaTelemetry.OperationNameTag, Operation),
        new(KafkaTelemetry.OperationTypeTag, Operation),
    ];

    private long _thrown;
    private volatile ClientStatistics? _statistics;

    public string Name => name;

    /// <summary>The latest; null before the first.</summary>
    public ClientStatistics? Statistics => _statistics;

    /// <summary>What listeners threw.</summary>
    public long Thrown => Interlocked.Read(ref _thrown);

    /// <summary>Whether a send must go through <see cref="Send"/>.</summary>
    public bool IsObserved => meter.IsListenedTo || KafkaTelemetry.Source.HasListeners() || Activity.Current is not null;

    public void Start(Func<ProducerCounters> counters) => meter.Add(this, counters);

    public void Stop() => meter.Remove(this);

    /// <summary>Takes librdkafka's statistics; an older one that comes late is left.</summary>
    public void Take(ProducerNotice notice)
    {
        if (notice.Kind != ProducerNoticeKind.Statistics)
            return;
        var taken = ClientStatistics.Parse(Encoding.UTF8.GetBytes(notice.Text));
        if (_statistics is not { } known || known.Client != taken.Client || known.Timestamp < taken.Timestamp)
            _statistics = taken;
    }

    /// <summary>Sends with a span and a measurement.</summary>
    /// <param name="send">The producer's send itself.</param>
    /// <param name="record">The record.</param>
    /// <param name="cancellationToken">Goes to the send.</param>
    public ValueTask<DeliveryOutcome> Send(RecordSend send, scoped in OutgoingRecord record, CancellationToken cancellationToken)
    {
        // 1. The span, if somebody wants it, and the context in the record's headers.
        var before = Activity.Current;
        var start = Stopwatch.GetTimestamp();
        var span = Begin(record, before, out var headers);
        try
        {
            // 2. The record itself. 3. Its outcome, when it comes.
            return Observe(send(With(record, headers), cancellationToken), record.Topic, span, start);
        }
        catch (Exception refused)
        {
            Guarded(static (_, span, text) => Fail(span, "invalid_record", text), span, refused.Message);
            throw;
        }
        finally
        {
            Leave(span, before);
        }
    }

    /// <summary>The same for a send that does not wait; one that finds no room leaves no trace.</summary>
    /// <param name="trySend">The producer's send itself.</param>
    /// <param name="record">The record.</param>
    /// <param name="outcome">The record's outcome, if there will be one.</param>
    public bool TrySend(RecordTrySend trySend, scoped in OutgoingRecord record, out ValueTask<DeliveryOutcome> outcome)
    {
        var before = Activity.Current;
        var start = Stopwatch.GetTimestamp();
        var span = Begin(record, before, out var headers);
        var isTaken = false;
        try
        {
            isTaken = trySend(With(record, headers), out var sending);
            outcome = isTaken ? Observe(sending, record.Topic, span, start) : default;
            return isTaken;
        }
        finally
        {
            if (!isTaken && span is not null)
            {
                span.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
                Guarded(static (_, span, _) => span!.Dispose(), span, "");
            }
            Leave(span, before);
        }
    }

    private static OutgoingRecord With(in OutgoingRecord record, IReadOnlyList<RecordHeader>? headers) =>
        new(record.Topic, record.Key, record.Value)
        {
            Headers = headers,
            IsTombstone = record.IsTombstone,
            TimestampMs = record.TimestampMs,
        };

    // The span goes on without being the caller's current activity.
    private static void Leave(Activity? span, Activity? before)
    {
        if (span is not null)
            Activity.Current = before;
    }

    /// <summary>A context that the record carries stays as it is, and the span is beneath it; else beneath the current activity.</summary>
    private Activity? Begin(scoped in OutgoingRecord record, Activity? before, out IReadOnlyList<RecordHeader>? headers)
    {
        var carries = TraceHeaders.TryRead(record.Headers, out var carried);
        var span = StartSpan(record, carried);
        headers = carries ? record.Headers : TraceHeaders.With(record.Headers, span ?? before);
        return span;
    }

    private ValueTask<DeliveryOutcome> Observe(ValueTask<DeliveryOutcome> sending, string topic, Activity? span, long start) =>
        span is null && !meter.IsListenedTo ? sending : ObserveAsync(sending, topic, span, start);

    private Activity? StartSpan(scoped in OutgoingRecord record, ActivityContext carried)
    {
        if (!KafkaTelemetry.Source.HasListeners())
            return null;
        Activity? span = null;
        var before = Activity.Current;
        try
        {
            span = KafkaTelemetry.Source.StartActivity(
                $"{Operation} {record.Topic}", ActivityKind.Producer, carried,
                [.. FixedTags, new(KafkaTelemetry.DestinationTag, record.Topic)]);
            if (span is not { IsAllDataRequested: true })
                return span;
            span.SetTag(KafkaTelemetry.ClientTag, name);
            span.SetTag(KafkaTelemetry.BodySizeTag, record.IsTombstone ? 0 : record.Value.Length);
            if (record.IsTombstone)
                span.SetTag(KafkaTelemetry.TombstoneTag, true);
        }
#pragma warning disable CA1031 // A sampler or listener of the user: counted, and the record goes on.
        catch (Exception)
        {
            Interlocked.Increment(ref _thrown);
            Activity.Current = before;
        }
#pragma warning restore CA1031
        return span;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<DeliveryOutcome> ObserveAsync(ValueTask<DeliveryOutcome> sending, string topic, Activity? span, long start)
    {
        DeliveryOutcome outcome;
        try
        {
            outcome = await sending.ConfigureAwait(false);
        }
        catch (OperationCanceledException cancelled)
        {
            Guarded((me, span, text) => me.Measure(topic, CancelledType, start, span, text), span, cancelled.Message);
            throw;
        }
        Record(outcome, topic, span, start);
        return outcome;
    }

    private void Record(in DeliveryOutcome outcome, string topic, Activity? span, long start)
    {
        try
        {
            if (outcome.IsDelivered && span is { IsAllDataRequested: true })
            {
                span.SetTag(KafkaTelemetry.PartitionTag, outcome.Partition.ToString(CultureInfo.InvariantCulture));
                span.SetTag(KafkaTelemetry.OffsetTag, outcome.Offset);
            }
            var failed = outcome.Status is DeliveryStatus.Refused or DeliveryStatus.Unknown;
            Measure(topic, failed ? outcome.Error.ToString() : null, start, span, outcome.Reason);
        }
#pragma warning disable CA1031 // A listener of the user: counted, and the outcome gets to the caller.
        catch (Exception)
        {
            Interlocked.Increment(ref _thrown);
        }
#pragma warning restore CA1031
    }

    private void Measure(string topic, string? error, long start, Activity? span, string? reason)
    {
        // The span first: a listener to measurements that throws must not keep it open.
        if (error is null)
            span?.Dispose();
        else
            Fail(span, error, reason);
        var tags = new TagList(FixedTags) { { KafkaTelemetry.DestinationTag, topic } };
        if (error is not null)
            tags.Add(KafkaTelemetry.ErrorTag, error);
        meter.Sent.Add(1, tags);
        meter.Duration.Record(Stopwatch.GetElapsedTime(start).TotalSeconds, tags);
    }

    private static void Fail(Activity? span, string error, string? reason)
    {
        span?.SetTag(KafkaTelemetry.ErrorTag, error);
        span?.SetStatus(ActivityStatusCode.Error, reason);
        span?.Dispose();
    }

    private void Guarded(Action<ProducerTelemetry, Activity?, string> action, Activity? span, string text)
    {
        try
        {
            action(this, span, text);
        }
#pragma warning disable CA1031 // A listener of the user: counted, and what is thrown to the caller stays what it was.
        catch (Exception)
        {
            Interlocked.Increment(ref _thrown);
        }
#pragma warning restore CA1031
    }
}

/// <summary>Sends a record; <see cref="IRecordProducer.SendAsync"/> without its observers.</summary>
internal delegate ValueTask<DeliveryOutcome> RecordSend(scoped in OutgoingRecord record, CancellationToken cancellationToken);

/// <summary>Sends a record if there is room; <see cref="ReliableProducer.TrySend"/> without its observers.</summary>
internal delegate bool RecordTrySend(scoped in OutgoingRecord record, out ValueTask<DeliveryOutcome> outcome);
