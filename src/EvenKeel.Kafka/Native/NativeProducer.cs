using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace EvenKeel.Kafka.Native;

/// <summary>The native calls that send, each inside the gate. Nothing here allocates.</summary>
internal static unsafe class NativeProducer
{
    /// <summary>Queues one message without headers; the memory is copied.</summary>
    /// <param name="client">A producer.</param>
    /// <param name="topic">One of its topics.</param>
    /// <param name="partition">-1: by the key.</param>
    /// <param name="value">Its bytes; none is an empty value, not a null one (a tombstone goes through the other overload).</param>
    /// <param name="key">Its bytes; none is no key.</param>
    /// <param name="opaque">Comes back in the report.</param>
    /// <returns><see cref="KafkaErrorCode.None"/>: a report will come. Otherwise none will.</returns>
    public static KafkaErrorCode Produce(
        this ClientHandle client, TopicHandle topic, int partition, ReadOnlySpan<byte> value, ReadOnlySpan<byte> key, nint opaque)
    {
        using var call = client.Enter();
        fixed (byte* valuePointer = value, keyPointer = key)
        {
            var outcome = Librdkafka.Produce(
                topic.Pointer, partition, MessageFlags.Copy, OrEmpty(valuePointer), (nuint)value.Length,
                keyPointer, (nuint)key.Length, opaque);
            return outcome == 0 ? KafkaErrorCode.None : Librdkafka.LastError();
        }
    }

    /// <summary>Queues messages without headers, in order; the memory is copied.</summary>
    /// <param name="client">A producer.</param>
    /// <param name="topic">One of its topics.</param>
    /// <param name="messages">
    /// Key, value and opaque of each; its error says afterwards whether a report will come (<see cref="KafkaErrorCode.None"/>).
    /// </param>
    /// <returns>How many were queued.</returns>
    public static int Produce(this ClientHandle client, TopicHandle topic, Span<NativeMessage> messages)
    {
        using var call = client.Enter();
        fixed (NativeMessage* first = messages)
            return Librdkafka.ProduceBatch(topic.Pointer, SpecialOffset.AnyPartition, MessageFlags.Copy, first, messages.Length);
    }

    /// <summary>Queues one message with a header list.</summary>
    /// <param name="client">A producer.</param>
    /// <param name="arguments">Topic, key, value, flags, opaque, and headers one by one or as a list.</param>
    /// <returns><see cref="KafkaErrorCode.None"/>: a report will come, and a header list belongs to the message. Otherwise
    /// neither.</returns>
    public static KafkaErrorCode Produce(this ClientHandle client, ReadOnlySpan<NativeArgument> arguments)
    {
        using var call = client.Enter();
        fixed (NativeArgument* first = arguments)
            return NativeErrors.TakeCode(Librdkafka.ProduceVa(call.Client, first, (nuint)arguments.Length));
    }

    /// <summary>A null pointer would make the value null, a tombstone; an empty one needs some address: a constant's, which stays
    /// put.</summary>
    public static byte* OrEmpty(byte* pointer) =>
        pointer is null ? (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference("\0"u8)) : pointer;
}
