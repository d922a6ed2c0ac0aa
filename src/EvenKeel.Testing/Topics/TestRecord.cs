using System.Text;
using EvenKeel.Kafka.Producing;

namespace EvenKeel.Testing.Topics;

/// <summary>A record that a test received; a copy, free to be kept.</summary>
public sealed record TestRecord
{
    /// <summary>The topic it was read from.</summary>
    public required string Topic { get; init; }

    /// <summary>Its partition.</summary>
    public required int Partition { get; init; }

    /// <summary>Its place in the partition.</summary>
    public required long Offset { get; init; }

    /// <summary>Milliseconds since 1970; -1 if it has none.</summary>
    public required long TimestampMs { get; init; }

    /// <summary>The key; null if there is none.</summary>
    public required ReadOnlyMemory<byte>? KeyBytes { get; init; }

    /// <summary>The value; null for a tombstone.</summary>
    public required ReadOnlyMemory<byte>? ValueBytes { get; init; }

    /// <summary>The headers, in their order.</summary>
    public IReadOnlyList<RecordHeader> Headers { get; init; } = [];

    /// <summary>The key as UTF-8; null if there is none.</summary>
    public string? Key => KeyBytes is { } bytes ? Encoding.UTF8.GetString(bytes.Span) : null;

    /// <summary>The value as UTF-8; null for a tombstone.</summary>
    public string? Value => ValueBytes is { } bytes ? Encoding.UTF8.GetString(bytes.Span) : null;

    /// <returns>Place, key and the start of the value.</returns>
    public override string ToString()
    {
        const int Shown = 120;
        var value = Value is not { } text ? "(tombstone)" : text.Length > Shown ? text[..Shown] + "…" : text;
        return $"[{Partition}]@{Offset} {Key ?? "(no key)"} = {value}";
    }
}
