namespace ProducerBench.Peers;

/// <summary>Bounds what is outstanding of senders that are told by a callback; who is stopped goes on when half of it is free.</summary>
internal sealed class Window(int limit)
{
    private readonly object _room = new();
    private int _outstanding;
    private long _left;

    // Guarded by _room; read without it by Leave, which comes again soon.
    private int _waiting;

    /// <summary>Records that came and went.</summary>
    public long Left => Volatile.Read(ref _left);

    public void Enter()
    {
        if (Interlocked.Increment(ref _outstanding) <= limit)
            return;
        lock (_room)
        {
            _waiting++;
            while (Volatile.Read(ref _outstanding) > limit / 2)
                Monitor.Wait(_room, millisecondsTimeout: 10);
            _waiting--;
        }
    }

    /// <summary>One thread.</summary>
    public void Leave(int count)
    {
        Volatile.Write(ref _left, _left + count);
        if (Interlocked.Add(ref _outstanding, -count) > limit / 2 || Volatile.Read(ref _waiting) == 0)
            return;
        lock (_room)
            Monitor.PulseAll(_room);
    }

    public async Task WaitUntilEmptyAsync()
    {
        while (Volatile.Read(ref _outstanding) > 0)
            await Task.Delay(1);
    }
}
