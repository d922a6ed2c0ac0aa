using EvenKeel.Kafka;
using EvenKeel.Kafka.Consuming;
using MetricStream.Storing;

namespace MetricStream.Kafka;

/// <summary>
/// A member of the group that moves batches from the topic into the store. Where it goes on, and under which fence, is in the store, in the
/// transactions that write the rows: each record's effect is there once, whatever moment either side dies or is paused.
/// </summary>
internal sealed partial class StoreMember : IOffsetStore, IAsyncDisposable
{
    public const string Group = "metricstream-store";

    // Larger transactions cost less per batch (one fsync and one index page write serve more rows); these bound the memory.
    private const int MaxRecords = 8192;
    private const long MaxBytes = 32 << 20;

    // Below so many records a transaction waits for company: a trickle is stored some twenty times a second at most.
    private const int SmallTransaction = 1024;
    private static readonly TimeSpan RenewalLimit = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Linger = TimeSpan.FromMilliseconds(50);

    private readonly IMetricStore _store;
    private readonly TopicSurvey _survey;
    private readonly DeadLetterTopic _letters;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly ConsumerOptions _options;
    private readonly bool _countsHistory;

    // Guarded by _gate: what this member owns.
    private readonly Lock _gate = new();
    private readonly Dictionary<int, OwnedPartition> _owned = [];
    private Task _renewal = Task.CompletedTask;
    private bool _isStopping;

    // Written by the lane, read by anyone.
    private long _busyTicks;
    private long _done;
    private volatile string? _trouble;
    private volatile string? _refusal;
    private volatile ReliableConsumer? _consumer;

    public StoreMember(ConsumerOptions options, IMetricStore store, TopicSurvey survey, DeadLetterTopic letters, StoreMemberNaming naming)
    {
        _options = options with
        {
            StartAt = StartAt.Earliest,
            Lanes = 1,
            MaxBatchRecords = MaxRecords,
            InHand = new InHandLimits { MaxRecords = 4 * MaxRecords, MaxBytes = MaxBytes },
            Deadlines = new ConsumerDeadlines { Close = TimeSpan.FromSeconds(3), Revoke = TimeSpan.FromSeconds(3) },
            Failures = new FailureOptions { Backoff = TimeSpan.FromMilliseconds(100), MaxBackoff = TimeSpan.FromSeconds(5) },
        };
        (_store, _survey, _letters) = (store, survey, letters);
        (Owner, _time, _log) = (naming.Owner, naming.Time, naming.Log);
        _countsHistory = naming.CountsHistory;
    }

    /// <summary>Under which name this member claims partitions.</summary>
    public string Owner { get; }

    /// <summary>Records settled since the start.</summary>
    public long Done => Interlocked.Read(ref _done);

    /// <summary>Time spent in the store since the start.</summary>
    public TimeSpan Busy => TimeSpan.FromTicks(Interlocked.Read(ref _busyTicks));

    /// <summary>Why nothing is being stored now; null while all is well.</summary>
    public string? Trouble => _trouble ?? (_consumer?.Ended is { IsFaulted: true } ended
        ? $"The consumer has ended: {ended.Exception.InnerException?.Message} Restart the server; nothing is lost."
        : Positions.Count == 0 ? _refusal : null);

    /// <summary>How far each partition is that is this member's now.</summary>
    public IReadOnlyList<PartitionPosition> Positions => _consumer?.Positions() ?? [];

    /// <exception cref="KafkaException">librdkafka refuses a property.</exception>
    public void Start()
    {
        _survey.MadeAnew += Renew;
        _consumer = Join();
    }

    /// <summary>Ends behind the transaction in hand; what is not stored stays in Kafka.</summary>
    public async Task StopAsync(TimeSpan limit)
    {
        _survey.MadeAnew -= Renew;
        Task renewal;
        lock (_gate)
            (_isStopping, renewal) = (true, _renewal);
        await renewal;
        if (_consumer is not { } consumer || consumer.Ended.IsFaulted)
            return;
        var report = await consumer.StopAsync(limit);
        if (report.AbandonedRecords > 0)
            LogAbandoned(report.AbandonedRecords);
    }

    public async ValueTask DisposeAsync()
    {
        if (_consumer is { } consumer)
            await consumer.DisposeAsync();
        await _letters.DisposeAsync();
    }

    private ReliableConsumer Join() => ReliableConsumer.OfBatches(_options, StoreAsync, (_, notice) => TakeNotice(notice), this);

