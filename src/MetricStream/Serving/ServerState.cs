using EvenKeel.Queue;
using MetricStream.Intake;
using MetricStream.Kafka;
using MetricStream.Queueing;
using MetricStream.Storing;

namespace MetricStream.Serving;

/// <summary>
/// What the server can say of itself: readiness and the numbers of the conservation law. How many records there were is read off the log's
/// sequences and the store's position in it, what became of each off the store's counters: a record passed over without an outcome shows.
/// </summary>
internal sealed class ServerState(ServeSettings settings, DurableQueue queue, FileBatchQueue batches, IMetricStore store,
    IntakeLedger ledger)
{
    // Room for one more small batch; below it the next append is refused.
    private const long RoomForABatch = 4096;
    private const int MostClients = 10_000;

    private readonly Dictionary<string, long> _acknowledgedBefore =
        store.Clients(MostClients).ToDictionary(c => c.ClientId, c => c.Acknowledged);

    private volatile bool _draining;

    public DurableQueue Queue => queue;

    public long MaxQueueBytes => settings.MaxQueueBytes;

    public StoreLoop? Loop { get; init; }

    /// <summary>The stop has begun.</summary>
    public bool Draining
    {
        get => _draining;
        set => _draining = value;
    }

    /// <summary>Why a batch posted now could not be made durable; null when it can.</summary>
    public string? NotReady()
    {
        if (_draining)
            return "The server is stopping.";
        if (queue.Fault is { } fault)
            return fault.Message;
        if (queue.Bytes + RoomForABatch > settings.MaxQueueBytes)
            return $"The queue holds {queue.Bytes} bytes of at most {settings.MaxQueueBytes} (--max-queue-bytes).";
        if (batches.DiskWasFull && new DriveInfo(Path.GetFullPath(settings.Data)).AvailableFreeSpace < RoomForABatch)
            return "The disk under the data directory is full.";
        return null;
    }

    public ConservationLaw Law()
    {
        var account = store.Account();
        var counters = account.Counters;
        var source = StoreLoop.SourceOf(queue);
        var position = account.Positions.TryGetValue(source, out var known) ? known : Loop is null ? queue.Acked : 0;
        var durable = queue.Durable;
        var earlierQueues = account.Positions.Where(p => p.Key != source && p.Key != KafkaAccount.DeliveredSource).Sum(p => p.Value);
        var unsaved = ledger.Snapshot().Sum(c => c.UnsavedRejected);
        return new ConservationLaw(
            durable + earlierQueues, counters.Stored, Math.Max(0, durable - position), 0, counters.Duplicates,
            counters.Quarantined, counters.DeadLettered, counters.Rejected + unsaved);
    }

    /// <summary>Seconds since the oldest batch in the queue arrived; 0 when it is empty.</summary>
    public double OldestSeconds(long nowUnixMs, long queued) =>
        queued > 0 && Loop is { OldestArrivedUnixMs: > 0 and var oldest } ? Math.Max(0, nowUnixMs - oldest) / 1000.0 : 0;

    /// <summary>The clients seen last. Acknowledged is the larger of two counts that agree at rest: what the store has processed, and what
    /// it had at the start plus what intake has acknowledged since.</summary>
    public IReadOnlyList<ClientCounters> Clients(int limit)
    {
        var rows = store.Clients(limit).ToDictionary(c => c.ClientId);
        foreach (var live in ledger.Snapshot().Where(c => c.ClientId.Length > 0))
        {
            var kept = rows.GetValueOrDefault(live.ClientId);
            rows[live.ClientId] = new ClientCounters(
                live.ClientId,
                Math.Max(kept.Acknowledged, _acknowledgedBefore.GetValueOrDefault(live.ClientId) + live.Acknowledged),
                kept.Rejected + live.UnsavedRejected,
                Math.Max(kept.LastSeenUnixMs, live.LastSeenUnixMs),
                live.LastRefusal);
        }
        return [.. rows.Values.OrderByDescending(c => c.LastSeenUnixMs).Take(limit)];
    }
}

/// <summary>All in batches: <c>acknowledged = stored + queued + spilled + duplicates + quarantined + dead_lettered</c>, at rest
/// exactly.</summary>
internal readonly record struct ConservationLaw(
    long Acknowledged, long Stored, long Queued, long Spilled, long Duplicates, long Quarantined, long DeadLettered, long Rejected)
{
    /// <summary>What the law cannot account for; 0 at rest, or something is wrong.</summary>
    public long Missing => Acknowledged - Stored - Queued - Spilled - Duplicates - Quarantined - DeadLettered;
}
