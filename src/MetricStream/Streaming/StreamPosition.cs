using System.Globalization;

namespace MetricStream.Streaming;

/// <summary>
/// A place in the source as subscribers are told it: the sequence of the last batch that an event covers, <c>-1</c> before the first.
/// </summary>
internal static class StreamPosition
{
    /// <summary>The id of an event behind which the reader goes on at <paramref name="next"/>.</summary>
    public static string Id(long next) => (next - 1).ToString(CultureInfo.InvariantCulture);

    /// <summary>Where to go on after the event with that id; false when no event of this source has such an id.</summary>
    public static bool TryRead(string id, out long next)
    {
        var readable = long.TryParse(id, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var last)
            && last is >= -1 and < long.MaxValue;
        next = readable ? last + 1 : 0;
        return readable;
    }
}
