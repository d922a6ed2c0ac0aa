namespace EvenKeel.Kafka.Publishing;

/// <summary>
/// Keeps events from the moment they are recorded until it is settled what became of them; safe for any number of threads. Several
/// processes may share one, where the store can.
/// </summary>
/// <remarks>
/// A <i>settled</i> event has a mark that says how it ended. An unsettled one is <i>claimed</i> by whoever may send it, for a limited time,
/// or it is due. What an implementation promises: <see cref="TryClaimAsync"/> and <see cref="ClaimDueAsync"/> give out an event only when
/// every earlier event of its key is settled (or is given out before it, in the same run), and never while another claim on it lasts.
/// The order per key rests on that alone.
/// </remarks>
public interface IEventRepository
{
    /// <summary>Keeps an event. When this returns it survives a power loss, and is claimed for the caller.</summary>
    /// <param name="outgoing">The event.</param>
    /// <param name="cancellationToken">Ends the wait; whether the event is kept is then open.</param>
    /// <returns>The event with its place; a time of 0 has become now.</returns>
    /// <exception cref="EventRepositoryException">It is not promised to be kept (after a broken connection it may be).</exception>
    ValueTask<RecordedEvent> RecordAsync(OutgoingEvent outgoing, CancellationToken cancellationToken = default);

    /// <summary>Claims, or claims anew, an event that was recorded.</summary>
    /// <param name="recorded">The event, with the claim that it was given.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False when an earlier event of its key is unsettled, it is settled itself, or somebody else has claimed it.</returns>
    /// <exception cref="EventRepositoryException">The repository is not available.</exception>
    ValueTask<bool> TryClaimAsync(RecordedEvent recorded, CancellationToken cancellationToken = default);

    /// <summary>Claims what is due: unsettled, and claimed by nobody.</summary>
    /// <param name="maxEvents">At most so many.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Events of one key in their order, from the key's first unsettled one on, without a gap.</returns>
    /// <exception cref="EventRepositoryException">The repository is not available.</exception>
    ValueTask<IReadOnlyList<RecordedEvent>> ClaimDueAsync(int maxEvents, CancellationToken cancellationToken = default);

    /// <summary>Keeps what became of events. All marks of a call hold, or it throws; one on a settled event changes nothing.</summary>
    /// <param name="marks">The marks.</param>
    /// <param name="cancellationToken">Ends the wait; whether the marks are kept is then open.</param>
    /// <returns>Ends when the marks are kept.</returns>
    /// <exception cref="EventRepositoryException">They are not promised to be kept: the events may be claimed and sent again.</exception>
    ValueTask MarkAsync(IReadOnlyList<EventMark> marks, CancellationToken cancellationToken = default);

    /// <summary>Frees the room of settled events that need not be kept any longer; called now and then.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Ends when it is done.</returns>
    /// <exception cref="EventRepositoryException">The repository is not available.</exception>
    ValueTask TidyAsync(CancellationToken cancellationToken = default);

    /// <summary>What it holds.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The backlog now.</returns>
    /// <exception cref="EventRepositoryException">The repository is not available.</exception>
    ValueTask<EventBacklog> CountAsync(CancellationToken cancellationToken = default);
}

/// <summary>What becomes of an event.</summary>
public enum EventFate
{
    /// <summary>Unsettled: the claim is given back, and it is due again after a pause.</summary>
    Released,

    /// <summary>Settled: all in-sync replicas have it.</summary>
    Delivered,

    /// <summary>Settled: it is in the producer's own spill, which owes it to Kafka from here on.</summary>
    Spilled,

    /// <summary>Settled: Kafka will never take it; the reason is kept with it.</summary>
    Refused,
}

/// <summary>A mark: what became of one event.</summary>
/// <param name="Event">The event.</param>
/// <param name="Fate">How it ended, or that it did not.</param>
/// <param name="Reason">Why; for a refused event it is kept.</param>
/// <param name="RetryIn">For <see cref="EventFate.Released"/>: after which pause it is due.</param>
public readonly record struct EventMark(RecordedEvent Event, EventFate Fate, string? Reason = null, TimeSpan RetryIn = default);

/// <summary>What a repository holds.</summary>
/// <param name="Unsettled">Events that are not settled, claimed ones included.</param>
/// <param name="Refused">Refused events that are kept for somebody to look at.</param>
/// <param name="Damaged">Records that the disk damaged since opening: events that may be lost, or marks, whose events come again.</param>
public readonly record struct EventBacklog(long Unsettled, long Refused, long Damaged);

/// <summary>The repository did not do what was asked; the message says why and what to do.</summary>
public sealed class EventRepositoryException : Exception
{
    /// <summary>A failure of a repository.</summary>
    /// <param name="message">Why, and what to do.</param>
    /// <param name="inner">The cause.</param>
    public EventRepositoryException(string message, Exception? inner = null) : base(message, inner)
    {
    }
}
