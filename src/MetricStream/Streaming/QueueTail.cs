using EvenKeel.Queue;
using MetricStream.Queueing;
using MetricStream.Storing;

namespace MetricStream.Streaming;

/// <summary>The file queue as a source of the stream.</summary>
internal sealed class QueueSource(DurableQueue queue, IMetricStore? store) : IStreamSource
{
    public StreamPlace? End() => new(queue.Durable);

    public IStreamTail Open(StreamPlace from) => new QueueTail(queue, store, from[0]);

    public string IdOf(StreamPlace place) => StreamPosition.Id(place[0]);

    public StreamPlace? Read(string id) => StreamPosition.TryRead(id, out var next) ? new StreamPlace(next) : null;
}

/// <summary>The tail of the file queue: from the store what the queue has removed already, then from the queue.</summary>
internal sealed class QueueTail(DurableQueue queue, IMetricStore? store, long position) : IStreamTail
{
    private const int MaxRecords = 2048;
    private const int MaxBytes = 1 << 20;

    private readonly string _source = StoreLoop.SourceOf(queue);
    private readonly List<TailRecord> _records = [];
    private QueueReader? _reader;

    public StreamPlace Place => new(Position);

    public bool MayStall => false;

    private long Position { get; set; } = position;

    /// <summary>Only when the place has come to the end is there no more.</summary>
    public IReadOnlyList<TailRecord> Read(StreamPlace place)
    {
        var until = place[0];
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
            _records.Add(new TailRecord(0, batch.Position, batch.ArrivedUnixMs, batch.Body));

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
            if (BatchRecord.TryRead(record.Payload, out var read) && read.Kind == BatchRecordKind.Batch)
                _records.Add(new TailRecord(0, record.Sequence, read.ArrivedUnixMs, read.Body));
        }

        Position = Math.Min(batch.NextPosition, until);
        if (batch.NextPosition > until)
            Dispose(); // A stretch of damage led beyond: what comes after is read again.
    }
}
