namespace EvenKeel.Kafka.Producing;

/// <summary>
/// What a producer did so far and what it holds, at one moment. Always: Accepted = Delivered + Refused + Unknown + Backlog, leaving out
/// refusals of records that were never accepted.
/// </summary>
public record struct ProducerCounters
{
    /// <summary>Records that got room and were queued.</summary>
    public long Accepted { get; internal set; }

    /// <summary>Of those, delivered.</summary>
    public long Delivered { get; internal set; }

    /// <summary>Accepted and refused, and those that were still in line when the producer stopped.</summary>
    public long Refused { get; internal set; }

    /// <summary>Accepted, and perhaps written.</summary>
    public long Unknown { get; internal set; }

    /// <summary>Sends that had to wait for room.</summary>
    public long Waited { get; internal set; }

    /// <summary>Sends that were cancelled while they waited; their records were not sent.</summary>
    public long Cancelled { get; internal set; }

    /// <summary>How often the backlog rose to its warning mark.</summary>
    public long BacklogWarnings { get; internal set; }

    /// <summary>Continuations and event handlers that threw.</summary>
    public long ThrownByUsers { get; internal set; }

    /// <summary>Clients replaced after a fatal error.</summary>
    public long Replacements { get; internal set; }

    /// <summary>Notices that nobody was told, because too many were on their way.</summary>
    public long NoticesDropped { get; internal set; }

    /// <summary>How often librdkafka's own queue was full: 0, or the credits do not protect it.</summary>
    public long QueueFullMet { get; internal set; }

    /// <summary>Records accepted and without outcome, now.</summary>
    public int Backlog { get; internal set; }

    /// <summary>Their bytes: keys, values, headers.</summary>
    public long BacklogBytes { get; internal set; }

    /// <summary>Sends in line for room, now.</summary>
    public int Waiting { get; internal set; }

    /// <summary>The same of a producer that came after another one: what both did, and what this one holds.</summary>
    internal readonly ProducerCounters After(in ProducerCounters ended) => this with
    {
        Accepted = Accepted + ended.Accepted,
        Delivered = Delivered + ended.Delivered,
        Refused = Refused + ended.Refused,
        Unknown = Unknown + ended.Unknown,
        Waited = Waited + ended.Waited,
        Cancelled = Cancelled + ended.Cancelled,
        BacklogWarnings = BacklogWarnings + ended.BacklogWarnings,
        ThrownByUsers = ThrownByUsers + ended.ThrownByUsers,
        Replacements = Replacements + ended.Replacements,
        NoticesDropped = NoticesDropped + ended.NoticesDropped,
        QueueFullMet = QueueFullMet + ended.QueueFullMet,
    };
}
