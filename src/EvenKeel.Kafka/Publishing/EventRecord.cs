using System.Buffers.Binary;
using System.Text;
using EvenKeel.Kafka.Producing;

namespace EvenKeel.Kafka.Publishing;

/// <summary>
/// The records of the disk repository's log, as bytes. An event: kind 1, position, id, time, four lengths, topic, key, value, headers.
/// Marks: kind 2, then for each the position and the fate. A refused event: kind 3, the reason's length, the reason, an event.
/// </summary>
internal static class EventRecord
{
    private const byte EventKind = 1;
    private const byte MarksKind = 2;
    private const byte RefusedKind = 3;
    private const int MarkBytes = sizeof(long) + 1;
    private const int HeaderBytes = 1 + sizeof(long) + 16 + sizeof(long) + 4 * sizeof(int);
    private const int Tombstone = -1;

    public static byte[] Of(long position, OutgoingEvent outgoing)
    {
        var topicBytes = Encoding.UTF8.GetByteCount(outgoing.Topic);
        var valueBytes = outgoing.Value?.Length ?? 0;
        var headerBytes = HeaderBlock.Measure(outgoing.Headers);
        var record = new byte[HeaderBytes + topicBytes + outgoing.Key.Length + valueBytes + headerBytes];
        record[0] = EventKind;
        var rest = record.AsSpan(1);
        BinaryPrimitives.WriteInt64LittleEndian(rest, position);
        outgoing.Id.TryWriteBytes(rest[8..], bigEndian: true, out _);
        BinaryPrimitives.WriteInt64LittleEndian(rest[24..], outgoing.TimestampMs);
        BinaryPrimitives.WriteInt32LittleEndian(rest[32..], topicBytes);
        BinaryPrimitives.WriteInt32LittleEndian(rest[36..], outgoing.Key.Length);
        BinaryPrimitives.WriteInt32LittleEndian(rest[40..], outgoing.Value is null ? Tombstone : valueBytes);
        BinaryPrimitives.WriteInt32LittleEndian(rest[44..], headerBytes);
        rest = rest[48..];
        Encoding.UTF8.GetBytes(outgoing.Topic, rest);
        outgoing.Key.Span.CopyTo(rest[topicBytes..]);
        rest = rest[(topicBytes + outgoing.Key.Length)..];
        outgoing.Value.GetValueOrDefault().Span.CopyTo(rest);
        if (headerBytes > 0)
            HeaderBlock.Write(outgoing.Headers, rest[valueBytes..]);
        return record;
    }

    public static byte[] OfMarks(IReadOnlyList<EventMark> marks)
    {
        var record = new byte[1 + marks.Count * MarkBytes];
        record[0] = MarksKind;
        var rest = record.AsSpan(1);
        foreach (var mark in marks)
        {
            BinaryPrimitives.WriteInt64LittleEndian(rest, mark.Event.Position);
            rest[sizeof(long)] = (byte)mark.Fate;
            rest = rest[MarkBytes..];
        }
        return record;
    }

    /// <summary>What stands before the event in the record of a refused one.</summary>
    public static byte[] OfReason(string reason)
    {
        var record = new byte[1 + sizeof(int) + Encoding.UTF8.GetByteCount(reason)];
        record[0] = RefusedKind;
        BinaryPrimitives.WriteInt32LittleEndian(record.AsSpan(1), Encoding.UTF8.GetBytes(reason, record.AsSpan(1 + sizeof(int))));
        return record;
    }

    /// <summary>The event of a record, its memory its own; null when the record is another kind.</summary>
    public static (long Position, OutgoingEvent Event)? ReadEvent(ReadOnlySpan<byte> record)
    {
        if (record.Length < HeaderBytes || record[0] != EventKind)
            return null;
        record = record[1..];
        var position = BinaryPrimitives.ReadInt64LittleEndian(record);
        var id = new Guid(record.Slice(8, 16), bigEndian: true);
        var timestampMs = BinaryPrimitives.ReadInt64LittleEndian(record[24..]);
        var topicBytes = BinaryPrimitives.ReadInt32LittleEndian(record[32..]);
        var keyBytes = BinaryPrimitives.ReadInt32LittleEndian(record[36..]);
        var valueBytes = BinaryPrimitives.ReadInt32LittleEndian(record[40..]);
        var rest = record[48..];
        var topic = Encoding.UTF8.GetString(rest[..topicBytes]);
        var key = rest.Slice(topicBytes, keyBytes).ToArray();
        rest = rest[(topicBytes + keyBytes)..];
        ReadOnlyMemory<byte>? value = valueBytes == Tombstone ? (ReadOnlyMemory<byte>?)null : rest[..valueBytes].ToArray();
        var headers = HeaderBlock.Read(rest[Math.Max(valueBytes, 0)..]);
        return (position, new OutgoingEvent(topic, key, value) { Id = id, TimestampMs = timestampMs, Headers = headers });
    }

    /// <summary>The refused event of a record, with the reason; null when the record is another kind.</summary>
    public static (string Reason, OutgoingEvent Event)? ReadRefused(ReadOnlySpan<byte> record)
    {
        if (record.Length < 1 + sizeof(int) || record[0] != RefusedKind)
            return null;
        var reasonBytes = BinaryPrimitives.ReadInt32LittleEndian(record[1..]);
        var rest = record[(1 + sizeof(int))..];
        return ReadEvent(rest[reasonBytes..]) is { } read ? (Encoding.UTF8.GetString(rest[..reasonBytes]), read.Event) : null;
    }

    /// <summary>The positions that a record marks as settled; null when the record is another kind.</summary>
    public static IReadOnlyList<long>? ReadMarks(ReadOnlySpan<byte> record)
    {
        if (record.Length < 1 || record[0] != MarksKind)
            return null;
        var positions = new List<long>();
        for (var rest = record[1..]; rest.Length >= MarkBytes; rest = rest[MarkBytes..])
            positions.Add(BinaryPrimitives.ReadInt64LittleEndian(rest));
        return positions;
    }
}
