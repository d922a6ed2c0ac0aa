using EvenKeel.Kafka.Settings;

namespace EvenKeel.Kafka.Hosting;

/// <summary>What was asked for before the host is built: which clients, with which settings.</summary>
internal sealed class HostPlan
{
    public string Section { get; set; } = "Kafka";

    /// <summary>Changes of the settings in code, in the order in which they were asked for.</summary>
    public List<Func<KafkaSettings, KafkaSettings>> SettingChanges { get; } = [];

    public List<PlannedPart> Producers { get; } = [];

    /// <summary>What sends through the producers by itself, such as a sweeper: started after them, stopped before them.</summary>
    public List<PlannedPart> Senders { get; } = [];

    /// <summary>Started last and stopped first.</summary>
    public List<PlannedPart> Consumers { get; } = [];
}

/// <summary>A client that was asked for, and how it is made when the host is there.</summary>
internal sealed record PlannedPart(string Name, Func<PartContext, HostedPart> Create);

/// <summary>What a client is made from.</summary>
/// <param name="Provider">The host's container.</param>
/// <param name="Settings">Of all clients.</param>
/// <param name="Observation">Log and meter.</param>
internal sealed record PartContext(IServiceProvider Provider, KafkaSettings Settings, HostObservation Observation);
