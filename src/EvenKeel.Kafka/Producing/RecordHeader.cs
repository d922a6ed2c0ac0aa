using System.Buffers.Binary;
using System.Text;

namespace EvenKeel.Kafka.Producing;

/// <summary>A name with bytes beside a record's value; names may repeat, and their order is kept.</summary>
/// <param name="Name">Not empty, without a zero character.</param>
/// <param name="Value">Null is a header without a value.</param>
public readonly record struct RecordHeader(string Name, ReadOnlyMemory<byte>? Value)
{
    /// <summary>A header with text, as UTF-8.</summary>
    /// <param name="name">Not empty.</param>
    /// <param name="value">Any text.</param>
    /// <returns>The header.</returns>
    public static RecordHeader Of(string name, string value) => new(name, Encoding.UTF8.GetBytes(value));
}

/// <summary>The headers of one record as one run of bytes: for each the two lengths, the name with a zero behind it, the value.</summary>
internal static class HeaderBlock
{
    public const int LengthBytes = 2 * sizeof(int);
    private const int NullValue = -1;

    public static int Measure(IReadOnlyList<RecordHeader>? headers)
    {
        var total = 0;
        for (var i = 0; i < headers?.Count; i++)
        {
            var header = headers[i];
            if (string.IsNullOrEmpty(header.Name) || header.Name.Contains('\0', StringComparison.Ordinal))
                throw new ArgumentException($"Header {i} is named '{header.Name}'; a name is not empty and has no zero character.");
            total += LengthBytes + Encoding.UTF8.GetByteCount(header.Name) + 1 + (header.Value?.Length ?? 0);
        }
        return total;
    }

    public static void Write(IReadOnlyList<RecordHeader> headers, Span<byte> destination)
    {
        for (var i = 0; i < headers.Count; i++)
        {
            var nameBytes = Encoding.UTF8.GetBytes(headers[i].Name, destination[LengthBytes..]) + 1;
            var value = headers[i].Value;
            BinaryPrimitives.WriteInt32LittleEndian(destination, nameBytes);
            BinaryPrimitives.WriteInt32LittleEndian(destination[sizeof(int)..], value?.Length ?? NullValue);
            destination[LengthBytes + nameBytes - 1] = 0;
            value.GetValueOrDefault().Span.CopyTo(destination[(LengthBytes + nameBytes)..]);
            destination = destination[(LengthBytes + nameBytes + (value?.Length ?? 0))..];
        }
    }

    public static int Count(ReadOnlySpan<byte> block)
    {
        var count = 0;
        for (; block.Length > 0; count++)
            block = block[Next(block, out _, out _)..];
        return count;
    }

    /// <summary>The lengths of the first header; the name's with its zero, the value's -1 for none.</summary>
    /// <returns>Where the next one begins.</returns>
    public static int Next(ReadOnlySpan<byte> block, out int nameBytes, out int valueBytes)
    {
        nameBytes = BinaryPrimitives.ReadInt32LittleEndian(block);
        valueBytes = BinaryPrimitives.ReadInt32LittleEndian(block[sizeof(int)..]);
        return LengthBytes + nameBytes + Math.Max(valueBytes, 0);
    }

    public static IReadOnlyList<RecordHeader> Read(ReadOnlySpan<byte> block)
    {
        var headers = new List<RecordHeader>();
        while (block.Length > 0)
        {
            var next = Next(block, out var nameBytes, out var valueBytes);
            var name = Encoding.UTF8.GetString(block.Slice(LengthBytes, nameBytes - 1));
            // Without the cast null would become an empty array, and a header without a value one with an empty value.
            var value = valueBytes < 0 ? (ReadOnlyMemory<byte>?)null : block.Slice(LengthBytes + nameBytes, valueBytes).ToArray();
            headers.Add(new RecordHeader(name, value));
            block = block[next..];
        }
        return headers;
    }
}
