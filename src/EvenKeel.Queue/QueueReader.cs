namespace EvenKeel.Queue;

/// <summary>
/// A named place in the log. It reads in order, from where it last acknowledged, and never past what is durable. What it has not
/// acknowledged is kept on disk and comes again after a restart. One thread uses it at a time.
/// </summary>
public sealed class QueueReader : IDisposable
{
    private readonly DurableQueue _queue;
    private readonly QueueBatch _batch = new();
    private SegmentCursor? _cursor;
    private ReadableSegment _segment;
    private int _bufferBytes;
    private bool _carriesDamage;
    private bool _disposed;

    internal QueueReader(DurableQueue queue, string name, long position)
    {
        _queue = queue;
        Name = name;
        Position = position;
    }

    /// <summary>The name under which its position is kept; empty for one of <see cref="DurableQueue.OpenTail"/>, which keeps
    /// none.</summary>
    public string Name { get; }

    /// <summary>Sequence of the next record it will read.</summary>
    public long Position { get; private set; }

    /// <summary>
    /// Reads what is there, waiting for at least one record (or damage) when there is nothing. The batch is valid until the next read.
    /// </summary>
    /// <param name="maxRecords">At most so many records.</param>
    /// <param name="maxBytes">At most so many payload bytes, but at least one record.</param>
    /// <param name="cancellation">Ends the wait; a read that has begun is finished.</param>
    /// <exception cref="QueueRefusedException">The queue was closed or faulted while waiting: nothing more will come.</exception>
    public async ValueTask<QueueBatch> ReadAsync(int maxRecords, int maxBytes, CancellationToken cancellation = default)
    {
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            var durable = _queue.Durable;
            if (TryRead(maxRecords, maxBytes) is { } batch)
                return batch;
            await _queue.WaitForDurableAsync(durable).WaitAsync(cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>As <see cref="ReadAsync"/>, on the calling thread: for a dedicated thread whose work with the batch blocks as
    /// well.</summary>
    /// <inheritdoc cref="ReadAsync" path="/param|/exception"/>
    public QueueBatch Read(int maxRecords, int maxBytes, CancellationToken cancellation = default)
    {
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            var durable = _queue.Durable;
            if (TryRead(maxRecords, maxBytes) is { } batch)
                return batch;
            _queue.WaitForDurable(durable, cancellation);
        }
    }

    /// <summary>Reads what is there; null when everything durable was read.</summary>
    /// <inheritdoc cref="ReadAsync" path="/param"/>
    public QueueBatch? TryRead(int maxRecords, int maxBytes)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxRecords, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxBytes, 1);
        if (!_carriesDamage)
            _batch.Clear();
        _carriesDamage = true; // Should the disk fail now: what was met before is reported with the next read.
        _bufferBytes = Math.Min(maxBytes, 4 << 20);
        // 1. Segment after segment, until the batch is full or everything durable was met.
        while (OpenSegment() && ReadSegment(maxRecords, maxBytes))
        {
        }
        _carriesDamage = false;
        // 2. What was damaged counts as read: it is quarantined, never met again.
        _batch.NextPosition = Position;
        return _batch.IsEmpty ? null : _batch;
    }

    /// <summary>Goes on from <paramref name="sequence"/>: for those who keep the position elsewhere, in the transaction of the work itself.
    /// Records already removed cannot come back: what lies before <see cref="DurableQueue.Head"/> counts as quarantined when
    /// read.</summary>
    public void Seek(long sequence)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sequence);
        CloseSegment();
        _carriesDamage = false;
        Position = sequence;
    }

    /// <summary>Says that everything before <paramref name="sequence"/> is done. Returns when that is durable (one fsync); segments that
    /// no reader needs any more are removed. Positions never go back: a smaller one than before is ignored.</summary>
    /// <exception cref="QueueRefusedException">The position could not be made durable; the one before it still holds.</exception>
    public void Acknowledge(long sequence)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (Name.Length == 0)
            throw new InvalidOperationException("A reader without a name keeps no position; open a named one (OpenReader) to acknowledge.");
        if (sequence > Position)
            throw new ArgumentOutOfRangeException(nameof(sequence), sequence,
                $"Reader '{Name}' has read up to {Position}; it cannot acknowledge beyond.");
        _queue.Acknowledge(Name, sequence);
    }

    /// <summary>Closes the reader; its position stays, and goes on holding records until it is removed.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        CloseSegment();
        _queue.Release(this);
    }

    /// <summary>Opens the segment of the position, or looks how far the open one has grown. False when there is nothing to read.</summary>
    private bool OpenSegment()
    {
        var segment = _queue.Segments.Find(Position);
        if (Position >= segment.EndSequence)
            return false;
        if (_cursor is null || segment.BaseSequence != _segment.BaseSequence)
        {
            CloseSegment();
            if (OpenCursor(segment) is not { } cursor)
                return OpenSegment(); // Removed since it was looked up: the position lies in what comes next.
            _cursor = cursor;
            MissUntil(segment.BaseSequence, segment.FileName, 0, 0);
        }
        _segment = segment;
        _cursor.Limit = segment.Length;
        return true;
    }

    /// <summary>Null when the segment was removed, which a named reader's own position prevents.</summary>
    private SegmentCursor? OpenCursor(ReadableSegment segment)
    {
        try
        {
            return _queue.OpenCursor(segment, _bufferBytes);
        }
        catch (FileNotFoundException) when (Name.Length == 0 && _queue.Head > segment.BaseSequence)
        {
            return null;
        }
    }

    /// <summary>Reads on in the open segment. True when it is over and the batch has room.</summary>
    private bool ReadSegment(int maxRecords, int maxBytes)
    {
        var cursor = _cursor!;
        var from = cursor.Offset;
        while (_batch.Records.Count < maxRecords && _batch.PayloadBytes < maxBytes)
        {
            switch (cursor.Next())
            {
                case CursorStep.NeedsFill when _batch.Records.Count > 0:
                    return false; // Filling would overwrite the payloads that this batch hands out.
                case CursorStep.NeedsFill:
                    cursor.Fill();
                    break;
                // A refused group's: the sequence went to another record.
                case CursorStep.Record when cursor.Sequence >= _segment.EndSequence:
                case CursorStep.End:
                    MissUntil(_segment.EndSequence, _segment.FileName, cursor.Offset, 0);
                    return !_segment.IsLast && _batch.Records.Count == 0;
                case CursorStep.Record when cursor.Sequence >= Position:
                    MissUntil(cursor.Sequence, _segment.FileName, from, 0);
                    _batch.Add(cursor.Sequence, cursor.Payload);
                    Position = cursor.Sequence + 1;
                    break;
                case CursorStep.Damage:
                    var missing = Math.Min(cursor.NextSequence, _segment.EndSequence);
                    MissUntil(missing, _segment.FileName, cursor.Damage.Offset, cursor.Damage.Bytes);
                    break;
            }
        }
        return false;
    }

    /// <summary>Records the loss of everything from the position to <paramref name="sequence"/>.</summary>
    private void MissUntil(long sequence, string segment, long offset, long bytes)
    {
        if (sequence <= Position)
            return;
        _batch.Add(new QueueDamage(segment, offset, bytes, Position, sequence - Position));
        Position = sequence;
    }

    private void CloseSegment()
    {
        _cursor?.Dispose();
        _cursor = null;
    }
}
