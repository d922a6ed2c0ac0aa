using System.Buffers;
using System.Text;

namespace EvenKeel.Kafka.Producing;

/// <summary>Something that takes records for Kafka and tells each one's outcome; safe for any number of threads.</summary>
public interface IRecordProducer : IAsyncDisposable
{
    /// <summary>Sends a record. Its bytes are copied before this returns. Await the result once, like every value task.</summary>
    /// <param name="record">What is sent.</param>
    /// <param name="cancellationToken">Ends the wait for room, with the record unsent; a record that is accepted gets its outcome.</param>
    /// <returns>The record's outcome: this does not throw for what Kafka refuses.</returns>
    /// <exception cref="OperationCanceledException">From the task: cancelled before there was room.</exception>
    /// <exception cref="ArgumentException">The topic or a header has no valid name.</exception>
    ValueTask<DeliveryOutcome> SendAsync(scoped in OutgoingRecord record, CancellationToken cancellationToken = default);
}

/// <summary>Sends from bytes, text and typed values, for every <see cref="IRecordProducer"/>.</summary>
public static class RecordSending
{
    private const int StackBytes = 512;

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? Scratch;

    /// <summary>Sends key and value as they are.</summary>
    /// <inheritdoc cref="IRecordProducer.SendAsync(in OutgoingRecord, CancellationToken)"/>
    /// <param name="producer">Takes the record.</param>
    /// <param name="topic">The topic's name.</param>
    /// <param name="key">Empty: no key.</param>
    /// <param name="value">The value.</param>
    /// <param name="headers">Default none.</param>
    /// <param name="cancellationToken">Ends the wait for room.</param>
    public static ValueTask<DeliveryOutcome> SendAsync(
        this IRecordProducer producer, string topic, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value,
        IReadOnlyList<RecordHeader>? headers = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(producer);
        return producer.SendAsync(new OutgoingRecord(topic, key, value) { Headers = headers }, cancellationToken);
    }

    /// <summary>Sends key and value as UTF-8.</summary>
    /// <inheritdoc cref="IRecordProducer.SendAsync(in OutgoingRecord, CancellationToken)"/>
    /// <param name="producer">Takes the record.</param>
    /// <param name="topic">The topic's name.</param>
    /// <param name="key">Null or empty: no key.</param>
    /// <param name="value">The value; null: a tombstone.</param>
    /// <param name="headers">Default none.</param>
    /// <param name="cancellationToken">Ends the wait for room.</param>
    public static ValueTask<DeliveryOutcome> SendAsync(
        this IRecordProducer producer, string topic, string? key, string? value, IReadOnlyList<RecordHeader>? headers = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(producer);
        var keyBytes = Encoding.UTF8.GetByteCount(key ?? "");
        var bytes = keyBytes + Encoding.UTF8.GetByteCount(value ?? "");
        var rented = bytes > StackBytes ? ArrayPool<byte>.Shared.Rent(bytes) : null;
        var buffer = rented ?? stackalloc byte[StackBytes];
        Encoding.UTF8.GetBytes(key ?? "", buffer);
        Encoding.UTF8.GetBytes(value ?? "", buffer[keyBytes..]);
        try
        {
            var record = new OutgoingRecord(topic, buffer[..keyBytes], buffer[keyBytes..bytes])
            {
                IsTombstone = value is null,
                Headers = headers,
            };
            return producer.SendAsync(record, cancellationToken);
        }
        finally
        {
            if (rented is not null)
                ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>Sends a value that a serializer writes.</summary>
    /// <inheritdoc cref="IRecordProducer.SendAsync(in OutgoingRecord, CancellationToken)"/>
    /// <typeparam name="T">The value's type.</typeparam>
    /// <param name="producer">Takes the record.</param>
    /// <param name="topic">The topic's name.</param>
    /// <param name="key">Empty: no key.</param>
    /// <param name="value">The value.</param>
    /// <param name="serializer">Writes it, on this thread, before this returns; what it throws comes out of this call.</param>
    /// <param name="headers">Default none.</param>
    /// <param name="cancellationToken">Ends the wait for room.</param>
    public static ValueTask<DeliveryOutcome> SendAsync<T>(
        this IRecordProducer producer, string topic, ReadOnlySpan<byte> key, T value, IRecordSerializer<T> serializer,
        IReadOnlyList<RecordHeader>? headers = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(producer);
        ArgumentNullException.ThrowIfNull(serializer);

        // Taken for the time of the call, so that a serializer that sends by itself gets another one.
        var writer = Scratch ?? new ArrayBufferWriter<byte>();
        Scratch = null;
        writer.ResetWrittenCount();
        serializer.Serialize(value, writer);
        var task = producer.SendAsync(new OutgoingRecord(topic, key, writer.WrittenSpan) { Headers = headers }, cancellationToken);
        Scratch = writer;
        return task;
    }
}
