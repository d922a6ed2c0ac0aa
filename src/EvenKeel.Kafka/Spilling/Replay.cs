using EvenKeel.Kafka.Producing;
using EvenKeel.Queue;

namespace EvenKeel.Kafka.Spilling;

/// <summary>What the replays of one producer share.</summary>
internal sealed record ReplayContext(
    SpillRoute Route, DeadLetterBox DeadLetters, NoticeBoard Notices, ProducerOptions Client, TimeSpan SpillAfter)
{
    public required TimeProvider Time { get; init; }
}

/// <summary>
/// The one loop that brings a lane's records to Kafka, in order: a batch from disk, sent in windows, each awaited. The first record of a
/// held lane goes alone: it waits in its client for as long as Kafka is away, and its delivery is the sign that Kafka is back.
/// </summary>
internal sealed class Replay
{
    /// <summary>The most records on their way at once.</summary>
    public const int MaxRecords = 4096;

    /// <summary>The most bytes of them, or one record.</summary>
    public const int MaxBytes = 8 << 20;

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);

    private readonly SpillLane _lane;
    private readonly ReplayContext _context;
    private readonly CancellationToken _stop;

    // Loop only.
    private readonly List<SpilledRecord> _records = [];
    private readonly List<long> _sequences = [];
    private readonly List<ReplayedRecord> _finished = [];
    private ReplayClient? _client;
    private TimeSpan _pause = FirstPause;
    private int _oneByOne;

    private Replay(SpillLane lane, ReplayContext context, CancellationToken stop)
    {
        _lane = lane;
        _context = context;
        _stop = stop;
    }

    /// <summary>Runs until it is stopped, or the lane's disk fails, which is told.</summary>
    public static Task RunAsync(SpillLane lane, ReplayContext context, CancellationToken stop) =>
        Task.Run(() => new Replay(lane, context, stop).RunAsync(), CancellationToken.None);

    private async Task RunAsync()
    {
        try
        {
            Scan();
            while (true)
                await ReplayNextAsync().ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            var stopped = $"The replay of '{_lane.Topic}' is stopped.";
            _context.Notices.Tell(new ProducerNotice(ProducerNoticeKind.Log, stopped) { LogLevel = 7 });
        }
        catch (QueueRefusedException refused)
        {
            _context.Route.Fail(_lane, refused);
            _context.Notices.Tell(new ProducerNotice(
                ProducerNoticeKind.SpillFailed, $"The replay of '{_lane.Topic}' ends: {refused.Message}", KafkaErrorCode.FileSystem,
                refused));
        }
#pragma warning disable CA1031 // What is on disk stays there and is told; the other topics go on.
        catch (Exception defect)
        {
            _context.Route.Fail(_lane, defect);
            _context.Notices.Tell(new ProducerNotice(
                ProducerNoticeKind.Defect, $"The replay of '{_lane.Topic}' has ended by a defect: {defect.Message}", exception: defect));
        }
#pragma warning restore CA1031
        await EndClientAsync().ConfigureAwait(false);
    }

    /// <summary>Learns the keys of what an earlier process left; meanwhile all of the topic's records go to the spill.</summary>
    private void Scan()
    {
        var start = _lane.Reader.Position;
        while (_lane.Reader.Position < _lane.OwnFrom && _lane.Reader.TryRead(MaxRecords, MaxBytes) is { } batch)
        {
            _stop.ThrowIfCancellationRequested();
            _context.Route.AddScanned(_lane, batch.Records
                .Where(record => record.Sequence < _lane.OwnFrom)
                .Select(record => SpilledRecord.TryRead(record.Payload, out var spilled) ? spilled.Value.Bucket : SpilledKeys.NoKey));
        }
        _lane.Reader.Seek(start);
        _context.Route.EndScan(_lane);
    }

    /// <summary>The path of a batch from the spill to Kafka.</summary>
    private async Task ReplayNextAsync()
    {
        // 1. What is durable, at least one record. With nothing to send, no client.
        var batch = _lane.Reader.TryRead(MaxRecords, MaxBytes);
        if (batch is null)
        {
            await EndClientAsync().ConfigureAwait(false);
            batch = await _lane.Reader.ReadAsync(MaxRecords, MaxBytes, _stop).ConfigureAwait(false);
        }
        var caughtUp = batch.NextPosition >= _lane.Queue.Durable;
        foreach (var damage in batch.Damage)
            _context.Notices.Tell(new ProducerNotice(ProducerNoticeKind.SpillDamaged, $"Spill of '{_lane.Topic}': {damage}"));
        await DecodeAsync(batch).ConfigureAwait(false);
        try
        {
            // 2. Each is delivered, or refused for good, whatever that takes.
            while (_records.Count > 0)
                await SendWindowAsync().ConfigureAwait(false);
        }
        finally
        {
            // 3. Only then the position moves, up to the first that is not done. A crash before this sends them again, under their ids.
            var isDone = _records.Count == 0;
            try
            {
                Acknowledge(isDone ? batch.NextPosition : _sequences[0]);
            }
            finally
            {
                // 4. Only now are the keys free and the callers told.
                _context.Route.Finish(_lane, _finished, isDone ? batch.Quarantined : 0, caughtUp && isDone);
            }
        }
    }

    private async Task DecodeAsync(QueueBatch batch)
    {
        _records.Clear();
        _sequences.Clear();
        _finished.Clear();
        foreach (var record in batch.Records)
        {
            if (SpilledRecord.TryRead(record.Payload, out var spilled))
            {
                // A ticket of an earlier process finds nobody.
                _records.Add(spilled.Value with { Ticket = record.Sequence >= _lane.OwnFrom ? spilled.Value.Ticket : 0 });
                _sequences.Add(record.Sequence);
                continue;
            }
            var outcome = DeliveryOutcome.Refused(
                KafkaErrorCode.InvalidRecord,
                $"Record {record.Sequence} in the spill of '{_lane.Topic}' is of a form that this version cannot read.");
            await BuryAsync(record.Payload, outcome).ConfigureAwait(false);
            _finished.Add(new ReplayedRecord(SpilledKeys.NoKey, 0, outcome));
        }
        _context.Route.BeginReplay(_lane, _records.Count > 0 ? _records[0].SpilledAtMs : 0);
    }

    /// <summary>Sends the next records and keeps those that are not delivered, in order.</summary>
    private async Task SendWindowAsync()
    {
        var isAlone = _lane.IsHolding || _oneByOne > 0;
        var window = isAlone ? _records.GetRange(0, 1) : [.. _records];
        var outcomes = await SendAsync(window).ConfigureAwait(false);
        var left = new List<SpilledRecord>();
        var leftSequences = new List<long>();
        var failed = default(DeliveryOutcome?);
        for (var i = 0; i < window.Count; i++)
        {
            var outcome = outcomes[i];
            if (outcome.IsDelivered || (isAlone && outcome.IsRecordAtFault))
            {
                if (!outcome.IsDelivered)
                    await GiveUpAsync(window[i], outcome).ConfigureAwait(false);
                _finished.Add(new ReplayedRecord(window[i].Bucket, window[i].Ticket, outcome));
                continue;
            }
            left.Add(window[i]);
            leftSequences.Add(_sequences[i]);

            // The first that says more than that it was purged behind another one.
            if (failed is null || (failed.Value.Retry == RetryAdvice.Later && outcome.Retry != RetryAdvice.Later))
                failed = outcome;
        }
        _context.Route.CountSentAgain(outcomes.Count(outcome => outcome.Status == DeliveryStatus.Unknown));
        _records.RemoveRange(0, window.Count);
        _sequences.RemoveRange(0, window.Count);
        _records.InsertRange(0, left);
        _sequences.InsertRange(0, leftSequences);
        if (_oneByOne > 0 && left.Count == 0)
            _oneByOne--;
        if (outcomes[0].IsDelivered)
        {
            _pause = FirstPause;
            _context.Route.Progress(_lane);
        }
        if (failed is { } failure)
            await RecoverAsync(failure, left.Count).ConfigureAwait(false);
        else if (!outcomes[0].IsDelivered)
            await EndClientAsync().ConfigureAwait(false);
    }

    private async Task<DeliveryOutcome[]> SendAsync(List<SpilledRecord> window)
    {
        try
        {
            _client ??= new ReplayClient(_context.Client, _context.Notices);
        }
        catch (KafkaException refused)
        {
            // No client now, for want of threads or files: later, then.
            _context.Notices.Tell(new ProducerNotice(ProducerNoticeKind.BrokerError, refused.Message, refused.Code, refused));
            return [.. window.Select(_ => DeliveryOutcome.Refused(KafkaErrorCode.OutOfResources, refused.Message))];
        }
        var sent = _client.SendAsync(window);
        try
        {
            return await sent.WaitAsync(_context.SpillAfter, _stop).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            _context.Route.Hold(_lane, KafkaErrorCode.TimedOut, $"no answer within {_context.SpillAfter}.");
        }
        catch (OperationCanceledException)
        {
            // What is on its way gets its outcome by the purge; what is delivered is not sent again.
            _client.Stop();
            return await sent.ConfigureAwait(false);
        }
        using var stopping = _stop.UnsafeRegister(static client => ((ReplayClient)client!).Stop(), _client);
        return await sent.ConfigureAwait(false);
    }

    /// <summary>The client has stopped behind the failure; another one takes the rest, after a pause.</summary>
    private async Task RecoverAsync(DeliveryOutcome failure, int left)
    {
        _stop.ThrowIfCancellationRequested();
        await EndClientAsync().ConfigureAwait(false);
        if (failure.IsRecordAtFault)
        {
            // A batch is refused whole: which record it was shows one by one.
            _oneByOne = left;
            return;
        }
        if (failure.Retry == RetryAdvice.AfterRepair)
            _context.Route.Hold(_lane, failure.Error, failure.Reason ?? "");
        await Task.Delay(_pause, _context.Time, _stop).ConfigureAwait(false);
        _pause = _pause * 2 < LongestPause ? _pause * 2 : LongestPause;
    }

    private async Task GiveUpAsync(SpilledRecord record, DeliveryOutcome outcome)
    {
        // Who waits is told; whoever was answered from disk was promised that nothing is lost.
        if (record.Ticket != 0 && _context.Route.HasCaller(record.Ticket))
            return;
        var payload = SpilledRecord.Begin(record.Topic, record.Entry, record.SpilledAtMs, 0, out var bodyOffset);
        record.Bytes.CopyTo(payload.AsMemory(bodyOffset));
        await BuryAsync(payload, outcome).ConfigureAwait(false);
    }

    /// <summary>Keeps a record among the dead letters; while the disk has no room, the lane waits.</summary>
    private async Task BuryAsync(ReadOnlyMemory<byte> payload, DeliveryOutcome outcome)
    {
        while (true)
        {
            try
            {
                await _context.DeadLetters.KeepAsync(payload, outcome).ConfigureAwait(false);
                _context.Route.CountDeadLetter();
                _context.Notices.Tell(new ProducerNotice(
                    ProducerNoticeKind.DeadLettered, $"A record for '{_lane.Topic}' is kept as a dead letter: {outcome.Reason}",
                    outcome.Error));
                return;
            }
            catch (QueueRefusedException refused) when (refused.Reason is QueueRefusal.Full or QueueRefusal.DiskFull)
            {
                _context.Route.Hold(_lane, KafkaErrorCode.FileSystem, $"its dead letters have no room: {refused.Message}");
                await Task.Delay(LongestPause, _context.Time, _stop).ConfigureAwait(false);
            }
        }
    }

    private void Acknowledge(long position)
    {
        try
        {
            _lane.Reader.Acknowledge(position);
        }
        catch (QueueRefusedException full) when (full.Reason == QueueRefusal.DiskFull)
        {
            // The next position covers this one; until then a crash sends again what Kafka has, under its id.
            _context.Notices.Tell(new ProducerNotice(ProducerNoticeKind.SpillFull, full.Message, KafkaErrorCode.FileSystem, full));
        }
    }

    private async Task EndClientAsync()
    {
        if (_client is not { } client)
            return;
        _client = null;
        await client.EndAsync().ConfigureAwait(false);
    }
}
