using System.Globalization;

namespace EvenKeel.Kafka.Producing;

/// <summary>How a <see cref="ReliableProducer"/> sends. Idempotence, <c>acks=all</c> and <c>murmur2_random</c> are not options.</summary>
public sealed record ProducerOptions
{
    private static readonly string[] Owned =
    [
        "enable.idempotence", "acks", "request.required.acks", "delivery.report.only.error", "queue.buffering.max.messages",
        "queue.buffering.max.kbytes", "message.timeout.ms", "delivery.timeout.ms", "message.max.bytes", "batch.num.messages", "linger.ms",
        "queue.buffering.max.ms", "message.send.max.retries", "retries", "retry.backoff.ms", "log.queue", "partitioner",
        "transactional.id",
    ];

    /// <summary>Where the cluster is: <c>host:port</c>, several joined by commas. No default.</summary>
    public required string BootstrapServers { get; init; }

    /// <summary>
    /// The most records without outcome; then sends wait. Default 100,000, the setting of the service in the field (the C++
    /// MetricStream) and librdkafka's own. librdkafka gets a higher limit, so that its queue is never full.
    /// </summary>
    public int MaxRecords { get; init; } = 100_000;

    /// <summary>The most bytes of keys, values and headers without outcome. Default and most 1 GiB (librdkafka's default).</summary>
    public long MaxBytes { get; init; } = 1L << 30;

    /// <summary>The most sends that wait for room; more are refused. Default 100,000: as much again as <see cref="MaxRecords"/>.</summary>
    public int MaxWaitingSends { get; init; } = 100_000;

    /// <summary>
    /// The share of <see cref="MaxRecords"/> or <see cref="MaxBytes"/> in use at which a warning comes. Default 0.5: 50,000 of 100,000,
    /// the field's mark.
    /// </summary>
    public double BacklogWarningShare { get; init; } = 0.5;

    /// <summary>The most records in a batch to a broker. Default 1000 (the field's setting; librdkafka's is 10,000).</summary>
    public int BatchRecords { get; init; } = 1000;

    /// <summary>The largest record in bytes, with Kafka's framing. Default 1,000,000, librdkafka's, just below a broker's 1 MiB.</summary>
    public int MaxRecordBytes { get; init; } = 1_000_000;

    /// <summary>How long a batch waits for more records. Default 10 ms, the field's (librdkafka's is 5). Whole milliseconds.</summary>
    public TimeSpan Linger { get; init; } = TimeSpan.FromMilliseconds(10);

