namespace EvenKeel.Kafka.Consuming;

/// <summary>One partition of a topic.</summary>
/// <param name="Topic">The topic's name.</param>
/// <param name="Partition">From 0.</param>
public readonly record struct TopicPartition(string Topic, int Partition)
{
    /// <returns><c>topic[partition]</c>.</returns>
    public override string ToString() => $"{Topic}[{Partition}]";
}
