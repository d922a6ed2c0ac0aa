using System.Diagnostics;
using EvenKeel.Queue.Storage;

namespace EvenKeel.Queue;

/// <summary>
/// The one writer of the log. Appenders put records into the group that is filling; the commit loop takes the group, writes it with
/// one write, makes it durable with one fsync, and lets its waiters go on, while the next group fills.
/// </summary>
internal sealed class Committer
{
    private const int FramingBytes = SegmentFormat.HeaderBytes + 8 * SegmentFormat.FrameHeaderBytes; // Of two records, generously.
    private static readonly TimeSpan GatherAtMost = TimeSpan.FromMicroseconds(50);

    private readonly object _gate = new();
    private readonly Lock _writeGate = new(); // Taken before _gate, never while holding it.
    private readonly DurableQueueOptions _options;
    private readonly IQueueStorage _storage;
    private readonly SegmentList _segments;
    private readonly AppendWaiterPool _waiters = new();
    private readonly Thread? _thread;
    private readonly long _longestRecord;

    // Guarded by _gate.
    private AppendGroup _filling;
    private AppendGroup _spare;
    private int _committing;
    private int _committingBytes;
    private long _durable;
    private bool _waiting;
    private int _arrived;
    private int _expected;
    private bool _closing;
    private QueueRefusedException? _fault;
    private TaskCompletionSource? _room;
    private TaskCompletionSource? _news;

    // Guarded by _writeGate: the commit loop, and the rare roll from outside it.
    private readonly SegmentWriter _writer;
    private bool _unmarked;

    public Committer(DurableQueueOptions options, IQueueStorage storage, RecoveredLog log, TimeProvider time, bool ownThread)
    {
        _options = options;
        _storage = storage;
        _segments = log.Segments;
        // The last segment cannot leave while it is the last, and one such record may be in it: there must be room for another, or the
        // queue would answer Full for ever.
        _longestRecord = Math.Min(options.MaxRecordBytes, options.MaxBytes / 2 - FramingBytes);
        _durable = log.EndSequence;
        _writer = new SegmentWriter(storage, log, time);
        _unmarked = !log.IsMarked; // What recovery found is durable now, whether or not the file says so.
        _filling = new AppendGroup(2 * options.MaxPendingBytes);
        _spare = new AppendGroup(2 * options.MaxPendingBytes);
        if (!ownThread)
            return;
        _thread = new Thread(Run) { IsBackground = true, Name = "EvenKeel.Queue commit" };
        _thread.Start();
    }

    public long Durable
    {
        get { lock (_gate) return _durable; }
    }

    public long Tail
    {
        get { lock (_gate) return _durable + _committing + _filling.Count; }
    }

    public QueueRefusedException? Fault
    {
        get { lock (_gate) return _fault; }
    }

    public CommitClock Clock => _writer.Clock;

    public ValueTask<long> Append(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second)
    {
        var payload = (long)first.Length + second.Length;
        if (payload > _longestRecord)
            return ValueTask.FromException<long>(QueueRefusedException.TooLarge(payload, _longestRecord, _options));
        var checksum = Crc32C.Append(Crc32C.Append(Crc32C.Seed, first), second);
        var frameBytes = (int)SegmentFormat.FrameBytes(payload);
        Task room;
        lock (_gate)
        {
            if (RefusalLocked(frameBytes) is { } refusal)
                return ValueTask.FromException<long>(refusal);
            if (HasRoomLocked(frameBytes))
                return AddLocked(first, second, checksum);
            room = (_room ??= NewSignal()).Task;
        }
        return AppendWhenRoomAsync([.. first, .. second], checksum, frameBytes, room);
    }

    /// <summary>Completes when something has become durable since <paramref name="seen"/>; fails when nothing more ever will.</summary>
    public Task WaitForDurableAsync(long seen)
    {
        lock (_gate)
        {
            if (_durable > seen)
                return Task.CompletedTask;
            if ((_fault ?? (_closing ? Closed() : null)) is { } refusal)
                return Task.FromException(refusal);
            return (_news ??= NewSignal()).Task;
        }
    }

    /// <summary>Faults the queue for good: what the disk holds is uncertain, and only opening it anew can tell.</summary>
    public void Fail(string what, Exception cause)
    {
        ResolvedWaiters? refused = null;
        TaskCompletionSource? room, news;
        QueueRefusedException fault;
        lock (_gate)
        {
            fault = _fault ??= QueueRefusedException.Faulted(_storage.Location, what, cause);
            if (_filling.Count > 0)
                refused = _filling.Resolve(0, fault);
            (room, news, _room, _news) = (_room, _news, null, null);
            Monitor.PulseAll(_gate);
        }
        Continue(refused);
        room?.TrySetResult();
        news?.TrySetException(fault);
    }

