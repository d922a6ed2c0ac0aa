using EvenKeel.Queue;

namespace EvenKeel.Kafka.Publishing;

/// <summary>
/// Keeps events on local disk, in a <see cref="DurableQueue"/> of events and marks. An event is recorded when it is fsynced; disk space
/// comes back when what lies first is settled. For one process at a time.
/// </summary>
/// <remarks>
/// The log holds everything, memory holds where each unsettled event lies. A mark lies behind its event, so reading the log from the first
/// unsettled event on tells again what is unsettled. A mark that a crash took makes a duplicate, never a loss.
/// </remarks>
public sealed class DiskEventRepository : IEventRepository, IAsyncDisposable
{
    private const string ReaderName = "unsettled";
    private const int ReadBytes = 4 << 20;
    private const int ReadRecords = 4096;
    private const int MarksPerTidy = 4096;
    private const int CarriedAtOnce = 1000;

    private readonly DiskEventOptions _options;
    private readonly TimeProvider _time;
    private readonly DurableQueue _log;

    // Guarded by _gate.
    private readonly Lock _gate = new();
    private readonly EventIndex _index = new();
    private long _nextPosition;
    private long _damaged;
    private int _marksSinceTidy;

    // Guarded by _reading: the log's one reader, for its position and for events that are read back.
    private readonly SemaphoreSlim _reading = new(1, 1);
    private readonly QueueReader _reader;

    private readonly RefusedEvents _refused;
    private bool _disposed;

    private DiskEventRepository(DiskEventOptions options, TimeProvider time, DurableQueue log)
    {
        (_options, _time, _log) = (options, time, log);
        _reader = log.OpenReader(ReaderName);
        ReadBack();
        _refused = new RefusedEvents(options.RefusedLog);
    }

