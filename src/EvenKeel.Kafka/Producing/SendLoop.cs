using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace EvenKeel.Kafka.Producing;

/// <summary>
/// The one thread that hands records to librdkafka, in the order in which they were accepted; while it sleeps, the sender of a lone record
/// takes its place. It owns the native client: replaces it after a fatal error, and ends it with the producer.
/// </summary>
[SuppressMessage("Reliability", "CA1001", Justification = "An event whose WaitHandle nobody asks for holds nothing to dispose of.")]
internal sealed class SendLoop
{
    private static readonly TimeSpan FullQueuePause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Calm = TimeSpan.FromMinutes(1);

    private readonly ProducerContext _context;
    private readonly ManualResetEventSlim _stop = new();
    private readonly Thread _thread;
    private volatile ProducerClient _client;
    private long _replacements;
    private long _queueFullMet;

    // Send loop only. What a failed client left, in order: it goes before everything else.
    private SendGroup _resends = new();
    private int _resent;
    private TimeSpan _pause = FirstPause;
    private long _replacedAt;
    private EndedSends _ended;

    public SendLoop(ProducerContext context, ProducerClient client)
    {
        _context = context;
        _client = client;
        _ended = context.Backlog.RentEnded();
        _thread = new Thread(Run) { IsBackground = true, Name = $"send {client.Handle.Name}" };
        _thread.Start();
    }

    /// <summary>The client at this moment; a call may find it closed.</summary>
    public ProducerClient Client => _client;

    public long Replacements => Interlocked.Read(ref _replacements);

    public long QueueFullMet => Interlocked.Read(ref _queueFullMet);

    /// <summary>Ends the loop. When this returns every record has its outcome; the native client is destroyed in the background.</summary>
    public void Stop()
    {
        // In this order: the loop that looks up from a pause finds the backlog stopped too.
        _context.Backlog.StopLoop();
        _stop.Set();
        _thread.Join();
    }

    /// <summary>
    /// Hands the lone record over on its sender's thread, which is faster than to wake the loop. What librdkafka does not take stays, for
    /// the loop, which knows what is to become of it. No client is ended meanwhile: the loop, which alone does that, waits.
    /// </summary>
    public void FeedLone()
    {
        var lone = _context.Backlog.Lone;
        try
        {
            if (!_client.IsFatal && Send(lone, lone.Entries[0]).Code == KafkaErrorCode.None)
                lone.Clear();
        }
        finally
        {
            _context.Backlog.EndLone();
        }
    }

    private void Run()
    {
        var group = new SendGroup();
        while (_context.Backlog.Take(group) is { } next)
        {
            group = next;
            if (!FeedResends())
                break;
            Feed(group);
            group.Clear();
            ReleaseEnded();
        }
        RefuseAll(group);
        RefuseAll(_context.Backlog.TakeRest());
        RefuseAll(_resends, _resent);
        ReleaseEnded();

        // What librdkafka has is purged: refused if it was not sent, unknown if it was.
        var rest = new SendGroup();
        foreach (var (_, entry, bytes) in _client.End())
            rest.Add(entry.Slot, entry, bytes);
        RefuseAll(rest);
        ReleaseEnded();
    }

    private void Feed(SendGroup group)
    {
        var entries = (ReadOnlySpan<SendEntry>)CollectionsMarshal.AsSpan(group.Entries);
        Span<KafkaErrorCode> codes = stackalloc KafkaErrorCode[ProducerClient.MaxRun];
        while (entries.Length > 0)
        {
            // 1. In one call what may go in one. 2. One by one what may not, and what was not taken, which tells itself why; what came
            // behind it in the call was not taken either, unless the record itself is at fault.
            var tried = TrySendRun(group, entries, codes);
            for (var i = 0; i < Math.Max(tried, 1); i++)
            {
                if (tried == 0 || codes[i] != KafkaErrorCode.None)
                    FeedOne(group, entries[i]);
            }
            entries = entries[Math.Max(tried, 1)..];
        }
    }

    /// <returns>How many records were tried; none where the first is to go alone, or nothing can.</returns>
    private int TrySendRun(SendGroup group, ReadOnlySpan<SendEntry> entries, Span<KafkaErrorCode> codes)
    {
        if (entries.Length == 1 || !entries[0].IsPlain || _client.IsFatal)
            return 0;
        try
        {
            return _client.SendRun(group, entries, codes);
        }
        catch (KafkaException)
        {
            // The topic's name is not valid: each record meets that again by itself, and gets it as its outcome.
            return 0;
        }
    }

    private void FeedOne(SendGroup group, in SendEntry entry)
    {
        while (!TryFeed(group, entry))
        {
            if (FeedResends())
                continue;
            Refuse(group, entry);
            break;
        }
    }