    /// <summary>
    /// How long a record may take from the send loop to its outcome. Default 2 minutes, Java's <c>delivery.timeout.ms</c>; librdkafka's 5
    /// would hide an outage. A record that a fatal error ended begins anew in the next native client: with the three repetitions that it
    /// has at most, it may take four times as long and the pauses between, rather than be refused with its time not used.
    /// </summary>
    public TimeSpan DeliveryTimeout { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>
    /// How often a request that failed is sent again. Default: as often as <see cref="DeliveryTimeout"/> lets, like Java and librdkafka.
    /// The field's 10 does not stand: ten answers that replicas are missing, at backoffs of 100 ms to 1 s, refuse a record after 7.6 s
    /// (measured on the embedded broker), less than a rolling restart of brokers may take.
    /// </summary>
    public int Retries { get; init; } = int.MaxValue;

    /// <summary>The pause before the first repetition, doubled up to 1 s. Default 100 ms (the field's, and librdkafka's).</summary>
    public TimeSpan RetryBackoff { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>The drain's two limits: for everything, and for what is in flight after that. Default 10 s each (the field's).</summary>
    public DrainLimits Drain { get; init; } = new();

    /// <summary>librdkafka's own properties, passed through; those that this type or the producer's promises decide are refused.</summary>
    public IReadOnlyDictionary<string, string> Properties { get; init; } = new Dictionary<string, string>();

    /// <summary>Every violation, each with the setting, the value and the fix; empty if it can be used.</summary>
    /// <returns>Sentences for people.</returns>
    public IReadOnlyList<string> Validate()
    {
        var violations = new List<string>();
        if (string.IsNullOrWhiteSpace(BootstrapServers))
            violations.Add($"BootstrapServers is '{BootstrapServers}': give host:port of one broker or more.");
        Check(MaxRecords is >= 1 and <= 9_000_000, nameof(MaxRecords), MaxRecords, "1 to 9,000,000");
        Check(MaxBytes is >= 1024 and <= 1L << 30, nameof(MaxBytes), MaxBytes, "1 KiB to 1 GiB");
        Check(MaxWaitingSends >= 0, nameof(MaxWaitingSends), MaxWaitingSends, "0 or more");
        Check(BacklogWarningShare is > 0 and <= 1, nameof(BacklogWarningShare), BacklogWarningShare, "above 0, up to 1");
        Check(BatchRecords is >= 1 and <= 1_000_000, nameof(BatchRecords), BatchRecords, "1 to 1,000,000");
        Check(MaxRecordBytes is >= 1000 and <= 1_000_000_000, nameof(MaxRecordBytes), MaxRecordBytes, "1,000 to 1,000,000,000");
        Check(MaxRecordBytes <= MaxBytes, nameof(MaxRecordBytes), MaxRecordBytes, $"at most MaxBytes, {MaxBytes}");
        Check(DeliveryTimeout >= TimeSpan.FromMilliseconds(1) && DeliveryTimeout <= TimeSpan.FromDays(20), nameof(DeliveryTimeout),
            DeliveryTimeout, "1 ms to 20 days");
        Check(Linger >= TimeSpan.Zero && Linger < DeliveryTimeout && Linger <= TimeSpan.FromMinutes(15), nameof(Linger), Linger,
            $"zero to 15 minutes and less than DeliveryTimeout, {DeliveryTimeout}");
        Check(Retries >= 1, nameof(Retries), Retries, "1 or more: idempotence needs repetitions");
        Check(RetryBackoff >= TimeSpan.FromMilliseconds(1) && RetryBackoff <= TimeSpan.FromMinutes(5), nameof(RetryBackoff), RetryBackoff,
            "1 ms to 5 minutes");
        Check(Drain.Flush >= TimeSpan.Zero && Drain.Flush <= TimeSpan.FromDays(1), "Drain.Flush", Drain.Flush, "zero to a day");
        Check(Drain.Stragglers >= TimeSpan.Zero && Drain.Stragglers <= TimeSpan.FromDays(1), "Drain.Stragglers", Drain.Stragglers,
            "zero to a day");
        foreach (var name in Owned.Where(Properties.ContainsKey))
            violations.Add($"Property '{name}' is '{Properties[name]}': the producer sets it; use the option of that meaning, if any.");
        foreach (var name in new[] { "socket.timeout.ms", "request.timeout.ms" })
        {
            if (Properties.TryGetValue(name, out var text) && int.TryParse(text, CultureInfo.InvariantCulture, out var timeoutMs))
                Check(timeoutMs <= DeliveryTimeout.TotalMilliseconds, name, timeoutMs, $"at most DeliveryTimeout, {DeliveryTimeout}");
        }
        return violations;

        void Check(bool holds, string name, object value, string allowed)
        {
            if (!holds)
                violations.Add(string.Create(CultureInfo.InvariantCulture, $"{name} is {value}: it can be {allowed}."));
        }
    }
}

/// <summary>How long a drain waits.</summary>
public sealed record DrainLimits
{
    /// <summary>For everything accepted, those in line included. Default 10 s (the field's).</summary>
    public TimeSpan Flush { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>After that, for what librdkafka has. Default 10 s (the field's).</summary>
    public TimeSpan Stragglers { get; init; } = TimeSpan.FromSeconds(10);
}
