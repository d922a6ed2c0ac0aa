using EvenKeel.Kafka.Producing;

namespace EvenKeel.Kafka.Publishing;

/// <summary>What became of an event that was handed to the publisher.</summary>
public enum PublishStatus
{
    /// <summary>No outcome: the default of the type, never handed out.</summary>
    None,

    /// <summary>Recorded, and Kafka has it.</summary>
    Published,

    /// <summary>Recorded, and in the producer's own spill, from where it goes to Kafka.</summary>
    Spilled,

    /// <summary>Recorded, and not known to be in Kafka yet: the sweeper publishes it. Do not publish it again.</summary>
    Held,

    /// <summary>Recorded as refused: Kafka will never take it; nobody tries again.</summary>
    Refused,
}

/// <summary>The one outcome of a publication. Whatever it says, the event is recorded.</summary>
/// <param name="EventId">The event's id.</param>
/// <param name="Status">Which it is.</param>
/// <param name="Delivery">What the producer said; the default when the event was not sent.</param>
/// <param name="IsMarked">
/// Whether the repository knows it. False after a delivery means that the sweeper will publish the event once more, under the same id.
/// </param>
/// <param name="Reason">Why it is not published; null if it is.</param>
public readonly record struct PublishOutcome(
    Guid EventId, PublishStatus Status, DeliveryOutcome Delivery, bool IsMarked, string? Reason);