    /// <summary>Replaces a client that failed, and sends first what it left.</summary>
    /// <returns>False when the loop is to stop.</returns>
    private bool FeedResends()
    {
        while (_client.IsFatal || _resent < _resends.Entries.Count)
        {
            if (_client.IsFatal)
            {
                if (!Replace())
                    return false;
            }
            else if (TryFeed(_resends, _resends.Entries[_resent]))
            {
                _resent++;
            }
        }
        return true;
    }

    /// <returns>Whether the record is librdkafka's now or has its outcome; false: the client has failed for good.</returns>
    private bool TryFeed(SendGroup group, in SendEntry entry)
    {
        while (!_client.IsFatal)
        {
            var (code, reason) = Send(group, entry);
            switch (code)
            {
                case KafkaErrorCode.None:
                    return true;
                case KafkaErrorCode.Fatal:
                    _client.MarkFatal();
                    break;
                case KafkaErrorCode.QueueFull when !_stop.IsSet:
                    Interlocked.Increment(ref _queueFullMet);
                    _stop.Wait(FullQueuePause);
                    break;
                default:
                    var refused = DeliveryOutcome.Refused(code, reason ?? code.Describe());
                    if (_context.Undelivered is not null && !refused.IsRecordAtFault)
                    {
                        _client.MarkFatal();
                        _context.Backlog.WakeLoop();
                    }
                    End(group, entry, refused);
                    return true;
            }
        }
        return false;
    }

    private (KafkaErrorCode Code, string? Reason) Send(SendGroup group, in SendEntry entry)
    {
        try
        {
            return (_client.Send(group, entry), null);
        }
        catch (KafkaException refused)
        {
            // The topic's name is not valid.
            return (refused.Code, refused.Message);
        }
    }

    /// <summary>
    /// With a sink for what is undelivered: nothing is replaced, the producer waits for its end. Otherwise:
    /// 1. The failed client is purged, and all of its reports are taken: what may be written is unknown, what is not is kept, in order.
    /// 2. After a pause, growing, another client is created. 3. What was kept goes first, before what was not yet resent.
    /// </summary>
    /// <returns>False when the loop is to stop.</returns>
    private bool Replace()
    {
        ReleaseEnded();
        if (_context.Undelivered is { } sink)
        {
            // Whoever takes back what is undelivered ends this producer, and what is here goes there too.
            sink.Fail();
            _stop.Wait();
            return false;
        }
        var failed = _client;
        var kept = new SendGroup();
        var left = failed.End();
        foreach (var (_, entry, bytes) in left)
            kept.Add(entry.Slot, entry, bytes);
        for (; _resent < _resends.Entries.Count; _resent++)
        {
            var entry = _resends.Entries[_resent];
            kept.Add(entry.Slot, entry, _resends.Bytes(entry));
        }
        left.Clear();
        (_resends, _resent) = (kept, 0);
        if (Stopwatch.GetElapsedTime(_replacedAt) > Calm)
            _pause = FirstPause;
        while (!_stop.Wait(_pause))
        {
            _pause = _pause * 2 < LongestPause ? _pause * 2 : LongestPause;
            try
            {
                _client = ProducerClient.Create(_context);
                _replacedAt = Stopwatch.GetTimestamp();
                Interlocked.Increment(ref _replacements);
                _context.Notices.Tell(new ProducerNotice(
                    ProducerNoticeKind.ClientReplaced,
                    $"{failed.Handle.Name} failed for good; {_client.Handle.Name} sends {kept.Entries.Count} records again.",
                    KafkaErrorCode.Fatal));
                return true;
            }
            catch (KafkaException refused)
            {
                _context.Notices.Tell(new ProducerNotice(ProducerNoticeKind.BrokerError, refused.Message, refused.Code, refused));
            }
        }
        return false;
    }

    private void RefuseAll(SendGroup group, int from = 0)
    {
        for (var i = from; i < group.Entries.Count; i++)
            Refuse(group, group.Entries[i]);
        group.Clear();
    }

    private void Refuse(SendGroup group, in SendEntry entry) =>
        End(group, entry, DeliveryOutcome.Refused(KafkaErrorCode.PurgedInQueue, "The producer was stopped before the record was sent."));

    private void End(SendGroup group, in SendEntry entry, in DeliveryOutcome outcome)
    {
        ref var slot = ref _context.Backlog.Slot(entry.Slot);
        if (_context.Undelivered is { } sink && !outcome.IsRecordAtFault)
        {
            sink.Take(new UndeliveredRecord(slot.Sequence, slot.Topic, entry, group.Bytes(entry).ToArray(), slot.Send!, outcome));
            _ended.AddGivenBack(entry.Slot);
            return;
        }
        if (_context.Leftovers.IsKeeping)
            _context.Leftovers.Add(slot.Topic, entry, group.Bytes(entry), outcome);
        _ended.Add(entry.Slot, slot.Send!, outcome);
    }

    private void ReleaseEnded()
    {
        if (_ended.Slots.Count == 0)
            return;
        var ended = _ended;
        _ended = _context.Backlog.RentEnded();
        _context.Backlog.Release(ended);
    }
}
