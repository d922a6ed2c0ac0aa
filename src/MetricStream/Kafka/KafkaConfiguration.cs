using EvenKeel.Kafka.Settings;
using EvenKeel.Kafka.Spilling;
using MetricStream.Serving;

namespace MetricStream.Kafka;

/// <summary>Reads the settings of <c>--queue kafka</c>; with another queue they are refused by name.</summary>
internal static class KafkaConfiguration
{
    /// <summary>The name that other services on Kafka know.</summary>
    public const string ServersVariable = "KAFKA_BOOTSTRAP_SERVERS";

    private const string ServersKey = "BootstrapServers";
    private const int MostPartitions = 10_000;

    private static readonly string[] Keys = [ServersKey, "Topic", "Partitions", "KafkaProperty", "KafkaProperties", "Role", "Group"];

    private static readonly (string Variable, string Property)[] Timeouts =
    [
        ("KAFKA_SESSION_TIMEOUT_MS", "session.timeout.ms"), ("KAFKA_HEARTBEAT_INTERVAL_MS", "heartbeat.interval.ms"),
        ("KAFKA_REQUEST_TIMEOUT_MS", "request.timeout.ms"),
    ];

    /// <summary>Gives a property that a layer numbers (<c>KafkaProperty:0 = "name=value"</c>) the key of its name, under which the layers
    /// win over each other.</summary>
    public static KeyValuePair<string, string?> Named(string key, string value)
    {
        const string Part = ":KafkaProperty";
        var start = key.IndexOf(Part, StringComparison.OrdinalIgnoreCase);
        var at = value.IndexOf('=', StringComparison.Ordinal);
        return start >= 0 && at > 0 && key[(start + Part.Length)..].TrimStart(':').All(char.IsAsciiDigit)
            ? new($"{key[..start]}{Part}:{value[..at].Trim()}", value[(at + 1)..])
            : new(key, value);
    }

    /// <summary>Null with another queue.</summary>
    public static KafkaOptions? Read(SettingReader reader, ServeSettings settings, IReadOnlyDictionary<string, string> environment)
    {
        if (settings.Queue != QueueKind.Kafka)
        {
            foreach (var key in Keys.Where(reader.Has))
            {
                reader.Violations.Add(
                    $"--{OptionNames.ToOption(key)} is for --queue kafka, and the queue is a file: add --queue kafka, or leave it out.");
            }
            return null;
        }
        var topic = reader.Text("Topic", KafkaOptions.DefaultTopic);
        if (!TopicFolder.IsName(topic))
            reader.Violate("Topic", topic, "use 1 to 249 of A-Z a-z 0-9 . _ -, not . or .. alone");
        var group = reader.Text("Group", StoreMember.Group);
        if (string.IsNullOrWhiteSpace(group))
            reader.Violate("Group", group, $"name the group of the servers that share the topic, such as {StoreMember.Group}");
        var servers = reader.Text(ServersKey, "");
        if (servers.Length == 0)
        {
            reader.Violations.Add(
                $"--bootstrap-servers is missing: --queue kafka needs host:port of a broker or more ({ServersVariable} names them too).");
        }
        var options = new KafkaOptions
        {
            Client = ReadClient(reader, servers, environment),
            Topic = topic,
            Partitions = reader.Number("Partitions", KafkaOptions.DefaultPartitions, 1, MostPartitions),
            Role = reader.OneOf("Role", ServerRole.All),
            Group = group,
        };
        reader.Violations.AddRange(Violations(options, settings)
            .Where(violation => servers.Length > 0 || !violation.StartsWith(ServersKey, StringComparison.Ordinal)));
        if (options.Role == ServerRole.Store && settings.Store == StoreKind.None)
            reader.Violations.Add("--role store with --store none does nothing: name a store, or say --role intake.");
        return options;
    }

    private static IEnumerable<string> Violations(KafkaOptions options, ServeSettings settings) =>
        options.Client.Validate().Concat(options.Producer(settings.MaxQueueBytes).Violations).Distinct()
            .Select(violation => violation.Replace("Properties:", "--kafka-property ", StringComparison.Ordinal));

    private static KafkaSettings ReadClient(SettingReader reader, string servers, IReadOnlyDictionary<string, string> environment)
    {
        // 1. A file of properties, and over it those named one by one.
        var properties = new Dictionary<string, string>(StringComparer.Ordinal);
        if (reader.Text("KafkaProperties", "") is { Length: > 0 } file)
            ReadFile(reader, file, properties);
        foreach (var (name, value) in reader.Pairs("KafkaProperty"))
            properties[name] = value;

        // 2. The variables of all services, under what is ours.
        var variables = environment.Where(e => Timeouts.Any(t => t.Variable == e.Key && !properties.ContainsKey(t.Property)))
            .Select(e => KeyValuePair.Create(e.Key, (string?)e.Value));
        return KafkaSettings.Read(new ConfigurationBuilder().AddInMemoryCollection(variables).Build()) with
        {
            BootstrapServers = servers.Length > 0 ? servers : null,
            Properties = properties,
        };
    }

    private static void ReadFile(SettingReader reader, string file, Dictionary<string, string> properties)
    {
        try
        {
            foreach (var line in File.ReadLines(file).Select(line => line.Trim()).Where(line => line.Length > 0 && line[0] != '#'))
            {
                var at = line.IndexOf('=', StringComparison.Ordinal);
                if (at > 0)
                    properties[line[..at].Trim()] = line[(at + 1)..].Trim();
                else
                    reader.Violate("KafkaProperties", file, $"the line '{line}' is not name=value");
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            reader.Violate("KafkaProperties", file, $"it cannot be read ({error.Message}); name a file of lines name=value");
        }
    }
}
