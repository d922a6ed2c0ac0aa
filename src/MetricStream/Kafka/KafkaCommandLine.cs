using System.Collections;
using System.CommandLine;
using System.CommandLine.Parsing;
using MetricStream.Serving;

namespace MetricStream.Kafka;

/// <summary>The options of <c>metricstream serve</c> that only <c>--queue kafka</c> takes.</summary>
internal static class KafkaCommandLine
{
    private const string Property = "--kafka-property";

    public static IEnumerable<Option> Options() =>
    [
        new Option<string>("--bootstrap-servers")
        {
            Description = "Kafka: host:port of one broker or more, joined by commas (KAFKA_BOOTSTRAP_SERVERS).",
            HelpName = "SERVERS",
        },
        new Option<string>("--topic") { Description = "Kafka: the topic of batches (metrics).", HelpName = "NAME" },
        new Option<string>("--partitions")
        {
            Description = "Kafka: partitions of the topic when it is created here (4); replication is the broker's default.",
            HelpName = "N",
        },
        new Option<string[]>(Property)
        {
            Description = "Kafka: a property under librdkafka's own name, as kcat takes it: TLS, SASL, anything. Again and again.",
            HelpName = "K=V",
            Arity = ArgumentArity.OneOrMore,
            AllowMultipleArgumentsPerToken = false,
        },
        new Option<string>("--kafka-properties") { Description = "Kafka: a file of such properties, one a line.", HelpName = "FILE" },
        new Option<string>("--role")
        {
            Description = "Kafka: all, intake without the consumer, or store without POST (all).",
            HelpName = "all|intake|store",
        },
        new Option<string>("--group")
        {
            Description = "Kafka: the consumer group of the servers that store the topic (metricstream-store).",
            HelpName = "NAME",
        },
    ];

    /// <summary>The options that say where a cluster is.</summary>
    public static IEnumerable<Option> ClusterOptions() =>
        Options().Where(option => option.Name is "--bootstrap-servers" or Property or "--kafka-properties");

    /// <summary>The settings that options and environment come to; null with every violation.</summary>
    public static (KafkaOptions? Options, IReadOnlyList<string> Violations) Read(Dictionary<string, string?> given)
    {
        var environment = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .ToDictionary(e => (string)e.Key, e => (string?)e.Value ?? "", StringComparer.Ordinal);
        given["Queue"] = nameof(QueueKind.Kafka);
        var (settings, violations) = ServeConfiguration.Read(given, Path.GetTempPath(), environment);
        return (settings?.Kafka, violations);
    }

    /// <summary>Takes an option that may be given again and again, each under the name of its property.</summary>
    public static bool TryTake(string option, IReadOnlyList<Token> tokens, Dictionary<string, string?> given)
    {
        if (option != Property)
            return false;
        var key = OptionNames.ToKey(Property);
        for (var i = 0; i < tokens.Count; i++)
        {
            var text = tokens[i].Value;
            var at = text.IndexOf('=', StringComparison.Ordinal);
            // Without a name it goes by a number that no other layer uses, and is refused where all violations are named.
            given[at > 0 ? $"{key}:{text[..at].Trim()}" : $"{key}:{int.MaxValue - i}"] = at > 0 ? text[(at + 1)..] : text;
        }
        return true;
    }
}
