using System.Diagnostics;
using EvenKeel.Kafka.Producing;
using EvenKeel.Queue;

namespace EvenKeel.Kafka.Spilling;

/// <summary>
/// Decides, under one gate, which way each record takes: straight, or through its topic's lane. The order of a key is kept by three rules.
/// <list type="number">
/// <item>While a key has a record in its lane, in line or on disk, its next records go there too. A record leaves when Kafka has it.</item>
/// <item>The first record of a key that goes to the lane is written to disk only when all that went straight before it has ended: were an
/// earlier one to come back undelivered, it would be behind.</item>
/// <item>What comes back goes to the front of the line, in the order in which it was accepted, and nobody passes meanwhile.</item>
/// </list>
/// </summary>
internal sealed partial class SpillRoute
{
    private readonly SpillOptions _options;
    private readonly NoticeBoard _notices;
    private readonly Func<string, SpillLane> _openLane;
    private readonly TimeProvider _time;
    private readonly DeadLetterBox _deadLetters;
    private readonly Lock _gate = new();

    // Guarded by _gate.
    private readonly Dictionary<string, SpillLane> _lanes = new(StringComparer.Ordinal);
    private readonly Dictionary<long, PendingSend> _callers = [];
    private DirectPath? _direct;
    private DirectPath? _ending;
    private ProducerCounters _ended;
    private SpillState _state = SpillState.Spilling;
    private SpillCounters _counters;
    private long _lastTicket;
    private int _waiting;
    private long _waitingBytes;
    private bool _isAway;
    private bool _isTakingOver;
    private bool _isClosed;
    private bool _isFull;
    private long? _toldFullAt;

    // The path while nothing is in the spill: the only thing that most sends look at.
    private volatile DirectPath? _plain;

    public SpillRoute(
        SpillOptions options, NoticeBoard notices, DeadLetterBox deadLetters, Func<string, SpillLane> openLane, TimeProvider time)
    {
        _options = options;
        _notices = notices;
        _deadLetters = deadLetters;
        _openLane = openLane;
        _time = time;
    }

    /// <summary>Wakes whoever watches over the path: it failed, or somebody waits for it.</summary>
    public event Action? Disturbed;

    public SpillState State
    {
        get
        {
            lock (_gate)
                return _state;
        }
    }

    public DirectPath? Direct
    {
        get
        {
            lock (_gate)
                return _direct;
        }
    }

    /// <summary>Takes a record without a look at the spill, if that is empty and there is room.</summary>
    public bool TryPlain(scoped in OutgoingRecord record, int headerBytes, PendingSend send) =>
        _plain is { } path && path.Producer.TryTake(record, headerBytes, send);

    /// <summary>Takes a record the way it has to go.</summary>
    /// <param name="record">Copied before this returns.</param>
    /// <param name="headerBytes">The length of its header block.</param>
    /// <param name="send">Its caller.</param>
    /// <param name="entry">The record, if it waits in line and can be cancelled.</param>
    /// <returns>Null: it is taken, and its caller gets the outcome. Otherwise the outcome.</returns>
    public DeliveryOutcome? Take(scoped in OutgoingRecord record, int headerBytes, PendingSend send, out SpillEntry? entry)
    {
        entry = null;
        lock (_gate)
        {
            if (_isClosed)
                return Stopped();
            var bucket = SpilledKeys.BucketOf(record.Key);
            _lanes.TryGetValue(record.Topic, out var lane);

            // 1. Straight, unless something of this key, or all of this topic, is in the spill.
            if (!MustSpillLocked(lane, bucket) && _direct!.Producer.TryTake(record, headerBytes, send))
                return null;

            // 2. Kafka is away, too slow, or the memory bound is met.
            if (lane is null && OpenLaneLocked(record.Topic, out lane) is { } refused)
                return refused;
            return SpillLocked(lane!, Write(lane!, bucket, record, headerBytes, send), out entry);
        }
    }

