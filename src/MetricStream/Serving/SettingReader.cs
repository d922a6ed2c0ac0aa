using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace MetricStream.Serving;

/// <summary>Reads settings one by one from the merged configuration and keeps every violation, so that all are told at once.</summary>
internal sealed class SettingReader(IConfiguration section)
{
    private readonly HashSet<string> _known = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Each with the setting, its value and the fix.</summary>
    public List<string> Violations { get; } = [];

    public string Text(string key, string fallback)
    {
        if (!TryTake(key, out var text))
            return fallback;
        if (text.Trim().Length > 0)
            return text;
        Violate(key, text, "give it a value, or leave it out");
        return fallback;
    }

    public bool Flag(string key)
    {
        if (!TryTake(key, out var text))
            return false;
        if (bool.TryParse(text, out var flag))
            return flag;
        Violate(key, text, "use true or false");
        return false;
    }

    public int Number(string key, int fallback, int min, int max)
    {
        if (!TryTake(key, out var text))
            return fallback;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max)
            return number;
        Violate(key, text, $"use a whole number from {min} to {max}");
        return fallback;
    }

    /// <summary>0 where it is left out or <c>off</c>.</summary>
    public int NumberOrOff(string key, int min, int max)
    {
        if (!TryTake(key, out var text) || text.Equals("off", StringComparison.OrdinalIgnoreCase))
            return 0;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max)
            return number;
        Violate(key, text, $"use a whole number from {min} to {max}, or off");
        return 0;
    }

    public TimeSpan Time(string key, TimeSpan fallback, TimeSpan min, TimeSpan max)
    {
        if (!TryTake(key, out var text))
            return fallback;
        if (!Units.TryParseTime(text, out var time, out var error))
            Violations.Add($"{Option(key)}: {error}");
        else if (time < min || time > max)
            Violate(key, text, $"use {Units.FormatTime(min)} to {Units.FormatTime(max)}");
        else
            return time;
        return fallback;
    }

    public long Bytes(string key, long fallback, long min, long max)
    {
        if (!TryTake(key, out var text))
            return fallback;
        if (!Units.TryParseBytes(text, out var bytes, out var error))
            Violations.Add($"{Option(key)}: {error}");
        else if (bytes < min || bytes > max)
            Violate(key, text, $"use {Units.FormatBytes(min)} to {Units.FormatBytes(max)}");
        else
            return bytes;
        return fallback;
    }

    public T OneOf<T>(string key, T fallback) where T : struct, Enum
    {
        if (!TryTake(key, out var text))
            return fallback;
        var names = Enum.GetNames<T>();
        if (Array.Find(names, n => n.Equals(text, StringComparison.OrdinalIgnoreCase)) is { } name)
            return Enum.Parse<T>(name);
#pragma warning disable CA1308 // Options are written in lower case; nothing is compared with this.
        Violate(key, text, $"use {string.Join(" or ", names.Select(n => n.ToLowerInvariant()))}");
#pragma warning restore CA1308
        return fallback;
    }

    public bool Has(string key)
    {
        _known.Add(key);
        return section.GetSection(key).Exists();
    }

    /// <summary>Named values: <c>Key:name = value</c>, or numbered <c>Key:0 = "name=value"</c>, or one <c>Key = "name=value"</c>.</summary>
    public Dictionary<string, string> Pairs(string key)
    {
        _known.Add(key);
        var pairs = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var part in section.GetSection(key).GetChildren().Prepend(section.GetSection(key)))
        {
            if (part.Value is not { } value)
                continue;
            var isNumbered = part.Key.Equals(key, StringComparison.OrdinalIgnoreCase) || part.Key.All(char.IsAsciiDigit);
            var at = value.IndexOf('=', StringComparison.Ordinal);
            if (!isNumbered)
                pairs[part.Key] = value.Trim();
            else if (at > 0)
                pairs[value[..at].Trim()] = value[(at + 1)..].Trim();
            else
                Violate(key, value, "write name=value, with librdkafka's name");
        }
        return pairs;
    }

    public void Violate(string key, string value, string fix) => Violations.Add($"{Option(key)} is '{value}': {fix}.");

    /// <summary>A key that nothing read is a misspelling, or an option that this version does not have: it must not be taken for
    /// granted.</summary>
    public void RefuseUnknown()
    {
        foreach (var child in section.GetChildren().Where(c => !_known.Contains(c.Key)))
        {
            var known = string.Join(", ", _known.Order());
            Violations.Add($"'MetricStream:{child.Key}' is no setting of this version: remove it, or correct it ({known}).");
        }
    }

    private bool TryTake(string key, [NotNullWhen(true)] out string? text)
    {
        _known.Add(key);
        text = section[key];
        if (section.GetSection(key).GetChildren().FirstOrDefault() is { } part)
            Violations.Add($"'{part.Path}' is no setting: give {Option(key)} one value.");
        return text is not null;
    }

    /// <summary>MaxQueueBytes is --max-queue-bytes on the command line.</summary>
    private static string Option(string key) => "--" + OptionNames.ToOption(key);
}
