using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using EvenKeel.Kafka.Consuming;

namespace EvenKeel.Kafka.Telemetry;

/// <summary>The instruments of this process's consumers, read when somebody collects them; nothing is measured a record.</summary>
internal sealed class ConsumerMeter
{
    private readonly ConcurrentDictionary<ReliableConsumer, string> _consumers = new();

    private ConsumerMeter(Meter meter)
    {
        meter.CreateObservableGauge(
            "evenkeel.kafka.consumer.lag", () => OfPartitions(position => position.Lag), "{record}",
            "Records between what is done and the end of the partition.");
        meter.CreateObservableGauge(
            "evenkeel.kafka.consumer.lag.time", () => OfPartitions(LagSeconds), "s",
            "The age of the last record that is done, where others follow it.");
        meter.CreateObservableGauge(
            "evenkeel.kafka.consumer.in_hand", () => Of(consumer => consumer.Counters.InHand), "{record}", "Records taken and not done.");
        meter.CreateObservableGauge(
            "evenkeel.kafka.consumer.in_hand.size", () => Of(consumer => consumer.Counters.InHandBytes), "By", "Their keys and values.");
        meter.CreateObservableGauge(
            "evenkeel.kafka.consumer.commit.age", () => Of(consumer => (long)consumer.CommitAge.TotalSeconds), "s",
            "Since the coordinator last confirmed a commit.");
        meter.CreateObservableGauge(
            "evenkeel.kafka.consumer.busy", () => Of(consumer => (long)consumer.LongestBusy.TotalSeconds), "s",
            "The longest time that a lane's handler has been busy with what it has now.");
        meter.CreateObservableCounter(
            "evenkeel.kafka.consumer.records", () => Of(consumer => consumer.Counters.Done), "{record}", "Records that are done.");
        meter.CreateObservableCounter(
            "evenkeel.kafka.consumer.dead_letters", () => Of(consumer => consumer.Counters.DeadLetters), "{record}",
            "Of those, dead letters.");
        meter.CreateObservableCounter(
            "evenkeel.kafka.consumer.failures", () => Of(consumer => consumer.Counters.HandlerFailures), "{call}", "Handlers that threw.");
        meter.CreateObservableCounter(
            "evenkeel.kafka.consumer.abandoned", () => Of(consumer => consumer.Counters.Abandoned), "{record}",
            "Records given up in hand, which come again.");
        meter.CreateObservableCounter(
            "evenkeel.kafka.consumer.rebalances", () => Of(consumer => consumer.Counters.Rebalances), "{rebalance}",
            "Changes of the assignment.");
    }

    public static ConsumerMeter Shared { get; } = new(new Meter(KafkaTelemetry.MeterName));

    /// <summary>Observes a consumer until its end.</summary>
    public void Add(ReliableConsumer consumer)
    {
        _consumers[consumer] = consumer.Name;
        _ = consumer.Ended.ContinueWith(
            (_, ended) => _consumers.TryRemove((ReliableConsumer)ended!, out var _), consumer, CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private static long? LagSeconds(PartitionPosition position) =>
        position.Lag is not { } lag ? null
        : lag == 0 || position.DoneTimestampMs is not { } done ? 0
        : Math.Max(0, (TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() - done) / 1000);

    private static KeyValuePair<string, object?>[] Tags(ReliableConsumer consumer, string name) =>
        [new(KafkaTelemetry.ClientTag, name), new(KafkaTelemetry.GroupTag, consumer.Options.GroupId)];

    private IEnumerable<Measurement<long>> Of(Func<ReliableConsumer, long> read) =>
        _consumers.Select(entry => new Measurement<long>(read(entry.Key), Tags(entry.Key, entry.Value)));

    private IEnumerable<Measurement<long>> OfPartitions(Func<PartitionPosition, long?> read)
    {
        foreach (var (consumer, name) in _consumers)
        {
            foreach (var position in consumer.Positions())
            {
                if (read(position) is { } value)
                {
                    yield return new Measurement<long>(
                        value,
                        [
                            .. Tags(consumer, name), new(KafkaTelemetry.DestinationTag, position.Partition.Topic),
                            new(KafkaTelemetry.PartitionTag, $"{position.Partition.Partition}"),
                        ]);
                }
            }
        }
    }
}
