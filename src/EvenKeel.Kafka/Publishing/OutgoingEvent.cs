using System.Text;
using EvenKeel.Kafka.Producing;

namespace EvenKeel.Kafka.Publishing;

/// <summary>An event is something that happened and that others shall hear of through a topic, exactly as it is recorded.</summary>
/// <param name="Topic">The topic's name.</param>
/// <param name="Key">Events with one key are published in the order in which they were recorded. Empty: no key, no order.</param>
/// <param name="Value">The value; null: a tombstone.</param>
public sealed record OutgoingEvent(string Topic, ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte>? Value)
{
    /// <summary>
    /// Names the event for ever, in the header <see cref="EventPublisher.EventIdHeader"/>: a consumer that meets an id again has met a
    /// duplicate. Default: a new one (version 7, so that ids sort by time).
    /// </summary>
    public Guid Id { get; init; } = Guid.CreateVersion7();

    /// <summary>Default none. The header <see cref="EventPublisher.EventIdHeader"/> is the publisher's.</summary>
    public IReadOnlyList<RecordHeader> Headers { get; init; } = [];

    /// <summary>When it happened, milliseconds since 1970: the record's time in Kafka, however late it gets there. Default 0: when it is
    /// recorded.</summary>
    public long TimestampMs { get; init; }

    /// <summary>An event of text, as UTF-8.</summary>
    /// <param name="topic">The topic's name.</param>
    /// <param name="key">Null or empty: no key.</param>
    /// <param name="value">The value; null: a tombstone.</param>
    /// <returns>The event.</returns>
    public static OutgoingEvent Of(string topic, string? key, string? value) =>
        new(topic, Encoding.UTF8.GetBytes(key ?? ""), value is null ? (ReadOnlyMemory<byte>?)null : Encoding.UTF8.GetBytes(value));
}

/// <summary>An event as a repository keeps it.</summary>
/// <param name="Position">Its place in the order of recording: of two events with one key the smaller goes first.</param>
/// <param name="Event">The event.</param>
/// <param name="Claim">Who may send it now: nobody else does until the claim is over. Made by the repository.</param>
public sealed record RecordedEvent(long Position, OutgoingEvent Event, Guid Claim);

/// <summary>A key of one topic: what events must share to be kept in order.</summary>
/// <param name="Topic">The topic.</param>
/// <param name="Key">The key's bytes, each as one character.</param>
internal readonly record struct EventKey(string Topic, string Key)
{
    /// <returns>Null for an event without a key.</returns>
    public static EventKey? Of(OutgoingEvent outgoing) =>
        outgoing.Key.IsEmpty ? null : new EventKey(outgoing.Topic, Encoding.Latin1.GetString(outgoing.Key.Span));
}
