using EvenKeel.Queue.Storage;

namespace EvenKeel.Queue;

/// <summary>
/// A queue on local disk. An append completes when its record would survive a power loss; records come out in the order of their
/// sequences, to any number of named readers, and stay until every reader has acknowledged them. Nothing is ever dropped to make room.
/// <para>Four watermarks, in sequences: <c>Head ≤ Acked ≤ Durable ≤ Tail</c>.</para>
/// </summary>
public sealed class DurableQueue : IAsyncDisposable, IDisposable
{
    private const string LockFile = "queue.lock";

    private readonly IQueueStorage _storage;
    private readonly IDisposable _lock;
    private readonly Committer _committer;
    private readonly Lock _gate = new();

    // Guarded by _gate.
    private readonly Dictionary<string, ReaderCheckpoint> _checkpoints;
    private readonly HashSet<string> _openReaders = [];
    private bool _disposed;

    private DurableQueue(
        IQueueStorage storage, IDisposable queueLock, RecoveredLog log, Committer committer, IEnumerable<ReaderCheckpoint> checkpoints)
    {
        _storage = storage;
        _lock = queueLock;
        _committer = committer;
        Segments = log.Segments;
        Id = log.QueueId;
        Recovery = log.Report;
        _checkpoints = checkpoints.ToDictionary(c => c.Name);
    }

    /// <summary>Names this log for ever: another queue in the same folder has another id.</summary>
    public Guid Id { get; }

    /// <summary>What opening it found and repaired.</summary>
    public QueueRecovery Recovery { get; }

    /// <summary>Sequence of the oldest record on disk.</summary>
    public long Head => Segments.Head;

    /// <summary>What every reader has acknowledged: the smallest of their positions, <see cref="Head"/> when there are none.</summary>
    public long Acked
    {
        get { lock (_gate) return AckedLocked(); }
    }

    /// <summary>The sequence after the last durable record.</summary>
    public long Durable => _committer.Durable;

    /// <summary>The sequence after the last record handed over, durable or not.</summary>
    public long Tail => _committer.Tail;

    /// <summary>Bytes on disk.</summary>
    public long Bytes => Segments.Bytes;

    /// <summary>Why the queue takes nothing more; null while it works. It never recovers by itself: open it again.</summary>
    public QueueRefusedException? Fault => _committer.Fault;

    /// <summary>What the commits since opening cost.</summary>
    public CommitTimes Times => _committer.Clock.Times;

    /// <summary>What the commit of a record just appended cost; null when it was not one of the last sixteen groups.</summary>
    public GroupCost? CostOf(long sequence) => _committer.Clock.CostOf(sequence);

    internal SegmentList Segments { get; }

    /// <summary>Opens the queue of a folder, or starts one, and repairs what a crash left. Reads at most one segment, whatever the
    /// backlog.</summary>
    /// <exception cref="ArgumentException">The options are wrong; the message names every violation.</exception>
    /// <exception cref="QueueOpenException">It is in use, of a later format, or the folder cannot be used.</exception>
    public static DurableQueue Open(DurableQueueOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Validate() is { Count: > 0 } violations)
            throw new ArgumentException(string.Join(Environment.NewLine, violations), nameof(options));
        try
        {
            return Open(options, new FileStorage(options.Directory, create: true), TimeProvider.System, ownThread: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new QueueOpenException(QueueOpenFailure.Unusable,
                $"The queue folder '{options.Directory}' cannot be used: {error.Message} "
                + "Check that it exists, is writable and has room.", error);
        }
    }

