using EvenKeel.Kafka.Telemetry;

namespace EvenKeel.Kafka.Producing;

/// <summary>
/// A Kafka producer that loses nothing silently: each record ends as delivered, refused with the reason, or unknown. One is shared by any
/// number of threads. When it is full a send waits, first come first served; its disposal drains, within limits, and cannot crash.
/// </summary>
/// <remarks>
/// Idempotent, acknowledged by all in-sync replicas, keys in the partitions where Java's client puts them. Records of one key are sent in
/// the order in which they were accepted.
/// </remarks>
public sealed class ReliableProducer : IRecordProducer
{
    private const int MaxIdleSends = 16_384;
    private static readonly TimeSpan DestroyLimit = TimeSpan.FromSeconds(5);

    private readonly ProducerContext _context;
    private readonly PendingSendPool _sends;
    private readonly SendLoop _loop;
    private readonly NoticeBoard _notices;
    private readonly ProducerTelemetry _telemetry;
    private readonly RecordSend _send;
    private readonly RecordTrySend _trySend;

    // Guarded by _drainGate.
    private readonly Lock _drainGate = new();
    private Task<DrainReport>? _drain;

    /// <summary>Creates the native client, one at a time in this process; does not wait for a broker (<see cref="WarmUpAsync"/>).</summary>
    /// <param name="options">How it sends.</param>
    /// <exception cref="ArgumentException">Options are violated; the message names all of them.</exception>
    /// <exception cref="KafkaException">librdkafka refuses a property.</exception>
    public ReliableProducer(ProducerOptions options)
        : this(options, null)
    {
    }

