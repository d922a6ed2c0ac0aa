using System.Globalization;
using Microsoft.Extensions.Configuration;

namespace EvenKeel.Kafka.Settings;

/// <summary>One reading of the settings from configuration, by hand, so that it needs no reflection.</summary>
internal sealed class ConfigurationReading(IConfiguration configuration, string section)
{
    private static readonly (string Setting, string Variable)[] Variables =
    [
        (nameof(KafkaSettings.BootstrapServers), "KAFKA_BOOTSTRAP_SERVERS"),
        ("SessionTimeoutMs", "KAFKA_SESSION_TIMEOUT_MS"),
        ("HeartbeatIntervalMs", "KAFKA_HEARTBEAT_INTERVAL_MS"),
        ("RequestTimeoutMs", "KAFKA_REQUEST_TIMEOUT_MS"),
    ];

    private static readonly string[] Groups =
        [nameof(KafkaSettings.Properties), nameof(KafkaSettings.ProducerProperties), nameof(KafkaSettings.ConsumerProperties)];

    private readonly List<string> _unreadable = [];

    public KafkaSettings Read()
    {
        CheckNames();
        return new KafkaSettings
        {
            BootstrapServers = Find(Variables[0])?.Value,
            SessionTimeout = ReadMilliseconds(Variables[1]),
            HeartbeatInterval = ReadMilliseconds(Variables[2]),
            RequestTimeout = ReadMilliseconds(Variables[3]),
            Properties = ReadProperties(Groups[0]),
            ProducerProperties = ReadProperties(Groups[1]),
            ConsumerProperties = ReadProperties(Groups[2]),
            Unreadable = _unreadable,
        };
    }

    private void CheckNames()
    {
        string[] known = [.. Variables.Select(variable => variable.Setting), .. Groups];
        foreach (var child in configuration.GetSection(section).GetChildren())
        {
            if (known.Contains(child.Key, StringComparer.OrdinalIgnoreCase))
                continue;
            var isProperty = PropertyCatalogue.ScopeOf(child.Key) != PropertyScope.Unknown;
            var near = NearestName.Find(child.Key, known);
            _unreadable.Add($"{section}:{child.Key} is no setting; " + (isProperty
                ? $"a property of librdkafka goes under {section}:Properties."
                : near is null ? $"there are {string.Join(", ", known)}." : $"did you mean {section}:{near}?"));
        }
    }

    private TimeSpan? ReadMilliseconds((string Setting, string Variable) names)
    {
        if (Find(names) is not { } found)
            return null;
        if (int.TryParse(found.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds) && milliseconds > 0)
            return TimeSpan.FromMilliseconds(milliseconds);
        _unreadable.Add($"{found.Key} is '{found.Value}': give milliseconds as a whole number above 0.");
        return null;
    }

    // The configuration's own rule is that the last source wins; it knows no second name, so the sources are asked one by one.
    private (string Key, string Value)? Find((string Setting, string Variable) names)
    {
        var key = $"{section}:{names.Setting}";
        if (configuration is not IConfigurationRoot root)
            return Ask(names.Variable, configuration[names.Variable]) ?? Ask(key, configuration[key]);
        foreach (var provider in root.Providers.Reverse())
        {
            if (provider.TryGet(names.Variable, out var value) && Ask(names.Variable, value) is { } variable)
                return variable;
            if (provider.TryGet(key, out value) && Ask(key, value) is { } setting)
                return setting;
        }
        return null;
    }

    private static (string Key, string Value)? Ask(string key, string? value) => value is null ? null : (key, value.Trim());

    private Dictionary<string, string> ReadProperties(string group)
    {
        var properties = new Dictionary<string, string>();
        foreach (var child in configuration.GetSection($"{section}:{group}").GetChildren())
        {
            if (child.Value is { } value)
                properties[child.Key] = value;
            else
                _unreadable.Add($"{child.Path} is a section: give librdkafka's property one value, with its name in one piece.");
        }
        return properties;
    }
}
