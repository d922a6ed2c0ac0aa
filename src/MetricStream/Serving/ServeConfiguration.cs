using System.Net;
using MetricStream.Admission;
using MetricStream.Kafka;

namespace MetricStream.Serving;

/// <summary>
/// Turns the layers of configuration into settings: command line over <c>METRICSTREAM__…</c> over
/// <c>SSE_CONSUMER_POOL_SIZE</c> and <c>KAFKA_…</c> over <c>appsettings.json</c> over defaults.
/// </summary>
internal static class ServeConfiguration
{
    public const string FileName = "appsettings.json";

    private const string Section = "MetricStream";
    private const string EnvironmentPrefix = "METRICSTREAM__";

    /// <summary>The name that other servers of its kind know; ours wins over it.</summary>
    private const string PoolSizeVariable = "SSE_CONSUMER_POOL_SIZE";

    /// <summary>The least queue: below it the segments would be smaller than the commit groups of a busy server.</summary>
    private const long MinQueueBytes = 64 << 10;

    private const int MostPerSecond = 1_000_000;

    /// <summary>Reads everything and names every violation at once.</summary>
    /// <param name="commandLine">Values by key in Pascal case.</param>
    /// <param name="folder">Where <c>appsettings.json</c> is looked for.</param>
    /// <param name="environment">The process's environment.</param>
    public static (ServeSettings? Settings, IReadOnlyList<string> Violations) Read(
        IReadOnlyDictionary<string, string?> commandLine, string folder, IReadOnlyDictionary<string, string> environment)
    {
        var ours = environment.Where(e => e.Key.StartsWith(EnvironmentPrefix, StringComparison.OrdinalIgnoreCase)).ToList();
        // Names in the environment differ by case, keys do not: which of two would win is not for chance to say.
        var twice = ours.GroupBy(e => ConfigurationKey(e.Key), StringComparer.OrdinalIgnoreCase).Where(g => g.Count() > 1)
            .Select(g => $"{string.Join(" and ", g.Select(e => e.Key))} name one setting: keep one of them.").ToList();
        if (twice.Count > 0)
            return (null, twice);
        IConfigurationRoot root;
        try
        {
            root = Build(withKafka: false);
            // A KAFKA_… variable is for every service on the machine: only one that uses Kafka reads it.
            if (QueueKind.Kafka.ToString().Equals(root[$"{Section}:Queue"], StringComparison.OrdinalIgnoreCase))
                root = Build(withKafka: true);
        }
        catch (Exception error) when (error is InvalidDataException or FormatException or IOException)
        {
            var why = $"{error.Message} {error.InnerException?.Message}".TrimEnd();
            return (null, [$"appsettings.json in '{folder}' cannot be read: {why} Correct it, or remove it."]);
        }
        var reader = new SettingReader(root.GetSection(Section));
        var settings = Read(reader, folder) with { Kestrel = KestrelSection(folder, environment) };
        CheckListening(reader, settings);
        settings = settings with { Kafka = KafkaConfiguration.Read(reader, settings, environment) };
        reader.RefuseUnknown();
        return reader.Violations.Count == 0
            ? (settings with { Source = new SettingsSource(commandLine, folder, environment) }, []) : (null, reader.Violations);

        IConfigurationRoot Build(bool withKafka) => new ConfigurationBuilder()
            .SetBasePath(folder)
            .AddJsonFile(FileName, optional: true, reloadOnChange: false)
            .AddInMemoryCollection(environment.Where(e => e.Key == PoolSizeVariable)
                .Select(e => KeyValuePair.Create($"{Section}:SseConsumerPoolSize", (string?)e.Value)))
            .AddInMemoryCollection(environment.Where(e => withKafka && e.Key == KafkaConfiguration.ServersVariable)
                .Select(e => KeyValuePair.Create($"{Section}:BootstrapServers", (string?)e.Value)))
            .AddInMemoryCollection(ours.Select(e => KafkaConfiguration.Named(ConfigurationKey(e.Key), e.Value)))
            .AddInMemoryCollection(commandLine.Select(e => KeyValuePair.Create($"{Section}:{e.Key}", e.Value)))
            .Build();
    }

    private static string ConfigurationKey(string variable) =>
        $"{Section}:{variable[EnvironmentPrefix.Length..].Replace("__", ":", StringComparison.Ordinal)}";

