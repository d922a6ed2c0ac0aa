using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;

namespace MetricStream.Intake;

/// <summary>How the decoding of a gzip body ended.</summary>
internal enum GzipOutcome { Complete, Damaged, TooLarge }

/// <summary>
/// Decodes a gzip body (RFC 1952, several members allowed) into a pooled buffer and proves that it is whole: every member's checksum and
/// length are compared, and nothing may follow the last member. <see cref="GZipStream"/> alone cannot do that: it passes over bytes
/// after a member, and does not say where in its input a member ended.
/// </summary>
internal static class GzipBody
{
    private const int TrailerBytes = 8;

    // Each member costs a decoder; an empty one is 20 bytes, so that 32 MiB of them would keep a core busy for half a minute.
    private const int MaxMembers = 1_000;
    private const int FirstBufferBytes = 16 * 1024;

    /// <summary>On <see cref="GzipOutcome.Complete"/>, <paramref name="rented"/> is the caller's to give back to its pool.</summary>
    public static GzipOutcome Inflate(ReadOnlyMemory<byte> compressed, int maxBytes, out byte[] rented, out int length)
    {
        rented = ArrayPool<byte>.Shared.Rent(FirstBufferBytes);
        length = 0;
        var outcome = GzipOutcome.Damaged;
        try
        {
            var at = 0;
            for (var members = 0; at < compressed.Length || members == 0; members++)
            {
                outcome = members < MaxMembers
                    ? InflateMember(compressed, ref at, maxBytes, ref rented, ref length)
                    : GzipOutcome.Damaged;
                if (outcome != GzipOutcome.Complete)
                    break;
            }
        }
        catch (InvalidDataException)
        {
            outcome = GzipOutcome.Damaged;
        }
        finally
        {
            if (outcome != GzipOutcome.Complete)
            {
                ArrayPool<byte>.Shared.Return(rented);
                rented = [];
            }
        }

        return outcome;
    }

    private static GzipOutcome InflateMember(ReadOnlyMemory<byte> compressed, ref int at, int maxBytes, ref byte[] rented, ref int length)
    {
        var headerBytes = HeaderBytes(compressed.Span[at..]);
        if (headerBytes == 0)
            return GzipOutcome.Damaged;
        var start = at + headerBytes;
        var memberStart = length;

        // The end of the deflate data is known exactly only where the decoder is fed byte by byte. A body of one member, which nearly
        // all are, ends just before its trailer; another end is found in a second pass that is slow in one chunk only.
        var feed = new DeflateFeed(compressed, start, compressed.Length - TrailerBytes - 1);
        var outcome = InflateDeflate(feed, maxBytes, ref rented, ref length);
        if (outcome == GzipOutcome.Complete && feed.LastChunkBytes > 1)
        {
            length = memberStart;
            feed = new DeflateFeed(compressed, start, feed.Consumed - feed.LastChunkBytes);
            outcome = InflateDeflate(feed, maxBytes, ref rented, ref length);
        }

        if (outcome != GzipOutcome.Complete)
            return outcome;
        var rest = compressed.Span[feed.Consumed..];
        var member = rented.AsSpan(memberStart, length - memberStart);
        if (rest.Length < TrailerBytes
            || BinaryPrimitives.ReadUInt32LittleEndian(rest) != Crc32.Of(member)
            || BinaryPrimitives.ReadUInt32LittleEndian(rest[4..]) != (uint)member.Length)
        {
            return GzipOutcome.Damaged;
        }

        at = feed.Consumed + TrailerBytes;
        return GzipOutcome.Complete;
    }

    private static GzipOutcome InflateDeflate(DeflateFeed feed, int maxBytes, ref byte[] rented, ref int length)
    {
        using var inflater = new DeflateStream(feed, CompressionMode.Decompress);
        while (true)
        {
            if (length == rented.Length)
                Grow(ref rented, length, maxBytes);
            var read = inflater.Read(rented.AsSpan(length));
            if (read == 0)
                return GzipOutcome.Complete;
            length += read;
            if (length > maxBytes)
                return GzipOutcome.TooLarge;
        }
    }

    private static void Grow(ref byte[] rented, int length, int maxBytes)
    {
        var larger = ArrayPool<byte>.Shared.Rent((int)Math.Min((long)length * 2, (long)maxBytes + 1));
        rented.AsSpan(0, length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(rented);
        rented = larger;
    }

    // RFC 1952 section 2.3. 0: these bytes do not start a member.
    private static int HeaderBytes(ReadOnlySpan<byte> member)
    {
        const int HeaderCrc = 2, Extra = 4, Name = 8, Comment = 16, Reserved = 0xE0;
        if (member.Length < 10 || member[0] != 0x1F || member[1] != 0x8B || member[2] != 8 || (member[3] & Reserved) != 0)
            return 0;
        var flags = member[3];
        var at = 10;
        if ((flags & Extra) != 0)
        {
            if (member.Length < at + 2)
                return 0;
            at += 2 + BinaryPrimitives.ReadUInt16LittleEndian(member[at..]);
        }

        foreach (var text in (ReadOnlySpan<int>)[Name, Comment])
        {
            if ((flags & text) == 0)
                continue;
            var end = at < member.Length ? member[at..].IndexOf((byte)0) : -1;
            if (end < 0)
                return 0;
            at += end + 1;
        }

        if ((flags & HeaderCrc) != 0)
        {
            if (member.Length < at + 2 || BinaryPrimitives.ReadUInt16LittleEndian(member[at..]) != (ushort)Crc32.Of(member[..at]))
                return 0;
            at += 2;
        }

        return at < member.Length ? at : 0;
    }

    /// <summary>Compressed bytes handed to the decoder in chunks up to <paramref name="bulkEnd"/>, then one at a time, so that where the
    /// decoder stops asking is where its data ended.</summary>
    private sealed class DeflateFeed(ReadOnlyMemory<byte> compressed, int start, int bulkEnd) : Stream
    {
        public int LastChunkBytes { get; private set; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => compressed.Length;

        public int Consumed { get; private set; } = start;

        public override long Position
        {
            get => Consumed;
            set => throw new NotSupportedException();
        }

        public override int Read(Span<byte> buffer)
        {
            var left = compressed.Length - Consumed;
            var chunk = Math.Min(buffer.Length, Consumed < bulkEnd ? bulkEnd - Consumed : Math.Min(1, left));
            compressed.Span.Slice(Consumed, chunk).CopyTo(buffer);
            Consumed += chunk;
            LastChunkBytes = chunk;
            return chunk;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override void Flush()
        {
            // Nothing is buffered: this stream is read-only.
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
