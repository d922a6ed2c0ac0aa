using System.Globalization;
using EvenKeel.Kafka.Producing;

namespace EvenKeel.Kafka.Settings;

/// <summary>
/// How settings become a producer's options. librdkafka's name of what is an option sets the option; a promise of the producer cannot be
/// taken back by a property.
/// </summary>
internal static class ProducerRules
{
    private const double DefaultSocketMs = 60_000;
    private const double DefaultBatchBytes = 1_000_000;
    private const int MaxInFlightIdempotent = 5;
    private const string Unlimited =
        "0 means no limit, and memory has one: give a limit (MaxRecords), at which senders wait.";

    private const string Endless = "0 means no limit, and a record then perhaps never has an outcome; give one (DeliveryTimeout).";

    // What may be said, because it is so anyway, and why nothing else may.
    private static readonly (string Name, string[] Allowed, string Why)[] Promises =
    [
        ("acks", ["all", "-1"], "less than all in-sync replicas loses records that were called delivered; leave it out, or say all"),
        ("enable.idempotence", ["true"], "without it retries double records and change their order; leave it out, or say true"),
        ("partitioner", ["murmur2_random"], "keys then lie in other partitions than those of Java's clients; leave it out"),
        ("delivery.report.only.error", ["false"], "a record without a report has no outcome; leave it out"),
        ("log.queue", ["true"], "log lines come as notices; leave it out"),
        ("transactional.id", [], "this producer has no transactions; leave it out"),
    ];

    public static ProducerSettings Resolve(KafkaSettings settings, Func<ProducerOptions, ProducerOptions>? configure)
    {
        // 1. What the user set, with what librdkafka knows against it.
        var set = ClientRules.Collect(settings, PropertyScope.Producer);
        var notes = new List<string>();

        // 2. What is a promise stays, what is an option becomes one.
        KeepPromises(set);
        var options = Translate(set);

        // 3. Code has the last word; its properties are checked like all others.
        options = options with { Properties = ClientRules.Passed(set) };
        if (configure is not null)
        {
            options = configure(options);
            TakeFromCode(set, options);
        }

        // 4. What contradicts each other; what was not set gives way.
        CheckTimeouts(set, options, notes);
        CheckSizes(set, options, notes);
        options = options with { Properties = ClientRules.Passed(set) };
        set.Violations.AddRange(options.Validate().Where(violation => !IsSaid(set, violation)));
        return new ProducerSettings(options, notes, set.Violations);
    }

    private static void KeepPromises(SetValues set)
    {
        foreach (var (name, allowed, why) in Promises)
        {
            if (set.Find(name) is not { } value)
                continue;
            if (!allowed.Contains(value.Value, StringComparer.OrdinalIgnoreCase))
                set.Violations.Add($"{value.Said}: {why}.");
            set.Remove(name);
        }
    }

    private static ProducerOptions Translate(SetValues set)
    {
        var options = new ProducerOptions { BootstrapServers = ClientRules.BootstrapServers(set) };
        if (Take("linger.ms") is { } linger)
            options = options with { Linger = TimeSpan.FromMilliseconds(linger) };
        if (Take("batch.num.messages") is { } batch)
            options = options with { BatchRecords = (int)batch };
        if (Take("message.max.bytes") is { } recordBytes)
            options = options with { MaxRecordBytes = (int)recordBytes };
        if (TakeLimit("message.timeout.ms", Endless) is { } ms)
            options = options with { DeliveryTimeout = TimeSpan.FromMilliseconds(ms) };
        if (Take("retries") is { } retries)
            options = options with { Retries = (int)retries };
        if (Take("retry.backoff.ms") is { } backoff)
            options = options with { RetryBackoff = TimeSpan.FromMilliseconds(backoff) };
        if (TakeLimit("queue.buffering.max.messages", Unlimited) is { } records)
            options = options with { MaxRecords = (int)records };
        if (Take("queue.buffering.max.kbytes") is { } kilobytes)
            options = options with { MaxBytes = (long)kilobytes * 1024 };
        return options;

        double? Take(string name)
        {
            var number = set.Number(name);
            set.Remove(name);
            return number;
        }

        double? TakeLimit(string name, string whyNotZero)
        {
            var said = set.Find(name)?.Said;
            if (Take(name) is not { } number)
                return null;
            if (number > 0)
                return number;
            set.Violations.Add($"{said}: {whyNotZero}");
            return null;
        }
    }

    private static void TakeFromCode(SetValues set, ProducerOptions options)
    {
        var removed = set.All.Where(value => !options.Properties.ContainsKey(value.Name) && !ClientRules.IsBootstrap(value)).ToList();
        foreach (var value in removed)
            set.Remove(value.Name);
        set.Add(options.Properties
            .Where(property => set.Find(property.Key)?.Value != property.Value)
            .Select(property => new SetValue($"ProducerOptions.Properties['{property.Key}']", property.Key, property.Value))
            .Where(property =>
            {
                var isConsumers = PropertyCatalogue.ScopeOf(property.Name) == PropertyScope.Consumer;
                if (isConsumers)
                    set.Violations.Add($"{property.Said}: it is a property of consumers alone; a producer has no use for it.");
                return !isConsumers;
            }));
    }

    private static void CheckTimeouts(SetValues set, ProducerOptions options, List<string> notes)
    {
        var delivery = options.DeliveryTimeout.TotalMilliseconds;
        var said = $"a record has {ClientRules.Text(delivery)} ms to its outcome (DeliveryTimeout, message.timeout.ms)";
        foreach (var (name, value) in new[]
        {
            (ClientRules.RequestName, ClientRules.DefaultRequest.TotalMilliseconds), (ClientRules.SocketName, DefaultSocketMs),
        })
        {
            if (set.Find(name) is { } request && set.Number(name) > delivery)
            {
                set.Violations.Add($"{request.Said}: {said}, and a request that outlasts it leaves its outcome open: lower it to at most "
                    + "that, or raise DeliveryTimeout.");
                set.Remove(name);
            }
            else
            {
                // Ten milliseconds are librdkafka's least.
                ClientRules.Lowered(set, notes, name, value, Math.Max(10, delivery), said);
            }
        }
    }

    private static void CheckSizes(SetValues set, ProducerOptions options, List<string> notes)
    {
        var largest = string.Create(
            CultureInfo.InvariantCulture, $"message.max.bytes, the largest record (MaxRecordBytes), is {options.MaxRecordBytes}");
        if (set.Find("batch.size") is { } batch && set.Number("batch.size") > options.MaxRecordBytes)
            set.Violations.Add($"{batch.Said}: a batch is no larger than {largest}: lower it, or raise MaxRecordBytes.");
        if (options.MaxRecordBytes < DefaultBatchBytes)
            ClientRules.Lowered(set, notes, "batch.size", DefaultBatchBytes, options.MaxRecordBytes, largest);
        if (set.Find("max.in.flight") is { } requests && set.Number("max.in.flight") > MaxInFlightIdempotent)
            set.Violations.Add($"{requests.Said}: idempotent producers have at most {MaxInFlightIdempotent} requests in flight; lower it.");
    }

    // Of the cluster's place and the properties the sentences above say more.
    private static bool IsSaid(SetValues set, string violation) =>
        violation.StartsWith(nameof(ProducerOptions.BootstrapServers), StringComparison.Ordinal) && set.Violations.Count > 0;
}
