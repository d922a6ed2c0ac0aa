using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace EvenKeel.Kafka.Producing;

/// <summary>
/// Every record that was accepted and has no outcome yet: the credits, the line that waits for them, the group that the send loop takes
/// next, and the slots of all that is on its way.
/// </summary>
[SuppressMessage("Reliability", "CA1001", Justification = "An event whose WaitHandle nobody asks for holds nothing to dispose of.")]
internal sealed class Backlog
{
    // The warning comes again after the backlog fell below this share of its mark: at the mark itself it would come with every record.
    private const double RearmShare = 0.8;

    // With so few records on their way somebody waits for each: they are handed over by their senders. With more, what counts is how many
    // there are a second: the loop works beside the senders.
    private const int LoneBacklog = 32;

    private readonly Lock _gate = new();
    private readonly ManualResetEventSlim _filled = new();
    private readonly ManualResetEventSlim _emptied = new();
    private readonly EndedSendsPool _endedPool = new();
    private readonly double _warningShare;
    private readonly int _maxWaiting;
    private readonly Action<ProducerCounters> _warn;

    // Guarded by _gate; a slot's owner uses it without.
    private readonly SendSlot[] _slots;
    private readonly int[] _free;
    private readonly CreditLine _credits;
    private int _freeCount;
    private long _lastSequence;
    private SendGroup _filling = new();
    private bool _loopWaits;

    // While _loneFeeds its sender owns _lone and takes the loop's place; the loop waits.
    private SendGroup _lone = new();
    private bool _loneFeeds;
    private bool _loopWoken;
    private bool _intakeClosed;
    private bool _loopStopped;
    private bool _warned;
    private ProducerCounters _counters;
    private readonly Eras _eras = new();

    public Backlog(ProducerOptions options, Action<ProducerCounters> warn)
    {
        _slots = new SendSlot[options.MaxRecords];
        _free = [.. Enumerable.Range(0, options.MaxRecords).Reverse()];
        _freeCount = options.MaxRecords;
        _credits = new CreditLine(options.MaxRecords, options.MaxBytes);
        _warningShare = options.BacklogWarningShare;
        _maxWaiting = options.MaxWaitingSends;
        _warn = warn;
    }

    /// <summary>Whether nothing is waiting, queued or in flight, and the intake is closed, so that it stays so.</summary>
    public bool IsEmptyForGood => _emptied.IsSet;

    public ProducerCounters Counters
    {
        get
        {
            lock (_gate)
                return SnapshotLocked();
        }
    }

    /// <summary>Whether every record that was accepted has ended: none has credits now, and none was given back.</summary>
    public bool IsIdle
    {
        get
        {
            lock (_gate)
                return _credits.UsedRecords == 0 && !_eras.GaveBack;
        }
    }

    /// <summary>The era now: everything accepted two eras ago or before has ended.</summary>
    public long Era
    {
        get
        {
            lock (_gate)
                return _eras.Now;
        }
    }

    public EndedSends RentEnded() => _endedPool.Rent();

    public ref SendSlot Slot(int index) => ref _slots[index];

    /// <summary>Takes a record, copied, if there is room and nobody waits before it; as the lone one only from who will feed it.</summary>
    public Admission TryQueue(scoped in OutgoingRecord record, int headerBytes, PendingSend send, bool feedsLone = false)
    {
        var bytes = record.Key.Length + (record.IsTombstone ? 0 : record.Value.Length) + headerBytes;
        lock (_gate)
        {
            if (_intakeClosed)
                return Admission.Closed;
            if (_credits.First is not null || !_credits.TryTake(bytes))
                return _credits.Waiting < _maxWaiting ? Admission.Waiting : Admission.Full;
            var isLone = feedsLone && IsLoneLocked();
            _loneFeeds |= isLone;
            (isLone ? _lone : _filling).Add(TakeSlotLocked(record.Topic, bytes, send), record, headerBytes);
            AfterQueuedLocked();
            return isLone ? Admission.Lone : Admission.Queued;
        }
    }

