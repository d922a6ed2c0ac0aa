using EvenKeel.Kafka.Settings;

namespace EvenKeel.Kafka.Hosting;

/// <summary>Something of ours that a host starts and stops: a producer, a consumer, what sends by itself.</summary>
internal abstract class HostedPart(string name)
{
    public string Name { get; } = name;

    /// <summary>What is wrong with its settings; named together with all others before anything is created.</summary>
    public virtual IReadOnlyList<string> Violations => [];

    /// <summary>Creates it and waits, within its own bound, until it works.</summary>
    /// <param name="cancellationToken">The start was given up.</param>
    /// <exception cref="KafkaSettingsException">Its settings are violated.</exception>
    /// <exception cref="KafkaException">It can never work as it is.</exception>
    public abstract Task StartAsync(CancellationToken cancellationToken);

    /// <summary>Stops it.</summary>
    /// <param name="limit">All the time there is; what takes longer is shortened to fit, and that is logged. Null: its own limits.</param>
    /// <param name="hurry">The host waits no longer.</param>
    public abstract Task StopAsync(TimeSpan? limit, CancellationToken hurry);
}
