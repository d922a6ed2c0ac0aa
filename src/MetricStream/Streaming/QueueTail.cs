using EvenKeel.Queue;
using MetricStream.Queueing;
using MetricStream.Storing;

namespace MetricStream.Streaming;

/// <summary>
/// A tail reads what was acknowledged, from a position on: from the store what the queue has removed already, then from the queue. It
/// holds nothing back and keeps no position. One thread uses it at a time.
/// </summary>
internal sealed class QueueTail(DurableQueue queue, IMetricStore? store, long position) : IDisposable
{
    private const int MaxRecords = 2048;
    private const int MaxBytes = 1 << 20;

    private readonly string _source = StoreLoop.SourceOf(queue);
    private readonly List<StoreRecord> _records = [];
    private QueueReader? _reader;

    /// <summary>The next position to be read.</summary>
    public long Position { get; private set; } = position;

    /// <summary>Reads on, at most to <paramref name="until"/> (exclusive): the batches met, which are none where records were damaged,
    /// expired or no batches. Valid until the next call. Only when <see cref="Position"/> has come to the end is there no more.</summary>
    public IReadOnlyList<StoreRecord> Read(long until)
    {
        _records.Clear();
        if (Position >= until)
            return _records;
        if (store is not null && queue.Head > Position)
            ReadStored(Math.Min(queue.Head, until));
        else
            ReadQueued(until);
        return _records;
    }

    public void Dispose()
    {
        _reader?.Dispose();
        _reader = null;
    }

    private void ReadStored(long until)
    {
        Dispose();
        var batches = store!.BatchesOf(_source, Position, until, MaxRecords);
        foreach (var batch in batches)
        {
            var record = new BatchRecord(BatchRecordKind.Batch, batch.ArrivedUnixMs, 0, default, default, batch.Body);
            _records.Add(new StoreRecord(batch.Position, record, default));
        }

        Position = batches.Count > 0 ? batches[^1].Position + 1 : until;
    }

    private void ReadQueued(long until)
    {
        var from = Position;
        _reader ??= queue.OpenTail(from);
        var batch = _reader.TryRead((int)Math.Min(MaxRecords, until - from), MaxBytes);
        if (batch is null)
            return;
        if (batch.Quarantined > 0 && store is not null && queue.Head > from)
        {
            // What is missing was removed after it was stored: the next call reads it there.
            Dispose();
            return;
        }

        foreach (var record in batch.Records)
        {
            if (record.Sequence >= until)
                break;
            var read = StoreRecord.Of(record.Sequence, record.Payload);
            if (read.Batch is { Kind: BatchRecordKind.Batch })
                _records.Add(read);
        }

        Position = Math.Min(batch.NextPosition, until);
        if (batch.NextPosition > until)
            Dispose(); // A stretch of damage led beyond: what comes after is read again.
    }
}