    /// <summary>Refuses new appends, commits what is waiting, and ends the loop.</summary>
    public void Close()
    {
        TaskCompletionSource? room, news;
        lock (_gate)
        {
            if (_closing)
                return;
            _closing = true;
            (room, _room) = (_room, null);
            Monitor.PulseAll(_gate);
        }
        room?.TrySetResult();
        if (_thread is not null)
            _thread.Join();
        else
            CommitPending();
        if (Fault is null)
            WriteMark();
        lock (_gate)
            (news, _news) = (_news, null);
        news?.TrySetException(Closed());
        _writer.Close();
    }

    /// <summary>Makes the next record's sequence at least <paramref name="sequence"/>. Only while nothing is being appended.</summary>
    public void SkipTo(long sequence)
    {
        lock (_writeGate)
        {
            if (Durable >= sequence)
                return;
            if (Tail > Durable)
                throw new InvalidOperationException("Sequences can be skipped only while nothing is being appended.");
            lock (_gate)
            {
                if ((_fault ?? (_closing ? Closed() : null)) is { } refused)
                    throw refused;
            }
            if (Roll(sequence) is { } refusal)
                throw refusal;
        }
    }

    /// <summary>Starts a new segment when the last one is over its size and nothing is being appended, so that it can be removed.</summary>
    public void RollOversized()
    {
        lock (_writeGate)
        {
            if (_writer.Length > _options.SegmentBytes && Durable > _writer.BaseSequence && Fault is null && Tail == Durable)
                Roll(Durable); // A refusal here refuses nobody's record: the next append meets the same disk and says so.
        }
    }

    /// <summary>One turn of the commit loop: everything that waits becomes durable or is refused. False when nothing waited.</summary>
    public bool CommitPending()
    {
        AppendGroup group;
        TaskCompletionSource? room;
        lock (_gate)
        {
            if (_filling.Count == 0)
                return false;
            group = _filling;
            _filling = _spare;
            _arrived = 0;
            _committing = group.Count;
            _committingBytes = group.Length;
            (room, _room) = (_room, null);
        }
        room?.TrySetResult();
        ResolvedWaiters resolved;
        TaskCompletionSource? news = null;
        lock (_writeGate)
        {
            QueueRefusedException? refusal;
            var first = Durable; // Not earlier: until here, SkipTo may move it.
            try
            {
                refusal = Commit(group, first);
            }
            catch (Exception bug) when (_thread is not null) // A simulated crash passes: its process is gone. Here somebody waits.
            {
                Fail("the commit loop", bug);
                refusal = Fault;
            }
            lock (_gate)
            {
                // One step for whoever looks: what readers see is durable by the watermark too, and no byte counts twice.
                _committing = _committingBytes = 0;
                if (refusal is null)
                {
                    _durable = first + group.Count;
                    _segments.Publish(_writer.Length, _durable);
                    (news, _news) = (_news, null);
                }
                _expected = group.Count + _filling.Count;
                resolved = group.Resolve(first, refusal);
                _spare = group;
            }
        }
        Continue(resolved);
        news?.TrySetResult();
        return true;
    }

    /// <summary>Writes the durable sequence behind the last group, so that the file itself proves it.</summary>
    public void WriteMark()
    {
        Span<byte> mark = stackalloc byte[SegmentFormat.FrameHeaderBytes];
        lock (_writeGate)
        {
            if (!_unmarked)
                return;
            SegmentFormat.WriteMark(mark, _writer.Salt, Durable);
            if (_writer.Append(mark, Durable, records: 0) is { } failure)
            {
                Refuse(failure); // Nobody's record. A full disk: tried again when next idle. A fault is kept in Fault.
                return;
            }
            _segments.Publish(_writer.Length, Durable);
            _unmarked = false;
        }
    }

    private void Run()
    {
        try
        {
            CommitUntilClosed();
        }
        catch (Exception bug) // Whatever it is, what the disk holds is no longer what this object believes.
        {
            Fail("the commit loop", bug);
        }
    }

