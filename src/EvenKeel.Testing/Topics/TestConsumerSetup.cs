using EvenKeel.Testing.Cluster;

namespace EvenKeel.Testing.Topics;

/// <summary>What a test consumer is made from.</summary>
internal sealed record TestConsumerSetup(string BootstrapServers, string Topic, string Group, ConsumeMode Mode)
{
    public bool IsEmbedded { get; init; }

    public TimeSpan Deadline { get; init; }

    public required Func<CancellationToken> Cancellation { get; init; }

    /// <summary>
    /// The times of the group are those that took a suite of the field from 70 s to 20-35 s. The embedded broker answers a fetch when its
    /// wait is over, so there the wait is the latency of a record. A real one answers when a record comes, but has nothing else from a
    /// connection until then: the next test's first question would wait for the last fetch of the one before. A parked consumer
    /// fetches nothing, so short waits cost only while a test looks.
    /// </summary>
    public IEnumerable<KeyValuePair<string, string>> Settings()
    {
        yield return new("bootstrap.servers", BootstrapServers);
        yield return new("client.id", "evenkeel-testing");
        yield return new("group.id", Group);
        yield return new("enable.auto.commit", "false");
        yield return new("enable.auto.offset.store", "false");
        yield return new("enable.partition.eof", "true");
        yield return new("auto.offset.reset", "earliest");
        yield return new("partition.assignment.strategy", "range");
        foreach (var (name, value) in TestCluster.QuickConsumer(IsEmbedded))
            yield return new(name, value);
        yield return new("fetch.wait.max.ms", IsEmbedded ? "2" : "5");
        yield return new("fetch.error.backoff.ms", "10");
        yield return new("reconnect.backoff.ms", "10");
        yield return new("reconnect.backoff.max.ms", "500");
        yield return new("topic.metadata.refresh.fast.interval.ms", "20");
    }
}
