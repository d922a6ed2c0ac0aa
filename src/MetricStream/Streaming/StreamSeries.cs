using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using MetricStream.Queueing;
using MetricStream.Storing;

namespace MetricStream.Streaming;

/// <summary>One series of a channel: its points since the last frame. Used by its lane alone.</summary>
internal sealed class StreamSeries(byte[] key)
{
    // Escapes only what JSON demands, like the queries.
    private static readonly JsonWriterOptions JsonOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly byte[] _head = Head(key);

    /// <summary>In the order of their batches.</summary>
    public List<SamplePoint> Points { get; } = [];

    /// <summary>Points since the last frame that went beyond its bound.</summary>
    public long Beyond { get; set; }

    /// <summary>Frames since it last had a point.</summary>
    public int Idle { get; set; }

    public bool IsTouched => Points.Count > 0 || Beyond > 0;

    /// <summary>Writes one event: the points, unless the subscriber is only told what it has missed.</summary>
    public void Write(IBufferWriter<byte> frame, string id, bool withPoints, long dropped)
    {
        frame.Write("event: sample\nid: "u8);
        Encoding.ASCII.GetBytes(id, frame);
        frame.Write("\ndata: "u8);
        frame.Write(_head);
        if (withPoints)
            WritePoints(frame);
        frame.Write("],\"dropped\":"u8);
        WriteNumber(frame, dropped);
        frame.Write("}\n\n"u8);
    }

    private void WritePoints(IBufferWriter<byte> frame)
    {
        var first = true;
        foreach (var point in Points)
        {
            frame.Write(first ? "["u8 : ",["u8);
            first = false;
            WriteNumber(frame, point.Time);
            frame.Write(","u8);
            // JSON has no NaN and no infinity.
            if (double.IsFinite(point.Value))
                WriteNumber(frame, point.Value);
            else
                frame.Write("null"u8);
            frame.Write("]"u8);
        }
    }

    private static void WriteNumber<T>(IBufferWriter<byte> frame, T number)
        where T : IUtf8SpanFormattable
    {
        if (!number.TryFormat(frame.GetSpan(32), out var written, default, System.Globalization.CultureInfo.InvariantCulture))
            throw new InvalidOperationException($"{number} takes more than 32 bytes.");
        frame.Advance(written);
    }

    // {"name":"…","tags":{…},"points":[ as it stands in every event of the series.
    private static byte[] Head(byte[] key)
    {
        var head = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(head, JsonOptions))
        {
            json.WriteStartObject();
            json.WriteString("name"u8, SeriesKey.Name(key));
            json.WriteStartObject("tags"u8);
            foreach (var tag in SeriesKey.Tags(key))
                json.WriteString(tag.Key, tag.Value);
            json.WriteEndObject();
            json.WriteStartArray("points"u8);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        return head.WrittenSpan[..^2].ToArray(); // Without the ]} that end it.
    }
}
