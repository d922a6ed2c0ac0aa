using System.Buffers.Binary;
using System.Text;

namespace MetricStream.Queueing;

/// <summary>What a metric measures. The numbers are part of <see cref="SeriesKey"/> and are kept on disk.</summary>
internal enum MetricType : byte { Gauge = 1, Counter = 2, Histogram = 3 }

/// <summary>
/// The canonical bytes of a series: its type, name and tags, with the tags sorted by key (ordinal by UTF-8 byte). Two metrics belong to
/// one series exactly when these bytes are equal. Layout, little-endian, text as unescaped UTF-8:
/// <c>type u8 | name length u16 | name | (key length u16 | key | value length u16 | value)*</c>.
/// </summary>
internal static class SeriesKey
{
    public static MetricType Type(ReadOnlySpan<byte> key) => (MetricType)key[0];

    public static ReadOnlySpan<byte> Name(ReadOnlySpan<byte> key) => key.Slice(3, BinaryPrimitives.ReadUInt16LittleEndian(key[1..]));

    public static string TypeName(MetricType type) => type switch
    {
        MetricType.Gauge => "gauge",
        MetricType.Counter => "counter",
        MetricType.Histogram => "histogram",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Not a metric type: the series key is damaged."),
    };

    public static SeriesTags Tags(ReadOnlySpan<byte> key) => new(key[(3 + Name(key).Length)..]);

    /// <summary>The tags as text, sorted by key.</summary>
    public static KeyValuePair<string, string>[] TagList(ReadOnlySpan<byte> key)
    {
        var count = 0;
        foreach (var _ in Tags(key))
            count++;
        if (count == 0)
            return [];
        var list = new KeyValuePair<string, string>[count];
        count = 0;
        foreach (var tag in Tags(key))
            list[count++] = new(Encoding.UTF8.GetString(tag.Key), Encoding.UTF8.GetString(tag.Value));
        return list;
    }
}

/// <summary>One tag of a series key: unescaped UTF-8.</summary>
internal readonly ref struct SeriesTag(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
{
    public ReadOnlySpan<byte> Key { get; } = key;

    public ReadOnlySpan<byte> Value { get; } = value;
}

/// <summary>The tags of a series key, in their canonical order; itself the enumerator.</summary>
internal ref struct SeriesTags(ReadOnlySpan<byte> rest)
{
    private ReadOnlySpan<byte> _rest = rest;

    public SeriesTag Current { get; private set; }

    public readonly SeriesTags GetEnumerator() => this;

    public bool MoveNext()
    {
        if (_rest.IsEmpty)
            return false;
        var key = _rest.Slice(2, BinaryPrimitives.ReadUInt16LittleEndian(_rest));
        _rest = _rest[(2 + key.Length)..];
        var value = _rest.Slice(2, BinaryPrimitives.ReadUInt16LittleEndian(_rest));
        _rest = _rest[(2 + value.Length)..];
        Current = new SeriesTag(key, value);
        return true;
    }
}
