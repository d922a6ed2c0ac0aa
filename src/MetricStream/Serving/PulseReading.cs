using EvenKeel.Queue;
using MetricStream.Queueing;
using MetricStream.Storing;

namespace MetricStream.Serving;

/// <summary>The counters of a queue at one moment, in batches; those that only grow tell rates by their differences.</summary>
/// <param name="Acknowledged">Made durable, in all.</param>
/// <param name="Stored">Settled by the store, in all.</param>
/// <param name="Queued">That wait for the store.</param>
/// <param name="Held">That are held on this server's disk.</param>
/// <param name="HeldBytes">Bytes of those, files included.</param>
internal sealed record PulseReading(long Acknowledged, long Stored, long Queued, long Held, long HeldBytes)
{
    /// <summary>Bytes that a held batch takes; null before there was one.</summary>
    public double? BytesEach { get; init; }

    /// <summary>That wait in the spill.</summary>
    public long Spilled { get; init; }

    /// <summary>That went from the spill to Kafka, in all.</summary>
    public long Replayed { get; init; }

    /// <summary>What each batch waited before it was written.</summary>
    public required long[] Waits { get; init; }

    /// <summary>What each batch waited for the disk, or for the broker.</summary>
    public required long[] Syncs { get; init; }
}

/// <summary>A queue, as the pulse reads it once a second.</summary>
internal interface IPulseSource
{
    bool IsBrokers { get; }

    PulseReading Read();
}

/// <summary>The pulse of the file queue.</summary>
internal sealed class FilePulse(DurableQueue queue, FileBatchQueue batches) : IPulseSource
{
    private readonly long _durableAtStart = queue.Durable;

    /// <summary>Null: nothing is stored here.</summary>
    public StoreLoop? Loop { get; init; }

    public bool IsBrokers => false;

    public PulseReading Read()
    {
        var durable = queue.Durable;
        var stored = Loop?.Position ?? queue.Acked;
        var queued = Math.Max(0, durable - stored);
        var appended = durable - _durableAtStart;
        return new PulseReading(durable, stored, queued, queued, queue.Bytes)
        {
            BytesEach = appended > 0 ? queue.Times.Bytes / (double)appended : null,
            Waits = batches.Waits.Read(),
            Syncs = batches.Syncs.Read(),
        };
    }
}
