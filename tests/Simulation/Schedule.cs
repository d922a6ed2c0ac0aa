using EvenKeel.Queue;

namespace Simulation;

/// <summary>One life of a queue on a simulated disk, every step of it drawn from one seed: appends, commits, readers, failures, crashes,
/// and after each opening a check of everything against the <see cref="LogModel"/>.</summary>
internal sealed partial class Schedule
{
    private readonly Random _random;
    private readonly SimulatedDisk _disk;
    private readonly DurableQueueOptions _options;
    private readonly LogModel _model = new();
    private readonly List<(Attempt Attempt, Task<long> Task)> _pending = [];
    private readonly List<string>? _trace;
    private readonly double _failureOdds;
    private readonly double _readFailureOdds;
    private readonly bool _crashesInCalls;
    private readonly bool _powerOnly;
    private DurableQueue? _queue;
    private int _pendingBytes;

    private Schedule(int seed, DiskLie lie, List<string>? trace)
    {
        _trace = trace;
        _random = new Random(seed);
        _disk = new SimulatedDisk(_random) { Lie = lie };
        _options = new DurableQueueOptions
        {
            Directory = "simulated",
            SegmentBytes = 4096,
            MaxBytes = 4096 * _random.Next(4, 12),
            MaxPendingBytes = 4096 * _random.Next(1, 3),
            MaxRecordBytes = 6000,
        };
        _failureOdds = _random.Next(2) == 0 ? 0 : 0.05 * _random.NextDouble();
        _readFailureOdds = _random.Next(4) == 0 ? 0.02 : 0;
        _crashesInCalls = _random.Next(3) > 0;
        _powerOnly = lie == DiskLie.AcknowledgeBeforeWrite; // What such a process holds does not outlive it.
    }

    /// <summary>Runs the schedule of a seed. Throws <see cref="ViolationException"/> when the queue breaks a promise.</summary>
    public static void Run(int seed, DiskLie lie = DiskLie.None, List<string>? trace = null)
    {
        var schedule = new Schedule(seed, lie, trace);
        schedule.OpenQueue();
        var steps = schedule._random.Next(20, 120);
        for (var i = 0; i < steps; i++)
            schedule.Guarded(schedule.Step);
        schedule.Finish();
    }

    private void Step()
    {
        var queue = _queue!;
        switch (_random.Next(100))
        {
            case < 42: Append(); break;
            case < 58: Commit(); break;
            case < 61: Trace("mark"); queue.WriteMark(); break;
            case < 76: Read(); break;
            case < 85: Acknowledge(); break;
            case < 88: OpenReader(); break;
            case < 90: CloseReader(); break;
            case < 91: RemoveReader(); break;
            case < 92: Seek(); break;
            case < 93: SkipAhead(); break;
            case < 95: _disk.IsFull = !_disk.IsFull; Trace($"disk full {_disk.IsFull}"); break;
            case < 97: Close(); OpenQueue(); break;
            default: Crash(); OpenQueue(); break;
        }
        if (_queue is { } live)
            CheckWatermarks(live);
    }

    /// <summary>Runs a step; a crash in one of its disk calls ends the process and opens the queue again.</summary>
    private void Guarded(Action step)
    {
        try
        {
            step();
        }
        catch (SimulatedCrashException)
        {
            Crash();
            OpenQueue();
        }
    }

    private void CheckWatermarks(DurableQueue queue)
    {
        long head = queue.Head, acked = queue.Acked, durable = queue.Durable, tail = queue.Tail;
        LogModel.Require(head <= acked && acked <= durable && durable <= tail, $"watermarks: {head} ≤ {acked} ≤ {durable} ≤ {tail}");
        LogModel.Require(durable == _model.Durable, $"Durable is {durable}, {_model.Durable} by the outcomes");
        LogModel.Require(queue.Fault is not null || tail == durable + _pending.Count,
            $"Tail is {tail} with {_pending.Count} waiting behind {durable}");
        if (queue.Fault is not null)
            return;
        var odds = (_disk.ReadFailureOdds, _disk.ReadFailureOdds = 0).Item1;
        var bytes = _disk.List().Where(f => f.Name.EndsWith(".segment", StringComparison.Ordinal)).Sum(f => f.Length);
        _disk.ReadFailureOdds = odds;
        LogModel.Require(queue.Bytes == bytes, $"Bytes is {queue.Bytes}, the segments have {bytes}");
    }

    private int RandomBytes() => _random.Next(20) switch
    {
        0 => 0,
        1 => _random.Next(1, 8),
        < 12 => _random.Next(8, 200),
        < 19 => _random.Next(8, 1500),
        _ => _random.Next(3900, 6001),
    };

    private void Append()
    {
        var bytes = RandomBytes();
        var frame = (int)SegmentFormat.FrameBytes(bytes);
        if (_pending.Count > 0 && SegmentFormat.FrameHeaderBytes + _pendingBytes + frame > Math.Min(_options.MaxPendingBytes, _options.SegmentBytes))
            Commit(); // The append would wait for room, and only this thread can make it.
        var attempt = _model.NewAttempt(bytes);
        Trace($"append {attempt.Id} of {bytes} bytes");
        var occupied = _queue!.Bytes + _pendingBytes + 2 * SegmentFormat.FrameHeaderBytes;
        _pending.Add((attempt, _queue.AppendAsync(attempt.Payload).AsTask()));
        _pendingBytes += frame;
        if (_pending[^1].Task.IsCompleted && Settle() is { Reason: QueueRefusal.Full })
            LogModel.Require(occupied + frame > _options.MaxBytes, $"refused as full with {occupied} of {_options.MaxBytes} bytes");
    }

