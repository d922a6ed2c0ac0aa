using EvenKeel.Kafka.Spilling;
using MetricStream.Storing;

namespace MetricStream.Kafka;

/// <summary>
/// The counts of a server that only takes batches, kept in its store file beside the refusals: how many Kafka got from here, and what the
/// disk damaged in the spill. Saved every second and at the end; a kill -9 loses what the last second delivered from the count, and nothing
/// but the count.
/// </summary>
internal sealed class KafkaAccount(IMetricStore store, SpillingProducer producer)
{
    public const string DeliveredSource = "kafka:delivered";
    public const string DamagedSource = "kafka:spill-damaged";

    private readonly long _deliveredBefore = store.Position(DeliveredSource);
    private readonly long _damagedBefore = store.Position(DamagedSource);

    /// <summary>Batches that Kafka got from this data directory, each acceptance once.</summary>
    public long Delivered => producer.Counters is var counters ? _deliveredBefore + counters.Direct + counters.Replayed : 0;

    /// <summary>Batches that the disk damaged in the spill.</summary>
    public long Damaged => _damagedBefore + producer.Counters.Quarantined;

    /// <exception cref="StoreUnavailableException">Not saved; the next call saves it.</exception>
    public void Save()
    {
        Save(DeliveredSource, Delivered, isDamage: false);
        Save(DamagedSource, Damaged, isDamage: true);
    }

    private void Save(string source, long count, bool isDamage)
    {
        var saved = store.Position(source);
        if (count > saved)
            store.Write(new StoreTransaction(source, count, isDamage ? count - saved : 0, []));
    }
}
