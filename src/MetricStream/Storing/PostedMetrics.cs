using System.Text.Json;
using MetricStream.Queueing;

namespace MetricStream.Storing;

/// <summary>The metrics of a stored body as they were posted: the bytes of its <c>metrics</c> array, number formats and all.</summary>
internal static class PostedMetrics
{
    public static ReadOnlySpan<byte> Of(ReadOnlySpan<byte> body)
    {
        var json = new Utf8JsonReader(body, BatchMembers.JsonOptions);
        json.Read();
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var isMetrics = BatchMembers.OfBatch(ref json) == BatchMember.Metrics;
            json.Read();
            var start = (int)json.TokenStartIndex;
            json.Skip();
            if (isMetrics)
                return body[start..(int)json.BytesConsumed];
        }

        throw new InvalidOperationException("A stored batch has no metrics array, yet its metrics were read when it was stored.");
    }
}
