using System.Globalization;
using EvenKeel.Kafka.Native;

namespace EvenKeel.Kafka.Settings;

/// <summary>One value that the user set: under which setting, and librdkafka's name for it.</summary>
internal readonly record struct SetValue(string Setting, string Name, string Value)
{
    /// <summary>The beginning of a violation's sentence.</summary>
    public string Said => $"{Setting} is '{PropertyCatalogue.Shown(Name, Value)}'";
}

/// <summary>
/// What the user set for one kind of client, each value once, by the canonical name of its property. What cannot be a value of one is a
/// violation and not in here, so that a mistake is named once.
/// </summary>
internal sealed class SetValues
{
    private readonly Dictionary<string, SetValue> _values = new(StringComparer.Ordinal);

    public List<string> Violations { get; } = [];

    public IEnumerable<SetValue> All => _values.Values;

    public bool Has(string name) => _values.ContainsKey(PropertyCatalogue.Canonical(name));

    public SetValue? Find(string name) => _values.TryGetValue(PropertyCatalogue.Canonical(name), out var found) ? found : null;

    /// <summary>The value as a number; null if it was not set.</summary>
    public double? Number(string name) =>
        Find(name) is { } set && double.TryParse(set.Value, CultureInfo.InvariantCulture, out var number) ? number : null;

    public void Remove(string name) => _values.Remove(PropertyCatalogue.Canonical(name));

    /// <summary>Adds a group of settings, which wins over those added before; the same property twice in it is a violation.</summary>
    /// <param name="group">Each under the name that the user knows.</param>
    public void Add(IEnumerable<SetValue> group)
    {
        var seen = new Dictionary<string, SetValue>(StringComparer.Ordinal);
        foreach (var set in group)
        {
            var name = PropertyCatalogue.Canonical(set.Name);
            if (!seen.TryAdd(name, set))
            {
                if (seen[name].Value != set.Value)
                    Violations.Add($"{set.Said} and {seen[name].Said}, and both mean {name}: set one of them.");
                continue;
            }
            if (Refusal(set) is { } refusal)
            {
                Violations.Add(refusal);
                _values.Remove(name);
                continue;
            }
            _values[name] = set;
        }
    }

    /// <summary>What librdkafka has against the value.</summary>
    private static string? Refusal(SetValue set)
    {
        try
        {
            using var configuration = new ClientConfiguration().Set(set.Name, set.Value);
            return null;
        }
        catch (KafkaException unknown) when (unknown.Code == KafkaErrorCode.NotFound)
        {
            var near = NearestName.Find(set.Name, PropertyCatalogue.Names);
            return $"{set.Said}: librdkafka has no property '{set.Name}'"
                + (near is null ? ", nor one of a similar name." : $"; did you mean '{near}'?");
        }
        catch (KafkaException refused)
        {
            // librdkafka repeats the value, which may be a password.
            var shown = PropertyCatalogue.Shown(set.Name, set.Value);
            return $"{set.Said}: {(shown == set.Value ? refused.Message : "librdkafka refused the value")}.";
        }
    }
}