    private void Commit()
    {
        Trace($"commit {_pending.Count}");
        _model.MayMiss(_model.Durable, _model.Durable + _pending.Count);
        _queue!.CommitPending();
        Settle();
        LogModel.Require(_pending.Count == 0, $"{_pending.Count} appends have no outcome after a commit");
    }

    /// <summary>Takes the outcome of every append that has one.</summary>
    private QueueRefusedException? Settle()
    {
        QueueRefusedException? last = null;
        foreach (var (attempt, task) in _pending.ToList())
        {
            if (!task.IsCompleted)
                continue;
            _pending.RemoveAll(p => p.Attempt == attempt);
            _pendingBytes -= (int)SegmentFormat.FrameBytes(attempt.Payload.Length);
            try
            {
                var sequence = task.GetAwaiter().GetResult();
                Trace($"  record {attempt.Id} is durable at {sequence}");
                _model.Promise(attempt, sequence);
            }
            catch (QueueRefusedException refused)
            {
                Trace($"  record {attempt.Id} refused: {refused.Message}");
                attempt.IsNeverThere = refused.Reason is QueueRefusal.Full or QueueRefusal.TooLarge or QueueRefusal.Closed;
                last = refused;
            }
        }
        return last;
    }

    private void SkipAhead()
    {
        if (_pending.Count > 0)
            return;
        var target = _model.Durable + _random.Next(1, 6);
        Trace($"skip to {target}");
        _model.MayMiss(_model.Durable, target);
        try
        {
            _queue!.SkipTo(target);
            _model.SkippedTo(target);
        }
        catch (QueueRefusedException refused)
        {
            Trace($"  {refused.Message}");
        }
    }

    private void Close()
    {
        Trace("close");
        _model.MayMiss(_model.Durable, _model.Durable + _pending.Count);
        _queue!.Dispose();
        Settle();
        LogModel.Require(_pending.Count == 0, $"{_pending.Count} appends have no outcome after closing");
        Forget();
        if (_random.Next(4) == 0 || _powerOnly)
            _disk.LosePower();
        else
            _disk.KillProcess();
    }

    private void Crash()
    {
        var power = _powerOnly || _random.Next(3) > 0;
        Trace(power ? "POWER LOST" : "PROCESS KILLED");
        Settle();
        _model.MayMiss(_model.Durable, _model.Durable + _pending.Count);
        Forget();
        if (power)
            _disk.LosePower();
        else
            _disk.KillProcess();
    }

    private void Forget()
    {
        _queue = null;
        _pending.Clear();
        _pendingBytes = 0;
        _openReaders.Clear();
        _interrupted.Clear();
    }

    private void OpenQueue()
    {
        for (var tries = 0; ; tries++)
        {
            var calm = tries > 5;
            _disk.FailureOdds = calm ? 0 : _failureOdds;
            _disk.ReadFailureOdds = calm ? 0 : _readFailureOdds;
            _disk.IsFull &= !calm;
            _disk.CallsUntilCrash = _crashesInCalls && !calm ? _random.Next(1, 90) : 0;
            var mayFail = _disk.FailureOdds > 0 || _disk.ReadFailureOdds > 0 || _disk.IsFull;
            try
            {
                _queue = DurableQueue.Open(_options, _disk, TimeProvider.System, ownThread: false);
                break;
            }
            catch (SimulatedCrashException)
            {
                Crash();
            }
            catch (Exception failed) when (mayFail && failed is IOException or QueueOpenException { Failure: QueueOpenFailure.Unusable })
            {
                Trace($"opening failed: {failed.Message}");
                _disk.KillProcess();
            }
        }
        var queue = _queue;
        Trace($"opened: {queue.Head} ≤ {queue.Acked} ≤ {queue.Durable}, {queue.Recovery.TornBytes} torn bytes, {queue.Recovery.RemovedUnfinishedSegment}");
        LogModel.Require(queue.Recovery.TornBytes >= 0, $"{queue.Recovery.TornBytes} torn bytes");
        LogModel.Require(queue.Recovery.SkippedSequences == 0,
            $"{queue.Recovery.SkippedSequences} acknowledged sequences were missing at the end");
        var odds = (_disk.ReadFailureOdds, _disk.ReadFailureOdds = 0).Item1;
        CheckHead(queue);
        _model.Adopt(queue);
        ReopenReaders(queue);
        _disk.ReadFailureOdds = odds;
    }

    /// <summary>The disk is sound again: everything is there, every reader can read up, and the queue has room for its largest
    /// record.</summary>
    private void Finish()
    {
        Trace("finish");
        if (_queue!.Fault is not null || _random.Next(2) == 0)
            Crash();
        else
            Guarded(Close);
        _disk.IsFull = false;
        Calm();
        _queue?.Dispose();
        Forget();
        _disk.KillProcess();
        OpenCalmly();
        foreach (var name in _readers.Keys.ToList())
            ReadUp(name);
        if (_readers.Count == 0)
            return;
        CheckWatermarks(_queue!);
        var attempt = _model.NewAttempt(_options.MaxRecordBytes);
        _pending.Add((attempt, _queue!.AppendAsync(attempt.Payload).AsTask()));
        _pendingBytes += (int)SegmentFormat.FrameBytes(_options.MaxRecordBytes);
        _queue.CommitPending();
        LogModel.Require(Settle() is null, "everything is acknowledged, and the queue has no room for one record");
        _queue.Dispose();
    }

    private void Calm() => (_disk.FailureOdds, _disk.ReadFailureOdds, _disk.CallsUntilCrash) = (0, 0, 0);

    private void Trace(string step) => _trace?.Add(step);
}
