using System.Diagnostics;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Telemetry;
using EvenKeel.Queue;

namespace EvenKeel.Kafka.Spilling;

/// <summary>
/// A Kafka producer that keeps records on local disk while Kafka is away, too slow, or refuses a topic, and sends them when it is back: in
/// order per key, each under a record id that shows a repetition. One is shared by any number of threads.
/// </summary>
/// <remarks>
/// <para>A key with records in the spill goes on through it until they are sent; other keys go straight. What Kafka leaves unknown is
/// spilled and sent again: the only repetitions beside those after a crash.</para>
/// <para>A record that Kafka refuses for good is refused to its caller; one whose caller was answered from disk is kept among the dead
/// letters (<see cref="ReadDeadLetters"/>).</para>
/// </remarks>
public sealed class SpillingProducer : IRecordProducer
{
    /// <summary>The header that names the acceptance of a record; a replay carries the same. A caller's own is kept.</summary>
    public const string RecordIdHeader = "record-id";

    private const int MaxIdleSends = 16_384;

    private readonly ProducerOptions _producer;
    private readonly NoticeBoard _notices;
    private readonly PendingSendPool _sends;
    private readonly RecordIds _ids = new();
    private readonly DeadLetterBox _deadLetters;
    private readonly SpillRoute _route;
    private readonly SpillWatch _watch;
    private readonly ReplayContext _replay;
    private readonly SpillStop _stop;
    private readonly ProducerTelemetry _telemetry;
    private readonly SpillMeter _spillMeter;
    private readonly RecordSend _send;

    /// <summary>Opens the spill, begins to send what an earlier process left there, and creates the client; waits for no broker.</summary>
    /// <param name="producer">How it sends. <see cref="ProducerOptions.DeliveryTimeout"/> only bounds
    /// <see cref="SpillOptions.SpillAfter"/>.</param>
    /// <param name="spill">How it keeps.</param>
    /// <exception cref="ArgumentException">Options are violated; the message names all of them.</exception>
    /// <exception cref="KafkaException">librdkafka refuses a property.</exception>
    /// <exception cref="QueueOpenException">The folder is in use, of a later format, or cannot be used.</exception>
    public SpillingProducer(ProducerOptions producer, SpillOptions spill)
        : this(producer, spill, DurableQueue.Open, TimeProvider.System)
    {
    }

    internal SpillingProducer(ProducerOptions producer, SpillOptions spill, ProducerObserver observer)
        : this(producer, spill, DurableQueue.Open, TimeProvider.System, observer)
    {
    }

    internal SpillingProducer(
        ProducerOptions producer, SpillOptions spill, Func<DurableQueueOptions, DurableQueue> openQueue, TimeProvider time,
        ProducerObserver? observer = null)
    {
        ArgumentNullException.ThrowIfNull(producer);
        ArgumentNullException.ThrowIfNull(spill);
        if (SpillClients.Validate(producer, spill) is { Count: > 0 } violations)
            throw new ArgumentException(string.Join(" ", violations), nameof(spill));
        _producer = SpillClients.Direct(producer);
        observer ??= ProducerObserver.None;
        _notices = new NoticeBoard(this);
        _notices.Noticed += observer.Noticed;
        _telemetry = new ProducerTelemetry(observer.Name ?? Path.GetFileName(spill.Directory), observer.Meter);
        _send = SendUnobserved;
        _sends = new PendingSendPool(Math.Min(producer.MaxRecords, MaxIdleSends), _notices.TellThrown);

        // Its lock keeps a second producer out of the whole folder.
        _deadLetters = new DeadLetterBox(openQueue(spill.QueueOptions(TopicFolder.DeadLetters(spill.Directory))));
        _stop = new SpillStop();
        _route = new SpillRoute(spill, _notices, _deadLetters, OpenLane, time);
        _watch = new SpillWatch(_route, spill, _notices, OpenPath, time);
        _replay = new ReplayContext(_route, _deadLetters, _notices, SpillClients.Replay(producer), spill.SpillAfter) { Time = time };
        var path = default(DirectPath);
        try
        {
            path = OpenPath();
            foreach (var topic in TopicFolder.Topics(spill.Directory))
                _route.Add(OpenLane(topic));
        }
        catch
        {
            // Nobody has sent anything; what is on disk stays there.
            _ = path?.EndAsync(atOnce: true);
            _ = _stop.EndAsync(_route, _deadLetters);
            throw;
        }
        _route.Open(path);
        _watch.Start();
        _telemetry.Start(() => _route.DirectCounters);
        _spillMeter = observer.Meter.Spills;
        _spillMeter.Add(_telemetry.Name, this);

        DirectPath OpenPath() => new(_producer, _notices, _watch!.Disturb);

        SpillLane OpenLane(string topic)
        {
            var options = spill.QueueOptions(TopicFolder.Of(spill.Directory, topic));
            var lane = new SpillLane(topic, openQueue(options), options);
            _stop.Add(Replay.RunAsync(lane, _replay!, _stop.Token));
            return lane;
        }
    }

