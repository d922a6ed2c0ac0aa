using EvenKeel.Kafka.Producing;

namespace EvenKeel.Kafka.Hosting;

/// <summary>The one error of a start that failed because the broker refuses who we say we are.</summary>
internal static class CredentialRefusal
{
    public static KafkaException Of(string name, ProducerOptions options, ProducerNotice notice)
    {
        var properties = options.Properties;
        var mechanism = properties.GetValueOrDefault("sasl.mechanism") ?? properties.GetValueOrDefault("sasl.mechanisms") ?? "GSSAPI";
        var user = properties.TryGetValue("sasl.username", out var named) ? $"sasl.username '{named}'" : "no sasl.username";
        return new KafkaException(
            notice.Error,
            $"The broker refuses the credentials of Kafka client '{name}' ({user}, sasl.mechanism {mechanism}, "
            + $"{options.BootstrapServers}): {notice.Text.TrimEnd('.')}. Correct sasl.username and sasl.password, or let the cluster's "
            + "administrator add the user.");
    }
}
