using EvenKeel.Kafka.Producing;

namespace EvenKeel.Kafka.Publishing;

/// <summary>
/// Publishes events by way of an outbox: recorded first, sent next, marked last. It starts and stops nothing: producer and repository are
/// the host's, and an <see cref="EventSweeper"/> finishes what a failure or a crash left. Safe for any number of threads.
/// </summary>
/// <remarks>
/// <para>What is promised. Every recorded event gets to Kafka at least once, or is kept as refused with the reason. Events of one key get
/// there in the order of their recording: one is sent only when every earlier one of its key is settled. What comes twice (a lost mark, an
/// unknown outcome) comes later than that and bears the same <see cref="EventIdHeader"/>.</para>
/// <para><see cref="DeliveryStatus.Spilled"/> settles an event: the producer's spill owes it to Kafka from there on. While processes with
/// spills of their own share a repository, that holds the order of a key within each process only; who needs it across them, or does not
/// want an event to depend on one machine's disk, lets the producer answer from the broker.</para>
/// </remarks>
public sealed class EventPublisher
{
    /// <summary>The header with the event's id, as text: the same for every copy of an event.</summary>
    public const string EventIdHeader = "event-id";

    private readonly IRecordProducer _producer;
    private readonly PublisherMeasures _measures = new();
    private readonly KeyLanes _lanes;

    /// <summary>A publisher over what the host owns.</summary>
    /// <param name="repository">Keeps the events.</param>
    /// <param name="producer">Sends them.</param>
    /// <param name="options">Default: as the options say.</param>
    /// <param name="time">Default: the system's.</param>
    /// <exception cref="ArgumentException">Options are violated; the message names all of them.</exception>
    public EventPublisher(
        IEventRepository repository, IRecordProducer producer, EventPublisherOptions? options = null, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(repository);
        ArgumentNullException.ThrowIfNull(producer);
        Options = options ?? new EventPublisherOptions();
        if (Options.Validate() is { Count: > 0 } violations)
            throw new ArgumentException(string.Join(" ", violations), nameof(options));
        Repository = repository;
        Time = time ?? TimeProvider.System;
        _producer = producer;
        _lanes = new KeyLanes(Time);
    }

    /// <summary>What people should know; on the thread that met it, so return soon. A handler that throws is counted.</summary>
    public event EventHandler<EventNotice>? Noticed;

    /// <summary>What it did so far.</summary>
    public PublisherCounters Counters => _measures.Counters;

    internal IEventRepository Repository { get; }

    internal EventPublisherOptions Options { get; }

    internal TimeProvider Time { get; }

    internal PublisherMeasures Measures => _measures;

    internal int Lanes => _lanes.Count;

    internal int Waiting => _lanes.Waiting;

    /// <summary>Records an event, publishes it, and marks it.</summary>
    /// <param name="outgoing">The event. Its memory must stay as it is until this ends.</param>
    /// <param name="cancellationToken">
    /// Until the event is recorded: ends everything. After it: ends the wait for earlier events and for room in the producer, and the event
    /// is <see cref="PublishStatus.Held"/>.
    /// </param>
    /// <returns>What became of it; a broker that is away makes this no exception.</returns>
    /// <exception cref="EventRepositoryException">
    /// It was not recorded, and nothing was sent. Where the connection broke while it was recorded, it may be there after all.
    /// </exception>
    /// <exception cref="ArgumentException">Topic or headers are not valid; nothing was recorded.</exception>
    /// <exception cref="OperationCanceledException">Cancelled before it was recorded.</exception>
    public async Task<PublishOutcome> PublishAsync(OutgoingEvent outgoing, CancellationToken cancellationToken = default)
    {
        // 1. What could never be sent is the caller's error, before anything is recorded.
        var start = Time.GetTimestamp();
        Check(outgoing);

        // 2. A place in the lane of the key, before the recording: who is recorded later can then see that it has to wait.
        using var place = EventKey.Of(outgoing) is { } key ? _lanes.Enter(key) : null;

        // 3. Recorded: from here on nothing loses it, and the answer is an outcome.
        var recorded = await RecordAsync(outgoing, cancellationToken).ConfigureAwait(false);

        // 4. Sent in its turn, and marked.
        var outcome = await PublishInTurnAsync(recorded, place, cancellationToken).ConfigureAwait(false);
        _measures.Ended(outgoing.Topic, outcome.Status, swept: false);
        PublisherMeasures.Took(outgoing.Topic, Time.GetElapsedTime(start));
        return outcome;
    }