    /// <summary>Lets a token end the wait in line. Nothing of it stays with the token once the wait is over.</summary>
    public void CancelWith(SpillEntry entry, CancellationToken token)
    {
        var registration = token.UnsafeRegister(
            static (state, token) =>
            {
                var (route, entry) = ((SpillRoute, SpillEntry))state!;
                route.Cancel(entry, token);
            },
            (this, entry));
        lock (_gate)
        {
            if (entry.IsInLine)
                entry.Registration = registration;
            else
                registration.Unregister();
        }
    }

    private bool MustSpillLocked(SpillLane? lane, int bucket) =>
        _direct is null || _isTakingOver || _isAway || (lane is not null && lane.MustTake(bucket));

    private SpillEntry Write(SpillLane lane, int bucket, scoped in OutgoingRecord record, int headerBytes, PendingSend send)
    {
        var nowMs = _time.GetUtcNow().ToUnixTimeMilliseconds();
        var valueBytes = record.IsTombstone ? 0 : record.Value.Length;
        var entry = new SendEntry(-1, 0, record.Key.Length, valueBytes, headerBytes)
        {
            TimestampMs = record.TimestampMs == 0 ? nowMs : record.TimestampMs,
            IsTombstone = record.IsTombstone,
        };
        var ticket = ++_lastTicket;
        var payload = SpilledRecord.Begin(record.Topic, entry, nowMs, ticket, out var bodyOffset);
        var body = payload.AsSpan(bodyOffset);
        record.Key.CopyTo(body);
        record.Value[..valueBytes].CopyTo(body[record.Key.Length..]);
        if (headerBytes > 0)
            HeaderBlock.Write(record.Headers!, body[(record.Key.Length + valueBytes)..]);
        return new SpillEntry(lane, entry, payload, bodyOffset, send) { Bucket = bucket, Ticket = ticket };
    }

    private DeliveryOutcome? SpillLocked(SpillLane lane, SpillEntry entry, out SpillEntry? waiting)
    {
        waiting = null;
        if (lane.Fault is { } fault)
            return CountLocked(DeliveryOutcome.Refused(KafkaErrorCode.FileSystem, fault.Message));
        if (_options.Acknowledgement == SpillAcknowledgement.Broker && _callers.Count + _waiting >= _options.MaxPendingCallers)
            return CountLocked(TooMany($"{_options.MaxPendingCallers} callers wait for spilled records already (MaxPendingCallers)."));

        // The spill's bound is told at once where the caller does not want to wait for room.
        if (lane.Line.Count == 0 && _options.AtMaxBytes == SpillBound.Refuse && !HasRoomLocked(entry.Cost))
            return CountLocked(NoRoom());
        if (_waiting >= _options.MaxWaitingSends)
            return CountLocked(TooMany($"{_options.MaxWaitingSends} sends wait for the spill already (MaxWaitingSends)."));
        if (_waitingBytes > 0 && _waitingBytes + entry.Cost > _options.MaxWaitingBytes)
            return CountLocked(TooMany($"{_waitingBytes} bytes wait for the spill already (MaxWaitingBytes {_options.MaxWaitingBytes})."));
        if (lane.IsEmpty)
            lane.IsHolding = _isAway || _direct is null || !lane.IsScanned;
        if (_direct is { } path && entry.Bucket != SpilledKeys.NoKey && !lane.Keys.Contains(entry.Bucket) && !path.Backlog.IsIdle)
            (lane.BehindPath, lane.BehindEra) = (path, path.Backlog.Era + 2);
        (entry.BehindPath, entry.BehindEra) = (lane.BehindPath, lane.BehindEra);
        lane.Keys.Add(entry.Bucket);
        lane.Enter(entry, first: false);
        _waiting++;
        _waitingBytes += entry.Cost;
        PumpLocked(lane);
        UpdateLocked();
        if (entry.IsInLine)
        {
            waiting = entry;
            if (entry.BehindPath is not null)
                Disturbed?.Invoke();
        }
        return null;
    }

