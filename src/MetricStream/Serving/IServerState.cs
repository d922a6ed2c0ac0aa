using System.Text;
using System.Text.Json;
using MetricStream.Storing;

namespace MetricStream.Serving;

/// <summary>What a server can say of itself, whatever its queue is: readiness, the numbers of the conservation law, and what is special to
/// its queue.</summary>
internal interface IServerState
{
    /// <summary>The stop has begun.</summary>
    bool Draining { get; set; }

    /// <summary>The state in one word of the page: file, kafka, spilling, replaying, draining.</summary>
    string Word { get; }

    /// <summary>Bytes on this server's disk at which intake answers 503.</summary>
    long MaxQueueBytes { get; }

    /// <summary>Why a batch posted now could not be made durable; null when it can.</summary>
    string? NotReady();

    ConservationLaw Law();

    /// <summary>The clients seen last, latest first.</summary>
    IReadOnlyList<ClientCounters> Clients(int limit);

    /// <summary>Writes the members of <c>/api/stats</c> that tell of the queue.</summary>
    void WriteQueue(Utf8JsonWriter json, in ConservationLaw law, ServerPulse pulse);

    /// <summary>Writes the member of <c>/api/stats</c> that tells of the store.</summary>
    void WriteStore(Utf8JsonWriter json);

    /// <summary>Writes what Prometheus is told of the queue.</summary>
    void WriteMetrics(StringBuilder page, in ConservationLaw law);
}

/// <summary>All in batches: <c>acknowledged = stored + queued + spilled + duplicates + quarantined + dead_lettered</c>, at rest
/// exactly, summed over the servers that share a store.</summary>
internal readonly record struct ConservationLaw(
    long Acknowledged, long Stored, long Queued, long Spilled, long Duplicates, long Quarantined, long DeadLettered, long Rejected)
{
    /// <summary>Acknowledged here, and others' to account for.</summary>
    public long HandedOver { get; init; }

    /// <summary>Acknowledged by others, and ours to account for.</summary>
    public long HandedIn { get; init; }

    /// <summary>What the law cannot account for; 0 at rest, or something is wrong.</summary>
    public long Missing =>
        Acknowledged + HandedIn - HandedOver - Stored - Queued - Spilled - Duplicates - Quarantined - DeadLettered;
}
