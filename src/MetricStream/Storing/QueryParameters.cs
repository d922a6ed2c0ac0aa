using System.Globalization;
using System.Text;
using MetricStream.Queueing;
using Microsoft.Extensions.Primitives;

namespace MetricStream.Storing;

/// <summary>A query parameter that cannot be read: its name, a code of the short list of problem details, and the message.</summary>
internal sealed record ParameterError(string Field, string Code, string Message);

/// <summary>
/// Reads the parameters of the query routes and collects what is wrong with them, all at once. An empty parameter (<c>?name=</c>) counts
/// as absent, as forms send it.
/// </summary>
internal sealed class QueryParameters(IQueryCollection query)
{
    private static readonly string[] AggregationNames = ["avg", "min", "max", "sum", "last", "rate"];

    public List<ParameterError> Errors { get; } = [];

    public string? Text(string field)
    {
        StringValues values = query[field];
        if (values.Count > 1)
        {
            Errors.Add(new ParameterError(field, "repeated", $"'{field}' is given {values.Count} times; give it once."));
            return null;
        }

        return values.Count == 0 || string.IsNullOrEmpty(values[0]) ? null : values[0];
    }

    public string Required(string field)
    {
        var text = Text(field);
        if (text is null && !Errors.Exists(error => error.Field == field))
            Errors.Add(new ParameterError(field, "missing", $"'{field}' is missing; name the metric, for example ?{field}=cpu_usage."));
        return text ?? "";
    }

    public int Integer(string field, int least, int most, int otherwise)
    {
        if (Text(field) is not { } text)
            return otherwise;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most)
            return number;
        Errors.Add(new ParameterError(field, "wrong_type", $"'{field}' is '{text}'; give a whole number from {least} to {most}."));
        return otherwise;
    }

    /// <summary>A time as in a batch: Unix milliseconds or RFC 3339.</summary>
    public long Time(string field, long otherwise)
    {
        if (Text(field) is not { } text)
            return otherwise;
        // A time before 1970: in a batch a negative number, here text.
        if (text.StartsWith('-') && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var before)
            && before >= MetricTimestamp.MinUnixMs)
        {
            return before;
        }

        // A plus sign that the client left unescaped arrives as a space, and RFC 3339 as read here has none.
        if (MetricTimestamp.TryParse(Encoding.UTF8.GetBytes(text.Replace(' ', '+')), out var unixMs))
            return unixMs;
        Errors.Add(new ParameterError(
            field, "bad_timestamp", $"'{field}' is '{text}'; give Unix milliseconds or RFC 3339, for example 2026-01-31T08:00:00Z."));
        return otherwise;
    }

    /// <summary>A duration of whole milliseconds above zero.</summary>
    public long? StepMs(string field)
    {
        if (Text(field) is not { } text)
            return null;
        var readable = Units.TryParseTime(text, out var step, out var error);
        if (readable && step > TimeSpan.Zero && step.Ticks % TimeSpan.TicksPerMillisecond == 0)
            return step.Ticks / TimeSpan.TicksPerMillisecond;
        Errors.Add(new ParameterError(
            field, "wrong_type", error ?? $"'{field}' is '{text}'; give whole milliseconds above zero, for example 10s."));
        return null;
    }

    public Aggregation Aggregation(string field)
    {
        if (Text(field) is not { } text)
            return Storing.Aggregation.Avg;
        var index = Array.IndexOf(AggregationNames, text);
        if (index >= 0)
            return (Aggregation)index;
        Errors.Add(new ParameterError(field, "unknown_type", $"'{field}' is '{text}'; give one of {string.Join(", ", AggregationNames)}."));
        return Storing.Aggregation.Avg;
    }

    /// <summary><c>host:web-1,zone:b</c>. A colon in a key, or a comma in either, is written behind a backslash.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Tags(string field)
    {
        var tags = new List<KeyValuePair<string, string>>();
        if (Text(field) is not { } text)
            return tags;
        var at = 0;
        do
        {
            var key = Until(text, ref at, ":,");
            var hasValue = at <= text.Length && at > 0 && text[at - 1] == ':';
            var value = hasValue ? Until(text, ref at, ",") : "";
            if (key.Length == 0 || value.Length == 0)
            {
                Errors.Add(new ParameterError(
                    field, "wrong_type", $"'{field}' is '{text}'; give key:value pairs, for example host:web-1,zone:b."));
                return [];
            }

            tags.Add(new(key, value));
        }
        while (at <= text.Length);
        return tags;
    }

    // The text up to one of the ends; leaves 'at' behind that end, or behind the end of the text plus one.
    private static string Until(string text, ref int at, string ends)
    {
        var part = new StringBuilder();
        for (; at < text.Length; at++)
        {
            if (text[at] == '\\' && at + 1 < text.Length && text[at + 1] is '\\' or ':' or ',')
                part.Append(text[++at]);
            else if (ends.Contains(text[at], StringComparison.Ordinal))
                break;
            else
                part.Append(text[at]);
        }

        at++;
        return part.ToString();
    }
}
