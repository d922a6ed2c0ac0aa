using System.Threading.Tasks.Sources;

namespace EvenKeel.Kafka.Producing;

/// <summary>
/// One caller that waits for its record's outcome; pooled, so that a send allocates nothing. It is its own work item: a continuation runs
/// on the thread pool, never on the thread that brings the outcome, and one that throws is counted.
/// </summary>
internal sealed class PendingSend(PendingSendPool pool) : IValueTaskSource<DeliveryOutcome>, IThreadPoolWorkItem
{
    private const int Fresh = 0;
    private const int Awaited = 1;
    private const int Ended = 2;

    private ManualResetValueTaskSourceCore<bool> _core;

    // Fresh goes to Awaited (by the caller) or to Ended (by whoever brings the outcome), once.
    private int _phase;

    // The caller's, until the core hands it back.
    private Action<object?>? _continuation;
    private object? _continuationState;

    // Whoever brings the outcome, until Execute; then the caller's.
    private DeliveryOutcome _outcome;
    private OperationCanceledException? _cancelled;

    public ValueTask<DeliveryOutcome> Task => new(this, _core.Version);

    /// <summary>Brings the outcome.</summary>
    /// <returns>Whether somebody waits already: <see cref="Execute"/> must then run on the thread pool. Otherwise it is done.</returns>
    public bool Resolve(in DeliveryOutcome outcome)
    {
        _outcome = outcome;
        return !TryEndUnawaited();
    }

    /// <summary>Brings the outcome; whoever waits continues on the thread pool.</summary>
    public void Answer(in DeliveryOutcome outcome)
    {
        if (Resolve(outcome))
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>Ends the wait of a record that was never accepted.</summary>
    public void Cancel(CancellationToken token)
    {
        _cancelled = new OperationCanceledException("The wait for room was cancelled; the record was not sent.", token);
        if (!TryEndUnawaited())
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    public void Execute()
    {
        if (_cancelled is { } cancelled)
            _core.SetException(cancelled);
        else
            _core.SetResult(true);
    }

    public DeliveryOutcome GetResult(short token)
    {
        // A caller's mistake (a result taken twice, or too early) must not hand this send to somebody else while its record is on its way.
        if (_core.GetStatus(token) == ValueTaskSourceStatus.Pending)
            throw new InvalidOperationException("The record has no outcome yet: await it, or turn it into a task with AsTask() first.");
        try
        {
            _ = _core.GetResult(token);
            return _outcome;
        }
        finally
        {
            _core.Reset();
            _outcome = default;
            _cancelled = null;
            Volatile.Write(ref _phase, Fresh);
            pool.Return(this);
        }
    }

    public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        _ = _core.GetStatus(token);
        if (Volatile.Read(ref _phase) == Awaited)
            throw new InvalidOperationException("This send is awaited already: turn it into a task with AsTask() to await it twice.");
        _continuation = continuation;
        _continuationState = state;
        if (Interlocked.CompareExchange(ref _phase, Awaited, Fresh) == Ended)
        {
            // 1. The report loop found nobody waiting. 2. This wait begins. 3. The report loop sets the result, now, in a few instructions:
            // were the continuation registered in between, it would run on that thread.
            var spin = default(SpinWait);
            while (_core.GetStatus(token) == ValueTaskSourceStatus.Pending)
                spin.SpinOnce();
        }
        _core.OnCompleted(static send => ((PendingSend)send!).Continue(), this, token, flags);
    }

    private bool TryEndUnawaited()
    {
        if (Interlocked.CompareExchange(ref _phase, Ended, Fresh) != Fresh)
            return false;
        Execute();
        return true;
    }

    private void Continue()
    {
        var continuation = _continuation!;
        var state = _continuationState;
        _continuation = null;
        _continuationState = null;
        try
        {
            continuation(state);
        }
#pragma warning disable CA1031 // User code: whatever it throws is counted and told, and takes no other record's outcome with it.
        catch (Exception thrown)
        {
            pool.ReportThrown(thrown);
        }
#pragma warning restore CA1031
    }
}

/// <summary>Sends for reuse, at most as many as <paramref name="capacity"/>; what their continuations throw goes to
/// <paramref name="thrown"/>.</summary>
internal sealed class PendingSendPool(int capacity, Action<Exception> thrown)
{
    private readonly Lock _gate = new();

    // Guarded by _gate.
    private readonly Stack<PendingSend> _idle = new();

    public PendingSend Rent()
    {
        lock (_gate)
        {
            if (_idle.TryPop(out var send))
                return send;
        }
        return new PendingSend(this);
    }

    public void Return(PendingSend send)
    {
        lock (_gate)
        {
            if (_idle.Count < capacity)
                _idle.Push(send);
        }
    }

    public void ReportThrown(Exception exception) => thrown(exception);
}
