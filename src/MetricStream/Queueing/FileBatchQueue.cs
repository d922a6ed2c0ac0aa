using System.Diagnostics;
using System.Runtime.CompilerServices;
using EvenKeel.Queue;

namespace MetricStream.Queueing;

/// <summary>The batch queue on local disk: a <see cref="DurableQueue"/>, its refusals told in the words of intake.</summary>
internal sealed class FileBatchQueue(DurableQueue queue) : IBatchQueue
{
    // What a client is told to wait: a full queue empties at the store's pace, a full disk waits for a person.
    private const int RetryFullSeconds = 1;
    private const int RetryDiskFullSeconds = 5;
    private const int RetryFaultedSeconds = 30;

    private volatile bool _diskWasFull;

    /// <summary>True from an append that found the disk full until one succeeds.</summary>
    public bool DiskWasFull => _diskWasFull;

    /// <summary>How long records waited for their group's commit to begin, and for whoever waited to be woken after it.</summary>
    public TimeHistogram Waits { get; } = new();

    /// <summary>The write and the fsync of their group, as each record had it.</summary>
    public TimeHistogram Syncs { get; } = new();

    public ValueTask<long> AppendAsync(ReadOnlySpan<byte> header, ReadOnlySpan<byte> body, string? traceParent = null)
    {
        var began = Stopwatch.GetTimestamp();
        return TranslateAsync(queue.AppendAsync(header, body), began);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<long> TranslateAsync(ValueTask<long> append, long began)
    {
        try
        {
            var sequence = await append.ConfigureAwait(false);
            if (_diskWasFull)
                _diskWasFull = false;
            Split(sequence, Stopwatch.GetElapsedTime(began));
            return sequence;
        }
        catch (QueueRefusedException refused)
        {
            _diskWasFull |= refused.Reason == QueueRefusal.DiskFull;
            throw Translate(refused);
        }
    }

    private void Split(long sequence, TimeSpan total)
    {
        if (queue.CostOf(sequence) is not { } cost)
            return; // Woken so late that its group is forgotten: the total has it, the split does not.
        var disk = cost.Write + cost.Sync;
        Syncs.Add(disk);
        Waits.Add(total - disk);
    }

    private static IntakeRefusedException Translate(QueueRefusedException refused) => refused.Reason switch
    {
        QueueRefusal.Full => new(IntakeRefusal.Full, refused.Message, RetryFullSeconds, refused),
        QueueRefusal.DiskFull => new(IntakeRefusal.DiskFull, refused.Message, RetryDiskFullSeconds, refused),
        QueueRefusal.TooLarge => new(IntakeRefusal.TooLarge, refused.Message, 0, refused),
        QueueRefusal.Closed => new(IntakeRefusal.Closed, refused.Message, RetryFullSeconds, refused),
        QueueRefusal.Faulted => new(IntakeRefusal.Faulted, refused.Message, RetryFaultedSeconds, refused),
        _ => throw new InvalidOperationException($"The queue refused for a reason that intake does not know: {refused.Reason}."),
    };
}