    /// <summary>Opens the repository of a folder, or starts one, and reads back what is unsettled; all of it is due at once.</summary>
    /// <param name="options">How it keeps its events.</param>
    /// <param name="time">Default: the system's.</param>
    /// <returns>The repository.</returns>
    /// <exception cref="ArgumentException">Options are violated; the message names all of them.</exception>
    /// <exception cref="QueueOpenException">The folder is in use, of a later format, or cannot be used.</exception>
    /// <exception cref="EventRepositoryException">A later version of this library wrote to it.</exception>
    public static DiskEventRepository Open(DiskEventOptions options, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Validate() is { Count: > 0 } violations)
            throw new ArgumentException(string.Join(" ", violations), nameof(options));
        var log = DurableQueue.Open(options.Log);
        try
        {
            return new DiskEventRepository(options, time ?? TimeProvider.System, log);
        }
        catch
        {
            log.Dispose();
            throw;
        }
    }

    /// <summary>Bytes on disk, without the refused events.</summary>
    public long Bytes => _log.Bytes;

    /// <inheritdoc/>
    public async ValueTask<RecordedEvent> RecordAsync(OutgoingEvent outgoing, CancellationToken cancellationToken = default)
    {
        EventPublisher.Check(outgoing);
        cancellationToken.ThrowIfCancellationRequested();
        if (outgoing.TimestampMs == 0)
            outgoing = outgoing with { TimestampMs = _time.GetUtcNow().ToUnixTimeMilliseconds() };
        var claim = Guid.NewGuid();
        IndexedEvent added;
        lock (_gate)
        {
            if (_index.Count >= _options.MaxUnsettled)
                throw new EventRepositoryException(
                    $"{_index.Count} events are unsettled in '{_options.Directory}' (MaxUnsettled is {_options.MaxUnsettled}). "
                    + "See why Kafka does not take them, or raise the limit.");
            // The floor: as long as the record is on its way, nothing from here on is freed.
            added = _index.Add(_nextPosition++, EventKey.Of(outgoing), _log.Tail);
            added.Claim = claim;
        }
        var record = EventRecord.Of(added.Position, outgoing);
        long sequence;
        try
        {
            sequence = await AppendAsync(record).ConfigureAwait(false);
        }
        catch
        {
            lock (_gate)
                _index.Remove(added);
            throw;
        }
        lock (_gate)
        {
            _index.Place(added, sequence, record.Length);
            _index.SetDue(added, DueIn(_options.ClaimFor));
        }
        return new RecordedEvent(added.Position, outgoing, claim);
    }

    /// <inheritdoc/>
    public ValueTask<bool> TryClaimAsync(RecordedEvent recorded, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(recorded);
        cancellationToken.ThrowIfCancellationRequested();
        lock (_gate)
        {
            if (_index.Find(recorded.Position) is not { } found || !_index.IsFirst(found)
                || (found.Claim != recorded.Claim && found.DueAt > Now()))
                return new(false);
            found.Claim = recorded.Claim;
            _index.SetDue(found, DueIn(_options.ClaimFor));
            return new(true);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<RecordedEvent>> ClaimDueAsync(int maxEvents, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxEvents, 1);
        var claim = Guid.NewGuid();
        List<IndexedEvent> due;
        lock (_gate)
        {
            due = _index.Due(Now(), maxEvents);
            foreach (var next in due)
            {
                next.Claim = claim;
                _index.SetDue(next, DueIn(_options.ClaimFor));
            }
        }
        if (due.Count == 0)
            return [];
        var read = await ReadAsync(due, cancellationToken).ConfigureAwait(false);
        return [.. due.Where(next => read.ContainsKey(next.Position))
            .Select(next => new RecordedEvent(next.Position, read[next.Position], claim))];
    }

    /// <inheritdoc/>
    public async ValueTask MarkAsync(IReadOnlyList<EventMark> marks, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(marks);

        // 1. Refused events are put aside first: with the mark alone, the event would leave the disk and nobody could look at it.
        foreach (var mark in marks)
        {
            if (mark.Fate == EventFate.Refused)
                await _refused.KeepAsync(mark).ConfigureAwait(false);
        }

        // 2. The marks are made durable, in one record.
        var settling = marks.Where(mark => mark.Fate != EventFate.Released).ToList();
        if (settling.Count > 0)
            await AppendAsync(EventRecord.OfMarks(settling)).ConfigureAwait(false);

        // 3. Only then does the next event of a key see them.
        bool tidy;
        lock (_gate)
        {
            foreach (var mark in marks)
                ApplyLocked(mark);
            tidy = (_marksSinceTidy += settling.Count) >= MarksPerTidy;
            if (tidy)
                _marksSinceTidy = 0;
        }
        if (tidy)
            await TidyAsync(CancellationToken.None).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask TidyAsync(CancellationToken cancellationToken = default)
    {
        await CarryAsync(cancellationToken).ConfigureAwait(false);
        await FreeAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public ValueTask<EventBacklog> CountAsync(CancellationToken cancellationToken = default)
    {
        lock (_gate)
            return new(new EventBacklog(_index.Count, _refused.Count, _damaged));
    }

    /// <summary>Closes the log; what is unsettled is there when it is opened again.</summary>
    /// <returns>Ends when it is closed.</returns>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, true))
            return;
        await _reading.WaitAsync().ConfigureAwait(false);
        _reader.Dispose();
        await _refused.DisposeAsync().ConfigureAwait(false);
        await _log.DisposeAsync().ConfigureAwait(false);
        _reading.Dispose();
    }

    /// <summary>At opening, before anybody else is there: what is unsettled, read off the log.</summary>
    private void ReadBack()
    {
        while (_reader.TryRead(ReadRecords, ReadBytes) is { } batch)
        {
            _damaged += batch.Quarantined;
            foreach (var (sequence, payload) in batch.Records)
            {
                if (EventRecord.ReadMarks(payload.Span) is { } marked)
                {
                    foreach (var position in marked)
                    {
                        _nextPosition = Math.Max(_nextPosition, position + 1);
                        if (_index.Find(position) is { } settled)
                            _index.Remove(settled);
                    }
                }
                else if (EventRecord.ReadEvent(payload.Span) is var (at, outgoing))
                {
                    _nextPosition = Math.Max(_nextPosition, at + 1);
                    var found = _index.Find(at) ?? _index.Add(at, EventKey.Of(outgoing), sequence);
                    _index.Place(found, sequence, payload.Length); // A copy that was carried on is where the event lies now.
                    _index.SetDue(found, 0);
                }
                else
                {
                    throw new EventRepositoryException(
                        $"Record {sequence} in '{_options.Directory}' is of no kind that this version knows: a later one wrote it. "
                        + "Use that version.");
                }
            }
        }
    }

    private void ApplyLocked(EventMark mark)
    {
        if (_index.Find(mark.Event.Position) is not { } found)
            return;
        if (mark.Fate != EventFate.Released)
            _index.Remove(found);
        else if (found.Claim == mark.Event.Claim)
            _index.SetDue(found, DueIn(mark.RetryIn));
    }

    /// <summary>Reads events back, in the order in which they lie. One that the disk damaged is counted and given up.</summary>
    private async Task<Dictionary<long, OutgoingEvent>> ReadAsync(List<IndexedEvent> wanted, CancellationToken cancellationToken)
    {
        var read = new Dictionary<long, OutgoingEvent>();
        await _reading.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            List<(long Sequence, long Position)> places;
            lock (_gate)
                places = [.. wanted.Select(next => (next.Sequence, next.Position)).Order()];
            foreach (var (sequence, position) in places)
            {
                if (ReadAt(sequence) is { } found && found.Position == position)
                    read.Add(position, found.Event);
                else
                    GiveUp(position);
            }
            return read;
        }
        finally
        {
            _reading.Release();
        }
    }

    private (long Position, OutgoingEvent Event)? ReadAt(long sequence)
    {
        // Reading on is cheaper than seeking, which begins at the segment's front, unless it is far.
        if (_reader.Position > sequence || sequence - _reader.Position > ReadRecords)
            _reader.Seek(sequence);
        while (_reader.Position <= sequence && _reader.TryRead((int)(sequence - _reader.Position) + 1, ReadBytes) is { } batch)
        {
            foreach (var (at, payload) in batch.Records)
            {
                if (at == sequence)
                    return EventRecord.ReadEvent(payload.Span);
            }
        }
        return null;
    }

    private void GiveUp(long position)
    {
        lock (_gate)
        {
            if (_index.Find(position) is not { } lost)
                return; // Settled meanwhile, and freed.
            _damaged++;
            _index.Remove(lost);
        }
    }

    /// <summary>
    /// Copies the few unsettled events that lie first to the end, once they hold back half of the disk space allowed: one event that Kafka
    /// does not take must not stop all others. The copy keeps its position, and so its place in the order.
    /// </summary>
    private async Task CarryAsync(CancellationToken cancellationToken)
    {
        List<IndexedEvent> old;
        lock (_gate)
        {
            if (_log.Bytes < _options.MaxBytes / 2 || _index.Bytes > _options.MaxBytes / 8)
                return;
            old = _index.Oldest(below: _log.Head + (_log.Tail - _log.Head) / 2, CarriedAtOnce);
        }
        var read = await ReadAsync(old, cancellationToken).ConfigureAwait(false);
        foreach (var (position, outgoing) in read)
        {
            var copy = EventRecord.Of(position, outgoing);
            var sequence = await AppendAsync(copy).ConfigureAwait(false);
            bool settled;
            lock (_gate)
            {
                var carried = _index.Find(position);
                settled = carried is null;
                if (carried is not null)
                    _index.Place(carried, sequence, copy.Length);
            }
            // Settled while it was copied: its mark lies before the copy, which would bring it back.
            if (settled)
                await AppendAsync(EventRecord.OfMarks([new EventMark(new(position, outgoing, default), EventFate.Delivered)]))
                    .ConfigureAwait(false);
        }
    }

    /// <summary>Moves the log's position over everything that is settled from its front on.</summary>
    private async Task FreeAsync(CancellationToken cancellationToken)
    {
        await _reading.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            long free;
            lock (_gate)
                free = Math.Min(_index.FirstSequence ?? long.MaxValue, _log.Durable); // A floor may be ahead of what is durable.
            _reader.Seek(free);
            _reader.Acknowledge(free);
        }
        catch (QueueRefusedException refused)
        {
            throw new EventRepositoryException($"The events' log could not free what is settled: {refused.Message}", refused);
        }
        finally
        {
            _reading.Release();
        }
    }

    private long Now() => _time.GetTimestamp();

    private long DueIn(TimeSpan pause) => Now() + (long)(pause.TotalSeconds * _time.TimestampFrequency);

    private async ValueTask<long> AppendAsync(byte[] record)
    {
        try
        {
            return await _log.AppendAsync(record).ConfigureAwait(false);
        }
        catch (QueueRefusedException refused) when (refused.Reason == QueueRefusal.Full)
        {
            // What is settled since the last time may be all that is in the way.
            await FreeAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (QueueRefusedException refused)
        {
            throw new EventRepositoryException($"The events' log did not take a record: {refused.Message}", refused);
        }
        try
        {
            return await _log.AppendAsync(record).ConfigureAwait(false);
        }
        catch (QueueRefusedException refused)
        {
            throw new EventRepositoryException(
                $"The events' log is full, and nothing in it can be freed: {refused.Message} See why Kafka does not take the events.",
                refused);
        }
    }
}
