using System.Diagnostics;
using EvenKeel.Kafka.Producing;

namespace EvenKeel.Kafka.Spilling;

/// <summary>What happens to the route: its path ends and another begins, a replay goes on or is refused, the producer stops.</summary>
internal sealed partial class SpillRoute
{
    // Longer than a round trip of the last replay, short enough for those who wait in line.
    private static readonly TimeSpan ClosingLimit = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan FullTold = TimeSpan.FromSeconds(10);

    // A record in line behind what went straight: the path is too slow for what is offered when it has not ended by then.
    private static readonly TimeSpan BehindLimit = TimeSpan.FromMilliseconds(500);

    public SpillCounters Counters
    {
        get
        {
            lock (_gate)
            {
                var oldestMs = _lanes.Values.Where(lane => lane.OldestSpilledAtMs > 0).Select(lane => lane.OldestSpilledAtMs)
                    .DefaultIfEmpty(0).Min();
                var ageMs = oldestMs == 0 ? 0 : Math.Max(0, _time.GetUtcNow().ToUnixTimeMilliseconds() - oldestMs);
                return _counters with
                {
                    SpillRecords = _lanes.Values.Sum(lane => lane.Records),
                    SpillBytes = BytesLocked(),
                    OldestAge = TimeSpan.FromMilliseconds(ageMs),
                    DeadLetters = _deadLetters.Count,
                    Waiting = _lanes.Values.Sum(lane => lane.Line.Count),
                    PendingCallers = _callers.Count,
                    HeldTopics = _lanes.Values.Count(lane => lane.IsAlarmed),
                };
            }
        }
    }

    /// <summary>What went straight, through this path and those before it.</summary>
    public ProducerCounters DirectCounters
    {
        get
        {
            lock (_gate)
                return ((_direct ?? _ending)?.Counters ?? default).After(_ended);
        }
    }

    /// <summary>Whether nothing waits to be written.</summary>
    public bool IsOnDisk
    {
        get
        {
            lock (_gate)
                return _lanes.Values.All(lane => lane.Line.Count == 0 && lane.PendingBytes == 0);
        }
    }

    /// <summary>Whether nothing is left that a replay could bring to Kafka now.</summary>
    public bool IsReplayedOrHeld
    {
        get
        {
            lock (_gate)
                return _lanes.Values.All(lane => lane.IsEmpty || lane.IsHolding || lane.Fault is not null);
        }
    }

    public void Add(SpillLane lane)
    {
        lock (_gate)
        {
            _lanes.Add(lane.Topic, lane);
            UpdateLocked();
        }
    }

    public bool IsAway
    {
        get
        {
            lock (_gate)
                return _isAway;
        }
    }

    public IReadOnlyList<SpillLane> Lanes()
    {
        lock (_gate)
            return [.. _lanes.Values];
    }

    /// <summary>From here on nothing goes straight, and who comes stands in line, until <see cref="TakeBack"/>.</summary>
    /// <returns>The path that is to be ended; null if there is none.</returns>
    public DirectPath? BeginTakeover()
    {
        lock (_gate)
        {
            if (_direct is not { } path)
                return null;
            (_direct, _ending) = (null, path);
            _isTakingOver = true;
            foreach (var lane in _lanes.Values)
                lane.ClosingSince = 0;
            UpdateLocked();
            return path;
        }
    }

    /// <summary>Puts what an ended path did not deliver before everything that came since, and lets the lines move.</summary>
    /// <param name="path">Ended.</param>
    /// <param name="records">In the order in which they were accepted.</param>
    /// <param name="isAway">Kafka as a whole is not known to answer: all topics go to the spill.</param>
    public void TakeBack(DirectPath path, IReadOnlyList<UndeliveredRecord> records, bool isAway)
    {
        lock (_gate)
        {
            for (var i = records.Count - 1; i >= 0; i--)
                TakeBackLocked(records[i]);
            (_ending, _ended) = (null, path.Counters.After(_ended) with { Backlog = 0, BacklogBytes = 0, Waiting = 0 });
            _counters.Takeovers += _isClosed ? 0 : 1;
            _isAway = isAway && records.Count > 0;
            _isTakingOver = false;
            foreach (var lane in _lanes.Values)
                PumpLocked(lane);
            UpdateLocked();
        }
    }

    /// <summary>Records go straight again, through a new client.</summary>
    public void Open(DirectPath path)
    {
        lock (_gate)
        {
            _direct = path;
            UpdateLocked();
        }
    }

