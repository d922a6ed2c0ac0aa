using EvenKeel.Queue;

namespace MetricStream.Storing;

/// <summary>
/// Moves batches from the file queue into the store, on a thread of its own. The store keeps the position in the transaction that
/// writes the rows, so each record's effect is there once, whatever moment either side dies.
/// </summary>
internal sealed partial class StoreLoop : IDisposable
{
    // Larger transactions cost less per batch (measured: one fsync and one index page write serve more rows); these bound the memory.
    private const int MaxRecords = 8192;
    private const int MaxBytes = 8 << 20;

    // Below so many records a transaction waits for company: a trickle is stored five times a second at most.
    private const int SmallTransaction = 1024;
    private static readonly TimeSpan Linger = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan CheckpointEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LastRetry = TimeSpan.FromSeconds(5);

    private readonly QueueReader _reader;
    private readonly IMetricStore _store;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly string _source;
    private readonly Thread _thread;
    private readonly CancellationTokenSource _stop = new();
    private readonly ManualResetEventSlim _stopping = new();

    // Loop only.
    private readonly List<StoreRecord> _records = [];
    private long _checkpointed;
    private long _checkpointedAt;

    // Written by the loop, read by anyone.
    private long _position;
    private long _oldestArrivedUnixMs;
    private long _busyTicks;
    private volatile string? _trouble;

    public StoreLoop(DurableQueue queue, IMetricStore store, TimeProvider time, ILogger log)
    {
        _store = store;
        _time = time;
        _log = log;
        _source = SourceOf(queue);
        _position = store.Position(_source);
        queue.SkipTo(_position); // A log behind the store (a restored copy) must not use sequences again that the store has seen.
        _reader = queue.OpenReader("store");
        _reader.Seek(_position);
        _checkpointed = _position;
        _thread = new Thread(Run) { IsBackground = true, Name = "MetricStream store" };
    }

    /// <summary>The sequence after the last record in the store.</summary>
    public long Position => Interlocked.Read(ref _position);

    /// <summary>When the oldest record that the loop has in hand, or the last one it stored, arrived; 0 before the first.</summary>
    public long OldestArrivedUnixMs => Interlocked.Read(ref _oldestArrivedUnixMs);

    /// <summary>Time spent reading, decoding and writing since the start.</summary>
    public TimeSpan Busy => TimeSpan.FromTicks(Interlocked.Read(ref _busyTicks));

    /// <summary>Why nothing is being stored now; null while all is well.</summary>
    public string? Trouble => _trouble;

    public static string SourceOf(DurableQueue queue) => $"file:{queue.Id:n}";

    public void Start() => _thread.Start();

    /// <summary>Ends the loop behind the transaction in hand and waits for that, at most until <paramref name="deadline"/>.
    /// False when it is still busy then; what it has not stored stays in the queue.</summary>
    public bool Stop(TimeSpan deadline)
    {
        _stop.Cancel();
        _stopping.Set();
        return !_thread.IsAlive || _thread.Join(deadline);
    }

    public void Dispose()
    {
        _reader.Dispose();
        _stop.Dispose();
        _stopping.Dispose();
    }

    private void Run()
    {
        try
        {
            while (!_stop.IsCancellationRequested)
                StoreNext();
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            LogStopped(Position);
        }
        catch (QueueRefusedException closed)
        {
            _trouble = closed.Message;
            LogQueueGone(closed.Message);
        }
        catch (Exception bug)
        {
            // Intake goes on: what it acknowledges is durable in the queue. The state says that nothing is stored.
            _trouble = $"The store loop has ended by a defect: {bug.Message} Restart the server; nothing is lost.";
            LogBug(bug);
        }
        if (_trouble is null)
            Checkpoint();
    }

    /// <summary>The path of a batch from the queue to its rows.</summary>
    private void StoreNext()
    {
        // 1. What is durable in the queue, at least one record.
        var batch = _reader.TryRead(MaxRecords, MaxBytes) ?? CheckpointAndRead();
        var started = _time.GetTimestamp();
        foreach (var damage in batch.Damage)
            LogDamage(damage.Records, damage.FirstSequence, damage.Segment, damage.Offset, damage.Bytes);
        // 2. Each record as the store takes it; one that cannot be read becomes a dead letter there.
        _records.Clear();
        foreach (var record in batch.Records)
            _records.Add(StoreRecord.Of(record.Sequence, record.Payload));
        if (_records is [{ Batch.ArrivedUnixMs: var arrived }, ..])
            Interlocked.Exchange(ref _oldestArrivedUnixMs, arrived);
        // 3. Rows, counters and the next position in one transaction, again and again until the store takes it.
        if (!WriteUntilTaken(new StoreTransaction(_source, batch.NextPosition, batch.Quarantined, _records)))
            return;
        Interlocked.Exchange(ref _position, batch.NextPosition);
        // 4. Now and then the queue's own checkpoint, so that it can remove what is stored.
        if (_time.GetElapsedTime(_checkpointedAt) >= CheckpointEvery)
            Checkpoint();
        // 5. A short pause when there was little, so that the next transaction has more.
        var spent = _time.GetElapsedTime(started);
        Interlocked.Add(ref _busyTicks, spent.Ticks);
        if (_records.Count < SmallTransaction && spent < Linger)
            _stopping.Wait(Linger - spent);
    }

    /// <summary>Everything is stored: the queue may remove it before the wait begins, else a full queue would stay full.</summary>
    private QueueBatch CheckpointAndRead()
    {
        Checkpoint();
        return _reader.Read(MaxRecords, MaxBytes, _stop.Token);
    }

    /// <summary>False when the loop was stopped before the store took the transaction; its records then stay in the queue.</summary>
    private bool WriteUntilTaken(StoreTransaction transaction)
    {
        for (var retry = FirstRetry; ; retry = retry * 2 < LastRetry ? retry * 2 : LastRetry)
        {
            try
            {
                _store.Write(transaction);
                if (_trouble is not null)
                    LogRecovered();
                _trouble = null;
                return true;
            }
            catch (StoreUnavailableException unavailable)
            {
                if (_trouble is null)
                    LogUnavailable(unavailable.Message);
                _trouble = unavailable.Message;
            }
            if (_stopping.Wait(retry))
                return false;
        }
    }

    private void Checkpoint()
    {
        _checkpointedAt = _time.GetTimestamp();
        if (_position <= _checkpointed)
            return;
        _reader.Acknowledge(_position);
        _checkpointed = _position;
    }

    [LoggerMessage(1, LogLevel.Error,
        "{Records} records from sequence {First} on are damaged on disk and quarantined: {Segment}, offset {Offset}, {Bytes} bytes.")]
    private partial void LogDamage(long records, long first, string segment, long offset, long bytes);

    [LoggerMessage(2, LogLevel.Error, "Nothing can be stored now; batches wait in the queue. {Reason}")]
    private partial void LogUnavailable(string reason);

    [LoggerMessage(3, LogLevel.Information, "The store takes batches again.")]
    private partial void LogRecovered();

    [LoggerMessage(4, LogLevel.Error, "The store loop has ended: {Reason}")]
    private partial void LogQueueGone(string reason);

    [LoggerMessage(5, LogLevel.Critical,
        "The store loop has ended by a defect. Intake goes on, batches wait in the queue; restart the server.")]
    private partial void LogBug(Exception bug);

    [LoggerMessage(6, LogLevel.Debug, "The store loop has stopped at {Position}.")]
    private partial void LogStopped(long position);
}
