using System.Globalization;
using EvenKeel.Queue;

namespace EvenKeel.Kafka.Spilling;

/// <summary>When a caller whose record went to the spill gets its outcome.</summary>
public enum SpillAcknowledgement
{
    /// <summary>When Kafka has the record, however long that takes. The default of the type: it promises no more than it knows.</summary>
    Broker,

    /// <summary>As soon as the record is fsynced in the spill: <see cref="Producing.DeliveryStatus.Spilled"/>.</summary>
    Disk,
}

/// <summary>What happens to a record that would go to the spill when the spill is at its bound.</summary>
public enum SpillBound
{
    /// <summary>The caller waits for room, first come first served.</summary>
    Wait,

    /// <summary>The caller is refused with <see cref="KafkaErrorCode.QueueFull"/>; later can help.</summary>
    Refuse,
}

/// <summary>How a <see cref="SpillingProducer"/> keeps records while Kafka does not take them.</summary>
public sealed record SpillOptions
{
    /// <summary>
    /// The folder of the spill, on a local file system, for this producer alone; made when absent. What an earlier process left there is
    /// sent first. Required.
    /// </summary>
    public required string Directory { get; init; }

    /// <summary>When callers of spilled records are answered. Default <see cref="SpillAcknowledgement.Broker"/>.</summary>
    public SpillAcknowledgement Acknowledgement { get; init; }

    /// <summary>
    /// How long a record may go without an answer of Kafka before everything that is on its way goes to the spill. It stands in for the
    /// producer's delivery timeout, and can be no longer. Default 3 s: a leader's fail-over on a healthy cluster is shorter, and a caller
    /// who waits for disk waits no longer than this.
    /// </summary>
    public TimeSpan SpillAfter { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>
    /// Bytes on disk, of all topics and the dead letters, beyond which no record is taken (<see cref="AtMaxBytes"/>). Default 10 GiB, the
    /// durable queue's. At least four segments; count one segment for each topic.
    /// </summary>
    public long MaxBytes { get; init; } = 10L << 30;

    /// <summary>What happens at <see cref="MaxBytes"/>. Default <see cref="SpillBound.Wait"/>.</summary>
    public SpillBound AtMaxBytes { get; init; }

    /// <summary>Bytes after which a file ends and disk space can come back. Default 16 MiB.</summary>
    public long SegmentBytes { get; init; } = 16L << 20;

    /// <summary>The most sends that wait for room in the spill; more are refused. Default 100,000, like a producer's.</summary>
    public int MaxWaitingSends { get; init; } = 100_000;

    /// <summary>The most bytes of those; more are refused. Default 256 MiB.</summary>
    public long MaxWaitingBytes { get; init; } = 256L << 20;

    /// <summary>
    /// The most callers who wait for Kafka to have their spilled record; more are refused. With <see cref="SpillAcknowledgement.Broker"/>
    /// it bounds the memory that an outage takes, some 500 bytes a caller. Default 100,000, the most records of a producer.
    /// </summary>
    public int MaxPendingCallers { get; init; } = 100_000;

    /// <summary>Every violation, each with the setting, the value and the fix; empty if it can be used.</summary>
    /// <returns>Sentences for people.</returns>
    public IReadOnlyList<string> Validate()
    {
        var violations = new List<string>();
        Check(Enum.IsDefined(Acknowledgement), nameof(Acknowledgement), Acknowledgement, "Broker or Disk");
        Check(Enum.IsDefined(AtMaxBytes), nameof(AtMaxBytes), AtMaxBytes, "Wait or Refuse");
        Check(SpillAfter >= TimeSpan.FromMilliseconds(50) && SpillAfter <= TimeSpan.FromHours(1), nameof(SpillAfter), SpillAfter,
            "50 ms to an hour");
        Check(MaxWaitingSends >= 1, nameof(MaxWaitingSends), MaxWaitingSends, "1 or more");
        Check(MaxWaitingBytes >= 1 << 20, nameof(MaxWaitingBytes), MaxWaitingBytes, "1 MiB or more");
        Check(MaxPendingCallers >= 1, nameof(MaxPendingCallers), MaxPendingCallers, "1 or more");
        violations.AddRange(QueueOptions(Directory).Validate());
        return violations;

        void Check(bool holds, string name, object value, string allowed)
        {
            if (!holds)
                violations.Add(string.Create(CultureInfo.InvariantCulture, $"{name} is {value}: it can be {allowed}."));
        }
    }

    internal DurableQueueOptions QueueOptions(string directory) =>
        new() { Directory = directory, MaxBytes = MaxBytes, SegmentBytes = SegmentBytes };
}
