using EvenKeel.Kafka.Spilling;
using MetricStream.Intake;
using MetricStream.Serving;
using MetricStream.Storing;

namespace MetricStream.Kafka;

/// <summary>What a server with its queue in Kafka can say of itself: readiness and the numbers of the conservation law.</summary>
internal sealed class KafkaState(ServeSettings settings, KafkaIntake intake, IMetricStore store, IntakeLedger ledger, TopicSurvey survey)
{
    // Room for one more small batch; below it the next one may be refused.
    private const long RoomForABatch = 4096;
    private const int MostClients = 10_000;

    private readonly Dictionary<string, long> _acknowledgedBefore =
        store.Clients(MostClients).ToDictionary(c => c.ClientId, c => c.Acknowledged);

    private volatile bool _draining;

    public KafkaIntake Intake => intake;

    public TopicReport Topic => survey.Report;

    public long MaxQueueBytes => settings.MaxQueueBytes;

    /// <summary>The stop has begun.</summary>
    public bool Draining
    {
        get => _draining;
        set => _draining = value;
    }

    /// <summary>Why a batch posted now could not be made durable; null when it can, in Kafka or in the spill.</summary>
    public string? NotReady()
    {
        if (_draining)
            return "The server is stopping.";
        if (intake.Producer.State == SpillState.Direct)
            return null;
        if (intake.SpillFault is { } fault)
            return $"Kafka is away and the spill has failed: {fault}";
        var spilled = intake.Producer.Counters.SpillBytes;
        if (spilled + RoomForABatch > settings.MaxQueueBytes)
            return $"The spill holds {spilled} bytes of at most {settings.MaxQueueBytes} (--max-queue-bytes).";
        if (intake.Batches.WasFull && new DriveInfo(Path.GetFullPath(settings.Data)).AvailableFreeSpace < RoomForABatch)
            return "Kafka is away and the disk under the data directory is full.";
        return null;
    }

    /// <summary>The law of a server that takes batches for others to store: what Kafka has from it is counted there as stored or queued,
    /// and here as <see cref="KafkaLaw.HandedOver"/>.</summary>
    public KafkaLaw Law()
    {
        var account = store.Account();
        var counters = account.Counters;
        var spill = intake.Producer.Counters;
        var delivered = intake.Account.Delivered;
        var damaged = intake.Account.Damaged;
        var unsaved = ledger.Snapshot().Sum(c => c.UnsavedRejected);
        var damagedUnsaved = damaged - account.Positions.GetValueOrDefault(KafkaAccount.DamagedSource);
        var earlierQueues = account.Positions.Where(p => p.Key.StartsWith("file:", StringComparison.Ordinal)).Sum(p => p.Value);
        var law = new ConservationLaw(
            earlierQueues + delivered + spill.SpillRecords + spill.DeadLetters + damaged, counters.Stored, 0, spill.SpillRecords,
            counters.Duplicates, counters.Quarantined + damagedUnsaved, counters.DeadLettered + spill.DeadLetters,
            counters.Rejected + unsaved);
        return new KafkaLaw(law, HandedOver: delivered);
    }

    /// <summary>The clients seen last; acknowledged is what intake has acknowledged since the start.</summary>
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
                Math.Max(kept.LastSeenUnixMs, live.LastSeenUnixMs));
        }
        return [.. rows.Values.OrderByDescending(c => c.LastSeenUnixMs).Take(limit)];
    }
}

/// <summary>The law of one server of several: what it handed over to others is no longer its to account for.</summary>
internal readonly record struct KafkaLaw(ConservationLaw Law, long HandedOver)
{
    /// <summary>What the law cannot account for; 0 at rest, or something is wrong.</summary>
    public long Missing => Law.Missing - HandedOver;
}
