using System.Runtime.InteropServices;

namespace EvenKeel.Kafka.Native;

/// <summary>The headers of one message, read in place: valid as long as the message.</summary>
internal readonly unsafe ref struct MessageHeaders
{
    private readonly nint _headers;

    private MessageHeaders(nint headers) => _headers = headers;

    public int Count => _headers == 0 ? 0 : (int)Librdkafka.HeaderCount(_headers);

    /// <summary>The headers of a consumed message or of a delivery report; none if it has none.</summary>
    /// <exception cref="KafkaException">They cannot be decoded.</exception>
    public static MessageHeaders Of(NativeMessage* message)
    {
        nint headers;
        var code = Librdkafka.MessageHeaders(message, &headers);
        if (code == KafkaErrorCode.NotFound)
            return default;
        code.ThrowIfFailed("Reading a message's headers");
        return new MessageHeaders(headers);
    }

    /// <summary>The header in its order.</summary>
    /// <param name="index">From 0.</param>
    /// <param name="name">UTF-8.</param>
    /// <param name="value">Its bytes.</param>
    /// <returns>Whether the value is there: a header's value can be null.</returns>
    public bool Read(int index, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        byte* namePointer;
        void* valuePointer;
        nuint size;
        Librdkafka.HeaderGetAll(_headers, (nuint)index, &namePointer, &valuePointer, &size)
            .ThrowIfFailed($"Reading header {index} of {Count}");
        name = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(namePointer);
        value = new ReadOnlySpan<byte>(valuePointer, (int)size);
        return valuePointer is not null;
    }
}
