using System.Diagnostics.CodeAnalysis;
using EvenKeel.Kafka.Native;

namespace EvenKeel.Kafka.Producing;

/// <summary>What the parts of one producer share.</summary>
internal sealed record ProducerContext(ProducerOptions Options, Backlog Backlog, NoticeBoard Notices, Leftovers Leftovers)
{
    /// <summary>Takes back what is not delivered, in place of an outcome; null: the caller gets the outcome.</summary>
    public UndeliveredSink? Undelivered { get; init; }
}

/// <summary>
/// One native client of a producer and its report loop: a thread that takes librdkafka's events, a batch of reports at a time, and brings
/// each record its outcome. After a fatal error the producer has another one. No user code runs here.
/// </summary>
[SuppressMessage("Reliability", "CA1001", Justification = "An event whose WaitHandle nobody asks for holds nothing to dispose of.")]
internal sealed unsafe class ProducerClient
{
    /// <summary>The most records of one <see cref="SendRun"/>.</summary>
    public const int MaxRun = 128;

    private const int ReportBatch = 1024;
    private const int MaxResends = 3;
    private static readonly TimeSpan PollWait = TimeSpan.FromSeconds(1);

    // A purge takes milliseconds and ClientHandle gives its reports 10 s: beyond that something is broken.
    private static readonly TimeSpan LastReportsLimit = TimeSpan.FromSeconds(11);

    private readonly ProducerContext _context;
    private readonly EventQueue _queue;
    private readonly Thread _reportLoop;
    private readonly ManualResetEventSlim _allSettled = new();
    private volatile bool _isFatal;
    private volatile bool _isEnding;
    private volatile string? _lastBrokerError;

    // Who feeds: the send loop, or a lone record's sender in its place.
    private long _fed;
    private readonly NativeMessage[] _run = new NativeMessage[MaxRun];

    // Whoever takes reports: the report loop, and after it the destroying thread.
    private long _settled;
    private readonly List<(long Sequence, SendEntry Entry, byte[] Bytes)> _resends = [];
    private int _resendsCounted;

    private ProducerClient(ClientHandle handle, ProducerContext context)
    {
        _context = context;
        Handle = handle;
        _queue = EventQueue.Main(handle);
        _reportLoop = new Thread(RunReportLoop) { IsBackground = true, Name = $"reports {handle.Name}" };
        _reportLoop.Start();
    }

    public ClientHandle Handle { get; }

    /// <summary>It can send no more; what it has is to be ended and sent by another.</summary>
    public bool IsFatal => _isFatal;

    /// <summary>librdkafka's last word on connections and brokers; null if there was none.</summary>
    public string? LastBrokerError => _lastBrokerError;

    /// <exception cref="KafkaException">librdkafka refuses the settings, or resources ran out.</exception>
    public static ProducerClient Create(ProducerContext context)
    {
        using var configuration = ProducerConfiguration.Of(context.Options);
        var events = EventKinds.DeliveryReport | EventKinds.Error | EventKinds.Statistics;
        return new ProducerClient(CreationGate.Create(ClientKind.Producer, configuration, events), context);
    }

    public void MarkFatal() => _isFatal = true;

    /// <summary>Hands a record to librdkafka, which owns its bytes from then on and reports it once. For who feeds.</summary>
    /// <returns><see cref="KafkaErrorCode.None"/>, or why no report will come.</returns>
    public KafkaErrorCode Send(SendGroup group, in SendEntry entry)
    {
        ref var slot = ref _context.Backlog.Slot(entry.Slot);
        var topic = Handle.Topic(slot.Topic);
        var opaque = Opaque(slot, entry);

        // Before the call: the report may come before it returns.
        slot.IsInFlight = true;
        Volatile.Write(ref _fed, _fed + 1);
        var code = entry.IsPlain
            ? Handle.Produce(topic, SpecialOffset.AnyPartition, group.Value(entry), group.Key(entry), opaque)
            : SendWithArguments(topic, group, entry, opaque);
        if (code == KafkaErrorCode.None)
            return code;
        slot.IsInFlight = false;
        Volatile.Write(ref _fed, _fed - 1);
        return code;
    }

