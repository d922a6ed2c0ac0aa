namespace EvenKeel.Testing.Cluster;

/// <summary>How the embedded cluster is made.</summary>
public sealed record EmbeddedBrokerOptions
{
    /// <summary>Brokers in the cluster, numbered from 1. Default 1; take 3 to move leaders and coordinators.</summary>
    public int Brokers { get; init; } = 1;

    /// <summary>
    /// How long the first join of a group waits for more members. Default zero: librdkafka's 3 s (and Kafka's own) would be waited for by
    /// every test with a new group.
    /// </summary>
    public TimeSpan InitialRebalanceDelay { get; init; } = TimeSpan.Zero;

    internal void ThrowIfInvalid()
    {
        if (Brokers is < 1 or > 64)
            throw new ArgumentException($"Brokers is {Brokers}; an embedded cluster has 1 to 64.");
        if (InitialRebalanceDelay < TimeSpan.Zero || InitialRebalanceDelay > TimeSpan.FromHours(1))
            throw new ArgumentException($"InitialRebalanceDelay is {InitialRebalanceDelay}; it can be zero to one hour.");
    }
}
