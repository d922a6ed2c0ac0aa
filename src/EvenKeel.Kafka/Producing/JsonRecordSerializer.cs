using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace EvenKeel.Kafka.Producing;

/// <summary>Writes values as JSON, with metadata made at compile time, so without reflection.</summary>
/// <typeparam name="T">The value's type.</typeparam>
/// <param name="type">From a <c>JsonSerializerContext</c>.</param>
public sealed class JsonRecordSerializer<T>(JsonTypeInfo<T> type) : IRecordSerializer<T>
{
    /// <inheritdoc/>
    public void Serialize(T value, IBufferWriter<byte> writer)
    {
        using var json = new Utf8JsonWriter(writer);
        JsonSerializer.Serialize(json, value, type);
    }
}