    /// <summary>The same for a record whose bytes lie together already; it never waits in line.</summary>
    public Admission TryQueueBytes(string topic, in SendEntry entry, ReadOnlySpan<byte> bytes, PendingSend send)
    {
        lock (_gate)
        {
            if (_intakeClosed)
                return Admission.Closed;
            if (_credits.First is not null || !_credits.TryTake(bytes.Length))
                return Admission.Full;
            _filling.Add(TakeSlotLocked(topic, bytes.Length, send), entry, bytes);
            AfterQueuedLocked();
            return Admission.Queued;
        }
    }

    /// <inheritdoc cref="Eras.Turn"/>
    public (long Era, TimeSpan OldestFor) TurnEra()
    {
        lock (_gate)
            return _eras.Turn();
    }

    /// <summary>What <see cref="TryQueue"/> took as <see cref="Admission.Lone"/>: its sender's, until <see cref="EndLone"/>.</summary>
    public SendGroup Lone => _lone;

    /// <summary>Ends the sender's turn; the loop goes on with what came meanwhile, after the lone record if that is still there.</summary>
    public void EndLone()
    {
        lock (_gate)
        {
            Debug.Assert(_loneFeeds, "only who has the turn can end it");
            _loneFeeds = false;
            if (_lone.Entries.Count == 0 && _filling.Entries.Count == 0 && !_loopWoken && !_loopStopped)
                return;
            _loopWaits = false;
        }
        _filled.Set();
    }

    /// <summary>Takes a record into the line, or into the backlog if room came since <see cref="TryQueue"/>.</summary>
    public Admission LineUp(CreditWait wait)
    {
        lock (_gate)
        {
            if (_intakeClosed)
                return Admission.Closed;
            if (_credits.Waiting >= _maxWaiting)
                return Admission.Full;
            _credits.Append(wait);
            _counters.Waited++;
            GrantLocked();
            return Admission.Waiting;
        }
    }

    /// <summary>Lets a token end the wait. Nothing of it stays with the token once the wait is over.</summary>
    public void CancelWith(CreditWait wait, CancellationToken token)
    {
        var registration = token.UnsafeRegister(
            static (state, token) =>
            {
                var (backlog, wait) = ((Backlog, CreditWait))state!;
                backlog.Cancel(wait, token);
            },
            (this, wait));
        lock (_gate)
        {
            if (wait.IsWaiting)
                wait.Registration = registration;
            else
                registration.Unregister();
        }
    }

    /// <summary>The next group, once there is something in it or the loop was woken; null when the loop is to end.</summary>
    /// <param name="empty">The group that was taken before, empty again.</param>
    public SendGroup? Take(SendGroup empty)
    {
        while (true)
        {
            lock (_gate)
            {
                if (!_loneFeeds && _loopStopped)
                    return null;
                if (!_loneFeeds && (_lone.Entries.Count > 0 || _filling.Entries.Count > 0 || _loopWoken))
                {
                    // From here to the next call nobody passes the loop by, however it was woken.
                    _loopWaits = false;
                    return TakeFirstLocked(empty);
                }
                _filled.Reset();
                _loopWaits = true;
            }
            _filled.Wait();
        }
    }

    /// <summary>What the send loop left behind.</summary>
    public SendGroup TakeRest()
    {
        lock (_gate)
        {
            Debug.Assert(_loopStopped, "the send loop takes groups while it runs");
            var rest = _lone;
            foreach (var entry in _filling.Entries)
                rest.Add(entry.Slot, entry, _filling.Bytes(entry));
            _filling.Clear();
            return rest;
        }
    }

    /// <summary>Frees what the outcomes freed, lets those in line through, and then lets the callers continue.</summary>
    public void Release(EndedSends ended)
    {
        lock (_gate)
        {
            foreach (var index in ended.Slots)
            {
                ref var slot = ref _slots[index];
                _credits.Return(slot.Bytes);
                _eras.Leave(slot.Era);
                slot.Send = null;
                slot.Resends = 0;
                _free[_freeCount++] = index;
            }
            if (ended.GivenBack > 0)
                _eras.GiveBack();
            _counters.Accepted -= ended.GivenBack;
            _counters.Delivered += ended.Delivered;
            _counters.Refused += ended.Refused;
            _counters.Unknown += ended.Unknown;
            GrantLocked();
            if (_warned && !_credits.IsUsedTo(_warningShare * RearmShare))
                _warned = false;
            SignalEmptyLocked();
        }
        ended.Continue();
    }