    /// <summary>
    /// Publishes and marks an event that the repository has recorded: for those who record in a transaction of their own, after its commit.
    /// Without this call the sweeper publishes the event once its claim is over.
    /// </summary>
    /// <param name="recorded">The event, as the repository returned it.</param>
    /// <param name="cancellationToken">Ends the wait for earlier events and for room; the event is then held.</param>
    /// <returns>What became of it.</returns>
    public async Task<PublishOutcome> PublishRecordedAsync(RecordedEvent recorded, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(recorded);
        var start = Time.GetTimestamp();
        using var place = EventKey.Of(recorded.Event) is { } key ? _lanes.Enter(key) : null;
        PublishOutcome outcome;
        // Without a key there is no lane that would ask whose turn it is.
        if (place is null && await WhyNotAsync(recorded, cancellationToken).ConfigureAwait(false) is { } obstacle)
            outcome = await HoldAsync(recorded, obstacle).ConfigureAwait(false);
        else
            outcome = await PublishInTurnAsync(recorded, place, cancellationToken).ConfigureAwait(false);
        _measures.Ended(recorded.Event.Topic, outcome.Status, swept: false);
        PublisherMeasures.Took(recorded.Event.Topic, Time.GetElapsedTime(start));
        return outcome;
    }

    internal static void Check(OutgoingEvent outgoing)
    {
        ArgumentNullException.ThrowIfNull(outgoing);
        ArgumentException.ThrowIfNullOrWhiteSpace(outgoing.Topic);
        ArgumentNullException.ThrowIfNull(outgoing.Headers);
        HeaderBlock.Measure(outgoing.Headers);
        if (outgoing.Headers.Any(header => header.Name == EventIdHeader))
            throw new ArgumentException($"The header '{EventIdHeader}' is the publisher's own: set {nameof(OutgoingEvent)}.Id instead.");
    }

    /// <summary>Sends a claimed event and marks what became of it.</summary>
    /// <param name="recorded">The event, its turn being now.</param>
    /// <param name="stop">Ends the wait for room.</param>
    /// <param name="deadline">Ends the wait for the answer.</param>
    internal async Task<PublishOutcome> SendAndMarkAsync(RecordedEvent recorded, CancellationToken stop, CancellationToken deadline)
    {
        var delivery = await SendAsync(recorded, stop, deadline).ConfigureAwait(false);
        var mark = delivery switch
        {
            { Status: DeliveryStatus.Delivered } => new EventMark(recorded, EventFate.Delivered),
            { Status: DeliveryStatus.Spilled } => new EventMark(recorded, EventFate.Spilled, delivery.Reason),
            { Status: DeliveryStatus.Refused, Retry: RetryAdvice.Never } => new EventMark(recorded, EventFate.Refused, delivery.Reason),
            _ => new EventMark(recorded, EventFate.Released, delivery.Reason, Options.RetryPause),
        };
        var marked = await MarkAsync([mark]).ConfigureAwait(false);
        var status = mark.Fate switch
        {
            EventFate.Delivered => PublishStatus.Published,
            EventFate.Spilled => PublishStatus.Spilled,
            // The repository alone can say that it is refused for good: without the mark the sweeper asks Kafka again.
            EventFate.Refused when marked => PublishStatus.Refused,
            _ => PublishStatus.Held,
        };
        if (status == PublishStatus.Refused)
            Tell(new EventNotice(EventNoticeKind.Refused, $"Event {Name(recorded)} is refused for good: {delivery.Reason}"));
        return new PublishOutcome(recorded.Event.Id, status, delivery, marked && mark.Fate != EventFate.Released, delivery.Reason);
    }

    /// <summary>Marks, without a limit of the caller: a mark that is given up halfway helps nobody. False when it failed, which is told.
    /// </summary>
    internal async Task<bool> MarkAsync(IReadOnlyList<EventMark> marks)
    {
        try
        {
            await Repository.MarkAsync(marks, CancellationToken.None).ConfigureAwait(false);
            return true;
        }
#pragma warning disable CA1031 // A repository may be anybody's: whatever it throws, the event is unmarked, and that is told.
        catch (Exception error)
        {
            foreach (var mark in marks)
                _measures.MarksFailed(mark.Event.Event.Topic, mark.Fate is EventFate.Delivered or EventFate.Spilled);
            Tell(new EventNotice(
                EventNoticeKind.MarkFailed,
                $"{marks.Count} mark(s) from event {Name(marks[0].Event)} on ({marks[0].Fate}) are not kept: {error.Message}", error));
            return false;
        }
#pragma warning restore CA1031
    }

    internal void Tell(EventNotice notice)
    {
        try
        {
            Noticed?.Invoke(this, notice);
        }
#pragma warning disable CA1031 // User code: counted.
        catch (Exception)
        {
            _measures.Thrown();
        }
#pragma warning restore CA1031
    }

    private static string Name(RecordedEvent recorded) => $"{recorded.Event.Id} for '{recorded.Event.Topic}'";

