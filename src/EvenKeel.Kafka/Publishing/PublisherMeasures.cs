using System.Diagnostics;
using System.Diagnostics.Metrics;
using EvenKeel.Kafka.Telemetry;

namespace EvenKeel.Kafka.Publishing;

/// <summary>What a publisher did so far, its sweeper included.</summary>
public readonly record struct PublisherCounters
{
    /// <summary>Events recorded by this publisher.</summary>
    public long Recorded { get; init; }

    /// <summary>Events that could not be recorded: the caller got the error, and nothing was sent.</summary>
    public long RecordsFailed { get; init; }

    /// <summary>Deliveries to Kafka, repeated ones included.</summary>
    public long Published { get; init; }

    /// <summary>Events handed to the producer's spill.</summary>
    public long Spilled { get; init; }

    /// <summary>Events refused for good.</summary>
    public long Refused { get; init; }

    /// <summary>Publications that ended without an outcome: the sweeper goes on with them.</summary>
    public long Held { get; init; }

    /// <summary>Events that the sweeper took up, each time counted.</summary>
    public long Swept { get; init; }

    /// <summary>Marks that the repository did not take.</summary>
    public long MarksFailed { get; init; }

    /// <summary>Of those, after a delivery: as many duplicates come later, under the same event ids.</summary>
    public long DuplicatesOwed { get; init; }

    /// <summary>Sweeps that a failing repository ended.</summary>
    public long SweepsFailed { get; init; }

    /// <summary>Handlers of notices that threw.</summary>
    public long ThrownByUsers { get; init; }
}

/// <summary>The counters of one publisher, and the same figures as metrics of the meter <c>EvenKeel.Kafka</c>.</summary>
internal sealed class PublisherMeasures
{
    public const string TopicTag = "messaging.destination.name";

    private static readonly Meter Meter = new(KafkaTelemetry.MeterName);

    private static readonly Counter<long> RecordedCounter = Meter.CreateCounter<long>(
        "evenkeel.kafka.publisher.recorded", "{event}", "Events recorded.");

    private static readonly Counter<long> RecordsFailedCounter = Meter.CreateCounter<long>(
        "evenkeel.kafka.publisher.records_failed", "{event}", "Events that could not be recorded; nothing was sent.");

    private static readonly Counter<long> EndedCounter = Meter.CreateCounter<long>(
        "evenkeel.kafka.publisher.ended", "{event}", "Attempts to publish an event, by outcome and by who made them.");

    private static readonly Counter<long> MarksFailedCounter = Meter.CreateCounter<long>(
        "evenkeel.kafka.publisher.marks_failed", "{event}", "Marks that the repository did not take; delivered events come twice.");

    private static readonly Histogram<double> DurationHistogram = Meter.CreateHistogram<double>(
        "evenkeel.kafka.publisher.duration", "s", "From the call to its outcome, recorded, sent and marked.");

    private static readonly Gauge<long> UnsettledGauge = Meter.CreateGauge<long>(
        "evenkeel.kafka.publisher.unsettled", "{event}", "Events recorded and not settled, as the sweeper last counted them.");

    private static readonly Gauge<long> RefusedGauge = Meter.CreateGauge<long>(
        "evenkeel.kafka.publisher.refused_kept", "{event}", "Refused events kept for somebody to look at, as last counted.");

    private long _recorded;
    private long _recordsFailed;
    private long _published;
    private long _spilled;
    private long _refused;
    private long _held;
    private long _swept;
    private long _marksFailed;
    private long _duplicatesOwed;
    private long _sweepsFailed;
    private long _thrown;

    public PublisherCounters Counters => new()
    {
        Recorded = Interlocked.Read(ref _recorded),
        RecordsFailed = Interlocked.Read(ref _recordsFailed),
        Published = Interlocked.Read(ref _published),
        Spilled = Interlocked.Read(ref _spilled),
        Refused = Interlocked.Read(ref _refused),
        Held = Interlocked.Read(ref _held),
        Swept = Interlocked.Read(ref _swept),
        MarksFailed = Interlocked.Read(ref _marksFailed),
        DuplicatesOwed = Interlocked.Read(ref _duplicatesOwed),
        SweepsFailed = Interlocked.Read(ref _sweepsFailed),
        ThrownByUsers = Interlocked.Read(ref _thrown),
    };

    public void Recorded(string topic)
    {
        Interlocked.Increment(ref _recorded);
        RecordedCounter.Add(1, Tag(topic));
    }

    public void RecordFailed(string topic)
    {
        Interlocked.Increment(ref _recordsFailed);
        RecordsFailedCounter.Add(1, Tag(topic));
    }

    public void Ended(string topic, PublishStatus status, bool swept)
    {
        switch (status)
        {
            case PublishStatus.Published:
                Interlocked.Increment(ref _published);
                break;
            case PublishStatus.Spilled:
                Interlocked.Increment(ref _spilled);
                break;
            case PublishStatus.Refused:
                Interlocked.Increment(ref _refused);
                break;
            case PublishStatus.Held:
                Interlocked.Increment(ref _held);
                break;
            default:
                throw new UnreachableException($"A publication ended as {status}.");
        }
        if (swept)
            Interlocked.Increment(ref _swept);
        EndedCounter.Add(
            1, Tag(topic), new("evenkeel.outcome", NameOf(status)), new("evenkeel.by", swept ? "sweeper" : "caller"));
    }

    public void MarksFailed(string topic, bool delivered)
    {
        Interlocked.Increment(ref _marksFailed);
        if (delivered)
            Interlocked.Increment(ref _duplicatesOwed);
        MarksFailedCounter.Add(1, Tag(topic), new("evenkeel.duplicate", delivered));
    }

    public static void Took(string topic, TimeSpan time) => DurationHistogram.Record(time.TotalSeconds, Tag(topic));

    public void SweepFailed() => Interlocked.Increment(ref _sweepsFailed);

    public void Thrown() => Interlocked.Increment(ref _thrown);

    public static void Holds(EventBacklog backlog)
    {
        UnsettledGauge.Record(backlog.Unsettled);
        RefusedGauge.Record(backlog.Refused);
    }

    private static KeyValuePair<string, object?> Tag(string topic) => new(TopicTag, topic);

    private static string NameOf(PublishStatus status) => status switch
    {
        PublishStatus.Published => "published",
        PublishStatus.Spilled => "spilled",
        PublishStatus.Refused => "refused",
        _ => "held",
    };
}
