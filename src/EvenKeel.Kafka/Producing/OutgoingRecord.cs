using System.Buffers;

namespace EvenKeel.Kafka.Producing;

/// <summary>A record to be sent; its bytes are copied before the send returns, so that their memory can be used again at once.</summary>
public readonly ref struct OutgoingRecord
{
    /// <summary>A record for a topic.</summary>
    /// <param name="topic">The topic's name.</param>
    /// <param name="key">Records with one key stay in order in one partition (Java's murmur2). Empty: no key, any partition.</param>
    /// <param name="value">The value.</param>
    public OutgoingRecord(string topic, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        Topic = topic;
        Key = key;
        Value = value;
    }

    /// <summary>The topic's name.</summary>
    public string Topic { get; }

    /// <summary>Empty: no key.</summary>
    public ReadOnlySpan<byte> Key { get; }

    /// <summary>The value.</summary>
    public ReadOnlySpan<byte> Value { get; }

    /// <summary>The value is null, which deletes the key in a compacted topic. Default false: an empty value is an empty value.</summary>
    public bool IsTombstone { get; init; }

    /// <summary>Default none.</summary>
    public IReadOnlyList<RecordHeader>? Headers { get; init; }

    /// <summary>The record's time, milliseconds since 1970. Default 0: now.</summary>
    public long TimestampMs { get; init; }
}

/// <summary>Writes a value as bytes.</summary>
/// <typeparam name="T">The value's type.</typeparam>
public interface IRecordSerializer<in T>
{
    /// <summary>Writes it; the writer is reused, so keep no part of it.</summary>
    /// <param name="value">The value.</param>
    /// <param name="writer">Takes the bytes.</param>
    void Serialize(T value, IBufferWriter<byte> writer);
}
