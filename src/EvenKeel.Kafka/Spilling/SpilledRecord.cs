using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using EvenKeel.Kafka.Producing;

namespace EvenKeel.Kafka.Spilling;

/// <summary>
/// A record as it lies in the spill: 40 bytes of lengths and times, then topic, key, value and header block. Its checksum is the queue's.
/// <code>
/// version 1 | flags 1 | topic bytes 2 | key bytes 4 | value bytes 4 | header bytes 4 | time 8 | spilled at 8 | ticket 8
/// </code>
/// Little-endian; times in milliseconds since 1970; the ticket finds the caller in the process that wrote it.
/// </summary>
internal readonly record struct SpilledRecord(string Topic, SendEntry Entry, ReadOnlyMemory<byte> Bytes, long SpilledAtMs, long Ticket)
{
    private const byte Version = 1;
    private const byte Tombstone = 1;
    private const int FixedBytes = 40;

    public int Bucket => SpilledKeys.BucketOf(Bytes.Span[..Entry.KeyBytes]);

    /// <summary>Writes a record whose bytes the caller then puts behind.</summary>
    /// <returns>The payload, and where key, value and headers go in it.</returns>
    public static byte[] Begin(string topic, in SendEntry entry, long spilledAtMs, long ticket, out int bodyOffset)
    {
        var topicBytes = Encoding.UTF8.GetByteCount(topic);
        bodyOffset = FixedBytes + topicBytes;
        var payload = new byte[bodyOffset + entry.Bytes];
        var head = payload.AsSpan();
        head[0] = Version;
        head[1] = entry.IsTombstone ? Tombstone : (byte)0;
        BinaryPrimitives.WriteUInt16LittleEndian(head[2..], (ushort)topicBytes);
        BinaryPrimitives.WriteInt32LittleEndian(head[4..], entry.KeyBytes);
        BinaryPrimitives.WriteInt32LittleEndian(head[8..], entry.ValueBytes);
        BinaryPrimitives.WriteInt32LittleEndian(head[12..], entry.HeaderBytes);
        BinaryPrimitives.WriteInt64LittleEndian(head[16..], entry.TimestampMs);
        BinaryPrimitives.WriteInt64LittleEndian(head[24..], spilledAtMs);
        BinaryPrimitives.WriteInt64LittleEndian(head[32..], ticket);
        Encoding.UTF8.GetBytes(topic, head[FixedBytes..]);
        return payload;
    }

    /// <summary>Reads a payload; the record's bytes are the payload's.</summary>
    public static bool TryRead(ReadOnlyMemory<byte> payload, [NotNullWhen(true)] out SpilledRecord? record)
    {
        record = null;
        var head = payload.Span;
        if (head.Length < FixedBytes || head[0] != Version)
            return false;
        var topicBytes = BinaryPrimitives.ReadUInt16LittleEndian(head[2..]);
        var entry = new SendEntry(
            -1, 0, BinaryPrimitives.ReadInt32LittleEndian(head[4..]), BinaryPrimitives.ReadInt32LittleEndian(head[8..]),
            BinaryPrimitives.ReadInt32LittleEndian(head[12..]))
        {
            TimestampMs = BinaryPrimitives.ReadInt64LittleEndian(head[16..]),
            IsTombstone = (head[1] & Tombstone) != 0,
        };
        if (entry.KeyBytes < 0 || entry.ValueBytes < 0 || entry.HeaderBytes < 0
            || FixedBytes + topicBytes + (long)entry.KeyBytes + entry.ValueBytes + entry.HeaderBytes != payload.Length)
            return false;
        record = new SpilledRecord(
            Encoding.UTF8.GetString(head.Slice(FixedBytes, topicBytes)), entry, payload[(FixedBytes + topicBytes)..],
            BinaryPrimitives.ReadInt64LittleEndian(head[24..]), BinaryPrimitives.ReadInt64LittleEndian(head[32..]));
        return true;
    }
}