    /// <summary>Takes no new record from here on. What was accepted goes on, those in line included.</summary>
    public void CloseIntake()
    {
        lock (_gate)
        {
            _intakeClosed = true;
            SignalEmptyLocked();
        }
    }

    /// <summary>Waits for <see cref="IsEmptyForGood"/>; blocks.</summary>
    public void WaitUntilEmpty(TimeSpan limit) => _emptied.Wait(limit);

    /// <summary>Empties the line; its records have no slot and get their outcome from the caller.</summary>
    public List<CreditWait> TakeWaiting()
    {
        var waiting = new List<CreditWait>();
        lock (_gate)
        {
            Debug.Assert(_intakeClosed, "while the intake is open, who waits keeps the place");
            while (_credits.First is { } first)
            {
                _credits.Remove(first);
                waiting.Add(first);
            }
        }
        return waiting;
    }

    /// <summary>Lets the send loop look around though nothing was queued.</summary>
    public void WakeLoop()
    {
        lock (_gate)
            _loopWoken = true;
        _filled.Set();
    }

    /// <summary>The send loop ends after the group it has.</summary>
    public void StopLoop()
    {
        lock (_gate)
            _loopStopped = true;
        _filled.Set();
    }

    /// <summary>The slots of records that librdkafka has, or had.</summary>
    public List<int> SlotsInFlight()
    {
        var inFlight = new List<int>();
        for (var i = 0; i < _slots.Length; i++)
        {
            if (Volatile.Read(ref _slots[i].IsInFlight))
                inFlight.Add(i);
        }
        return inFlight;
    }

    private void Cancel(CreditWait wait, CancellationToken token)
    {
        lock (_gate)
        {
            if (!wait.IsWaiting)
                return;
            _credits.Remove(wait);
            _counters.Cancelled++;

            // The next in line may be small enough.
            GrantLocked();
            SignalEmptyLocked();
        }
        wait.Send.Cancel(token);
    }

    private SendGroup TakeFirstLocked(SendGroup empty)
    {
        Debug.Assert(_gate.IsHeldByCurrentThread);
        var first = _lone.Entries.Count > 0 ? _lone : _filling;
        if (first == _lone)
            _lone = empty;
        else
            (_filling, _loopWoken) = (empty, false);
        return first;
    }

    private void GrantLocked()
    {
        Debug.Assert(_gate.IsHeldByCurrentThread);
        while (_credits.First is { } first && _credits.TryTake(first.Entry.Bytes))
        {
            _credits.Remove(first);
            _filling.Add(TakeSlotLocked(first.Topic, first.Bytes.Length, first.Send), first.Entry, first.Bytes);
            AfterQueuedLocked();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int TakeSlotLocked(string topic, int bytes, PendingSend send)
    {
        var index = _free[--_freeCount];
        ref var slot = ref _slots[index];
        Debug.Assert(slot.Send is null, "a free slot has no record");
        slot.Send = send;
        slot.Topic = topic;
        slot.Bytes = bytes;
        slot.Sequence = ++_lastSequence;
        slot.Generation++;
        slot.Era = _eras.Enter();
        return index;
    }

    /// <summary>Whether a record that comes now may pass the loop by: it sleeps, and nothing is before the record.</summary>
    private bool IsLoneLocked() =>
        _loopWaits && !_loneFeeds && !_loopWoken && !_loopStopped && _filling.Entries.Count == 0 && _credits.UsedRecords <= LoneBacklog;

    private void AfterQueuedLocked()
    {
        _counters.Accepted++;
        if (!_warned && _credits.IsUsedTo(_warningShare))
        {
            _warned = true;
            _counters.BacklogWarnings++;
            _warn(SnapshotLocked());
        }
        if (!_loopWaits || _loneFeeds)
            return;
        _loopWaits = false;
        _filled.Set();
    }

    private void SignalEmptyLocked()
    {
        if (_intakeClosed && _credits.UsedRecords == 0 && _credits.First is null)
            _emptied.Set();
    }

    private ProducerCounters SnapshotLocked() =>
        _counters with { Backlog = _credits.UsedRecords, BacklogBytes = _credits.UsedBytes, Waiting = _credits.Waiting };
}
