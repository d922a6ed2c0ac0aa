using System.Text;
using System.Text.Json;
using EvenKeel.Kafka.Spilling;
using MetricStream.Intake;
using MetricStream.Queueing;
using MetricStream.Serving;
using MetricStream.Storing;

namespace MetricStream.Kafka;

/// <summary>What a server with its queue in Kafka can say of itself: readiness and the numbers of the conservation law.</summary>
internal sealed class KafkaState(ServeSettings settings, KafkaParts parts, IntakeLedger ledger) : IServerState, IPulseSource
{
    // Room for one more small batch; below it the next one may be refused.
    private const long RoomForABatch = 4096;

    private static readonly long[] NoTimes = new TimeHistogram().Read();

    private readonly ClientRows _clients = new(parts.Store ?? parts.File, ledger);

    private volatile bool _draining;

    public long MaxQueueBytes => settings.MaxQueueBytes;

    public bool IsBrokers => true;

    public bool Draining
    {
        get => _draining;
        set => _draining = value;
    }

    public string Word => _draining ? "draining" : parts.Intake.Producer.State switch
    {
        SpillState.Spilling => "spilling",
        SpillState.Replaying => "replaying",
        _ => "kafka",
    };

    /// <summary>Why a batch posted now could not be made durable; null when it can, in Kafka or in the spill.</summary>
    public string? NotReady()
    {
        if (_draining)
            return "The server is stopping.";
        // A spill that takes nothing holds no batch and looks as if all went straight: what counts then is whether Kafka answers.
        var fault = parts.Intake.SpillFault;
        if (fault is not null && (parts.Intake.Producer.State != SpillState.Direct || !parts.Intake.LookForBroker()))
            return $"Kafka is away and the spill has failed: {fault}";
        if (parts.Intake.Producer.State == SpillState.Direct)
            return null;
        var spilled = parts.Intake.Producer.Counters.SpillBytes;
        if (spilled + RoomForABatch > settings.MaxQueueBytes)
            return $"The spill holds {spilled} bytes of at most {settings.MaxQueueBytes} (--max-queue-bytes).";
        if (parts.Intake.Batches.WasFull && new DriveInfo(Path.GetFullPath(settings.Data)).AvailableFreeSpace < RoomForABatch)
            return "Kafka is away and the disk under the data directory is full.";
        return null;
    }

    /// <summary>
    /// What came by log is counted by the ids of its acceptances, each once, in the store's own transactions; what is still in the log by
    /// its offsets; what is here on disk by the spill. A server that only takes batches hands over what Kafka has from it.
    /// </summary>
    public ConservationLaw Law()
    {
        var local = parts.File.Account();
        var spill = parts.Intake.Producer.Counters;
        var damaged = parts.Intake.Account.Damaged;
        var damagedUnsaved = damaged - local.Positions.GetValueOrDefault(KafkaAccount.DamagedSource);
        var rejected = local.Counters.Rejected + ledger.Snapshot().Sum(c => c.UnsavedRejected);
        var held = local.Positions.Where(p => p.Key.StartsWith("file:", StringComparison.Ordinal)).Sum(p => p.Value)
            + spill.SpillRecords + spill.DeadLetters + damaged;
        if (parts.Store is not { } store)
        {
            var delivered = parts.Intake.Account.Delivered;
            return new ConservationLaw(
                held + delivered, local.Counters.Stored, 0, spill.SpillRecords, local.Counters.Duplicates,
                local.Counters.Quarantined + damagedUnsaved, local.Counters.DeadLettered + spill.DeadLetters, rejected)
            {
                HandedOver = delivered,
            };
        }

        var account = ReferenceEquals(store, parts.File) ? local : store.Account();
        var log = LogCount.Of(account, parts, settings.ServerId);
        return new ConservationLaw(
            held + log.Ours, account.Counters.Stored, log.Queued, spill.SpillRecords, account.Counters.Duplicates,
            local.Counters.Quarantined + damagedUnsaved, account.Counters.DeadLettered + spill.DeadLetters, rejected)
        {
            HandedIn = log.HandedIn,
            HandedOver = log.HandedOver,
        };
    }

    public IReadOnlyList<ClientCounters> Clients(int limit) => _clients.Read(limit);

    public PulseReading Read()
    {
        var spill = parts.Intake.Producer.Counters;
        return new PulseReading(
            parts.Intake.Batches.Taken, parts.Member?.Done ?? 0, parts.Store is { } store ? QueuedOf(store) : 0, spill.SpillRecords,
            spill.SpillBytes)
        {
            BytesEach = spill.SpillRecords > 0 ? spill.SpillBytes / (double)spill.SpillRecords : null,
            Spilled = spill.SpillRecords,
            Replayed = spill.Replayed,
            Waits = NoTimes,
            Syncs = parts.Intake.Batches.Sends.Read(),
        };
    }

    public void WriteQueue(Utf8JsonWriter json, in ConservationLaw law, ServerPulse pulse) =>
        KafkaStatsJson.WriteQueue(json, parts, law, new KafkaStatsMoment(settings, Partitions(), pulse));

    public void WriteStore(Utf8JsonWriter json)
    {
        json.WriteStartObject("store");
        json.WriteString("kind", parts.Store is null ? "none" : parts.StoreName);
        json.WriteNumber("busy_seconds", parts.Member?.Busy.TotalSeconds ?? 0);
        json.WriteString("trouble", parts.Member?.Trouble);
        if (parts.Store is { } store)
        {
            var counters = store.Counters();
            json.WriteNumber("replays", counters.Replays);
            json.WriteNumber("lost", counters.Lost);
        }
        json.WriteEndObject();
    }

    public void WriteMetrics(StringBuilder page, in ConservationLaw law)
    {
        var spill = parts.Intake.Producer.Counters;
        PrometheusPage.Gauge(page, "metricstream_queue_bytes", "Bytes of the spill on disk.", spill.SpillBytes);
        PrometheusPage.Gauge(page, "metricstream_queue_oldest_seconds", "Age of the oldest batch in the spill.",
            spill.OldestAge.TotalSeconds);
        PrometheusPage.Counter(page, "metricstream_spill_replayed_total", "Batches that went from the spill to Kafka.", spill.Replayed);
        if (parts.Store is { } store)
        {
            PrometheusPage.Counter(page, "metricstream_records_replayed_total", "Records that came again under the id of an acceptance.",
                store.Counters().Replays);
        }
    }

    /// <summary>The partitions as far as they are known here.</summary>
    private IReadOnlyList<PartitionState> Partitions() =>
        parts.Store is { } store ? PartitionState.All(store.Account(), parts) : [];

    private long QueuedOf(IMetricStore store)
    {
        try
        {
            return LogCount.Of(store.Account(), parts, settings.ServerId).Queued;
        }
        catch (StoreUnavailableException)
        {
            return 0; // The pulse goes on; who asks for the numbers themselves is told.
        }
    }
}
