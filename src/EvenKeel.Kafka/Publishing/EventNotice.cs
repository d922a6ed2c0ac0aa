namespace EvenKeel.Kafka.Publishing;

/// <summary>What a publisher or its sweeper has to tell people.</summary>
public enum EventNoticeKind
{
    /// <summary>Kafka will never take an event; it is kept with the reason.</summary>
    Refused,

    /// <summary>The repository did not take a mark: the event is published again.</summary>
    MarkFailed,

    /// <summary>The repository failed during a sweep; the next one comes after the pause.</summary>
    SweepFailed,

    /// <summary>The repository met damage on its disk.</summary>
    Damaged,

    /// <summary>The producer threw, or gave no answer in time.</summary>
    ProducerFailed,
}

/// <summary>A notice is one thing that an operator should know, told once.</summary>
/// <param name="Kind">What it is about.</param>
/// <param name="Text">What happened, with the event's id and topic.</param>
/// <param name="Exception">The cause, if it was one.</param>
public sealed record EventNotice(EventNoticeKind Kind, string Text, Exception? Exception = null);
