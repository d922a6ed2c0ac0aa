using MetricStream.Storing;

namespace MetricStream.Kafka;

/// <summary>The parts of one server with its queue in Kafka that its state is read from.</summary>
internal sealed class KafkaParts
{
    public required KafkaOptions Options { get; init; }

    /// <summary>Keeps the counters of this server alone.</summary>
    public required IMetricStore File { get; init; }

    /// <summary>Where this server's member stores; null: others store.</summary>
    public IMetricStore? Store { get; init; }

    public string StoreName { get; init; } = "none";

    public required KafkaIntake Intake { get; init; }

    public required TopicSurvey Survey { get; init; }

    public StoreMember? Member { get; init; }
}
