using System.Globalization;
using EvenKeel.Kafka.Native;

namespace EvenKeel.Kafka.Producing;

/// <summary>librdkafka's properties of a producer: what the options say, what its promises decide, and what passes through.</summary>
internal static class ProducerConfiguration
{
    private const int MarginRecords = 1000;
    private const int MarginKilobytes = 1024;

    // Java's default. With librdkafka's, 10 s, the first record after a broker's return waited 3 to 10 s (measured), now less than one.
    private const int ReconnectBackoffMaxMs = 1000;

    public static ClientConfiguration Of(ProducerOptions options)
    {
        var configuration = new ClientConfiguration();
        try
        {
            var timeoutMs = (long)options.DeliveryTimeout.TotalMilliseconds;
            Set("bootstrap.servers", options.BootstrapServers)
                .Set("enable.idempotence", "true").Set("acks", "all").Set("partitioner", "murmur2_random");

            // librdkafka counts a message until its event is destroyed, ours until just after that: the margin is never needed, and a full
            // queue would be a defect.
            Number("queue.buffering.max.messages", options.MaxRecords + MarginRecords);
            Number("queue.buffering.max.kbytes", options.MaxBytes / 1024 + MarginKilobytes);
            Number("batch.num.messages", options.BatchRecords);
            Number("message.max.bytes", options.MaxRecordBytes);
            Number("linger.ms", (long)options.Linger.TotalMilliseconds);
            Number("message.timeout.ms", timeoutMs);
            Number("retries", options.Retries);
            Number("retry.backoff.ms", (long)options.RetryBackoff.TotalMilliseconds);

            // librdkafka's defaults, lowered where they would outlast the record.
            Number("request.timeout.ms", Math.Min(30_000, timeoutMs));
            Number("socket.timeout.ms", Math.Clamp(timeoutMs, 10, 60_000));
            foreach (var (name, value) in options.Properties)
                configuration.Set(name, value);
            if (options.RetryBackoff.TotalMilliseconds > 1000 && !options.Properties.ContainsKey("retry.backoff.max.ms"))
                Number("retry.backoff.max.ms", (long)options.RetryBackoff.TotalMilliseconds);
            if (!options.Properties.ContainsKey("reconnect.backoff.max.ms"))
                Number("reconnect.backoff.max.ms", Math.Max(ReconnectBackoffMaxMs, Given("reconnect.backoff.ms")));
            return configuration;
        }
        catch
        {
            configuration.Dispose();
            throw;
        }

        ClientConfiguration Set(string name, string value) => configuration.Set(name, value);
        long Given(string name) =>
            options.Properties.TryGetValue(name, out var text) && long.TryParse(text, CultureInfo.InvariantCulture, out var given)
                ? given
                : 0;
        void Number(string name, long value) => configuration.Set(name, value.ToString(CultureInfo.InvariantCulture));
    }
}
