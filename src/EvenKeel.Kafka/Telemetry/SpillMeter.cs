using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using EvenKeel.Kafka.Spilling;

namespace EvenKeel.Kafka.Telemetry;

/// <summary>The instruments of a meter's spilling producers, read when somebody collects them; beside those of every producer.</summary>
internal sealed class SpillMeter
{
    private readonly ConcurrentDictionary<string, SpillingProducer> _producers = new(StringComparer.Ordinal);

    public SpillMeter(Meter meter)
    {
        meter.CreateObservableGauge(
            "evenkeel.kafka.spill.state", () => Of(producer => (long)producer.State), "1", "0 direct, 1 spilling, 2 replaying.");
        Gauge("records", "{record}", "Records in the spill.", counters => counters.SpillRecords);
        Gauge("size", "By", "Bytes of the spill on disk.", counters => counters.SpillBytes);
        Gauge("oldest.age", "s", "How long the oldest record that is being replayed has been in the spill.",
            counters => (long)counters.OldestAge.TotalSeconds);
        Gauge("waiting", "{record}", "Records that wait to be written to the spill.", counters => counters.Waiting);
        Gauge("held_topics", "{topic}", "Topics that Kafka does not take.", counters => counters.HeldTopics);
        Gauge("dead_letters", "{record}", "Dead letters on disk.", counters => counters.DeadLetters);
        Count("spilled", "{record}", "Records made durable in the spill.", counters => counters.Spilled);
        Count("replayed", "{record}", "Records that Kafka got from the spill.", counters => counters.Replayed);
        Count("quarantined", "{record}", "Records that the disk damaged.", counters => counters.Quarantined);
        Count("sent_again", "{record}", "Records sent again though a first try may have arrived.", counters => counters.SentAgain);
        Count("takeovers", "{takeover}", "How often records on their way were taken back and spilled.", counters => counters.Takeovers);

        void Gauge(string name, string unit, string description, Func<SpillCounters, long> read) =>
            meter.CreateObservableGauge($"evenkeel.kafka.spill.{name}", () => Of(producer => read(producer.Counters)), unit, description);

        void Count(string name, string unit, string description, Func<SpillCounters, long> read) =>
            meter.CreateObservableCounter($"evenkeel.kafka.spill.{name}", () => Of(producer => read(producer.Counters)), unit, description);
    }

    public void Add(string name, SpillingProducer producer) => _producers[name] = producer;

    public void Remove(string name, SpillingProducer producer) =>
        _producers.TryRemove(new KeyValuePair<string, SpillingProducer>(name, producer));

    private IEnumerable<Measurement<long>> Of(Func<SpillingProducer, long> read) =>
        _producers.Select(producer => new Measurement<long>(
            read(producer.Value), new KeyValuePair<string, object?>(KafkaTelemetry.ClientTag, producer.Key)));
}
