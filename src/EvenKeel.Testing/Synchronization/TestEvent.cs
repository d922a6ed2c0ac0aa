using EvenKeel.Testing.Workers;

namespace EvenKeel.Testing.Synchronization;

/// <summary>Something that a thread of a test waits for and another one says; the wait has a deadline that names it.</summary>
/// <param name="name">For the message of a wait in vain.</param>
public sealed class TestEvent(string name) : IDisposable
{
    private readonly ManualResetEventSlim _event = new();
    private int _times;

    /// <summary>It was said, and not taken back.</summary>
    public bool IsSet => _event.IsSet;

    /// <summary>Says it. Any thread.</summary>
    public void Set()
    {
        Interlocked.Increment(ref _times);
        _event.Set();
    }

    /// <summary>Takes it back.</summary>
    public void Reset() => _event.Reset();

    /// <summary>Waits for it, on this thread.</summary>
    /// <param name="within">The deadline; absent: 10 s.</param>
    /// <exception cref="TimeoutException">It was not said in time.</exception>
    public void Wait(TimeSpan? within = null)
    {
        var limit = within ?? WaitFor.DefaultDeadline;
        if (!_event.Wait(limit, CallingTest.Cancellation))
            throw new TimeoutException(
                $"'{name}' was not set within {limit.TotalSeconds:0.###} s; it was set {Volatile.Read(ref _times)} time(s) before.");
    }

    /// <summary>Ends it.</summary>
    public void Dispose() => _event.Dispose();
}

/// <summary>Something that a test awaits and the code under test says, once or more; the wait has a deadline that names it.</summary>
/// <param name="name">For the message of a wait in vain.</param>
public sealed class AsyncTestEvent(string name)
{
    private readonly Lock _gate = new();

    // Guarded by _gate.
    private TaskCompletionSource _next = NewSignal();
    private int _times;

    /// <summary>How often it was said.</summary>
    public int Times
    {
        get
        {
            lock (_gate)
                return _times;
        }
    }

    /// <summary>Says it. Any thread; what waits goes on elsewhere.</summary>
    public void Set()
    {
        TaskCompletionSource waiting;
        lock (_gate)
        {
            _times++;
            waiting = _next;
            _next = NewSignal();
        }
        waiting.SetResult();
    }

    /// <summary>Waits until it has been said so often, since the beginning.</summary>
    /// <param name="times">At least 1.</param>
    /// <param name="within">The deadline; absent: 10 s.</param>
    /// <exception cref="TimeoutException">It was not, in time; the message tells how often.</exception>
    public async Task WaitAsync(int times = 1, TimeSpan? within = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(times, 1);
        var wait = new Deadline(within ?? WaitFor.DefaultDeadline);
        while (true)
        {
            Task next;
            lock (_gate)
            {
                if (_times >= times)
                    return;
                next = _next.Task;
            }
            if (!await wait.ReachedAsync(next).ConfigureAwait(false))
                throw new TimeoutException(
                    $"'{name}' was set {Times} time(s) within {wait.Limit.TotalSeconds:0.###} s; {times} were waited for.");
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
