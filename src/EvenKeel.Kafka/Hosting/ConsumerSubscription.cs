using EvenKeel.Kafka.Consuming;

namespace EvenKeel.Kafka.Hosting;

/// <summary>What a hosted consumer reads, and what does the work.</summary>
/// <param name="GroupId">The group that shares the topics.</param>
/// <param name="Topics">What is read.</param>
/// <param name="Handler">Makes the handler from the host's container, when the consumer begins.</param>
public sealed record ConsumerSubscription(string GroupId, IReadOnlyList<string> Topics, Func<IServiceProvider, RecordHandler> Handler)
{
    /// <summary>Where records go that cannot be handled; null: nowhere. Default null.</summary>
    public string? DeadLetterTopic { get; init; }

    /// <summary>The name of the host's producer that writes them; null: the one without. Default null.</summary>
    public string? DeadLetterProducer { get; init; }

    /// <summary>Makes the caller's store of positions; null: Kafka's committed offsets count. Default null.</summary>
    public Func<IServiceProvider, IOffsetStore>? Store { get; init; }

    /// <summary>A handler that is busy with one record for longer makes the health unhealthy. Default 1 minute.</summary>
    public TimeSpan StuckAfter { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>A partition that is further behind makes the health degraded. Default: any lag will do.</summary>
    public long MaxLag { get; init; } = long.MaxValue;
}
