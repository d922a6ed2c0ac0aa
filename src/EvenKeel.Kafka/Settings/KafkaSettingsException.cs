namespace EvenKeel.Kafka.Settings;

/// <summary>Settings that no client is made from; names all that is wrong with them at once.</summary>
public sealed class KafkaSettingsException : Exception
{
    internal KafkaSettingsException(IReadOnlyList<string> violations)
        : base($"{(violations.Count == 1 ? "A Kafka setting" : $"{violations.Count} Kafka settings")} cannot be used:"
            + string.Concat(violations.Select(violation => $"{Environment.NewLine}- {violation}"))) =>
        Violations = violations;

    /// <summary>Each with the setting, the value and the fix.</summary>
    public IReadOnlyList<string> Violations { get; }

    internal static void ThrowIfAny(IEnumerable<string> violations)
    {
        string[] all = [.. violations.Distinct()];
        if (all.Length > 0)
            throw new KafkaSettingsException(all);
    }
}