    /// <summary>
    /// With a sink: the first record that is not delivered, and is not at fault itself, stops the native client, and all that is
    /// undelivered goes back there, in place of outcomes. Drain it then.
    /// </summary>
    internal ReliableProducer(ProducerOptions options, UndeliveredSink? undelivered, ProducerObserver? observer = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Validate() is { Count: > 0 } violations)
            throw new ArgumentException(string.Join(" ", violations), nameof(options));
        // A later client must be made as the first was, whatever its owner does to the dictionary meanwhile.
        options = options with { Properties = options.Properties.ToDictionary() };
        _notices = new NoticeBoard(this);
        observer ??= ProducerObserver.None;
        _notices.Noticed += observer.Noticed;
        _sends = new PendingSendPool(Math.Min(options.MaxRecords, MaxIdleSends), _notices.TellThrown);
        _context = new ProducerContext(options, new Backlog(options, WarnOfBacklog), _notices, new Leftovers())
        {
            Undelivered = undelivered,
        };
        var client = ProducerClient.Create(_context);
        (CreationWaited, CreationTook) = (client.Handle.Creation.Waited, client.Handle.Creation.Took);
        _loop = new SendLoop(_context, client);
        _send = SendUnobserved;
        _trySend = TrySendUnobserved;
        _telemetry = new ProducerTelemetry(observer.Name ?? client.Handle.Name, observer.Meter);
        _telemetry.Start(() => Counters);
        if (options.Properties.ContainsKey("statistics.interval.ms"))
            _notices.Noticed += (_, notice) => _telemetry.Take(notice);
    }

    /// <summary>Warnings, broker errors, log lines, on the thread pool; a handler that throws is counted.</summary>
    public event EventHandler<ProducerNotice> Noticed
    {
        add => _notices.Noticed += value;
        remove => _notices.Noticed -= value;
    }

    /// <summary>How long the creation waited for those of other clients in this process.</summary>
    public TimeSpan CreationWaited { get; }

    /// <summary>How long the creation itself took.</summary>
    public TimeSpan CreationTook { get; }

    /// <summary>What it did so far and holds now.</summary>
    public ProducerCounters Counters => _context.Backlog.Counters with
    {
        ThrownByUsers = _notices.Thrown + _telemetry.Thrown,
        NoticesDropped = _notices.Dropped,
        Replacements = _loop.Replacements,
        QueueFullMet = _loop.QueueFullMet,
    };

    internal ProducerClient Client => _loop.Client;

    internal Backlog Backlog => _context.Backlog;

    /// <summary>Takes a record for a caller of its own, if there is room and nobody waits for it.</summary>
    internal bool TryTake(scoped in OutgoingRecord record, int headerBytes, PendingSend send)
    {
        var admission = _context.Backlog.TryQueue(record, headerBytes, send, feedsLone: true);
        if (admission == Admission.Lone)
            _loop.FeedLone();
        return admission is Admission.Queued or Admission.Lone;
    }

    /// <summary>Connects, and fetches the topics' metadata, so that the first send is not the slow one.</summary>
    /// <param name="topics">Those that will be sent to; none: the cluster alone.</param>
    /// <param name="limit">For all of it.</param>
    /// <param name="cancellationToken">Ends the wait within a second.</param>
    /// <exception cref="KafkaException">Not done within the limit; the message says what is missing. It goes on trying.</exception>
    public Task WarmUpAsync(IReadOnlyCollection<string> topics, TimeSpan limit, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(topics);
        return Task.Factory.StartNew(
            () => WarmUp.Run(_loop.Client, topics, limit, cancellationToken), cancellationToken, TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
    }

    /// <inheritdoc/>
    public ValueTask<DeliveryOutcome> SendAsync(scoped in OutgoingRecord record, CancellationToken cancellationToken = default) =>
        _telemetry.IsObserved ? _telemetry.Send(_send, record, cancellationToken) : SendUnobserved(record, cancellationToken);

    private ValueTask<DeliveryOutcome> SendUnobserved(scoped in OutgoingRecord record, CancellationToken cancellationToken)
    {
        // 1. What cannot be a record is the caller's mistake.
        var headerBytes = Check(record);
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<DeliveryOutcome>(cancellationToken);
        if (Measure(record, headerBytes) > _context.Options.MaxRecordBytes)
            return TooLarge(record, headerBytes);

        // 2. With room it is copied into the group that the send loop takes next; without, it waits in line with a copy of its own.
        var send = _sends.Rent();
        var task = send.Task;
        var admission = _context.Backlog.TryQueue(record, headerBytes, send, feedsLone: true);
        if (admission == Admission.Waiting)
            admission = StandInLine(record, headerBytes, send, cancellationToken);

        // 3. From here on the record belongs to the backlog; the task ends with its outcome. A lone one is on its way already.
        if (admission == Admission.Lone)
            _loop.FeedLone();
        if (admission is Admission.Queued or Admission.Lone or Admission.Waiting)
            return task;
        _sends.Return(send);
        return new ValueTask<DeliveryOutcome>(admission == Admission.Full ? LineFull() : Stopped());
    }

    /// <summary>Sends a record if it need not wait for room.</summary>
    /// <param name="record">What is sent; its bytes are copied before this returns.</param>
    /// <param name="outcome">The record's outcome, if it was accepted or can never be.</param>
    /// <returns>False if there is no room, or others wait for it: nothing was done.</returns>
    /// <exception cref="ArgumentException">The topic or a header has no valid name.</exception>
    public bool TrySend(scoped in OutgoingRecord record, out ValueTask<DeliveryOutcome> outcome) =>
        _telemetry.IsObserved ? _telemetry.TrySend(_trySend, record, out outcome) : TrySendUnobserved(record, out outcome);

    private bool TrySendUnobserved(scoped in OutgoingRecord record, out ValueTask<DeliveryOutcome> outcome)
    {
        var headerBytes = Check(record);
        if (Measure(record, headerBytes) > _context.Options.MaxRecordBytes)
        {
            outcome = TooLarge(record, headerBytes);
            return true;
        }
        var send = _sends.Rent();
        outcome = send.Task;
        var admission = _context.Backlog.TryQueue(record, headerBytes, send, feedsLone: true);
        if (admission == Admission.Lone)
            _loop.FeedLone();
        if (admission is Admission.Queued or Admission.Lone)
            return true;
        _sends.Return(send);
        outcome = admission == Admission.Closed ? new ValueTask<DeliveryOutcome>(Stopped()) : default;
        return admission == Admission.Closed;
    }

    /// <summary>
    /// Stops the intake (sends from here on are refused) and gives every accepted record its outcome: first within
    /// <see cref="DrainLimits.Flush"/>, then <see cref="DrainLimits.Stragglers"/>, at once when nothing is left, and by purging in the end.
    /// </summary>
    /// <param name="keepLeftovers">Hand over what was not delivered; counts only for the first call.</param>
    /// <param name="cancellationToken">Ends the waiting, not the drain: what is left is purged. Counts only for the first call.</param>
    /// <returns>What it came to; the same for every call.</returns>
    public Task<DrainReport> DrainAsync(bool keepLeftovers = false, CancellationToken cancellationToken = default) =>
        DrainAsync(_context.Options.Drain, keepLeftovers, cancellationToken);

    /// <summary>The same within other limits.</summary>
    /// <param name="limits">Count only for the first call.</param>
    /// <param name="keepLeftovers">Hand over what was not delivered; counts only for the first call.</param>
    /// <param name="cancellationToken">Ends the waiting, not the drain: what is left is purged. Counts only for the first call.</param>
    /// <returns>What it came to; the same for every call.</returns>
    public Task<DrainReport> DrainAsync(DrainLimits limits, bool keepLeftovers = false, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(limits);
        lock (_drainGate)
        {
            if (_drain is not null)
                return _drain;
            if (keepLeftovers)
                _context.Leftovers.StartKeeping();
            return _drain = Drain.Start(_context, _loop, limits, cancellationToken);
        }
    }

    /// <summary>Drains; then waits up to 5 s for the native client to be gone, which otherwise ends in the background.</summary>
    /// <returns>Ends when every record has its outcome.</returns>
    public async ValueTask DisposeAsync()
    {
        await DrainAsync().ConfigureAwait(false);
        _telemetry.Stop();

        // Past the limit, or failed, which was told: either way every record has its outcome, and nothing is left for the caller to do.
        await _loop.Client.Handle.Destroyed.WaitAsync(DestroyLimit).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private static int Check(scoped in OutgoingRecord record)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(record.Topic);
        return record.Headers is { Count: > 0 } headers ? HeaderBlock.Measure(headers) : 0;
    }

    private static long Measure(scoped in OutgoingRecord record, int headerBytes) =>
        (long)record.Key.Length + (record.IsTombstone ? 0 : record.Value.Length) + headerBytes;

    private static DeliveryOutcome Stopped() =>
        DeliveryOutcome.Refused(KafkaErrorCode.ClientDestroyed, "The producer is stopped or stopping: send through another one.");

    private ValueTask<DeliveryOutcome> TooLarge(scoped in OutgoingRecord record, int headerBytes) =>
        new(DeliveryOutcome.Refused(
            KafkaErrorCode.MessageTooLarge,
            $"The record for '{record.Topic}' has {Measure(record, headerBytes)} bytes; "
            + $"MaxRecordBytes is {_context.Options.MaxRecordBytes}."));

    private DeliveryOutcome LineFull() =>
        DeliveryOutcome.Refused(
            KafkaErrorCode.QueueFull, $"{_context.Options.MaxWaitingSends} sends wait for room already (MaxWaitingSends).");

    private Admission StandInLine(
        scoped in OutgoingRecord record, int headerBytes, PendingSend send, CancellationToken cancellationToken)
    {
        var group = new byte[Measure(record, headerBytes)];
        var valueBytes = record.IsTombstone ? 0 : record.Value.Length;
        record.Key.CopyTo(group);
        record.Value[..valueBytes].CopyTo(group.AsSpan(record.Key.Length));
        if (headerBytes > 0)
            HeaderBlock.Write(record.Headers!, group.AsSpan(record.Key.Length + valueBytes));
        var entry = new SendEntry(-1, 0, record.Key.Length, valueBytes, headerBytes)
        {
            TimestampMs = record.TimestampMs,
            IsTombstone = record.IsTombstone,
        };
        var wait = new CreditWait(record.Topic, entry, group, send);
        var admission = _context.Backlog.LineUp(wait);
        if (admission == Admission.Waiting && cancellationToken.CanBeCanceled)
            _context.Backlog.CancelWith(wait, cancellationToken);
        return admission;
    }

    private void WarnOfBacklog(ProducerCounters counters)
    {
        _notices.Tell(new ProducerNotice(
            ProducerNoticeKind.BacklogHigh,
            $"{counters.Backlog} records and {counters.BacklogBytes} bytes wait for their outcome; the limits are "
            + $"{_context.Options.MaxRecords} and {_context.Options.MaxBytes}."));
    }
}