    /// <summary>Hands the plain records of one topic with which the entries begin to librdkafka in one call, which is cheaper.</summary>
    /// <param name="group">Has their bytes.</param>
    /// <param name="entries">At least one.</param>
    /// <param name="codes">What <see cref="Send"/> would have returned for each.</param>
    /// <returns>How many were tried.</returns>
    public int SendRun(SendGroup group, ReadOnlySpan<SendEntry> entries, Span<KafkaErrorCode> codes)
    {
        var name = _context.Backlog.Slot(entries[0].Slot).Topic;
        var topic = Handle.Topic(name);
        var count = 0;
        fixed (byte* bytes = group.AllBytes)
        {
            for (; count < Math.Min(entries.Length, MaxRun); count++)
            {
                ref readonly var entry = ref entries[count];
                ref var slot = ref _context.Backlog.Slot(entry.Slot);
                if (!entry.IsPlain || slot.Topic != name)
                    break;
                ref var message = ref _run[count];
                message.Key = entry.KeyBytes > 0 ? bytes + entry.Offset : null;
                message.KeySize = (nuint)entry.KeyBytes;
                message.Value = bytes + entry.Offset + entry.KeyBytes;
                message.ValueSize = (nuint)entry.ValueBytes;
                message.Opaque = Opaque(slot, entry);
                slot.IsInFlight = true;
            }
            Volatile.Write(ref _fed, _fed + count);
            var queued = Handle.Produce(topic, _run.AsSpan(0, count));
            codes[..count].Clear();
            if (queued == count)
                return count;
        }
        for (var i = 0; i < count; i++)
        {
            codes[i] = _run[i].Error;
            if (codes[i] == KafkaErrorCode.None)
                continue;
            _context.Backlog.Slot(entries[i].Slot).IsInFlight = false;
            Volatile.Write(ref _fed, _fed - 1);
        }
        return count;
    }

    /// <summary>Sends what lingers and waits for reports; nothing on a client that is closed.</summary>
    public void TryFlush(TimeSpan wait)
    {
        if (!Handle.TryEnter(out var call))
            return;
        Librdkafka.Flush(call.Client, (int)wait.TotalMilliseconds);
        call.Dispose();
    }

