using System.Text;
using MetricStream.Queueing;

namespace MetricStream.Storing;

/// <summary>A series that a filter matches, by the store's id for it.</summary>
internal sealed record MatchingSeries(long Id, string Name, string Type, KeyValuePair<string, string>[] Tags)
{
    /// <summary>Null when the tags are not those that are asked for.</summary>
    public static MatchingSeries? Of(long id, ReadOnlySpan<byte> key, SeriesFilter filter)
    {
        var tags = SeriesKey.TagList(key);
        return filter.Tags.All(wanted => tags.Contains(wanted))
            ? new MatchingSeries(id, Encoding.UTF8.GetString(SeriesKey.Name(key)), SeriesKey.TypeName(SeriesKey.Type(key)), tags) : null;
    }

    public static QueryTooLargeException TooMany(StoreLimits limits) =>
        new($"More than {limits.QuerySeries} series match; give a name, or more tags, to match fewer.");

    public static QueryTooLargeException TooManyPoints(SampleQuery query, StoreLimits limits) => new(query.StepMs is { } step
        ? $"The answer has more than {limits.QueryPoints} points; use a step above {step} ms, a shorter range, or more tags."
        : $"The answer has more than {limits.QueryPoints} points; use a step, a shorter range, or more tags.");

    public static int ByNameThenTags(MatchingSeries a, MatchingSeries b)
    {
        var order = string.CompareOrdinal(a.Name, b.Name);
        for (var i = 0; order == 0 && i < Math.Min(a.Tags.Length, b.Tags.Length); i++)
        {
            order = string.CompareOrdinal(a.Tags[i].Key, b.Tags[i].Key);
            if (order == 0)
                order = string.CompareOrdinal(a.Tags[i].Value, b.Tags[i].Value);
        }

        if (order == 0)
            order = a.Tags.Length.CompareTo(b.Tags.Length);
        return order != 0 ? order : string.CompareOrdinal(a.Type, b.Type);
    }
}
