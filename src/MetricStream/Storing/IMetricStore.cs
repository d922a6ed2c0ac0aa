using MetricStream.Queueing;

namespace MetricStream.Storing;

/// <summary>
/// Where acknowledged batches end: samples to query, batches to list, the counters of the conservation law, and the position of
/// every source, all in one transaction. A source is one log that is read in order (<c>file:{queue id}</c>, later one per Kafka partition).
/// SQLite implements it; PostgreSQL follows. One writer calls <see cref="Write"/>; everything else may be called from any thread.
/// </summary>
internal interface IMetricStore : IDisposable
{
    /// <summary>The next position to be read from <paramref name="source"/>: 0 when the store has never seen it.</summary>
    long Position(string source);

    /// <summary>
    /// Writes the records of one read and the position after them in one transaction; after it returns, both are durable.
    /// A batch whose (client, batch id) is known with the same body counts as a duplicate, with another body goes to the dead letters.
    /// Throws <see cref="StoreUnavailableException"/> when nothing was written and the same call may succeed later.
    /// </summary>
    StoreReceipt Write(StoreTransaction transaction);

    /// <summary>Adds what intake refused since the last call, by client (an empty name: no client could be told).</summary>
    void AddRejected(IReadOnlyCollection<ClientRejections> rejections);

    /// <summary>The batch stored under an id of a client, within the id window; null when there is none.</summary>
    StoredBatch? Find(ReadOnlySpan<byte> clientId, ReadOnlySpan<byte> batchId);

    /// <summary>Batches of a client, oldest first, after the batch id <paramref name="after"/> (exclusive; null: from the oldest).
    /// Null when <paramref name="after"/> names no batch of that client.</summary>
    IReadOnlyList<StoredBatch>? Batches(string clientId, string? after, int limit);

    IReadOnlyList<SeriesSummary> Series(SeriesFilter filter);

    IReadOnlyList<SeriesPoints> Query(SampleQuery query, CancellationToken cancellation);

    StoreCounters Counters();

    /// <summary>The clients seen last, at most <paramref name="limit"/>, latest first.</summary>
    IReadOnlyList<ClientCounters> Clients(int limit);

    /// <summary>Removes samples older than <paramref name="samplesBefore"/> and batches that arrived before <paramref name="batchesBefore"/>,
    /// at most <paramref name="limit"/> rows of each, so that the writer is held up for milliseconds. Returns the rows removed.</summary>
    int Expire(long samplesBefore, long batchesBefore, int limit);
}

/// <summary>One read of a source: its records in order, how many records of it were damaged and skipped, and the position after it.</summary>
internal sealed record StoreTransaction(string Source, long NextPosition, long Quarantined, IReadOnlyList<BatchRecord> Records);

/// <summary>What became of the records of one transaction.</summary>
internal readonly record struct StoreReceipt(int Stored, int Duplicates, int DeadLettered);

/// <summary>A stored batch: its id, number of metrics, and body as it was posted.</summary>
internal sealed record StoredBatch(string BatchId, int MetricCount, ReadOnlyMemory<byte> Body);

internal readonly record struct ClientRejections(string ClientId, long Rejected, long LastSeenUnixMs);

/// <summary>Sums over all sources and the whole life of the data directory, in batches.</summary>
internal readonly record struct StoreCounters(long Stored, long Duplicates, long Quarantined, long DeadLettered, long Rejected);

/// <summary>Acknowledged here counts only what the store has processed (stored, duplicate, dead letter); intake adds what is still queued.</summary>
internal readonly record struct ClientCounters(string ClientId, long Acknowledged, long Rejected, long LastSeenUnixMs);

/// <summary>Which series: by name (null: all) and by tags that must all be there with that value.</summary>
internal sealed record SeriesFilter(string? Name, IReadOnlyList<KeyValuePair<string, string>> Tags);

internal sealed record SeriesSummary(string Name, string Type, IReadOnlyList<KeyValuePair<string, string>> Tags, long First, long Last, long Samples);

/// <summary>Samples of the series that match, from <paramref name="From"/> (inclusive) to <paramref name="To"/> (exclusive), Unix ms;
/// without <paramref name="StepMs"/> as they came, with it in buckets aligned to the epoch.</summary>
internal sealed record SampleQuery(SeriesFilter Filter, long From, long To, long? StepMs, Aggregation Aggregation);

internal enum Aggregation { Avg, Min, Max, Sum, Last, Rate }

internal sealed record SeriesPoints(string Name, IReadOnlyList<KeyValuePair<string, string>> Tags, IReadOnlyList<SamplePoint> Points);

internal readonly record struct SamplePoint(long Time, double Value);

/// <summary>The store could not write or answer now (busy, disk full, gone); nothing was half-done and the call may be made again.</summary>
internal sealed class StoreUnavailableException(string message, Exception inner) : Exception(message, inner);
