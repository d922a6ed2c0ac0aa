using EvenKeel.Kafka.Producing;

namespace EvenKeel.Kafka.Telemetry;

/// <summary>Who watches a producer from its first moment: a host, or nobody.</summary>
/// <param name="Name">As it is called in measurements; null: librdkafka's name.</param>
/// <param name="Meter">Takes the measurements.</param>
/// <param name="Noticed">Gets every notice, the very first included.</param>
internal sealed record ProducerObserver(string? Name, KafkaMeter Meter, EventHandler<ProducerNotice>? Noticed)
{
    public static ProducerObserver None { get; } = new(null, KafkaMeter.Shared, null);
}
