using EvenKeel.Kafka.Producing;

namespace EvenKeel.Kafka.Spilling;

/// <summary>The settings of the clients behind a spill, and why they differ from a plain producer's.</summary>
internal static class SpillClients
{
    private const string Gapless = "enable.gapless.guarantee";
    private const string InFlight = "max.in.flight.requests.per.connection";

    // librdkafka drops a record at its time-out and sends those behind it: the time is the spill's to decide.
    private static readonly TimeSpan NoTimeout = TimeSpan.FromDays(20);

    public static IReadOnlyList<string> Validate(ProducerOptions producer, SpillOptions spill)
    {
        List<string> violations = [.. producer.Validate(), .. spill.Validate()];
        if (producer.Properties.TryGetValue(Gapless, out var gapless))
            violations.Add($"Property '{Gapless}' is '{gapless}': the spilling producer sets it; leave it out.");
        if (spill.SpillAfter > producer.DeliveryTimeout)
            violations.Add($"SpillAfter is {spill.SpillAfter}: it can be at most DeliveryTimeout, {producer.DeliveryTimeout}.");
        if (producer.MaxRecordBytes > spill.MaxBytes / 4)
            violations.Add($"MaxRecordBytes is {producer.MaxRecordBytes}: it can be at most a quarter of MaxBytes, {spill.MaxBytes}.");
        return violations;
    }

    /// <summary>
    /// Straight: a batch that Kafka refuses stops the client, or the records behind it would pass it while it goes to the spill.
    /// </summary>
    public static ProducerOptions Direct(ProducerOptions producer) =>
        producer with { DeliveryTimeout = NoTimeout, MaxWaitingSends = 0, Properties = With(producer, (Gapless, "true")) };

    /// <summary>
    /// From the spill: one request at a time, since a permission that comes back between two requests would let the second pass the first
    /// that was refused, in a client that is new to the partition.
    /// </summary>
    public static ProducerOptions Replay(ProducerOptions producer)
    {
        var properties = With(producer, (Gapless, "true"), (InFlight, "1"));

        // The replay is the probe of Kafka's return: librdkafka's own pause grows to 10 s.
        properties.TryAdd("reconnect.backoff.max.ms", "1000");
        return producer with
        {
            DeliveryTimeout = NoTimeout,

            // One more than a window: a full one is no backlog to warn of.
            MaxRecords = Spilling.Replay.MaxRecords + 1,
            MaxBytes = Math.Min(1L << 30, Spilling.Replay.MaxBytes + 2L * producer.MaxRecordBytes),
            MaxWaitingSends = 0,
            BacklogWarningShare = 1,
            BatchRecords = Math.Max(producer.BatchRecords, 1000),
            Linger = TimeSpan.FromMilliseconds(1),
            Properties = properties,
        };
    }

    private static Dictionary<string, string> With(ProducerOptions producer, params ReadOnlySpan<(string Name, string Value)> more)
    {
        var properties = new Dictionary<string, string>(producer.Properties);
        foreach (var (name, value) in more)
            properties[name] = value;
        return properties;
    }
}