    /// <summary>
    /// Purges what librdkafka has and returns when the last report was taken: every record handed to <see cref="Send"/> then has its
    /// outcome or is in the result. The native client is destroyed in the background. Send loop only, as its last call.
    /// </summary>
    /// <returns>The records that are to be sent by another client, in the order in which they were accepted.</returns>
    public List<(long Sequence, SendEntry Entry, byte[] Bytes)> End()
    {
        _isEnding = true;
        var destroyed = Handle.CloseAsync(DestroyOptions.None, Settle);
        _ = destroyed.ContinueWith(
            (task, client) => ((ProducerClient)client!).AfterDestroyed(task), this, CancellationToken.None,
            TaskContinuationOptions.None, TaskScheduler.Default);
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _settled) != _fed)
            _allSettled.Wait(LastReportsLimit);

        // 1. The report loop leaves the gate with reports in hand. 2. The client is destroyed. 3. Only now it settles them: they are not
        // missing. With the gate closed it ends by itself.
        if (Volatile.Read(ref _settled) != _fed)
            _reportLoop.Join(LastReportsLimit);
        var missing = _fed - Volatile.Read(ref _settled);
        if (missing != 0)
            EndUnreported(missing);
        _resends.Sort((one, other) => one.Sequence.CompareTo(other.Sequence));
        return _resends;
    }

    private static nint Opaque(in SendSlot slot, in SendEntry entry) => (nint)(((long)slot.Generation << 32) | (uint)entry.Slot);

    private void RunReportLoop()
    {
        try
        {
            while (true)
                TakeEvent();
        }
        catch (ObjectDisposedException)
        {
            // The gate closed: the destroying thread takes the last reports.
            return;
        }
    }

    private void TakeEvent()
    {
        var ended = (EndedSends?)null;
        using (var next = _queue.Poll(PollWait))
        {
            switch (next.Kind)
            {
                case EventKinds.DeliveryReport:
                    ended = TakeReports(next);
                    break;
                case EventKinds.Error:
                    TakeError(next);
                    break;
                case EventKinds.Log:
                    var (level, facility, text) = next.Log;
                    _context.Notices.Tell(new ProducerNotice(ProducerNoticeKind.Log, $"{facility}: {text}") { LogLevel = level });
                    break;
                case EventKinds.Statistics:
                    _context.Notices.Tell(new ProducerNotice(ProducerNoticeKind.Statistics, next.Statistics));
                    break;
            }
        }

        // Only now, with the event gone, does librdkafka count the messages no more: credits returned earlier could meet a full queue.
        if (ended is not null)
            Finish(ended);
    }

    private EndedSends TakeReports(ClientEvent next)
    {
        var ended = _context.Backlog.RentEnded();
        var messages = stackalloc nint[ReportBatch];
        var buffer = new Span<nint>(messages, ReportBatch);
        int taken;
        while ((taken = next.TakeMessages(buffer)) > 0)
        {
            for (var i = 0; i < taken; i++)
                SettleOne((NativeMessage*)messages[i], ended);
        }
        return ended;
    }

    private void TakeError(ClientEvent next)
    {
        if (!next.IsFatal)
        {
            // That all are down says only that whatever was said before is true of each.
            if (next.Error != KafkaErrorCode.AllBrokersDown || _lastBrokerError is null)
                _lastBrokerError = next.ErrorText;
            _context.Notices.Tell(new ProducerNotice(ProducerNoticeKind.BrokerError, next.ErrorText, next.Error));
            return;
        }
        MarkFatal();
        _context.Backlog.WakeLoop();
    }

    /// <summary>The last reports, on the destroying thread.</summary>
    private void Settle(ReadOnlySpan<nint> messages)
    {
        var ended = _context.Backlog.RentEnded();
        foreach (var message in messages)
            SettleOne((NativeMessage*)message, ended);
        Finish(ended);
    }

    private void SettleOne(NativeMessage* report, EndedSends ended)
    {
        var index = (int)((long)report->Opaque & uint.MaxValue);
        ref var slot = ref _context.Backlog.Slot(index);
        if (!slot.IsInFlight || slot.Generation != (int)((long)report->Opaque >> 32))
        {
            _context.Notices.Tell(new ProducerNotice(ProducerNoticeKind.Defect, $"A second report came for slot {index}.", report->Error));
            return;
        }
        var outcome = DeliveryErrors.Read(report);
        slot.IsInFlight = false;
        if (!outcome.IsDelivered && (TryGiveBack(report, index, outcome, ended) || KeepUndelivered(report, index, outcome)))
            return;
        ended.Add(index, slot.Send!, outcome);
    }

    /// <returns>Whether the record is its sink's now. From the first one on this client is fed no more: what is behind it waits.</returns>
    private bool TryGiveBack(NativeMessage* report, int index, in DeliveryOutcome outcome, EndedSends ended)
    {
        if (_context.Undelivered is not { } sink || outcome.IsRecordAtFault)
            return false;
        if (!_isFatal)
        {
            MarkFatal();
            _context.Backlog.WakeLoop();
        }
        ref var slot = ref _context.Backlog.Slot(index);
        var entry = ReportedRecord.Read(report, index, out var bytes);
        sink.Take(new UndeliveredRecord(slot.Sequence, slot.Topic, entry, bytes, slot.Send!, outcome));
        ended.AddGivenBack(index);
        return true;
    }

    /// <returns>Whether the record is to be sent by another client, and so has no outcome yet.</returns>
    private bool KeepUndelivered(NativeMessage* report, int index, in DeliveryOutcome outcome)
    {
        ref var slot = ref _context.Backlog.Slot(index);
        if (DeliveryErrors.IsSafeToResend(outcome) && slot.Resends < MaxResends && HasFailedForGood())
        {
            slot.Resends++;
            _resends.Add((slot.Sequence, ReportedRecord.Read(report, index, out var bytes), bytes));
            return true;
        }
        if (_context.Leftovers.IsKeeping)
            _context.Leftovers.Add(slot.Topic, ReportedRecord.Read(report, index, out var left), left, outcome);
        return false;
    }

    private bool HasFailedForGood()
    {
        // The records that a fatal error ends may be reported before its event is.
        if (_isFatal || Handle.IsClosed)
            return _isFatal;
        try
        {
            if (Handle.FatalError() is null)
                return false;
        }
        catch (ObjectDisposedException)
        {
            // Closed since the look above, with the producer: what comes now is refused or unknown.
            return _isFatal;
        }
        MarkFatal();
        _context.Backlog.WakeLoop();
        return true;
    }

    private void Finish(EndedSends ended)
    {
        // Those to be resent are settled for this client, though they have no outcome.
        var settled = ended.Slots.Count + _resends.Count - _resendsCounted;
        _resendsCounted = _resends.Count;
        _context.Backlog.Release(ended);
        Volatile.Write(ref _settled, _settled + settled);
        Interlocked.MemoryBarrier();
        if (_isEnding && _settled == Volatile.Read(ref _fed))
            _allSettled.Set();
    }

    private void AfterDestroyed(Task destroyed)
    {
        if (destroyed.Exception is { } failure)
            _context.Notices.Tell(new ProducerNotice(ProducerNoticeKind.Defect, failure.InnerException!.Message, exception: failure));
        _allSettled.Set();
    }

    private void EndUnreported(long missing)
    {
        _context.Notices.Tell(new ProducerNotice(
            ProducerNoticeKind.Defect,
            $"{missing} records were purged and never reported by librdkafka: their outcome is unknown."));
        var ended = _context.Backlog.RentEnded();
        foreach (var index in _context.Backlog.SlotsInFlight())
        {
            ref var slot = ref _context.Backlog.Slot(index);
            slot.IsInFlight = false;
            ended.Add(index, slot.Send!, DeliveryOutcome.Unknown(KafkaErrorCode.PurgedInFlight, "librdkafka did not report this record."));
        }
        _context.Backlog.Release(ended);
    }

    private KafkaErrorCode SendWithArguments(TopicHandle topic, SendGroup group, in SendEntry entry, nint opaque)
    {
        const int FixedArguments = 7;
        const int MaxOnStack = 32;
        var block = group.Headers(entry);
        var count = FixedArguments + HeaderBlock.Count(block);
        var arguments = count <= MaxOnStack ? stackalloc NativeArgument[MaxOnStack] : new NativeArgument[count];
        fixed (byte* key = group.Key(entry), value = group.Value(entry), headers = block)
        {
            arguments[0] = NativeArgument.Topic(topic.Pointer);
            arguments[1] = NativeArgument.Partition(SpecialOffset.AnyPartition);
            arguments[2] = NativeArgument.Flags(MessageFlags.Copy);
            arguments[3] = NativeArgument.Value(entry.IsTombstone ? null : NativeProducer.OrEmpty(value), (nuint)entry.ValueBytes);
            arguments[4] = NativeArgument.Key(key, (nuint)entry.KeyBytes);
            arguments[5] = NativeArgument.Opaque(opaque);
            arguments[6] = NativeArgument.Timestamp(entry.TimestampMs);
            var at = 0;
            for (var i = FixedArguments; i < count; i++)
            {
                var next = HeaderBlock.Next(block[at..], out var nameBytes, out var valueBytes);
                var name = headers + at + HeaderBlock.LengthBytes;
                arguments[i] = NativeArgument.Header(name, valueBytes < 0 ? null : name + nameBytes, Math.Max(valueBytes, 0));
                at += next;
            }
            return Handle.Produce(arguments[..count]);
        }
    }
}