    /// <summary>Changes of state, alarms, broker errors, on the thread pool; a handler that throws is counted.</summary>
    public event EventHandler<ProducerNotice> Noticed
    {
        add => _notices.Noticed += value;
        remove => _notices.Noticed -= value;
    }

    /// <summary>Which way records take now.</summary>
    public SpillState State => _route.State;

    /// <summary>What it did so far and holds now.</summary>
    public SpillCounters Counters
    {
        get
        {
            var direct = _route.DirectCounters;
            var counters = _route.Counters;
            return counters with
            {
                Direct = direct.Delivered,
                Refused = counters.Refused + direct.Refused,
                Unknown = counters.Unknown + direct.Unknown,
            };
        }
    }

    /// <summary>Connects, and fetches the topics' metadata, so that the first send is not the slow one.</summary>
    /// <inheritdoc cref="ReliableProducer.WarmUpAsync"/>
    public Task WarmUpAsync(IReadOnlyCollection<string> topics, TimeSpan limit, CancellationToken cancellationToken = default) =>
        _route.Direct is { } path
            ? path.Producer.WarmUpAsync(topics, limit, cancellationToken)
            : Task.FromException(new KafkaException(
                KafkaErrorCode.AllBrokersDown, "No broker was asked: one client has just failed, and the next is not there yet."));

    /// <inheritdoc/>
    /// <remarks>The outcome is Delivered, Refused with the reason, Spilled, or, where the disk failed as well, Unknown.</remarks>
    public ValueTask<DeliveryOutcome> SendAsync(scoped in OutgoingRecord record, CancellationToken cancellationToken = default) =>
        _telemetry.IsObserved ? _telemetry.Send(_send, record, cancellationToken) : SendUnobserved(record, cancellationToken);

    private ValueTask<DeliveryOutcome> SendUnobserved(scoped in OutgoingRecord record, CancellationToken cancellationToken)
    {
        // 1. What cannot be a record is the caller's mistake; what can never be sent is refused before it is kept.
        ArgumentException.ThrowIfNullOrWhiteSpace(record.Topic);
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<DeliveryOutcome>(cancellationToken);
        var headers = _ids.Identify(record.Headers);
        var headerBytes = HeaderBlock.Measure(headers);
        var named = new OutgoingRecord(record.Topic, record.Key, record.Value)
        {
            IsTombstone = record.IsTombstone,
            Headers = headers,
            TimestampMs = record.TimestampMs,
        };
        var bytes = (long)record.Key.Length + (record.IsTombstone ? 0 : record.Value.Length) + headerBytes;
        if (bytes > _producer.MaxRecordBytes)
        {
            return new(DeliveryOutcome.Refused(
                KafkaErrorCode.MessageTooLarge,
                $"The record for '{record.Topic}' has {bytes} bytes; MaxRecordBytes is {_producer.MaxRecordBytes}."));
        }

        // 2. With nothing in the spill and room in the client, straight; otherwise the way that keeps the order of its key.
        var send = _sends.Rent();
        var task = send.Task;
        if (_route.TryPlain(named, headerBytes, send))
            return task;
        if (_route.Take(named, headerBytes, send, out var waiting) is { } refused)
        {
            _sends.Return(send);
            return new(refused);
        }

        // 3. From here on the record belongs to the client, or to the spill; the task ends with its outcome.
        if (waiting is not null && cancellationToken.CanBeCanceled)
            _route.CancelWith(waiting, cancellationToken);
        return task;
    }

