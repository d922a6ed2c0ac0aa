using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using EvenKeel.Kafka.Producing;

namespace EvenKeel.Kafka.Telemetry;

/// <summary>
/// The instruments of one meter, and the clients that they observe. A host has a meter of its own; producers made without one share one.
/// </summary>
internal sealed class KafkaMeter
{
    // OpenTelemetry's buckets for durations of messaging, in seconds.
    private static readonly double[] DurationBuckets =
        [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

    private readonly ConcurrentDictionary<ProducerTelemetry, Func<ProducerCounters>> _producers = new();

    public KafkaMeter(Meter meter)
    {
        Sent = meter.CreateCounter<long>(
            "messaging.client.sent.messages", "{message}", "Messages that a producer tried to send; with error.type those that failed.");
        Duration = meter.CreateHistogram(
            "messaging.client.operation.duration", "s", "From the send to the outcome, the wait for room included.", null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = DurationBuckets });
        Gauge("evenkeel.kafka.producer.backlog", "{record}", "Records accepted and without outcome.", counters => counters.Backlog);
        Gauge("evenkeel.kafka.producer.backlog.size", "By", "Their keys, values and headers.", counters => counters.BacklogBytes);
        Gauge("evenkeel.kafka.producer.waiting", "{send}", "Sends in line for room.", counters => counters.Waiting);
        Count("evenkeel.kafka.producer.waited", "{send}", "Sends that had to wait for room.", counters => counters.Waited);
        Count("evenkeel.kafka.producer.backlog.warnings", "{warning}", "How often the backlog rose to its warning mark.",
            counters => counters.BacklogWarnings);
        Count("evenkeel.kafka.producer.replacements", "{client}", "Native clients replaced after a fatal error.",
            counters => counters.Replacements);
        Count("evenkeel.kafka.producer.user_code.exceptions", "{exception}", "What continuations, handlers and listeners threw.",
            counters => counters.ThrownByUsers);
        meter.CreateObservableCounter(
            "evenkeel.kafka.producer.records", Outcomes, "{record}", "Accepted records that have their outcome, by outcome.");
        Spills = new SpillMeter(meter);
        StatisticsInstruments.Create(meter, () => _producers.Keys.Select(producer => (producer.Name, producer.Statistics)));

        void Gauge(string name, string unit, string description, Func<ProducerCounters, long> read) =>
            meter.CreateObservableGauge(name, () => Read(read), unit, description);

        void Count(string name, string unit, string description, Func<ProducerCounters, long> read) =>
            meter.CreateObservableCounter(name, () => Read(read), unit, description);
    }

    /// <summary>Of producers that no host owns.</summary>
    public static KafkaMeter Shared { get; } = new(new Meter(KafkaTelemetry.MeterName));

    public Counter<long> Sent { get; }

    public Histogram<double> Duration { get; }

    /// <summary>Of spilling producers.</summary>
    public SpillMeter Spills { get; }

    /// <summary>Whether somebody listens to the measurements that are made one a record.</summary>
    public bool IsListenedTo => Sent.Enabled || Duration.Enabled;

    public void Add(ProducerTelemetry producer, Func<ProducerCounters> counters) => _producers[producer] = counters;

    public void Remove(ProducerTelemetry producer) => _producers.TryRemove(producer, out _);

    private static KeyValuePair<string, object?> Client(string name) => new(KafkaTelemetry.ClientTag, name);

    private IEnumerable<Measurement<long>> Read(Func<ProducerCounters, long> read) =>
        _producers.Select(producer => new Measurement<long>(read(producer.Value()), Client(producer.Key.Name)));

    private IEnumerable<Measurement<long>> Outcomes()
    {
        foreach (var (producer, read) in _producers)
        {
            var counters = read();
            yield return Of(counters.Delivered, "delivered");
            yield return Of(counters.Refused, "refused");
            yield return Of(counters.Unknown, "unknown");

            Measurement<long> Of(long count, string outcome) =>
                new(count, Client(producer.Name), new KeyValuePair<string, object?>("outcome", outcome));
        }
    }
}