    /// <summary>The topic was made anew: a client that has read the old one waits for ever for offsets that the new one does not reach, so
    /// another takes its place.</summary>
    private void Renew()
    {
        lock (_gate)
        {
            if (!_isStopping)
                _renewal = RenewAsync(_renewal);
        }
    }

    private async Task RenewAsync(Task before)
    {
        await before;
        await Task.Yield(); // It is told by a thread of the client that is to go.
        if (_consumer is { Ended.IsFaulted: false } old)
            await old.StopAsync(RenewalLimit);
        try
        {
            _consumer = Join();
        }
        catch (KafkaException refused)
        {
            _trouble = $"The consumer could not begin anew: {refused.Message} Restart the server; nothing is lost.";
            LogError(_trouble);
        }
    }

    /// <summary>Takes partitions over, at the position that the store has for this very topic: one that was deleted and made again is
    /// another source.</summary>
    public async ValueTask<IReadOnlyList<ClaimedPosition>> ClaimAsync(
        IReadOnlyList<TopicPartition> partitions, CancellationToken cancellationToken)
    {
        var topicId = await _survey.AskIdAsync(cancellationToken);
        var bounds = new List<SourceBounds>();
        foreach (var partition in partitions)
        {
            var (first, end) = await _survey.AskBoundsAsync(partition.Partition, cancellationToken);
            bounds.Add(new SourceBounds(TopicSource.Of(partition.Topic, topicId, partition.Partition), first, end)
            {
                // What was in the topic before is counted by whoever stores it, unless servers that only take batches count it.
                HistoryEnd = _countsHistory ? end : first,
            });
        }
        var claims = _store.Claim(bounds, Owner);
        lock (_gate)
        {
            for (var i = 0; i < claims.Count; i++)
                _owned[partitions[i].Partition] = new OwnedPartition(claims[i].Source, topicId, claims[i].Position);
        }
        foreach (var claim in claims)
        {
            if (claim.Lost > 0)
                LogLost(claim.Lost, claim.Source, claim.Position);
            if (claim.Rewound > 0)
                LogRewound(claim.Source, claim.Position, claim.Rewound);
        }
        return [.. claims.Select((claim, i) => new ClaimedPosition(partitions[i], claim.Position, claim.Fence))];
    }

    /// <summary>The path of batches from a partition to their rows.</summary>
    private async ValueTask StoreAsync(ReceivedBatch batch, CancellationToken stop)
    {
        // 1. Whose they are. A topic that was made anew meanwhile is another source: it is claimed again, from its beginning.
        OwnedPartition owned;
        lock (_gate)
            owned = _owned[batch.Source.Partition];
        if (_survey.TopicId is { Length: > 0 } id && id != owned.TopicId)
            throw new FencedException($"Topic '{batch.Source.Topic}' was made anew: its id is {id}, it was {owned.TopicId}.");
        // 2. A short pause when there is little, so that the next transaction has more.
        if (batch.Count < SmallTransaction && Linger - _time.GetElapsedTime(owned.WrittenAt) is var pause && pause > TimeSpan.Zero)
            await Task.Delay(pause, _time, stop);
        // 3. Each record as the store takes it, or the reason why it does not.
        var records = new StoreRecord[batch.Count];
        for (var i = 0; i < records.Length; i++)
            records[i] = TopicRecord.Read(batch[i], owned.TopicId);
        var transaction = new StoreTransaction(owned.Source, batch.NextOffset, 0, records)
        {
            Fence = batch.Fence,
            Lost = await LostBeforeAsync(batch, owned, stop),
        };
        // 4. Rows, counters and the next offset in one transaction; before it the dead letters are in their topic.
        try
        {
            await WriteAsync(batch, transaction, stop);
        }
        catch (StoreUnavailableException unavailable)
        {
            if (_trouble is null)
                LogUnavailable(unavailable.Message);
            _trouble = unavailable.Message;
            throw;
        }
        if (_trouble is not null)
            LogRecovered();
        _trouble = null;
        (owned.Next, owned.WrittenAt) = (batch.NextOffset, _time.GetTimestamp());
        Interlocked.Add(ref _done, records.Length);
    }

