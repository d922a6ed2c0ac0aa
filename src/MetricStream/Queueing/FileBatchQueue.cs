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

    public ValueTask<long> AppendAsync(ReadOnlySpan<byte> header, ReadOnlySpan<byte> body) =>
        TranslateAsync(queue.AppendAsync(header, body));

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<long> TranslateAsync(ValueTask<long> append)
    {
        try
        {
            var sequence = await append.ConfigureAwait(false);
            if (_diskWasFull)
                _diskWasFull = false;
            return sequence;
        }
        catch (QueueRefusedException refused)
        {
            _diskWasFull |= refused.Reason == QueueRefusal.DiskFull;
            throw Translate(refused);
        }
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
