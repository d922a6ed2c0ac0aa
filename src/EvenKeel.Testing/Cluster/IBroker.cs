using EvenKeel.Kafka;

namespace EvenKeel.Testing.Cluster;

/// <summary>A Kafka cluster that tests use: embedded in the process or a real one. The same test code runs on both.</summary>
public interface IBroker : IAsyncDisposable
{
    /// <summary>Where clients connect: <c>host:port</c>, several joined by commas.</summary>
    string BootstrapServers { get; }

    /// <summary>The embedded broker, whose limits <see cref="EmbeddedBroker"/> lists. False: a real Kafka.</summary>
    bool IsEmbedded { get; }

    /// <summary>What can be made to go wrong.</summary>
    /// <exception cref="NotSupportedException">The broker is a real one: its faults are made with the scripts that started it.</exception>
    BrokerFaults Faults { get; }

    /// <summary>Creates a topic and returns when clients can see it.</summary>
    /// <param name="topic">A valid name: letters, digits, dot, underscore, hyphen, up to 249.</param>
    /// <param name="partitions">At least 1.</param>
    /// <param name="cancellationToken">Ends the wait; the topic may exist all the same.</param>
    /// <exception cref="KafkaException">It exists already, or the broker refuses it.</exception>
    Task CreateTopicAsync(string topic, int partitions = 1, CancellationToken cancellationToken = default);

    /// <summary>Deletes a topic and its records.</summary>
    /// <param name="topic">Its name.</param>
    /// <param name="cancellationToken">Ends the wait; the topic may be gone all the same.</param>
    /// <exception cref="KafkaException">It does not exist, or the broker refuses.</exception>
    Task DeleteTopicAsync(string topic, CancellationToken cancellationToken = default);
}