    /// <summary>Moves the line on: to disk, or, when the lane has closed behind its last replayed record, straight to Kafka.</summary>
    private void PumpLocked(SpillLane lane)
    {
        Debug.Assert(_gate.IsHeldByCurrentThread);
        while (lane.Line.First?.Value is { } entry && !_isTakingOver)
        {
            if (lane.ClosingSince != 0)
            {
                // 1. The lane is nearly empty: its newcomers wait here, none is written. 2. The last record on disk is replayed: Kafka has
                // all before the line. 3. The line goes straight, in order, before anybody else can: under this gate. 4. Its keys are free.
                if (lane.Records > 0)
                    return;
                if (TryStraightenLocked(lane, entry))
                    continue;
                ReopenLocked(lane);
            }
            if (IsBehindLocked(entry) || !lane.CanAppend(entry.Cost))
                return;
            if (lane.Fault is { } fault)
            {
                RefuseLocked(entry, DeliveryOutcome.Refused(KafkaErrorCode.FileSystem, fault.Message));
                continue;
            }
            if (!HasRoomLocked(entry.Cost))
            {
                if (_options.AtMaxBytes == SpillBound.Wait)
                    return;
                RefuseLocked(entry, NoRoom());
                continue;
            }
            LeaveLocked(entry);
            AppendLocked(entry);
        }
        if (!lane.IsEmpty)
            return;
        ReleaseLocked(lane);
        lane.Keys.Clear();
        (lane.BehindPath, lane.ClosingSince, lane.OldestSpilledAtMs) = (null, 0, 0);
    }

    private bool TryStraightenLocked(SpillLane lane, SpillEntry entry)
    {
        if (_direct is null || _isAway || lane.IsHolding
            || _direct.Backlog.TryQueueBytes(lane.Topic, entry.Entry, entry.Body, entry.Send) != Admission.Queued)
            return false;
        LeaveLocked(entry);
        lane.Keys.Remove(entry.Bucket);
        return true;
    }

    /// <summary>The line goes to disk after all. Some of it may have gone straight just now: what is left is behind that.</summary>
    private void ReopenLocked(SpillLane lane)
    {
        lane.ClosingSince = 0;
        if (_direct is not { } path)
            return;
        (lane.BehindPath, lane.BehindEra) = (path, path.Backlog.Era + 2);
        foreach (var entry in lane.Line)
            (entry.BehindPath, entry.BehindEra) = (lane.BehindPath, lane.BehindEra);
    }

    private bool IsBehindLocked(SpillEntry entry)
    {
        if (entry.BehindPath is null)
            return false;
        if (entry.BehindPath == _direct && _direct.Backlog.Era < entry.BehindEra)
            return true;
        entry.BehindPath = null;
        return false;
    }

    private void LeaveLocked(SpillEntry entry)
    {
        entry.Lane.Leave(entry);
        if (entry.Undelivered is not null)
            return;
        _waiting--;
        _waitingBytes -= entry.Cost;
    }

    private void AppendLocked(SpillEntry entry)
    {
        var lane = entry.Lane;
        lane.Records++;
        lane.PendingBytes += entry.Cost;
        if (_options.Acknowledgement == SpillAcknowledgement.Broker)
            _callers.Add(entry.Ticket, entry.Send);

        // Called under the gate, so that the order on disk is the line's.
        _ = FinishAppendAsync(entry, lane.Queue.AppendAsync(entry.Payload));
    }

    private async Task FinishAppendAsync(SpillEntry entry, ValueTask<long> append)
    {
        Exception? failure = null;
        try
        {
            await append.ConfigureAwait(false);
        }
#pragma warning disable CA1031 // Whatever it is, the caller must be told, and the record is not promised.
        catch (Exception thrown)
        {
            failure = thrown;
        }
#pragma warning restore CA1031
        lock (_gate)
        {
            entry.Lane.PendingBytes -= entry.Cost;
            if (failure is not null)
                LoseLocked(entry, failure);
            else
                _counters.Spilled++;
            PumpLocked(entry.Lane);
            UpdateLocked();
        }

        // Only now is it fsynced.
        if (failure is null && _options.Acknowledgement == SpillAcknowledgement.Disk)
            entry.Send.Answer(DeliveryOutcome.Spilled("It is durable in the local spill and will be sent from there."));
    }

