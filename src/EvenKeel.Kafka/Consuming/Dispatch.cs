using EvenKeel.Kafka.Native;

namespace EvenKeel.Kafka.Consuming;

/// <summary>
/// The dispatch: takes records from librdkafka, enters them into their ledgers and hands them to the lanes, as long as there is room.
/// Consume loop only, but for the counts.
/// </summary>
internal sealed unsafe class Dispatch
{
    private const int TakeAtMost = 1024;
    private readonly ConsumerContext _context;
    private readonly Membership _membership;
    private readonly Lane[] _lanes;
    private readonly nint[] _messages = new nint[TakeAtMost];

    // Consume loop only; the counts are read by any thread.
    private long _takenRecords;
    private long _takenBytes;
    private long _expired;
    private long _meanBytes = 1024;

    public Dispatch(ConsumerContext context, Membership membership)
    {
        _context = context;
        _membership = membership;
        _lanes = new Lane[context.Options.Lanes];
        for (var i = 0; i < _lanes.Length; i++)
            _lanes[i] = new Lane(context, i);
    }

    public IReadOnlyList<Lane> Lanes => _lanes;

    public long TakenRecords => Volatile.Read(ref _takenRecords);

    public long InHandRecords
    {
        get
        {
            // The lanes first: a sum that is too low would be negative in hand.
            var ended = 0L;
            foreach (var lane in _lanes)
                ended += lane.EndedRecords;
            return TakenRecords - ended;
        }
    }

    public long InHandBytes
    {
        get
        {
            var ended = 0L;
            foreach (var lane in _lanes)
                ended += lane.EndedBytes;
            return Volatile.Read(ref _takenBytes) - ended;
        }
    }

    /// <summary>Records that retention deleted before they were read.</summary>
    public long Expired => Volatile.Read(ref _expired);

    public bool HasRoom => Room() > 0;

    /// <summary>Takes what is there and fits, and hands it on; waits for the first record if there is none.</summary>
    /// <returns>How many.</returns>
    public int TakeSome(TimeSpan wait)
    {
        var room = Room();
        if (room == 0)
            return 0;
        var taken = _context.Client.Take(_messages.AsSpan(0, room), wait);
        using (var call = _context.Client.Handle.Enter())
        {
            for (var i = 0; i < taken; i++)
                Enter((NativeMessage*)_messages[i]);
        }
        foreach (var lane in _lanes)
            lane.Push();
        return taken;
    }

    public void Stop()
    {
        foreach (var lane in _lanes)
            lane.Stop();
    }

    /// <summary>How many records may be taken: by the limit of records, and by that of bytes at the size that they had lately.</summary>
    private int Room()
    {
        var limits = _context.Options.InHand;
        var bytes = limits.MaxBytes - InHandBytes;
        var records = limits.MaxRecords - InHandRecords;
        if (bytes <= 0 || records <= 0)
            return 0;
        return (int)Math.Min(Math.Min(records, Math.Max(1, bytes / _meanBytes)), TakeAtMost);
    }

    private void Enter(NativeMessage* message)
    {
        // 1. An error of a partition comes in the place of a record.
        if (message->Error != KafkaErrorCode.None)
        {
            TellError(message);
            Librdkafka.MessageDestroy(message);
            return;
        }

        // 2. Nobody's: of a partition that is being given back, or handed out a second time.
        var epoch = Librdkafka.MessageLeaderEpoch(message);
        if (_membership.Find(message) is not { IsOpen: true } ledger || !ledger.IsNew(message->Offset, epoch))
        {
            Librdkafka.MessageDestroy(message);
            return;
        }

        // 3. Into the ledger, and from there to its lane.
        if (message->Offset > ledger.NextOffset)
            LookForExpired(ledger, message->Offset);
        var bytes = (int)Math.Min(message->KeySize + message->ValueSize, int.MaxValue);
        var place = ledger.Take(message->Offset, epoch, (nint)message, bytes);
        int kind;
        place.Entry.TimestampMs = Librdkafka.MessageTimestamp(message, &kind);
        Volatile.Write(ref _takenRecords, _takenRecords + 1);
        Volatile.Write(ref _takenBytes, _takenBytes + bytes);
        _meanBytes = Math.Max(1, (_meanBytes * 15 + bytes) / 16);
        _lanes[_lanes.Length == 1 ? 0 : LaneOf(message)].Stage(place);
    }

    private int LaneOf(NativeMessage* message)
    {
        // FNV-1a: the same lane for the same key is all that is asked of it. With a store of positions a partition is one lane's, since its
        // position may only grow.
        var hash = 14695981039346656037UL;
        if (message->Key is not null && _context.Store is null)
        {
            foreach (var part in new ReadOnlySpan<byte>(message->Key, (int)message->KeySize))
                hash = (hash ^ part) * 1099511628211UL;
        }
        else
        {
            hash = (hash ^ (uint)message->Partition) * 1099511628211UL;
        }
        return (int)((hash ^ (hash >> 32)) % (uint)_lanes.Length);
    }

    private void LookForExpired(PartitionLedger ledger, long offset)
    {
        var expected = ledger.NextOffset;
        if (expected == PartitionLedger.None)
            return;
        var (low, _) = _context.Client.Handle.KnownWatermarks(ledger.Partition.Topic, ledger.Partition.Partition);
        if (low <= expected || low > offset)
            return;
        Volatile.Write(ref _expired, _expired + (low - expected));
        _context.Notices.Tell(new ConsumerNotice(
            ConsumerNoticeKind.RecordsExpired,
            $"{ledger.Partition}: up to {low - expected} records from {expected} on were deleted by retention before they were read; "
            + $"reading goes on at {offset}."));
    }

    private void TellError(NativeMessage* message)
    {
        var text = NativeText.Read(Librdkafka.MessageErrorText(message));
        _context.Notices.Tell(new ConsumerNotice(
            ConsumerNoticeKind.BrokerError,
            $"{NativeText.Read(Librdkafka.TopicName(message->Topic))}[{message->Partition}]: {text} ({message->Error.Describe()})",
            message->Error));
    }
}