    internal static DurableQueue Open(DurableQueueOptions options, IQueueStorage storage, TimeProvider time, bool ownThread)
    {
        var queueLock = storage.TryLock(LockFile) ?? throw new QueueOpenException(QueueOpenFailure.InUse,
            $"The queue in '{storage.Location}' is open elsewhere. Stop the other process, or use another folder.");
        IReadOnlyList<ReaderCheckpoint> checkpoints = [];
        RecoveredLog? log = null;
        DurableQueue? queue = null;
        try
        {
            checkpoints = ReaderCheckpoint.LoadAll(storage);
            log = Queue.Recovery.Run(storage, checkpoints, time.GetUtcNow());
            foreach (var checkpoint in checkpoints)
                checkpoint.Confirm(log.QueueId, log.Segments.Head);
            queue = new DurableQueue(storage, queueLock, log, new Committer(options, storage, log, time, ownThread), checkpoints);
            queue.SkipTo(checkpoints.Select(c => c.Position).DefaultIfEmpty(0).Max());
            queue.RemoveReadSegments();
            return queue;
        }
        catch (Exception error)
        {
            if (queue is not null)
            {
                queue.Dispose(); // With its thread, its files and the lock.
            }
            else
            {
                foreach (var checkpoint in checkpoints)
                    checkpoint.Dispose();
                log?.LastFile.Dispose();
                queueLock.Dispose();
            }
            if (error is QueueRefusedException refused)
                throw new QueueOpenException(QueueOpenFailure.Unusable,
                    $"The queue in '{storage.Location}' cannot go on: {refused.Message}", refused);
            throw;
        }
    }

    /// <summary>Appends one record. Completes with its sequence when it is durable. The bytes are copied before the call returns.</summary>
    /// <exception cref="QueueRefusedException">The record is not promised; the reason says why and whether trying again helps.</exception>
    public ValueTask<long> AppendAsync(ReadOnlySpan<byte> record) => _committer.Append(record, []);

    /// <summary>Appends one record made of two parts, so that a header need not be joined with its body first.</summary>
    /// <inheritdoc cref="AppendAsync(ReadOnlySpan{byte})" path="/exception"/>
    public ValueTask<long> AppendAsync(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second) => _committer.Append(first, second);