    private static ServeSettings Read(SettingReader reader, string folder)
    {
        var defaults = new ServeSettings();
        var settings = defaults with
        {
            Host = ReadHost(reader, defaults.Host),
            Port = reader.Number("Port", defaults.Port, 0, 65535),
            Insecure = reader.Flag("Insecure"),
            ApiKeys = reader.Text("ApiKeys", defaults.ApiKeys),
            MaxConnections = reader.Number("MaxConnections", defaults.MaxConnections, 1, 1_000_000),
            LogFormat = reader.OneOf("LogFormat", defaults.LogFormat),
            RateLimit = reader.NumberOrOff("RateLimit", 1, MostPerSecond),
            Data = reader.Text("Data", defaults.Data),
            Queue = reader.OneOf("Queue", defaults.Queue),
            Ack = reader.OneOf("Ack", defaults.Ack),
            Store = reader.OneOf("Store", defaults.Store),
            Postgres = reader.Text("Postgres", defaults.Postgres),
            Retention = reader.Time("Retention", defaults.Retention, TimeSpan.FromSeconds(1), TimeSpan.FromDays(36500)),
            IdWindow = reader.Time("IdWindow", defaults.IdWindow, TimeSpan.FromSeconds(1), TimeSpan.FromDays(36500)),
            MaxQueueBytes = reader.Bytes("MaxQueueBytes", defaults.MaxQueueBytes, MinQueueBytes, 1L << 50),
            SseConsumerPoolSize = reader.Number("SseConsumerPoolSize", defaults.SseConsumerPoolSize, 1, 1000),
            SseMaxSubscribers = reader.Number("SseMaxSubscribers", defaults.SseMaxSubscribers, 1, 100_000),
            MaxBodyBytes = (int)reader.Bytes("MaxBodyBytes", defaults.MaxBodyBytes, 1, 512 << 20),
        };
        if (settings.Store == StoreKind.Postgres && settings.Postgres.Length == 0)
            reader.Violations.Add("--postgres is missing: --store postgres needs a connection string (Host=…;Username=…;…).");
        if (settings.Store != StoreKind.Postgres && settings.Postgres.Length > 0)
            reader.Violations.Add("--postgres is for --store postgres: add that, or leave it out.");
        return settings with { Keys = ReadKeys(reader, settings.ApiKeys, folder) };
    }

    private static void CheckListening(SettingReader reader, ServeSettings settings)
    {
        const string Fix = "anybody who reaches it could post and read; listen on 127.0.0.1, ask for keys (--api-keys FILE), "
            + "or say --insecure when the network is trusted";
        if (settings.Kestrel is { } section && Listening.LimitsFlaw(section) is { } flaw)
            reader.Violations.Add($"{Listening.Section}:Limits cannot be set: {flaw} Correct it, or leave it out.");
        if (settings.Insecure || settings.ApiKeys.Length > 0)
            return;
        if (!IPAddress.IsLoopback(settings.Host))
            reader.Violate("Host", settings.Host.ToString(), Fix);
        foreach (var url in settings.Kestrel is { } kestrel ? Listening.OpenEndpoints(kestrel) : [])
            reader.Violations.Add($"{Listening.Section}:Endpoints names '{url}': {Fix}.");
    }

    // Under its own name, as the documentation of Kestrel has it; it does not change while the server runs.
    private static IConfigurationSection? KestrelSection(string folder, IReadOnlyDictionary<string, string> environment)
    {
        const string Prefix = $"{Listening.Section}__";
        var section = new ConfigurationBuilder()
            .SetBasePath(folder)
            .AddJsonFile(FileName, optional: true, reloadOnChange: false)
            .AddInMemoryCollection(environment.Where(e => e.Key.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
                .Select(e => KeyValuePair.Create(e.Key.Replace("__", ":", StringComparison.Ordinal), (string?)e.Value)))
            .Build().GetSection(Listening.Section);
        return section.Exists() ? section : null;
    }

    private static KeyRing? ReadKeys(SettingReader reader, string file, string folder)
    {
        if (file.Length == 0)
            return null;
        try
        {
            var (ring, violations) = KeyRing.Read(File.ReadLines(Path.Combine(folder, file)));
            foreach (var violation in violations)
                reader.Violations.Add($"--api-keys '{file}', {violation}");
            return ring;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            reader.Violate("ApiKeys", file, $"it cannot be read ({error.Message}); name a file of lines client-id:sha256-hex");
            return null;
        }
    }

    private static IPAddress ReadHost(SettingReader reader, IPAddress fallback)
    {
        var text = reader.Text("Host", fallback.ToString());
        if (text is "*" or "+")
            return IPAddress.Any;
        if (text.Equals("localhost", StringComparison.OrdinalIgnoreCase))
            return IPAddress.Loopback;
        if (IPAddress.TryParse(text.Trim('[', ']'), out var address))
            return address;
        reader.Violate("Host", text, "use an address of this machine (127.0.0.1, ::1, 0.0.0.0) or localhost");
        return fallback;
    }
}