    /// <summary>Moves on the lines that wait for the path's era, and those whose closing took too long.</summary>
    /// <returns>Whether a line waits for the path; and whether the path has let it wait too long.</returns>
    public (bool Waits, bool TooLong) Tick()
    {
        lock (_gate)
        {
            var (waits, tooLong, isCrowded) = (false, false, _waiting > _options.MaxWaitingSends / 2);
            foreach (var lane in _lanes.Values)
            {
                if (lane.ClosingSince != 0 && Stopwatch.GetElapsedTime(lane.ClosingSince) > ClosingLimit)
                    ReopenLocked(lane);
                PumpLocked(lane);
                if (lane.Line.First?.Value is not { } first)
                    continue;
                waits = true;
                tooLong |= (isCrowded || Stopwatch.GetElapsedTime(first.LinedUpAt) > BehindLimit) && IsBehindLocked(first);
            }
            UpdateLocked();
            return (waits, tooLong);
        }
    }

    public void AddScanned(SpillLane lane, IEnumerable<int> buckets)
    {
        lock (_gate)
        {
            foreach (var bucket in buckets)
                lane.Keys.Add(bucket);
        }
    }

    public void EndScan(SpillLane lane)
    {
        lock (_gate)
        {
            lane.IsScanned = true;
            UpdateLocked();
        }
    }

    public void BeginReplay(SpillLane lane, long oldestSpilledAtMs)
    {
        lock (_gate)
            lane.OldestSpilledAtMs = oldestSpilledAtMs;
    }

    /// <summary>Kafka takes the topic's records: those of other keys go straight.</summary>
    public void Progress(SpillLane lane)
    {
        lock (_gate)
        {
            _isAway = false;
            ReleaseLocked(lane);
            UpdateLocked();
        }
    }

    /// <summary>Kafka refuses the topic's records or does not answer: all of them go through the lane. Told once.</summary>
    public void Hold(SpillLane lane, KafkaErrorCode error, string reason)
    {
        lock (_gate)
        {
            HoldLocked(lane, error, reason);
            UpdateLocked();
        }
    }

    /// <summary>
    /// The lane's disk failed, or its replay did: what is there stays there, and no more is taken. Keys that have nothing there go
    /// straight.
    /// </summary>
    public void Fail(SpillLane lane, Exception failure)
    {
        lock (_gate)
        {
            lane.Fault ??= failure;
            ReleaseLocked(lane);
            lane.ClosingSince = 0;
            PumpLocked(lane);
            UpdateLocked();
        }
    }

    /// <summary>
    /// Records have left the lane for good and its position is durable: the keys are free, the callers get the outcome.
    /// </summary>
    /// <param name="lane">Where they were.</param>
    /// <param name="replayed">Each with what it came to.</param>
    /// <param name="quarantined">Those that the disk damaged.</param>
    /// <param name="caughtUp">The replay is at the end of what is durable: what comes now waits in line, and goes straight then.</param>
    public void Finish(SpillLane lane, IReadOnlyList<ReplayedRecord> replayed, long quarantined, bool caughtUp)
    {
        lock (_gate)
        {
            foreach (var record in replayed)
            {
                lane.Keys.Remove(record.Bucket);
                if (record.Outcome.IsDelivered)
                    _counters.Replayed++;
                if (!_callers.Remove(record.Ticket, out var send))
                    continue;
                if (!record.Outcome.IsDelivered)
                    _counters.Refused++;
                send.Answer(record.Outcome);
            }
            lane.Records -= replayed.Count + quarantined;
            _counters.Quarantined += quarantined;
            Debug.Assert(lane.Records >= 0, "a record leaves its lane once");
            if (caughtUp && !lane.IsHolding && !lane.IsEmpty && !_isAway && !_isTakingOver && _direct is not null && lane.ClosingSince == 0)
                lane.ClosingSince = Stopwatch.GetTimestamp();
            if (_isFull)
            {
                foreach (var other in _lanes.Values)
                    PumpLocked(other);
            }
            PumpLocked(lane);
            UpdateLocked();
        }
    }

    /// <summary>Whether somebody waits for the record: then a refusal is told, and needs no dead letter.</summary>
    public bool HasCaller(long ticket)
    {
        lock (_gate)
            return _callers.ContainsKey(ticket);
    }

    /// <summary>Records of a replay that may have arrived, and are sent again.</summary>
    public void CountSentAgain(int records)
    {
        lock (_gate)
            _counters.SentAgain += records;
    }

    public void CountDeadLetter()
    {
        lock (_gate)
            _counters.DeadLettered++;
    }

    public void CloseIntake()
    {
        lock (_gate)
        {
            _isClosed = true;
            UpdateLocked();
        }
    }

    /// <summary>After the last replay: who waits for Kafka is told that the record stays on disk, who waits for room is refused.</summary>
    public void AnswerAll()
    {
        lock (_gate)
        {
            Debug.Assert(_isClosed, "nobody can come any more");
            foreach (var lane in _lanes.Values)
            {
                while (lane.Line.First?.Value is { } entry)
                    RefuseLocked(entry, Stopped());
            }
            var kept = DeliveryOutcome.Spilled("The producer stopped; the record is durable in the local spill and sent from there later.");
            foreach (var send in _callers.Values)
                send.Answer(kept);
            _callers.Clear();
        }
    }