    /// <summary>The oldest dead letters, those of earlier processes included.</summary>
    /// <param name="max">At most so many.</param>
    public IReadOnlyList<DeadLetter> ReadDeadLetters(int max)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(max, 1);
        return _deadLetters.Read(max);
    }

    /// <summary>Removes the oldest dead letters for good, once somebody has dealt with them.</summary>
    /// <param name="count">So many, or all there are.</param>
    /// <exception cref="QueueRefusedException">The disk failed; they are still there.</exception>
    public void RemoveDeadLetters(long count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        _deadLetters.Remove(count);
    }

    /// <summary>
    /// Stops the intake and gives every caller an outcome within the producer's <see cref="DrainLimits"/>: what Kafka does not take by then
    /// is on disk and counted in the report. Callers of records on disk are told <see cref="DeliveryStatus.Spilled"/>.
    /// </summary>
    /// <param name="cancellationToken">Ends the waiting for Kafka. Counts only for the first call.</param>
    /// <returns>What it came to; the same for every call.</returns>
    public Task<SpillDrainReport> DrainAsync(CancellationToken cancellationToken = default) =>
        _stop.DrainAsync(() => DrainOnceAsync(cancellationToken));

    /// <summary>Drains.</summary>
    /// <returns>Ends when every record has its outcome or is on disk.</returns>
    public async ValueTask DisposeAsync() => await DrainAsync().ConfigureAwait(false);

    private async Task<SpillDrainReport> DrainOnceAsync(CancellationToken hurry)
    {
        var start = Stopwatch.GetTimestamp();
        var before = Counters;

        // 1. Nobody comes any more, nobody replaces the path.
        _route.CloseIntake();
        await _watch.StopAsync().ConfigureAwait(false);

        // 2. What went straight is drained; what fails or takes too long comes back.
        if (_route.BeginTakeover() is { } path)
        {
            using var hurried = hurry.UnsafeRegister(static path => ((DirectPath)path!).Hurry(), path);
            await path.EndAsync(atOnce: _route.IsAway).ConfigureAwait(false);
            _route.TakeBack(path, path.GivenBack(), isAway: false);
        }

        // 3. Until all is on disk, and, where Kafka takes it, replayed.
        var limit = _producer.Drain.Flush + _producer.Drain.Stragglers;
        await SpillStop.WaitAsync(() => _route.IsOnDisk && _route.IsReplayedOrHeld, start, limit, hurry).ConfigureAwait(false);
        await SpillStop.WaitAsync(() => _route.IsOnDisk, Stopwatch.GetTimestamp(), SpillStop.DiskLimit, default).ConfigureAwait(false);

        // 4. The replays end behind what they have on its way; whoever still waits is told.
        await _stop.StopReplaysAsync().ConfigureAwait(false);
        _route.AnswerAll();
        var after = Counters;
        await _stop.EndAsync(_route, _deadLetters).ConfigureAwait(false);
        _watch.Dispose();
        _telemetry.Stop();
        _spillMeter.Remove(_telemetry.Name, this);
        return new SpillDrainReport(
            after.Direct + after.Replayed - before.Direct - before.Replayed, after.Refused - before.Refused,
            after.Unknown - before.Unknown, after.SpillRecords, after.DeadLetters, Stopwatch.GetElapsedTime(start));
    }
}