    private async Task<RecordedEvent> RecordAsync(OutgoingEvent outgoing, CancellationToken cancellationToken)
    {
        try
        {
            var recorded = await Repository.RecordAsync(outgoing, cancellationToken).ConfigureAwait(false);
            _measures.Recorded(outgoing.Topic);
            return recorded;
        }
        catch
        {
            _measures.RecordFailed(outgoing.Topic);
            throw;
        }
    }

    private async Task<PublishOutcome> PublishInTurnAsync(
        RecordedEvent recorded, KeyLanes.Place? place, CancellationToken cancellationToken)
    {
        // 1. Behind an earlier event of the key: wait for those that are under way here, leave the event to the sweeper otherwise.
        var start = Time.GetTimestamp();
        while (place is not null && await WhyNotAsync(recorded, cancellationToken).ConfigureAwait(false) is { } obstacle)
        {
            var left = Options.SendLimit - Time.GetElapsedTime(start);
            if (left <= TimeSpan.Zero)
                return await HoldAsync(recorded, obstacle).ConfigureAwait(false);
            if (await place.WaitAsync(recorded.Position, left, cancellationToken).ConfigureAwait(false))
                continue;

            // Nobody moves. Who was in the way may have left between the question and the wait: only a second answer holds.
            if (await WhyNotAsync(recorded, cancellationToken).ConfigureAwait(false) is { } still)
                return await HoldAsync(recorded, still).ConfigureAwait(false);
            break;
        }

        // 2. It is this event's turn, and nobody else's.
        using var deadline = new CancellationTokenSource(Options.SendLimit, Time);
        return await SendAndMarkAsync(recorded, cancellationToken, deadline.Token).ConfigureAwait(false);
    }

    /// <summary>Claims the event for sending; null when that is done, else why not.</summary>
    private async Task<string?> WhyNotAsync(RecordedEvent recorded, CancellationToken cancellationToken)
    {
        try
        {
            return await Repository.TryClaimAsync(recorded, cancellationToken).ConfigureAwait(false)
                ? null
                : "An earlier event of its key is not settled, or a sweeper has taken the event up.";
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return "Cancelled while it waited for its turn.";
        }
#pragma warning disable CA1031 // The event is recorded: whatever fails now is a reason to hold it, not to lose its outcome.
        catch (Exception error)
        {
            return $"The repository could not say whose turn it is: {error.Message}";
        }
#pragma warning restore CA1031
    }

    private async Task<PublishOutcome> HoldAsync(RecordedEvent recorded, string reason)
    {
        await MarkAsync([new EventMark(recorded, EventFate.Released, reason)]).ConfigureAwait(false);
        return new PublishOutcome(recorded.Event.Id, PublishStatus.Held, default, IsMarked: false, reason);
    }

    private async Task<DeliveryOutcome> SendAsync(RecordedEvent recorded, CancellationToken stop, CancellationToken deadline)
    {
        using var room = CancellationTokenSource.CreateLinkedTokenSource(stop, deadline);
        Task<DeliveryOutcome>? send = null;
        try
        {
            send = Send(recorded.Event, room.Token).AsTask();
            var outcome = await send.WaitAsync(deadline).ConfigureAwait(false);
            return outcome.Status != DeliveryStatus.None
                ? outcome
                : DeliveryOutcome.Unknown(KafkaErrorCode.TimedOut, "The producer answered with no outcome at all.");
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested)
        {
            // Its answer may still come, and then counts for nothing: an exception of it must not be called unobserved.
            _ = send?.ContinueWith(
                late => late.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
            Tell(new EventNotice(
                EventNoticeKind.ProducerFailed, $"The producer gave no answer for event {Name(recorded)} within the limit."));
            return DeliveryOutcome.Unknown(KafkaErrorCode.TimedOut, $"No answer within {Options.SendLimit} (SendLimit), or the stop.");
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return DeliveryOutcome.Refused(KafkaErrorCode.TimedOutInQueue, "Cancelled before the producer had room.");
        }
#pragma warning disable CA1031 // A producer may be anybody's: the event is recorded, and stays unsettled.
        catch (Exception error)
        {
            Tell(new EventNotice(
                EventNoticeKind.ProducerFailed, $"The producer threw for event {Name(recorded)}: {error.Message}", error));
            return DeliveryOutcome.Unknown(KafkaErrorCode.UnknownBrokerError, $"The producer threw: {error.Message}");
        }
#pragma warning restore CA1031
    }

    private ValueTask<DeliveryOutcome> Send(OutgoingEvent outgoing, CancellationToken room)
    {
        var value = outgoing.Value.GetValueOrDefault();
        return _producer.SendAsync(
            new OutgoingRecord(outgoing.Topic, outgoing.Key.Span, value.Span)
            {
                IsTombstone = outgoing.Value is null,
                Headers = [.. outgoing.Headers, RecordHeader.Of(EventIdHeader, outgoing.Id.ToString())],
                TimestampMs = outgoing.TimestampMs,
            },
            room);
    }
}
