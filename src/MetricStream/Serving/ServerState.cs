using System.Text;
using System.Text.Json;
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
    IntakeLedger ledger) : IServerState
{
    // Room for one more small batch; below it the next append is refused.
    private const long RoomForABatch = 4096;
    private const string FilePrefix = "file:";

    private readonly ClientRows _clients = new(store, ledger);

    private volatile bool _draining;

    public DurableQueue Queue => queue;

    public long MaxQueueBytes => settings.MaxQueueBytes;

    public StoreLoop? Loop { get; init; }

    public string Word => _draining ? "draining" : "file";

    public bool Draining
    {
        get => _draining;
        set => _draining = value;
    }

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
        var unsaved = ledger.Snapshot().Sum(c => c.UnsavedRejected);
        return new ConservationLaw(
            durable + EarlierQueues(account, source), counters.Stored, Math.Max(0, durable - position), 0, counters.Duplicates,
            counters.Quarantined, counters.DeadLettered, counters.Rejected + unsaved)
        {
            HandedIn = account.Acceptances.Where(count => IsHere(count) && !IsOurs(count)).Sum(count => count.Count),
        };
    }

    private bool IsOurs(in AcceptanceCount count) => count.Server.Length == 0 || count.Server == settings.ServerId;

    private bool IsHere(in AcceptanceCount count) => count.StoredBy.Length == 0 || count.StoredBy == settings.ServerId;

    // What the directory held before, in another file queue or with --queue kafka. A shared store has those of others beside them.
    private long EarlierQueues(StoreAccount account, string source) =>
        account.Positions
            .Where(p => p.Key == KafkaAccount.DamagedSource || (p.Key != source && p.Key.StartsWith(FilePrefix, StringComparison.Ordinal)))
            .Where(p => !account.Owners.TryGetValue(p.Key, out var owner) || owner == settings.ServerId)
            .Sum(p => p.Value)
        + account.Acceptances.Where(count => IsHere(count) && IsOurs(count)).Sum(count => count.Count) + account.Counters.Lost;

    public void WriteQueue(Utf8JsonWriter json, in ConservationLaw law, ServerPulse pulse)
    {
        var commits = queue.Times;
        json.WriteStartObject("queue");
        json.WriteString("kind", "file");
        json.WriteNumber("bytes", queue.Bytes);
        json.WriteNumber("max_bytes", settings.MaxQueueBytes);
        json.WriteNumber("oldest_seconds", OldestSeconds(pulse.NowUnixMs, law.Queued));
        json.WritePropertyName("full_in_seconds");
        StatsJson.WriteValue(json, pulse.SecondsUntilFull(settings.MaxQueueBytes));
        json.WriteNumber("head", queue.Head);
        json.WriteNumber("acked", queue.Acked);
        json.WriteNumber("durable", queue.Durable);
        json.WriteNumber("tail", queue.Tail);
        json.WriteNumber("groups", commits.Groups);
        json.WriteNumber("write_seconds", commits.Write.TotalSeconds);
        json.WriteNumber("fsync_seconds", commits.Sync.TotalSeconds);
        json.WriteString("fault", queue.Fault?.Message);
        json.WriteEndObject();
    }

    public void WriteStore(Utf8JsonWriter json)
    {
        json.WriteStartObject("store");
        json.WriteString("kind", Loop is null ? "none" : Stores.NameOf(settings.Store));
        json.WriteNumber("busy_seconds", Loop?.Busy.TotalSeconds ?? 0);
        json.WriteString("trouble", Loop?.Trouble);
        json.WriteEndObject();
    }

    public void WriteMetrics(StringBuilder page, in ConservationLaw law)
    {
        PrometheusPage.Gauge(page, "metricstream_queue_bytes", "Bytes of the queue on disk.", queue.Bytes);
        PrometheusPage.Gauge(page, "metricstream_queue_oldest_seconds", "Age of the oldest batch that waits.",
            OldestSeconds(TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds(), law.Queued));
        PrometheusPage.Counter(page, "metricstream_queue_groups_total", "Group commits: one write and one fsync each.", queue.Times.Groups);
        PrometheusPage.Counter(page, "metricstream_queue_write_seconds_total", "Time in write calls.", queue.Times.Write.TotalSeconds);
        PrometheusPage.Counter(page, "metricstream_queue_fsync_seconds_total", "Time in fsync.", queue.Times.Sync.TotalSeconds);
    }

    /// <summary>Seconds since the oldest batch in the queue arrived; 0 when it is empty.</summary>
    public double OldestSeconds(long nowUnixMs, long queued) =>
        queued > 0 && Loop is { OldestArrivedUnixMs: > 0 and var oldest } ? Math.Max(0, nowUnixMs - oldest) / 1000.0 : 0;

    public IReadOnlyList<ClientCounters> Clients(int limit) => _clients.Read(limit);
}
