using EvenKeel.Kafka;
using EvenKeel.Kafka.Native;

namespace MetricStream.Kafka;

/// <summary>The client over which topics are asked for, made and removed.</summary>
internal static class AdminClient
{
    /// <exception cref="KafkaException">librdkafka refuses a property.</exception>
    public static ClientHandle Create(KafkaOptions options)
    {
        var settings = options.Client.ForAdmin();
        using var configuration = new ClientConfiguration();
        foreach (var (name, value) in settings.Properties)
            configuration.Set(name, value);
        configuration.Set("client.id", "metricstream-admin").Set("bootstrap.servers", settings.BootstrapServers)
            .Set("log_level", "0"); // Nobody polls this client; a refusal comes as the answer to its request.
        return CreationGate.Create(ClientKind.Producer, configuration, EventKinds.None);
    }
}
