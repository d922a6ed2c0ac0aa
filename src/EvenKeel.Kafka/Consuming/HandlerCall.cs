namespace EvenKeel.Kafka.Consuming;

/// <summary>
/// The user's handler, per record or per batch, as a lane calls it: on the lane's own thread, which waits for the task to end. A thread
/// that waits costs little beside the order and the bound it gives, and a handler that blocks starves nobody else.
/// </summary>
internal sealed class HandlerCall
{
    private readonly RecordHandler? _record;
    private readonly BatchHandler? _batch;

    public HandlerCall(RecordHandler handler) => _record = handler;

    public HandlerCall(BatchHandler handler) => _batch = handler;

    public bool IsPerRecord => _record is not null;

    public ValueTask Begin(RecordView[] views, int start, int count, CancellationToken cancellationToken) =>
        _record is not null
            ? _record(new ReceivedRecord(views[start]), cancellationToken)
            : _batch!(new ReceivedBatch(views, start, count), cancellationToken);
}

/// <summary>Waits on a thread that is there to wait for a task's end; one at a time.</summary>
internal sealed class TaskWait : IDisposable
{
    private readonly ManualResetEventSlim _ended = new();
    private readonly Action _setEnded;

    public TaskWait() => _setEnded = _ended.Set;

    public void End(ValueTask task)
    {
        var awaiter = task.GetAwaiter();
        if (!awaiter.IsCompleted)
        {
            _ended.Reset();
            awaiter.UnsafeOnCompleted(_setEnded);
            _ended.Wait();
        }
        awaiter.GetResult();
    }

    public T End<T>(ValueTask<T> task)
    {
        var awaiter = task.GetAwaiter();
        if (!awaiter.IsCompleted)
        {
            _ended.Reset();
            awaiter.UnsafeOnCompleted(_setEnded);
            _ended.Wait();
        }
        return awaiter.GetResult();
    }

    public void Dispose() => _ended.Dispose();
}