    /// <summary>Opens the reader of that name where it last acknowledged; a new one starts at <see cref="Head"/>. From now on the
    /// records it
    /// has not acknowledged are kept, across restarts, until <see cref="RemoveReader"/>.</summary>
    /// <param name="name">1 to 64 of <c>A-Z a-z 0-9 . _ -</c>, the first not a dot.</param>
    public QueueReader OpenReader(string name)
    {
        if (name is not { Length: > 0 and <= 64 } || name[0] == '.'
            || name.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('.' or '_' or '-')))
            throw new ArgumentException(
                $"'{name}' cannot name a reader: use 1 to 64 of A-Z a-z 0-9 . _ -, the first not a dot.", nameof(name));
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_committer.Fault is { } fault && !_checkpoints.ContainsKey(name))
                throw fault;
            if (!_openReaders.Add(name))
                throw new InvalidOperationException($"Reader '{name}' is open already; a reader is used by one at a time.");
            if (!_checkpoints.TryGetValue(name, out var checkpoint) || !checkpoint.IsOnDisk)
                _checkpoints[name] = checkpoint = NewCheckpointLocked(name, checkpoint);
            return new QueueReader(this, name, checkpoint.Position);
        }
    }

    /// <summary>Opens a reader without a name, for those who look on: it reads from <paramref name="sequence"/>, keeps no position and
    /// holds nothing back. What the named readers are done with may be removed before it comes there; it counts as
    /// <see cref="QueueBatch.Quarantined"/> then, as if it were damaged.</summary>
    public QueueReader OpenTail(long sequence)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sequence);
        lock (_gate)
            ObjectDisposedException.ThrowIf(_disposed, this);
        return new QueueReader(this, name: "", sequence);
    }

    /// <summary>Forgets a reader that is not open, so that it holds no records back any more. False when there is none of that
    /// name.</summary>
    /// <exception cref="QueueRefusedException">The queue is faulted, or this faulted it: the reader may still be there after opening
    /// anew.</exception>
    public bool RemoveReader(string name)
    {
        lock (_gate)
        {
            if (_openReaders.Contains(name))
                throw new InvalidOperationException($"Reader '{name}' is open; dispose it before it is removed.");
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_committer.Fault is { } fault)
                throw fault;
            if (!_checkpoints.Remove(name, out var checkpoint))
                return false;
            checkpoint.Dispose();
            try
            {
                _storage.Delete(name + ReaderCheckpoint.FileSuffix);
                _storage.SyncDirectory();
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                _committer.Fail($"removing reader '{name}'", error);
                throw _committer.Fault!;
            }
        }
        RemoveReadSegments();
        return true;
    }

    /// <summary>Makes sure that the next record's sequence is at least <paramref name="sequence"/>: for those who keep positions
    /// elsewhere and
    /// find the log behind them (a restored copy), so that no sequence is ever used twice. Call it before the first append.</summary>
    public void SkipTo(long sequence) => _committer.SkipTo(sequence);

    /// <summary>Refuses new appends, commits those that wait, and closes the files.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed)
                return;
            _disposed = true;
        }
        _committer.Close();
        lock (_gate)
        {
            foreach (var checkpoint in _checkpoints.Values)
                checkpoint.Dispose();
        }
        _lock.Dispose();
    }

    /// <inheritdoc cref="Dispose"/>
    public ValueTask DisposeAsync() => new(Task.Run(Dispose));

    internal Task WaitForDurableAsync(long seen) => _committer.WaitForDurableAsync(seen);

    internal void WaitForDurable(long seen, CancellationToken cancellation)
    {
        var news = _committer.WaitForDurableAsync(seen);
        Task.WaitAny([news], cancellation);
        news.GetAwaiter().GetResult();
    }

    /// <summary>One turn of the commit loop, for simulations that run without its thread.</summary>
    internal bool CommitPending() => _committer.CommitPending();

    internal void WriteMark() => _committer.WriteMark();

    internal SegmentCursor OpenCursor(ReadableSegment segment, int bufferBytes) =>
        new(_storage.Open(segment.FileName), Id, segment.BaseSequence, segment.Length, bufferBytes);

    internal void Acknowledge(string reader, long sequence)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_committer.Fault is { } fault)
                throw fault;
            var checkpoint = _checkpoints[reader];
            if (sequence <= checkpoint.Position)
                return;
            if (sequence > Durable)
                throw new InvalidOperationException(
                    $"Reader '{reader}' acknowledges {sequence}, but only what is below {Durable} is durable.");
            try
            {
                checkpoint.Write(Id, sequence);
            }
            catch (IOException error) when (DiskErrors.IsOutOfSpace(error))
            {
                throw new QueueRefusedException(QueueRefusal.DiskFull,
                    $"The position {sequence} of reader '{reader}' has no room on the disk under '{_storage.Location}': {error.Message} "
                    + "Free space there and acknowledge again.", error);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                _committer.Fail($"writing the position of reader '{reader}'", error);
                throw _committer.Fault!;
            }
            try
            {
                checkpoint.Sync(Id, sequence);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                _committer.Fail($"saving the position of reader '{reader}'", error);
                throw _committer.Fault!;
            }
        }
        RemoveReadSegments();
    }

    internal void Release(QueueReader reader)
    {
        lock (_gate)
            _openReaders.Remove(reader.Name);
    }

    /// <param name="name">Of the reader.</param>
    /// <param name="unreadable">The one that could not be read at opening; its file is written anew.</param>
    private ReaderCheckpoint NewCheckpointLocked(string name, ReaderCheckpoint? unreadable)
    {
        try
        {
            if (unreadable is null)
                return ReaderCheckpoint.Create(_storage, name, Id, Segments.Head);
            unreadable.Begin(Id, unreadable.Position);
            return unreadable;
        }
        catch (StaleFileException error)
        {
            _openReaders.Remove(name);
            _committer.Fail($"making reader '{name}'", error);
            throw _committer.Fault!;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            _openReaders.Remove(name);
            throw new QueueOpenException(QueueOpenFailure.Unusable,
                $"Reader '{name}' cannot be made in '{_storage.Location}': {error.Message} "
                + "Check that the folder is writable and has room.", error);
        }
    }

    private long AckedLocked() => _checkpoints.Count == 0
        ? Segments.Head
        : Math.Max(Segments.Head, _checkpoints.Values.Min(c => c.Position)); // Segments that the disk lost may have begun before Head.

    /// <summary>Removes the segments that every reader is done with. The positions that say so are durable already: a crash in between
    /// leaves segments too many, which the next opening removes.</summary>
    private void RemoveReadSegments()
    {
        lock (_gate)
        {
            if (_disposed || _checkpoints.Count == 0 || _committer.Fault is not null)
                return;
            var acked = AckedLocked();
            if (acked == Durable)
                _committer.RollOversized();
            var removed = Segments.TakeBelow(acked);
            if (removed.Count == 0)
                return;
            try
            {
                foreach (var segment in removed)
                    _storage.Delete(segment.FileName);
                _storage.SyncDirectory();
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                _committer.Fail("removing segments that are read up", error);
            }
        }
    }
}
