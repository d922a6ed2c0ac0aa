namespace EvenKeel.Queue;

/// <summary>How a <see cref="DurableQueue"/> keeps its records.</summary>
public sealed record DurableQueueOptions
{
    /// <summary>The folder of the queue, on a local file system; made when absent. Required.</summary>
    public required string Directory { get; init; }

    /// <summary>Bytes at which a segment ends and the next begins. Default 64 MiB: a crash re-reads at most one segment (about 0.2 s
    /// from a cold disk), and disk space comes back in steps of it. A single larger record gets a segment of its own.</summary>
    public long SegmentBytes { get; init; } = 64L << 20;

    /// <summary>Bytes on disk beyond which appends are refused with <see cref="QueueRefusal.Full"/>; nothing is ever dropped to make
    /// room. Default 10 GiB. At least four segments: what is read up must be able to leave.</summary>
    public long MaxBytes { get; init; } = 10L << 30;

    /// <summary>Longest record in bytes; two must fit into <see cref="MaxBytes"/>, so a smaller half of that counts instead. Default 64
    /// MiB.</summary>
    public int MaxRecordBytes { get; init; } = 64 << 20;

    /// <summary>Bytes that may wait for the next group commit; at it, appends wait their turn. Default 16 MiB.</summary>
    public int MaxPendingBytes { get; init; } = 16 << 20;

    /// <summary>Time without appends after which the last group is marked as durable in the file itself, so that later damage to it is
    /// told apart from a torn write. Default 1 s; costs one write and one fsync at the end of each burst.</summary>
    public TimeSpan IdleMarkAfter { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>All violations, each with the setting, its value and the fix; empty when the options can be used.</summary>
    public IReadOnlyList<string> Validate()
    {
        var violations = new List<string>();
        if (string.IsNullOrWhiteSpace(Directory))
            violations.Add($"Directory is '{Directory}': name the folder that holds the queue.");
        if (SegmentBytes is < 4096 or > 4L << 30)
            violations.Add($"SegmentBytes is {SegmentBytes}: use 4096 (4 KiB) to {4L << 30} (4 GiB).");
        if (MaxBytes < 4 * SegmentBytes)
            violations.Add(
                $"MaxBytes is {MaxBytes}: use at least four segments ({4 * SegmentBytes} with SegmentBytes {SegmentBytes}), "
                + "or smaller segments.");
        if (MaxRecordBytes is < 1 or > 1 << 30)
            violations.Add($"MaxRecordBytes is {MaxRecordBytes}: use 1 to {1 << 30} (1 GiB).");
        if (MaxPendingBytes is < 4096 or > 1 << 30)
            violations.Add($"MaxPendingBytes is {MaxPendingBytes}: use 4096 (4 KiB) to {1 << 30} (1 GiB).");
        if (IdleMarkAfter < TimeSpan.FromMilliseconds(1) || IdleMarkAfter > TimeSpan.FromDays(1))
            violations.Add($"IdleMarkAfter is {IdleMarkAfter}: use 1 ms to 1 day.");
        return violations;
    }
}