    /// <summary>The disk did not take a record: its caller is told, and nothing of it stays.</summary>
    private void LoseLocked(SpillEntry entry, Exception failure)
    {
        entry.Lane.Records--;
        entry.Lane.Keys.Remove(entry.Bucket);
        _callers.Remove(entry.Ticket);
        var outcome = DeliveryOutcome.Refused(KafkaErrorCode.QueueFull, failure.Message);
        if (failure is not QueueRefusedException { Reason: QueueRefusal.Full or QueueRefusal.DiskFull or QueueRefusal.Closed })
        {
            // It may turn up when the folder is opened anew.
            outcome = DeliveryOutcome.Unknown(KafkaErrorCode.FileSystem, failure.Message);
            if (entry.Lane.Fault is null)
                Tell(ProducerNoticeKind.SpillFailed, failure.Message, KafkaErrorCode.FileSystem, failure);
            entry.Lane.Fault ??= failure;
            ReleaseLocked(entry.Lane);
        }
        else
        {
            TellFullLocked(failure.Message);
        }
        AnswerLocked(entry, outcome);
    }

    private void RefuseLocked(SpillEntry entry, in DeliveryOutcome outcome)
    {
        LeaveLocked(entry);
        entry.Lane.Keys.Remove(entry.Bucket);
        AnswerLocked(entry, outcome);
    }

    /// <summary>A record that was on its way keeps what Kafka said of it: it may be there.</summary>
    private void AnswerLocked(SpillEntry entry, DeliveryOutcome outcome)
    {
        if (entry.Undelivered is { Status: DeliveryStatus.Unknown } unknown)
            outcome = DeliveryOutcome.Unknown(unknown.Error, $"{unknown.Reason} The spill could not take it: {outcome.Reason}");
        entry.Send.Answer(CountLocked(outcome));
    }

    private void Cancel(SpillEntry entry, CancellationToken token)
    {
        lock (_gate)
        {
            if (!entry.IsInLine)
                return;
            LeaveLocked(entry);
            entry.Lane.Keys.Remove(entry.Bucket);

            // The next in line may be small enough.
            PumpLocked(entry.Lane);
            UpdateLocked();
        }
        entry.Send.Cancel(token);
    }

    private DeliveryOutcome? OpenLaneLocked(string topic, out SpillLane? lane)
    {
        lane = null;
        if (!TopicFolder.IsName(topic))
        {
            return CountLocked(DeliveryOutcome.Refused(
                KafkaErrorCode.InvalidTopic, $"'{topic}' cannot name a topic: use 1 to 249 of A-Z a-z 0-9 . _ -, not . or .. alone."));
        }
        try
        {
            _lanes.Add(topic, lane = _openLane(topic));
            return null;
        }
        catch (DurableQueueException failed)
        {
            Tell(ProducerNoticeKind.SpillFailed, failed.Message, KafkaErrorCode.FileSystem, failed);
            return CountLocked(DeliveryOutcome.Refused(KafkaErrorCode.FileSystem, failed.Message));
        }
    }

    private DeliveryOutcome CountLocked(in DeliveryOutcome outcome)
    {
        if (outcome.Status == DeliveryStatus.Unknown)
            _counters.Unknown++;
        else
            _counters.Refused++;
        return outcome;
    }

    private static DeliveryOutcome Stopped() =>
        DeliveryOutcome.Refused(KafkaErrorCode.ClientDestroyed, "The producer is stopped or stopping: send through another one.");

    private static DeliveryOutcome TooMany(string reason) => DeliveryOutcome.Refused(KafkaErrorCode.QueueFull, reason);

    private DeliveryOutcome NoRoom() => DeliveryOutcome.Refused(
        KafkaErrorCode.QueueFull, $"The spill in '{_options.Directory}' holds its maximum of {_options.MaxBytes} bytes (MaxBytes).");
}
