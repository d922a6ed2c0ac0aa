using System.Buffers;
using EvenKeel.Queue.Storage;

namespace EvenKeel.Queue;

/// <summary>What the cursor met.</summary>
internal enum CursorStep
{
    Record,
    Mark,

    /// <summary>Bytes that are no frame, or a frame whose payload is damaged; the cursor stands behind them.</summary>
    Damage,

    /// <summary>The next frame is not wholly in the buffer: call <see cref="SegmentCursor.Fill"/>, which invalidates payloads handed
    /// out.</summary>
    NeedsFill,

    /// <summary>The readable part of the segment is over.</summary>
    End,
}

/// <summary>
/// Walks the frames of one segment from front to back and finds its way again behind damage. Recovery, readers and the offline
/// tools all read through it, so that they agree on what is sound.
/// </summary>
internal sealed class SegmentCursor : IDisposable
{
    private const int MinBufferBytes = 64 << 10;

    private readonly IQueueFile _file;
    private readonly uint _salt;
    private byte[] _buffer;
    private long _bufferOffset;
    private long _soundEnd;
    private int _bufferLength;

    /// <summary>Starts behind the segment's header. <paramref name="limit"/>: bytes of the file that may be read.</summary>
    public SegmentCursor(IQueueFile file, Guid queueId, long baseSequence, long limit, int bufferBytes)
    {
        _file = file;
        _salt = SegmentFormat.Salt(queueId, baseSequence);
        _buffer = ArrayPool<byte>.Shared.Rent(Math.Max(bufferBytes, MinBufferBytes));
        Offset = _soundEnd = SegmentFormat.HeaderBytes;
        Limit = limit;
        NextSequence = baseSequence;
    }

    /// <summary>File offset of the next frame.</summary>
    public long Offset { get; private set; }

    /// <summary>Where the readable bytes end; may be raised as the segment grows.</summary>
    public long Limit { get; set; }

    /// <summary>The sequence that the next record should bear, as far as it is known: damage at the end hides how many are gone.</summary>
    public long NextSequence { get; private set; }

    /// <summary>Sequence of the record or mark just met.</summary>
    public long Sequence { get; private set; }

    /// <summary>Payload of the record just met; valid until <see cref="Fill"/>.</summary>
    public ReadOnlyMemory<byte> Payload { get; private set; }

    /// <summary>Whether the filling behind the record just met is as it was written. It carries nothing and no checksum covers it; only the
    /// offline tools report it.</summary>
    public bool PaddingIsZero =>
        BufferAt(Offset - Padding(Payload.Length))[..Padding(Payload.Length)].IndexOfAnyExcept((byte)0) < 0;

    /// <summary>The damage just met: where, how long, and whether its frame header is sound (one record, its payload damaged).</summary>
    public (long Offset, long Bytes, bool HasHeader) Damage { get; private set; }

    public CursorStep Next()
    {
        if (Offset >= Limit)
            return CursorStep.End;
        if (Buffered(Offset) < Math.Min(SegmentFormat.FrameHeaderBytes, Limit - Offset))
            return CursorStep.NeedsFill;
        if (SegmentFormat.ReadFrame(BufferAt(Offset), _salt) is not { } frame || !IsPlausible(frame, Offset))
            return _bufferOffset == Offset ? SkipToNextFrame() : CursorStep.NeedsFill; // The search overwrites the buffer.
        if (Buffered(Offset) < frame.FrameBytes)
            return CursorStep.NeedsFill;

        var start = Offset;
        Offset = _soundEnd = start + frame.FrameBytes;
        if (frame.Kind == FrameKind.Mark)
        {
            Sequence = NextSequence = frame.Sequence;
            return CursorStep.Mark;
        }
        var payload = _buffer.AsMemory((int)(start - _bufferOffset) + SegmentFormat.FrameHeaderBytes, frame.PayloadBytes);
        NextSequence = frame.Sequence + 1;
        if (Crc32C.Append(Crc32C.Seed, payload.Span) != frame.PayloadChecksum)
        {
            Damage = (start, frame.FrameBytes, true);
            return CursorStep.Damage;
        }
        Sequence = frame.Sequence;
        Payload = payload;
        return CursorStep.Record;
    }

    /// <summary>Reads on from the next frame, with room for all of it.</summary>
    public void Fill()
    {
        Load(Offset, SegmentFormat.FrameHeaderBytes);
        if (SegmentFormat.ReadFrame(BufferAt(Offset), _salt) is { } frame
            && frame.FrameBytes > Buffered(Offset) && IsPlausible(frame, Offset))
            Load(Offset, frame.FrameBytes);
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
        _bufferLength = 0;
        _file.Dispose();
    }

    private static int Padding(int payloadBytes) =>
        (int)(SegmentFormat.FrameBytes(payloadBytes) - SegmentFormat.FrameHeaderBytes - payloadBytes);

    private long Buffered(long offset) =>
        offset < _bufferOffset ? 0 : Math.Max(0, Math.Min(_bufferOffset + _bufferLength, Limit) - offset);

    private ReadOnlySpan<byte> BufferAt(long offset) => _buffer.AsSpan((int)(offset - _bufferOffset), (int)Buffered(offset));

    private void Load(long offset, long needed)
    {
        if (needed > _buffer.Length)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = ArrayPool<byte>.Shared.Rent(checked((int)needed));
        }
        var want = (int)Math.Min(_buffer.Length, Limit - offset);
        _bufferOffset = offset;
        _bufferLength = 0; // Should the read fail: what is in the buffer is of another offset.
        _bufferLength = _file.Read(_buffer.AsSpan(0, want), offset);
        if (_bufferLength < want)
            Limit = offset + _bufferLength; // Somebody cut the file: what is gone counts as damage at the end of the segment.
    }

    /// <summary>A frame can be here only if it ends in time and its sequence fits: each record lost since the last sound one took at
    /// least a frame header of the bytes skipped.</summary>
    private bool IsPlausible(FrameHeader frame, long offset)
    {
        var lost = frame.Sequence - NextSequence;
        return offset + frame.FrameBytes <= Limit && lost >= 0 && lost <= (offset - _soundEnd) / SegmentFormat.FrameHeaderBytes;
    }

    private CursorStep SkipToNextFrame()
    {
        var start = Offset;
        var at = start + SegmentFormat.FrameAlignment;
        for (; at + SegmentFormat.FrameHeaderBytes <= Limit; at += SegmentFormat.FrameAlignment)
        {
            if (Buffered(at) < SegmentFormat.FrameHeaderBytes)
                Load(at, SegmentFormat.FrameHeaderBytes);
            if (Buffered(at) < SegmentFormat.FrameHeaderBytes)
                break;
            if (SegmentFormat.ReadFrame(BufferAt(at), _salt) is { } frame && IsPlausible(frame, at))
            {
                NextSequence = frame.Sequence;
                _soundEnd = at;
                return SkipTo(at, start);
            }
        }
        return SkipTo(Limit, start);
    }

    private CursorStep SkipTo(long offset, long start)
    {
        Damage = (start, offset - start, false);
        Offset = offset;
        return CursorStep.Damage;
    }
}
