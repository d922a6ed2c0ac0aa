using System.Buffers.Binary;
using System.Diagnostics;
using System.Threading.Tasks.Sources;

namespace EvenKeel.Queue;

/// <summary>One caller that waits for its record to be durable; pooled, so that an append allocates nothing.
/// It is its own work item: continuations run on the thread pool, one item each, so that one that blocks holds up no other.</summary>
internal sealed class AppendWaiter(AppendWaiterPool pool) : IValueTaskSource<long>, IThreadPoolWorkItem
{
    private ManualResetValueTaskSourceCore<long> _core;

    // Committer only, until Execute.
    private long _sequence;
    private Exception? _refusal;

    public ValueTask<long> Task => new(this, _core.Version);

    public void Resolve(long sequence, Exception? refusal) => (_sequence, _refusal) = (sequence, refusal);

    public void Execute()
    {
        if (_refusal is { } refusal)
            _core.SetException(refusal);
        else
            _core.SetResult(_sequence);
    }

    public long GetResult(short token)
    {
        // A caller's mistake (a result taken twice, or too early) must not hand this waiter to somebody else while a group still has it.
        if (_core.GetStatus(token) == ValueTaskSourceStatus.Pending)
            throw new InvalidOperationException("The append has no outcome yet: await it, or turn it into a task with AsTask() first.");
        try
        {
            return _core.GetResult(token);
        }
        finally
        {
            _core.Reset();
            _refusal = null;
            pool.Return(this);
        }
    }

    public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}

/// <summary>Waiters for reuse, at most 1,024 of them.</summary>
internal sealed class AppendWaiterPool
{
    private const int Capacity = 1024;
    private readonly Lock _gate = new();

    // Guarded by _gate.
    private readonly Stack<AppendWaiter> _idle = new();

    public AppendWaiter Rent()
    {
        lock (_gate)
        {
            if (_idle.TryPop(out var waiter))
                return waiter;
        }
        return new AppendWaiter(this);
    }

    public void Return(AppendWaiter waiter)
    {
        lock (_gate)
        {
            if (_idle.Count < Capacity)
                _idle.Push(waiter);
        }
    }
}

/// <summary>Waiters whose outcome is known. As a work item it lets them continue: one item each goes into the running thread's own
/// queue, from which idle threads steal; the last continues at once.</summary>
internal sealed class ResolvedWaiters : IThreadPoolWorkItem
{
    public List<AppendWaiter> Waiters { get; } = [];

    public void Execute()
    {
        for (var i = 0; i < Waiters.Count - 1; i++)
            ThreadPool.UnsafeQueueUserWorkItem(Waiters[i], preferLocal: true);
        Waiters[^1].Execute();
    }

    /// <summary>Lets every waiter continue on this thread, in order (simulation).</summary>
    public void ExecuteInline()
    {
        foreach (var waiter in Waiters)
            waiter.Execute();
    }
}

/// <summary>
/// The records that share one write and one fsync, laid out as frames behind room for the mark that precedes them.
/// Appenders fill it under the queue's gate; then the committer owns it until its waiters are resolved.
/// </summary>
internal sealed class AppendGroup(int keepBytes)
{
    private const int InitialBytes = 64 << 10;

    private byte[] _bytes = new byte[InitialBytes];
    private ResolvedWaiters _waiters = new();

    public int Length { get; private set; } = SegmentFormat.FrameHeaderBytes;

    public int Count => _waiters.Waiters.Count;

    public ReadOnlySpan<byte> Frames => _bytes.AsSpan(0, Length);

    public void Add(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, uint checksum, AppendWaiter waiter)
    {
        var payload = first.Length + second.Length;
        var frameBytes = (int)SegmentFormat.FrameBytes(payload);
        if (_bytes.Length - Length < frameBytes)
            Array.Resize(ref _bytes, (int)Math.Min(Array.MaxLength, Math.Max(2L * _bytes.Length, (long)Length + frameBytes)));
        var frame = _bytes.AsSpan(Length, frameBytes);
        SegmentFormat.WriteFrame(frame, FrameKind.Record, checksum, payload);
        first.CopyTo(frame[SegmentFormat.FrameHeaderBytes..]);
        second.CopyTo(frame[(SegmentFormat.FrameHeaderBytes + first.Length)..]);
        Length += frameBytes;
        _waiters.Waiters.Add(waiter);
    }

    /// <summary>Gives every frame its sequence, from <paramref name="firstSequence"/> on, and its checksum for the segment it goes to;
    /// the mark in front says that all before is durable.</summary>
    public void Stamp(uint salt, long firstSequence)
    {
        SegmentFormat.WriteMark(_bytes, salt, firstSequence);
        var sequence = firstSequence;
        for (var at = SegmentFormat.FrameHeaderBytes; at < Length;)
        {
            var frame = _bytes.AsSpan(at);
            SegmentFormat.Stamp(frame, salt, sequence++);
            at += (int)SegmentFormat.FrameBytes(BinaryPrimitives.ReadInt32LittleEndian(frame[8..]));
        }
        Debug.Assert(sequence == firstSequence + Count, "a frame for every waiter");
    }

    /// <summary>Tells every waiter its sequence, or all the same refusal, empties the group for reuse, and returns them, ready to
    /// continue.</summary>
    public ResolvedWaiters Resolve(long firstSequence, Exception? refusal)
    {
        var resolved = _waiters;
        for (var i = 0; i < resolved.Waiters.Count; i++)
            resolved.Waiters[i].Resolve(firstSequence + i, refusal);
        _waiters = new ResolvedWaiters();
        if (_bytes.Length > keepBytes)
            _bytes = new byte[InitialBytes];
        Length = SegmentFormat.FrameHeaderBytes;
        return resolved;
    }
}
