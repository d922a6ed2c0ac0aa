using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;

namespace EvenKeel.Queue;

/// <summary>
/// The bytes of a segment: a header in two copies, then frames. docs/queue-format.md describes them for other programs.
/// Every header checksum starts from a salt made of the queue's id and the segment's base sequence, so that bytes of another
/// segment, or a record whose payload looks like frames, never pass for frames of this one.
/// </summary>
internal static class SegmentFormat
{
    public const int Version = 1;
    public const int HeaderCopyBytes = 64;
    public const int HeaderBytes = 2 * HeaderCopyBytes;
    public const int FrameHeaderBytes = 24;
    public const int FrameAlignment = 8;
    public const string FileSuffix = ".segment";

    private const ulong Magic = 0x474553_51_4B45; // "EKQSEG" in file order, two zero bytes behind it.

    public static string FileName(long baseSequence) => baseSequence.ToString("D20", CultureInfo.InvariantCulture) + FileSuffix;

    public static bool TryParseFileName(string name, out long baseSequence)
    {
        baseSequence = 0;
        return name.Length == 20 + FileSuffix.Length && name.EndsWith(FileSuffix, StringComparison.Ordinal)
            && long.TryParse(name.AsSpan(0, 20), NumberStyles.None, CultureInfo.InvariantCulture, out baseSequence);
    }

    public static long FrameBytes(long payloadBytes) => (FrameHeaderBytes + payloadBytes + FrameAlignment - 1) & -FrameAlignment;

    public static void WriteHeader(Span<byte> destination, Guid queueId, long baseSequence, long createdUnixMs)
    {
        var copy = destination[..HeaderCopyBytes];
        copy.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(copy, Magic);
        BinaryPrimitives.WriteInt32LittleEndian(copy[8..], Version);
        queueId.TryWriteBytes(copy[16..]);
        BinaryPrimitives.WriteInt64LittleEndian(copy[32..], baseSequence);
        BinaryPrimitives.WriteInt64LittleEndian(copy[40..], createdUnixMs);
        BinaryPrimitives.WriteUInt32LittleEndian(copy[60..], Crc32C.Append(Crc32C.Seed, copy[..60]));
        copy.CopyTo(destination[HeaderCopyBytes..]);
    }

    /// <summary>Reads whichever copy of the header is sound. The version is read before anything that a later version may change.</summary>
    public static SegmentHeader? ReadHeader(ReadOnlySpan<byte> bytes)
    {
        for (var at = 0; at + HeaderCopyBytes <= bytes.Length && at < HeaderBytes; at += HeaderCopyBytes)
        {
            var copy = bytes.Slice(at, HeaderCopyBytes);
            if (BinaryPrimitives.ReadUInt64LittleEndian(copy) != Magic
                || BinaryPrimitives.ReadUInt32LittleEndian(copy[60..]) != Crc32C.Append(Crc32C.Seed, copy[..60]))
                continue;
            return new SegmentHeader(
                BinaryPrimitives.ReadInt32LittleEndian(copy[8..]),
                new Guid(copy.Slice(16, 16)),
                BinaryPrimitives.ReadInt64LittleEndian(copy[32..]),
                BinaryPrimitives.ReadInt64LittleEndian(copy[40..]));
        }
        return null;
    }

    public static uint Salt(Guid queueId, long baseSequence)
    {
        Span<byte> bytes = stackalloc byte[24];
        queueId.TryWriteBytes(bytes);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[16..], baseSequence);
        return Crc32C.Append(Crc32C.Seed, bytes);
    }

    /// <summary>Lays out a frame but for its sequence and header checksum, which <see cref="Stamp"/> adds when both are known.</summary>
    public static void WriteFrame(Span<byte> frame, FrameKind kind, uint payloadChecksum, int payloadBytes)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(frame[4..], payloadChecksum);
        BinaryPrimitives.WriteInt32LittleEndian(frame[8..], payloadBytes);
        BinaryPrimitives.WriteInt32LittleEndian(frame[12..], (int)kind);
        frame[(FrameHeaderBytes + payloadBytes)..].Clear();
    }

    public static void Stamp(Span<byte> frame, uint salt, long sequence)
    {
        BinaryPrimitives.WriteInt64LittleEndian(frame[16..], sequence);
        BinaryPrimitives.WriteUInt32LittleEndian(frame, Crc32C.Append(salt, frame[4..FrameHeaderBytes]));
    }

    public static void WriteMark(Span<byte> frame, uint salt, long durableSequence)
    {
        WriteFrame(frame[..FrameHeaderBytes], FrameKind.Mark, 0, 0);
        Stamp(frame, salt, durableSequence);
    }

    /// <summary>The frame header at the start of <paramref name="bytes"/>, or null when its checksum, kind or length is not
    /// right.</summary>
    public static FrameHeader? ReadFrame(ReadOnlySpan<byte> bytes, uint salt)
    {
        if (bytes.Length < FrameHeaderBytes
            || BinaryPrimitives.ReadUInt32LittleEndian(bytes) != Crc32C.Append(salt, bytes[4..FrameHeaderBytes]))
            return null;
        var kind = (FrameKind)BinaryPrimitives.ReadInt32LittleEndian(bytes[12..]);
        var length = BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]);
        var sequence = BinaryPrimitives.ReadInt64LittleEndian(bytes[16..]);
        return kind is FrameKind.Record or FrameKind.Mark && length >= 0 && sequence >= 0
            ? new FrameHeader(kind, length, sequence, BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]))
            : null;
    }
}

/// <summary>A segment's header: format version, id of the queue, sequence of its first record, time it was made (Unix ms).</summary>
internal readonly record struct SegmentHeader(int Version, Guid QueueId, long BaseSequence, long CreatedUnixMs);

/// <summary>What a frame holds.</summary>
internal enum FrameKind
{
    /// <summary>One record; the frame's sequence is the record's.</summary>
    Record = 1,

    /// <summary>The word that every record below the frame's sequence was durable when this frame was written.</summary>
    Mark = 2,
}

internal readonly record struct FrameHeader(FrameKind Kind, int PayloadBytes, long Sequence, uint PayloadChecksum)
{
    public long FrameBytes => SegmentFormat.FrameBytes(PayloadBytes);
}

/// <summary>CRC-32C (Castagnoli, RFC 3720 appendix B.4) by the processor's own instruction, without the final inversion: values are
/// compared with values of the same making only.</summary>
internal static class Crc32C
{
    public const uint Seed = 0xFFFFFFFF;

    public static uint Append(uint crc, ReadOnlySpan<byte> bytes)
    {
        foreach (var word in MemoryMarshal.Cast<byte, ulong>(bytes))
            crc = BitOperations.Crc32C(crc, BitConverter.IsLittleEndian ? word : BinaryPrimitives.ReverseEndianness(word));
        foreach (var rest in bytes[(bytes.Length & ~7)..])
            crc = BitOperations.Crc32C(crc, rest);
        return crc;
    }
}
