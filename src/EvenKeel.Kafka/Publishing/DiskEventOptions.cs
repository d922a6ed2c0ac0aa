using EvenKeel.Queue;

namespace EvenKeel.Kafka.Publishing;

/// <summary>How a <see cref="DiskEventRepository"/> keeps its events.</summary>
public sealed record DiskEventOptions
{
    /// <summary>The folder, on a local file system; made when absent. One process has it open at a time. Required.</summary>
    public required string Directory { get; init; }

    /// <summary>Bytes on disk beyond which nothing is recorded. Default 1 GiB: a million events of 1 kB.</summary>
    public long MaxBytes { get; init; } = 1L << 30;

    /// <summary>Bytes in which disk space comes back. Default 8 MiB; <see cref="MaxBytes"/> is at least four of them.</summary>
    public long SegmentBytes { get; init; } = 8L << 20;

    /// <summary>Unsettled events beyond which nothing is recorded; each costs about 300 bytes of memory. Default 1,000,000.</summary>
    public int MaxUnsettled { get; init; } = 1_000_000;

    /// <summary>
    /// Bytes of refused events that are kept, each with its reason, in the folder <c>refused</c>; when it is full, refused events stay
    /// unsettled. Default 64 MiB, at least 4 MiB. Nothing leaves it by itself: move the folder away while the process is down.
    /// </summary>
    public long MaxRefusedBytes { get; init; } = 64L << 20;

    /// <summary>
    /// How long an event belongs to whoever recorded or claimed it, before a sweeper may take it up. Default 180 s: above the publisher's
    /// limit for an answer (150 s).
    /// </summary>
    public TimeSpan ClaimFor { get; init; } = TimeSpan.FromSeconds(180);

    internal const long RefusedSegmentBytes = 1L << 20;

    internal DurableQueueOptions Log => new()
    {
        Directory = Directory,
        MaxBytes = MaxBytes,
        SegmentBytes = SegmentBytes,
        MaxRecordBytes = (int)Math.Clamp(MaxBytes / 4, 1, 64 << 20),
    };

    internal DurableQueueOptions RefusedLog => new()
    {
        Directory = Path.Combine(Directory, "refused"),
        MaxBytes = MaxRefusedBytes,
        SegmentBytes = RefusedSegmentBytes,
        MaxRecordBytes = Log.MaxRecordBytes,
    };

    /// <summary>All violations, each with the setting, its value and the fix; empty when the options can be used.</summary>
    /// <returns>The violations.</returns>
    public IReadOnlyList<string> Validate()
    {
        var violations = new List<string>(Log.Validate());
        if (MaxUnsettled < 1)
            violations.Add($"MaxUnsettled is {MaxUnsettled}: use at least 1.");
        if (MaxRefusedBytes < 4 * RefusedSegmentBytes)
            violations.Add($"MaxRefusedBytes is {MaxRefusedBytes}: use at least {4 * RefusedSegmentBytes} (4 MiB).");
        if (ClaimFor < TimeSpan.FromMilliseconds(1) || ClaimFor > TimeSpan.FromDays(1))
            violations.Add($"ClaimFor is {ClaimFor}: use 1 ms to 1 day, above the publisher's SendLimit.");
        return violations;
    }
}