    private void CommitUntilClosed()
    {
        while (true)
        {
            var idle = false;
            lock (_gate)
            {
                while (_filling.Count == 0 && !_closing && _fault is null && !idle)
                {
                    _waiting = true;
                    idle = !Monitor.Wait(_gate, _unmarked ? _options.IdleMarkAfter : Timeout.InfiniteTimeSpan);
                    _waiting = false;
                }
                if (_fault is not null || (_closing && _filling.Count == 0))
                    return;
            }
            if (idle)
            {
                WriteMark();
                continue;
            }
            Gather();
            CommitPending();
        }
    }

    /// <summary>
    /// Waits for those whose last append has just been acknowledged, for as long as a fraction of an fsync takes. Without it callers fall
    /// into two halves that take turns, each fsync serving one of them (measured: 64 writers, 32 a group; with it, 60).
    /// </summary>
    private void Gather()
    {
        var started = Stopwatch.GetTimestamp();
        while (Volatile.Read(ref _expected) > Volatile.Read(ref _arrived) && Stopwatch.GetElapsedTime(started) < GatherAtMost)
            Thread.Yield();
    }

    /// <summary>Makes one group durable. Null when it is; otherwise the refusal for all its records.</summary>
    private QueueRefusedException? Commit(AppendGroup group, long first)
    {
        // 1. A new segment when this group would outgrow the last one.
        if (first > _writer.BaseSequence && _writer.Length + group.Length > _options.SegmentBytes && Roll(first) is { } refusal)
            return refusal;
        // 2. Sequences and checksums, now that the place is known.
        group.Stamp(_writer.Salt, first);
        // 3. One write and one fsync.
        if (_writer.Append(group.Frames, first, group.Count) is { } failure)
            return Refuse(failure);
        _unmarked = true;
        return null;
    }

    private QueueRefusedException? Roll(long baseSequence)
    {
        if (_writer.Roll(baseSequence) is { } failure)
            return Refuse(failure);
        lock (_gate)
        {
            _durable = baseSequence;
            _segments.Add(new Segment(baseSequence, SegmentFormat.HeaderBytes));
        }
        return null;
    }

    /// <summary>A full disk refuses this group only; anything else is a fault.</summary>
    private QueueRefusedException Refuse(WriteFailure failure)
    {
        if (failure.IsDiskFull)
            return QueueRefusedException.DiskFull(_storage.Location, failure.Cause);
        Fail(failure.What, failure.Cause);
        return Fault!;
    }

    private QueueRefusedException? RefusalLocked(int frameBytes)
    {
        if (_fault is not null)
            return _fault;
        if (_closing)
            return Closed();
        var bytes = _segments.Bytes + _committingBytes + _filling.Length + frameBytes;
        return bytes <= _options.MaxBytes ? null
            : QueueRefusedException.Full(_storage.Location, _segments.Bytes, _options.MaxBytes, frameBytes);
    }

    /// <summary>A group is no longer than a segment, or one record: what is read up must be able to leave, segment by segment.</summary>
    private bool HasRoomLocked(int frameBytes) =>
        _filling.Count == 0 || _filling.Length + frameBytes <= Math.Min(_options.MaxPendingBytes, _options.SegmentBytes);

    private ValueTask<long> AddLocked(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, uint checksum)
    {
        Debug.Assert(Monitor.IsEntered(_gate));
        var waiter = _waiters.Rent();
        var task = waiter.Task;
        _filling.Add(first, second, checksum, waiter);
        _arrived = _filling.Count;
        if (_waiting)
            Monitor.Pulse(_gate);
        return task;
    }

    private async ValueTask<long> AppendWhenRoomAsync(byte[] payload, uint checksum, int frameBytes, Task room)
    {
        while (true)
        {
            await room.ConfigureAwait(false);
            ValueTask<long> appended;
            lock (_gate)
            {
                if (RefusalLocked(frameBytes) is { } refusal)
                    throw refusal;
                if (!HasRoomLocked(frameBytes))
                {
                    room = (_room ??= NewSignal()).Task;
                    continue;
                }
                appended = AddLocked(payload, [], checksum);
            }
            return await appended.ConfigureAwait(false);
        }
    }

    private void Continue(ResolvedWaiters? resolved)
    {
        if (resolved is null)
            return;
        if (_thread is null)
            resolved.ExecuteInline();
        else
            ThreadPool.UnsafeQueueUserWorkItem(resolved, preferLocal: false);
    }

    private QueueRefusedException Closed() => QueueRefusedException.Closed(_storage.Location);

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
