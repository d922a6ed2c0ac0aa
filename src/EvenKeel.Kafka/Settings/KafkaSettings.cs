using EvenKeel.Kafka.Producing;
using Microsoft.Extensions.Configuration;

namespace EvenKeel.Kafka.Settings;

/// <summary>
/// What all Kafka clients of a service share: where the cluster is, the three time-outs that teams set, and librdkafka's own properties.
/// A setting that is null was not set: its default gives way to what was.
/// </summary>
/// <remarks>
/// Read from configuration, each setting has two names: in the section <c>Kafka</c> and as a <c>KAFKA_*</c> variable. The source that was
/// added last wins, so the command line over the environment over files; within one source the variable.
/// </remarks>
public sealed record KafkaSettings
{
    /// <summary>Where the cluster is: <c>host:port</c>, several joined by commas. <c>KAFKA_BOOTSTRAP_SERVERS</c>. No default.</summary>
    public string? BootstrapServers { get; init; }

    /// <summary>
    /// How long a consumer may be silent before its group goes on without it. <c>KAFKA_SESSION_TIMEOUT_MS</c>. Default 45 s, Kafka's since
    /// 3.0 and librdkafka's. Not passed with <c>group.protocol=consumer</c>, where it is the broker's.
    /// </summary>
    public TimeSpan? SessionTimeout { get; init; }

    /// <summary>
    /// How often a consumer says that it lives, at most a third of the session. <c>KAFKA_HEARTBEAT_INTERVAL_MS</c>. Default 10 s, the
    /// field's (librdkafka's is 3). Not passed with <c>group.protocol=consumer</c>.
    /// </summary>
    public TimeSpan? HeartbeatInterval { get; init; }

    /// <summary>
    /// How long a request may take, less than the session. <c>KAFKA_REQUEST_TIMEOUT_MS</c>. Default 40 s, the field's. Producers get it as
    /// <c>request.timeout.ms</c>; consumers and admin clients, which have none, as <c>socket.timeout.ms</c>.
    /// </summary>
    public TimeSpan? RequestTimeout { get; init; }

    /// <summary>librdkafka's own properties for every client; one that only producers or consumers know goes to those.</summary>
    public IReadOnlyDictionary<string, string> Properties { get; init; } = new Dictionary<string, string>();

    /// <summary>The same for producers alone; wins over <see cref="Properties"/>.</summary>
    public IReadOnlyDictionary<string, string> ProducerProperties { get; init; } = new Dictionary<string, string>();

    /// <summary>The same for consumers alone; wins over <see cref="Properties"/>.</summary>
    public IReadOnlyDictionary<string, string> ConsumerProperties { get; init; } = new Dictionary<string, string>();

    /// <summary>What could not be read from configuration: violations.</summary>
    internal IReadOnlyList<string> Unreadable { get; init; } = [];

    /// <summary>Reads the settings; what cannot be read is named by <see cref="Validate"/>, with everything else.</summary>
    /// <param name="configuration">The whole configuration, for the <c>KAFKA_*</c> variables.</param>
    /// <param name="section">The section with the settings of this cluster.</param>
    /// <returns>The settings, perhaps violated.</returns>
    public static KafkaSettings Read(IConfiguration configuration, string section = "Kafka")
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentException.ThrowIfNullOrWhiteSpace(section);
        return new ConfigurationReading(configuration, section).Read();
    }

    /// <summary>
    /// Every violation, of these settings and of producers and consumers made from them; each with the setting, the value and the fix.
    /// Only what was set can violate; a default that clashes is lowered, and the notes of the client's settings say so.
    /// </summary>
    /// <returns>Sentences for people; empty if they can be used.</returns>
    public IReadOnlyList<string> Validate() => [.. ForProducer().Violations.Concat(ForConsumer().Violations).Distinct()];

    /// <summary>A producer's options from these settings.</summary>
    /// <param name="configure">Changes them in code, which wins over configuration.</param>
    /// <returns>The options with what is to be logged, or what is violated.</returns>
    public ProducerSettings ForProducer(Func<ProducerOptions, ProducerOptions>? configure = null) =>
        ProducerRules.Resolve(this, configure);

    /// <summary>A consumer's properties.</summary>
    /// <returns>The properties with what is to be logged, or what is violated.</returns>
    public ClientSettings ForConsumer() => ClientRules.ResolveConsumer(this);

    /// <summary>An admin client's properties.</summary>
    /// <returns>The properties with what is to be logged, or what is violated.</returns>
    public ClientSettings ForAdmin() => ClientRules.ResolveAdmin(this);
}

/// <summary>What one client is created with.</summary>
/// <param name="BootstrapServers">Where the cluster is.</param>
/// <param name="Properties">librdkafka's properties, the defaults of <see cref="KafkaSettings"/> included.</param>
/// <param name="Notes">For the log: defaults that were lowered, settings that were not passed.</param>
/// <param name="Violations">Sentences for people; empty if a client can be made.</param>
public sealed record ClientSettings(
    string BootstrapServers, IReadOnlyDictionary<string, string> Properties, IReadOnlyList<string> Notes, IReadOnlyList<string> Violations)
{
    /// <summary>Refuses violated settings.</summary>
    /// <exception cref="KafkaSettingsException">Something is violated; it names everything.</exception>
    public ClientSettings ThrowIfViolated()
    {
        KafkaSettingsException.ThrowIfAny(Violations);
        return this;
    }
}

/// <summary>What one producer is created with.</summary>
/// <param name="Options">Its options, the properties for it included.</param>
/// <param name="Notes">For the log: defaults that were lowered.</param>
/// <param name="Violations">Sentences for people; empty if a producer can be made.</param>
public sealed record ProducerSettings(ProducerOptions Options, IReadOnlyList<string> Notes, IReadOnlyList<string> Violations)
{
    /// <summary>Refuses violated settings.</summary>
    /// <exception cref="KafkaSettingsException">Something is violated; it names everything.</exception>
    public ProducerSettings ThrowIfViolated()
    {
        KafkaSettingsException.ThrowIfAny(Violations);
        return this;
    }
}