    private async Task WriteAsync(ReceivedBatch batch, StoreTransaction transaction, CancellationToken stop)
    {
        while (true)
        {
            IReadOnlyList<DueLetter> letters;
            var began = _time.GetTimestamp();
            try
            {
                _store.Write(transaction);
                return;
            }
            catch (LettersDueException due)
            {
                letters = due.Letters;
            }
            finally
            {
                Interlocked.Add(ref _busyTicks, _time.GetElapsedTime(began).Ticks);
            }
            await _letters.KeepAsync(batch, letters, stop);
            transaction = transaction with
            {
                LettersKept = transaction.LettersKept.Concat(letters.Select(letter => letter.Record.Position)).ToHashSet(),
            };
        }
    }

    /// <summary>Offsets without a record before this batch that retention took; others are marks of transactions.</summary>
    private async Task<long> LostBeforeAsync(ReceivedBatch batch, OwnedPartition owned, CancellationToken stop)
    {
        var offset = batch[0].Offset;
        if (offset <= owned.Next)
            return 0;
        var (first, _) = await _survey.AskBoundsAsync(batch.Source.Partition, stop);
        var lost = Math.Max(0, Math.Min(first, offset) - owned.Next);
        if (lost > 0)
            LogLost(lost, owned.Source, offset);
        return lost;
    }

    private void TakeNotice(ConsumerNotice notice)
    {
        switch (notice.Kind)
        {
            case ConsumerNoticeKind.BrokerError when notice.Error is not (KafkaErrorCode.AllBrokersDown or KafkaErrorCode.Transport):
                _refusal = notice.Text; // Without partitions this is why: the group refuses the member.
                LogWarning(notice.Text);
                break;
            case ConsumerNoticeKind.Assigned or ConsumerNoticeKind.Revoked or ConsumerNoticeKind.Lost:
                LogMembership(notice.Text);
                break;
            case ConsumerNoticeKind.HandlerFailed when notice.Exception is StoreUnavailableException:
                break; // Said once when it began.
            case ConsumerNoticeKind.BrokerError when notice.Error is KafkaErrorCode.AllBrokersDown or KafkaErrorCode.Transport:
            case ConsumerNoticeKind.Log when notice.LogLevel > 4:
            case ConsumerNoticeKind.Statistics:
                LogLibrary(notice.Text);
                break;
            case ConsumerNoticeKind.Fatal or ConsumerNoticeKind.Defect:
                LogError(notice.Text);
                break;
            default:
                LogWarning(notice.Text);
                break;
        }
    }

    [LoggerMessage(241, LogLevel.Error, "Nothing can be stored now; batches wait in Kafka. {Reason}")]
    private partial void LogUnavailable(string reason);

    [LoggerMessage(242, LogLevel.Information, "The store takes batches again.")]
    private partial void LogRecovered();

    [LoggerMessage(243, LogLevel.Error,
        "{Lost} records of {Source} are gone before they were stored: the topic's retention deleted them. Reading goes on at {Position}. "
        + "Give the topic a longer retention than the store's longest outage.")]
    private partial void LogLost(long lost, string source, long position);

    [LoggerMessage(244, LogLevel.Error,
        "{Source} ends at {Position}, {Rewound} records before what was stored: Kafka has lost the end of its log (an unclean election?). "
        + "What comes there now is read; what is stored stays.")]
    private partial void LogRewound(string source, long position, long rewound);

    [LoggerMessage(245, LogLevel.Information, "Storing: {Text}")]
    private partial void LogMembership(string text);

    [LoggerMessage(246, LogLevel.Warning, "Storing: {Text}")]
    private partial void LogWarning(string text);

    [LoggerMessage(247, LogLevel.Error, "Storing: {Text}")]
    private partial void LogError(string text);

    [LoggerMessage(248, LogLevel.Debug, "Storing: {Text}")]
    private partial void LogLibrary(string text);

    [LoggerMessage(249, LogLevel.Warning,
        "{Records} records in hand were given up at the stop; they are in Kafka and are stored next time.")]
    private partial void LogAbandoned(long records);

    /// <summary>A partition that is this member's, under one claim.</summary>
    private sealed class OwnedPartition(string source, string topicId, long next)
    {
        public string Source => source;

        public string TopicId => topicId;

        // Lane only.
        public long Next { get; set; } = next;

        public long WrittenAt { get; set; }
    }
}

/// <summary>Who a member is, and what tells it the time and takes its word.</summary>
internal sealed record StoreMemberNaming(string Owner, TimeProvider Time, ILogger Log)
{
    /// <summary>What the topic held before the store knew it counts as acknowledged here.</summary>
    public bool CountsHistory { get; init; }
}
