using EvenKeel.Kafka.Native;
using EvenKeel.Kafka.Telemetry;

namespace EvenKeel.Kafka.Consuming;

/// <summary>
/// A member of a group that handles each record at least once, in order per key, and commits nothing ahead of the work. Handlers may take
/// as long as they like; its end is bounded in every state of the brokers.
/// </summary>
/// <remarks>
/// <para>Handlers run on threads of the consumer, the lanes: one that blocks starves nobody else. The records of a key go to one lane; with
/// one lane a partition's records are handled in order, with several a key's.</para>
/// <para>What it may hand out twice, and when, is in <c>docs/what-a-consumer-may-lose.md</c>.</para>
/// </remarks>
public sealed class ReliableConsumer : IAsyncDisposable
{
    // Beyond its deadline the loop is stuck in a native call: a defect, which must not hold the caller.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    private readonly ConsumerContext _context;
    private readonly NoticeBoard<ConsumerNotice> _notices;
    private readonly ConsumeLoop _loop;

    /// <summary>Joins the group and begins to read.</summary>
    /// <param name="options">How it reads.</param>
    /// <param name="handler">Does the work of a record.</param>
    /// <param name="noticed">Gets warnings, rebalances, errors, log lines, on the thread pool, from the first one on.</param>
    /// <param name="store">The caller's store of positions, for an effect of exactly once; null: Kafka's committed offsets count.</param>
    /// <exception cref="ArgumentException">Options are violated; the message names all of them.</exception>
    /// <exception cref="KafkaException">librdkafka refuses a property or the subscription.</exception>
    public ReliableConsumer(
        ConsumerOptions options, RecordHandler handler, EventHandler<ConsumerNotice>? noticed = null, IOffsetStore? store = null)
        : this(options, new HandlerCall(handler ?? throw new ArgumentNullException(nameof(handler))), noticed, store, CommitRule.Right)
    {
    }

