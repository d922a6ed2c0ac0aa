using System.Buffers.Binary;

namespace MetricStream.Queueing;

/// <summary>What a queue record is: a batch of metrics, or the note that a known batch was sent again.</summary>
internal enum BatchRecordKind : byte
{
    Batch = 1,

    /// <summary>A re-send that intake recognised. It has no body; the store counts it as a duplicate, so that the
    /// conservation law holds across a crash: everything acknowledged is a record in the queue.</summary>
    Resend = 2,
}

/// <summary>
/// One acknowledged acceptance as it lies in the queue: who sent it, under which batch id, when it arrived, and the body exactly
/// as it was posted (after decompression). Layout, little-endian:
/// <c>version u8 = 1 | kind u8 | client length u8 | batch id length u8 | metric count u32 | arrived Unix ms i64 | client | batch id |
/// body</c>.
/// </summary>
internal readonly record struct BatchRecord(
    BatchRecordKind Kind,
    long ArrivedUnixMs,
    int MetricCount,
    ReadOnlyMemory<byte> ClientId,
    ReadOnlyMemory<byte> BatchId,
    ReadOnlyMemory<byte> Body)
{
    public const int MaxHeaderBytes = FixedBytes + 128 + 128;

    private const byte Version = 1;
    private const int FixedBytes = 16;

    /// <summary>Writes everything before the body into <paramref name="destination"/> and returns the bytes written.
    /// Client id and batch id are ASCII of 1 to 128 characters each; intake has checked that.</summary>
    public static int WriteHeader(
        Span<byte> destination, BatchRecordKind kind, long arrivedUnixMs, int metricCount,
        ReadOnlySpan<byte> clientId, ReadOnlySpan<byte> batchId)
    {
        destination[0] = Version;
        destination[1] = (byte)kind;
        destination[2] = checked((byte)clientId.Length);
        destination[3] = checked((byte)batchId.Length);
        BinaryPrimitives.WriteInt32LittleEndian(destination[4..], metricCount);
        BinaryPrimitives.WriteInt64LittleEndian(destination[8..], arrivedUnixMs);
        clientId.CopyTo(destination[FixedBytes..]);
        batchId.CopyTo(destination[(FixedBytes + clientId.Length)..]);
        return FixedBytes + clientId.Length + batchId.Length;
    }

    /// <summary>Reads back what <see cref="WriteHeader"/> wrote.</summary>
    public static long ReadHeader(ReadOnlySpan<byte> header, out ReadOnlySpan<byte> clientId, out ReadOnlySpan<byte> batchId)
    {
        clientId = header.Slice(FixedBytes, header[2]);
        batchId = header.Slice(FixedBytes + header[2], header[3]);
        return BinaryPrimitives.ReadInt64LittleEndian(header[8..]);
    }

    /// <summary>Reads a record. False when the bytes are no record of a version this program knows.</summary>
    public static bool TryRead(ReadOnlyMemory<byte> record, out BatchRecord batch)
    {
        batch = default;
        var span = record.Span;
        if (span.Length < FixedBytes || span[0] != Version || span[1] is not ((byte)BatchRecordKind.Batch or (byte)BatchRecordKind.Resend))
            return false;
        int client = span[2], id = span[3];
        if (span.Length < FixedBytes + client + id)
            return false;
        batch = new BatchRecord(
            (BatchRecordKind)span[1],
            BinaryPrimitives.ReadInt64LittleEndian(span[8..]),
            BinaryPrimitives.ReadInt32LittleEndian(span[4..]),
            record.Slice(FixedBytes, client),
            record.Slice(FixedBytes + client, id),
            record[(FixedBytes + client + id)..]);
        return true;
    }
}