    private void TakeBackLocked(in UndeliveredRecord record)
    {
        if (!_lanes.TryGetValue(record.Topic, out var lane) && OpenLaneLocked(record.Topic, out lane) is { } refused)
        {
            record.Send.Answer(record.Outcome.Status == DeliveryStatus.Unknown ? record.Outcome : refused);
            return;
        }
        _counters.SentAgain += record.Outcome.Status == DeliveryStatus.Unknown ? 1 : 0;
        var nowMs = _time.GetUtcNow().ToUnixTimeMilliseconds();
        var timed = record.Entry.TimestampMs == 0 ? record.Entry with { TimestampMs = nowMs } : record.Entry;
        var ticket = ++_lastTicket;
        var payload = SpilledRecord.Begin(record.Topic, timed, nowMs, ticket, out var bodyOffset);
        record.Bytes.CopyTo(payload, bodyOffset);
        var entry = new SpillEntry(lane!, timed, payload, bodyOffset, record.Send)
        {
            Bucket = SpilledKeys.BucketOf(record.Bytes.AsSpan(0, record.Entry.KeyBytes)),
            Ticket = ticket,
            Undelivered = record.Outcome,
        };
        lane!.IsHolding = lane.Fault is null;
        if (lane.IsHolding && record.Outcome.Retry == RetryAdvice.AfterRepair)
            HoldLocked(lane, record.Outcome.Error, record.Outcome.Reason ?? "");
        lane.Keys.Add(entry.Bucket);
        lane.Enter(entry, first: true);
    }

    private void HoldLocked(SpillLane lane, KafkaErrorCode error, string reason)
    {
        lane.IsHolding = true;
        if (lane.ClosingSince != 0)
            ReopenLocked(lane);
        if (lane.IsAlarmed)
            return;
        lane.IsAlarmed = true;
        Tell(ProducerNoticeKind.TopicHeld, $"Records for '{lane.Topic}' stay in the spill until Kafka takes them: {reason}", error);
    }

    private void ReleaseLocked(SpillLane lane)
    {
        lane.IsHolding = false;
        if (!lane.IsAlarmed)
            return;
        lane.IsAlarmed = false;
        Tell(ProducerNoticeKind.TopicReleased, $"Records for '{lane.Topic}' are taken again.");
    }

    private bool HasRoomLocked(int cost)
    {
        var bytes = BytesLocked() + _lanes.Values.Sum(lane => lane.PendingBytes);
        _isFull &= bytes + cost > _options.MaxBytes - _options.SegmentBytes;
        if (bytes + cost <= _options.MaxBytes)
            return true;
        TellFullLocked($"The spill in '{_options.Directory}' holds {bytes} bytes of at most {_options.MaxBytes} (MaxBytes).");
        return false;
    }

    private long BytesLocked() => _lanes.Values.Sum(lane => lane.Queue.Bytes) + _deadLetters.Bytes;

    private void TellFullLocked(string text)
    {
        // A disk that has room for some records and not for others would be told of with each of these.
        var isToldAlready = _isFull || (_toldFullAt is { } at && _time.GetElapsedTime(at) < FullTold);
        _isFull = true;
        if (isToldAlready)
            return;
        _toldFullAt = _time.GetTimestamp();
        Tell(ProducerNoticeKind.SpillFull, text, KafkaErrorCode.QueueFull);
    }

    private void UpdateLocked()
    {
        Debug.Assert(_gate.IsHeldByCurrentThread);
        var isEmpty = _lanes.Values.All(lane => lane.IsEmpty);
        if (isEmpty || _lanes.Values.All(lane => lane.IsEmpty || lane.Fault is not null))
            (_isAway, _isFull) = (false, false);
        var isDirect = _direct is not null && !_isTakingOver && isEmpty;
        var isSpilling = _direct is null || _isTakingOver || _isAway || _lanes.Values.Any(lane => lane.IsHolding && !lane.IsEmpty);
        _plain = isDirect && !_isClosed && _lanes.Values.All(lane => lane.IsScanned) ? _direct : null;
        var state = isDirect ? SpillState.Direct : isSpilling ? SpillState.Spilling : SpillState.Replaying;
        if (state == _state)
            return;
        var records = _lanes.Values.Sum(lane => lane.Records);
        Tell(ProducerNoticeKind.SpillState, $"{_state} is now {state}; {records} records are in the spill.");
        _state = state;
    }

    private void Tell(ProducerNoticeKind kind, string text, KafkaErrorCode error = KafkaErrorCode.None, Exception? exception = null) =>
        _notices.Tell(new ProducerNotice(kind, text, error, exception));
}

/// <summary>A record that has left the spill, with what it came to.</summary>
internal readonly record struct ReplayedRecord(int Bucket, long Ticket, DeliveryOutcome Outcome);