    internal ReliableConsumer(
        ConsumerOptions options, HandlerCall handler, EventHandler<ConsumerNotice>? noticed, IOffsetStore? store, CommitRule rule)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Validate() is { Count: > 0 } violations)
            throw new ArgumentException(string.Join(" ", violations), nameof(options));
        Options = options;
        _notices = new NoticeBoard<ConsumerNotice>(this);
        if (noticed is not null)
            _notices.Noticed += noticed;
        var client = ConsumerClient.Create(options);
        _context = new ConsumerContext(options, handler, client, _notices) { Store = store, Rule = rule };
        _loop = new ConsumeLoop(_context);
        ConsumerMeter.Shared.Add(this);
    }

    /// <summary>How it reads.</summary>
    public ConsumerOptions Options { get; }

    /// <summary>librdkafka's name for its client.</summary>
    public string Name => _context.Client.Handle.Name;

    /// <summary>
    /// The end of reading. Fails if it was not asked for: a fatal error (<see cref="KafkaException"/>), after which another consumer must
    /// be made, or a defect.
    /// </summary>
    public Task<CloseReport> Ended => _loop.Ended;

    /// <summary>Completes when the native client is gone; after a bounded close that can be later than <see cref="Ended"/>.</summary>
    public Task Destroyed => _context.Client.Handle.Destroyed;

    /// <summary>No room: nothing is taken until handlers are done with some of what is in hand. The membership goes on.</summary>
    public bool IsPaused => _loop.IsPaused;

    /// <summary>The handler failed for so many records in a row that none goes to the dead letters any more.</summary>
    public bool IsFailing => _context.Failures.IsClosed;

    /// <summary>The longest time that a lane has been busy with what its handler has now.</summary>
    public TimeSpan LongestBusy => _loop.Dispatch.Lanes.Max(lane => lane.BusyFor);

    /// <summary>Since the coordinator last confirmed a commit, or since the start.</summary>
    public TimeSpan CommitAge => _loop.Commits.Age;

    /// <summary>What it did so far and holds now.</summary>
    public ConsumerCounters Counters
    {
        get
        {
            var done = _loop.Dispatch.Lanes.Sum(lane => lane.DoneRecords);
            return new ConsumerCounters
            {
                Done = done,
                Taken = _loop.Dispatch.TakenRecords,
                DeadLetters = _context.DeadLetters,
                HandlerFailures = _context.HandlerFailures,
                Abandoned = _loop.Membership.Abandoned,
                Expired = _loop.Dispatch.Expired,
                InHand = _loop.Dispatch.InHandRecords,
                InHandBytes = _loop.Dispatch.InHandBytes,
                Rebalances = _loop.Membership.Rebalances,
                Commits = _loop.Commits.Confirmed,
                CommitFailures = _loop.Commits.Failures,
                NoticesDropped = _notices.Dropped,
            };
        }
    }

    internal ConsumerContext Context => _context;

    internal ConsumeLoop Loop => _loop;

    /// <summary>Joins the group and begins to read, handing out several records of one partition at a time.</summary>
    /// <param name="options">How it reads; <see cref="ConsumerOptions.MaxBatchRecords"/> bounds a batch.</param>
    /// <param name="handler">Does the work of a batch.</param>
    /// <param name="noticed">As for the constructor.</param>
    /// <param name="store">As for the constructor.</param>
    /// <returns>The consumer, reading.</returns>
    /// <exception cref="ArgumentException">Options are violated; the message names all of them.</exception>
    /// <exception cref="KafkaException">librdkafka refuses a property or the subscription.</exception>
    public static ReliableConsumer OfBatches(
        ConsumerOptions options, BatchHandler handler, EventHandler<ConsumerNotice>? noticed = null, IOffsetStore? store = null) =>
        new(options, new HandlerCall(handler ?? throw new ArgumentNullException(nameof(handler))), noticed, store, CommitRule.Right);

    /// <summary>The partitions that are this member's now, and how far each is.</summary>
    /// <returns>One for each; none before the first assignment and after the end.</returns>
    public IReadOnlyList<PartitionPosition> Positions()
    {
        var positions = new List<PartitionPosition>();
        foreach (var ledger in _loop.Membership.Ledgers)
        {
            var (end, done) = (EndOf(ledger.Partition), Known(ledger.Committable));
            positions.Add(new PartitionPosition(
                ledger.Partition, Known(ledger.NextOffset), done, Known(ledger.Committed), end, ledger.InHand,
                Known(ledger.DoneTimestampMs))
            {
                Lag = end - (done ?? Known(ledger.FirstOffset)) is { } lag ? Math.Max(0, lag) : null,
            });
        }
        return positions;
    }

    /// <summary>
    /// Stops: nothing more is begun, handlers that run may end, what is done is committed, the group is left, all within the limit. What
    /// does not end by then is given up uncommitted and handled again elsewhere. The native client may go later, in the background.
    /// </summary>
    /// <param name="limit">Default <see cref="ConsumerDeadlines.Close"/>. A second call can only bring it forward.</param>
    /// <param name="cancellationToken">Makes the limit now.</param>
    /// <returns>What it came to.</returns>
    public async Task<CloseReport> StopAsync(TimeSpan? limit = null, CancellationToken cancellationToken = default)
    {
        var within = limit ?? Options.Deadlines.Close;
        ArgumentOutOfRangeException.ThrowIfLessThan(within, TimeSpan.Zero);
        _loop.Stop(within);
        using var hurry = cancellationToken.UnsafeRegister(static loop => ((ConsumeLoop)loop!).Stop(TimeSpan.Zero), _loop);
        try
        {
            return await _loop.Ended.WaitAsync(within + Grace, _context.Time, CancellationToken.None).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // It may have ended in this very moment.
            if (_loop.Ended.IsCompleted)
                return await _loop.Ended.ConfigureAwait(false);
            _ = _context.Client.Handle.CloseAsync(DestroyOptions.NoConsumerClose);
            _notices.Tell(new ConsumerNotice(
                ConsumerNoticeKind.Defect, $"{Name} did not end within {within} and {Grace} more: its loop is in a native call."));
            return new CloseReport(false, false, _loop.Dispatch.InHandRecords, within + Grace);
        }
    }

    /// <summary>Stops within <see cref="ConsumerDeadlines.Close"/>; does not throw what ended the consumer before.</summary>
    /// <returns>Ends when no handler is begun any more.</returns>
    public async ValueTask DisposeAsync() =>
        await ((Task)StopAsync()).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    private static long? Known(long offset) => offset == PartitionLedger.None ? null : offset;

    private long? EndOf(TopicPartition partition)
    {
        if (!_context.Client.Handle.TryEnter(out var call))
            return null;
        call.Dispose();
        try
        {
            return _context.Client.Handle.KnownWatermarks(partition.Topic, partition.Partition).High is >= 0 and var high ? high : null;
        }
        catch (ObjectDisposedException)
        {
            return null; // Closed in between.
        }
        catch (KafkaException)
        {
            return null; // The partition is no longer known.
        }
    }
}
