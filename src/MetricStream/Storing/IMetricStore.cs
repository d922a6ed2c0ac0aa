using MetricStream.Queueing;

namespace MetricStream.Storing;

/// <summary>
/// Where acknowledged batches end: samples to query, batches to list, the counters of the conservation law, and the position of
/// every source, all in one transaction. A source is one log that is read in order (<c>file:{queue id}</c>, later one per Kafka partition).
/// A file of SQLite implements it, and PostgreSQL. One writer calls <see cref="Write"/>; everything else may be called from any thread.
/// </summary>
internal interface IMetricStore : IDisposable
{
    /// <summary>The next position to be read from <paramref name="source"/>: 0 when the store has never seen it.</summary>
    long Position(string source);

    /// <summary>
    /// Writes the records of one read and the position after them in one transaction; after it returns, both are durable.
    /// A batch whose (client, batch id) is known with the same body counts as a duplicate, with another body goes to the dead letters,
    /// and so does a record that cannot be read. Records before <see cref="Position"/> are skipped, not counted again: a call whose
    /// outcome was never learned may be made again, alone or merged with later records.
    /// Throws <see cref="StoreUnavailableException"/> when nothing was written and the same call may succeed later.
    /// </summary>
    /// <remarks>
    /// A transaction with a <see cref="StoreTransaction.Fence"/> writes only while the store still has that number for the source, and only
    /// from its position on: otherwise <see cref="EvenKeel.Kafka.Consuming.FencedException"/>. Its records are told apart by their ids: one
    /// that came before under the same id is a replay and counts nowhere in the law. Dead letters are not kept here but by the caller:
    /// <see cref="LettersDueException"/> names those that must be there first.
    /// </remarks>
    StoreReceipt Write(StoreTransaction transaction);

    /// <summary>Takes sources over for <paramref name="owner"/>, in one transaction: raises the fence of each, so that whoever had it is
    /// refused from now on. A source that the store has never seen begins at its first record.</summary>
    IReadOnlyList<SourceClaim> Claim(IReadOnlyList<SourceBounds> sources, string owner);

    /// <summary>Adds what intake refused since the last call, by client (an empty name: no client could be told).</summary>
    void AddRejected(IReadOnlyCollection<ClientRejections> rejections);

    /// <summary>The batch stored under an id of a client, within the id window; null when there is none.</summary>
    StoredBatch? Find(ReadOnlySpan<byte> clientId, ReadOnlySpan<byte> batchId);

    /// <summary>Batches of a client, oldest first, after the batch id <paramref name="after"/> (exclusive; null: from the oldest); empty
    /// for an unknown client, null when <paramref name="after"/> names no batch of a known one. Bodies beyond 32 MiB end the list early,
    /// after at least one batch: ask again from its last.</summary>
    IReadOnlyList<StoredBatch>? Batches(string clientId, string? after, int limit);

    /// <summary>Stored batches of a source from position <paramref name="from"/> up to <paramref name="until"/> (exclusive), in the order
    /// of their positions, at most <paramref name="limit"/>. Positions whose record was no batch, a duplicate, or is past the id window,
    /// are not there. Bodies beyond 32 MiB end the list early, after at least one batch: ask again from behind its last while it is not
    /// empty.</summary>
    IReadOnlyList<PlacedBatch> BatchesOf(string source, long from, long until, int limit);

    /// <summary>The series that match, by name and then tags. Beyond the limit: <see cref="QueryTooLargeException"/>.</summary>
    IReadOnlyList<SeriesSummary> Series(SeriesFilter filter, CancellationToken cancellation);

    /// <summary>The names of series that contain <paramref name="search"/> (null: all; letters of ASCII in either case), in their order, at
    /// most <paramref name="limit"/>, and how many there are in all.</summary>
    MetricNames Names(string? search, int limit);

    /// <summary>The series that match and have points in the range, all from one snapshot.
    /// Throws <see cref="QueryTooLargeException"/> when the answer would hold more points than the store's limit.</summary>
    IReadOnlyList<SeriesPoints> Query(SampleQuery query, CancellationToken cancellation);

    StoreCounters Counters();

    /// <summary>The counters and the positions of all sources, as of one moment: the store's side of the conservation law.</summary>
    StoreAccount Account();

    /// <summary>The clients seen last, at most <paramref name="limit"/>, latest first.</summary>
    IReadOnlyList<ClientCounters> Clients(int limit);

    /// <summary>
    /// One step of a round that removes samples older than <paramref name="samplesBefore"/> and batches that arrived before
    /// <paramref name="batchesBefore"/> (Unix ms): at most <paramref name="limit"/> rows of each, so that the writer is held up for
    /// milliseconds. Call again while <see cref="ExpiryStep.More"/>. A round that was left half-way is continued, with the new times;
    /// only the round after it covers every series again.
    /// </summary>
    ExpiryStep Expire(long samplesBefore, long batchesBefore, int limit);

    /// <summary>
    /// One step of a round that folds samples before <paramref name="closeBefore"/> (Unix ms) into roll-ups of a minute and of an hour,
    /// from which <see cref="Query"/> answers long ranges: reads about <paramref name="limit"/> samples, or the one minute that has more.
    /// Call again while <see cref="RollupStep.More"/>. Samples that come later for such a time are folded in by a later round; until then
    /// queries take their minutes from the samples.
    /// </summary>
    RollupStep RollUp(long closeBefore, int limit);
}

/// <summary>One read of a source: its records in order, how many were damaged and skipped, and the position after it.</summary>
internal sealed record StoreTransaction(string Source, long NextPosition, long Quarantined, IReadOnlyList<StoreRecord> Records)
{
    /// <summary>The number under which the caller owns the source; null: a log of one process.</summary>
    public long? Fence { get; init; }

    /// <summary>Records between the position and the first one here that were gone before they could be read.</summary>
    public long Lost { get; init; }

    /// <summary>Positions of records whose dead letter is kept already; with a fence only.</summary>
    public IReadOnlySet<long> LettersKept { get; init; } = new HashSet<long>();
}

/// <summary>A source as its log has it: its first record that is there, and its end.</summary>
internal readonly record struct SourceBounds(string Source, long First, long End)
{
    /// <summary>Acceptances of other servers before this position are nobody's else to count: where the store sees the source for the first
    /// time, they are history. Default: none are.</summary>
    public long HistoryEnd { get; init; }
}

/// <summary>A source taken over: where to go on, under which number, and how far that is from where the store had been
/// (records that are gone; records to be read again because the log ends before the position).</summary>
internal readonly record struct SourceClaim(string Source, long Position, long Fence, long Lost, long Rewound);

/// <summary>A record that cannot be stored, and why.</summary>
internal readonly record struct DueLetter(StoreRecord Record, string Reason);

/// <summary>Nothing was written: the caller keeps the dead letters of these records, then makes the call again.</summary>
internal sealed class LettersDueException(IReadOnlyList<DueLetter> letters) : Exception($"{letters.Count} dead letters are due.")
{
    public IReadOnlyList<DueLetter> Letters { get; } = letters;
}

/// <summary>One record of a source: its position there, what it says (null: not readable by this program), and its bytes,
/// which the dead letters keep when it cannot be stored.</summary>
internal readonly record struct StoreRecord(long Position, BatchRecord? Batch, ReadOnlyMemory<byte> Bytes)
{
    /// <summary>Names the acceptance, and is the same on a replay of it; empty in a log that has none.</summary>
    public ReadOnlyMemory<byte> Id { get; init; }

    /// <summary>Why it cannot be stored whatever it says; null: it is read.</summary>
    public string? Refusal { get; init; }

    /// <summary>A record of the file queue, readable or not.</summary>
    public static StoreRecord Of(long position, ReadOnlyMemory<byte> bytes) =>
        new(position, BatchRecord.TryRead(bytes, out var batch) ? batch : null, bytes);
}

/// <summary>What one step of a round of expiry removed, and whether the round has more to do.</summary>
internal readonly record struct ExpiryStep(int Removed, bool More);

/// <summary>What became of the records of one transaction.</summary>
internal readonly record struct StoreReceipt(int Stored, int Duplicates, int DeadLettered);

/// <summary>A stored batch: its id, number of metrics, and body as it was posted.</summary>
internal sealed record StoredBatch(string BatchId, int MetricCount, ReadOnlyMemory<byte> Body);

/// <summary>A stored batch by its place in its source: its body as it was posted and when it arrived.</summary>
internal readonly record struct PlacedBatch(long Position, long ArrivedUnixMs, ReadOnlyMemory<byte> Body);

internal readonly record struct ClientRejections(string ClientId, long Rejected, long LastSeenUnixMs);

/// <summary>Sums over all sources and the whole life of the data directory, in batches.</summary>
internal readonly record struct StoreCounters(long Stored, long Duplicates, long Quarantined, long DeadLettered, long Rejected)
{
    /// <summary>Records that came again under the id of an acceptance: counted nowhere in the law.</summary>
    public long Replays { get; init; }

    /// <summary>Records that were gone before they were read: the law misses them.</summary>
    public long Lost { get; init; }
}

/// <summary>Counters, and by source the next position to be read.</summary>
internal sealed record StoreAccount(StoreCounters Counters, IReadOnlyDictionary<string, long> Positions)
{
    /// <summary>Who claimed a source last.</summary>
    public IReadOnlyDictionary<string, string> Owners { get; init; } = new Dictionary<string, string>();

    /// <summary>Acceptances that came by log, each once, by who stored them and who made them.</summary>
    public IReadOnlyList<AcceptanceCount> Acceptances { get; init; } = [];
}

/// <summary>Acceptances of <paramref name="Server"/> (empty: nobody's else to count, history or written by other programs) that went
/// through the store by <paramref name="StoredBy"/> (empty: a store of one server).</summary>
internal readonly record struct AcceptanceCount(string StoredBy, string Server, long Count);

/// <summary>Acknowledged here counts what the store has processed (stored, duplicate, dead letter); intake adds what is queued, and what it
/// told the client when it refused it last.</summary>
internal readonly record struct ClientCounters(
    string ClientId, long Acknowledged, long Rejected, long LastSeenUnixMs, string? LastRefusal = null);

/// <summary>Which series: by name (null: all) and by tags that must all be there with that value.</summary>
internal sealed record SeriesFilter(string? Name, IReadOnlyList<KeyValuePair<string, string>> Tags);

/// <summary>Metric names with the number of their series, and how many match in all.</summary>
internal sealed record MetricNames(long Matching, IReadOnlyList<KeyValuePair<string, long>> Names);

internal sealed record SeriesSummary(
    string Name, string Type, IReadOnlyList<KeyValuePair<string, string>> Tags, long First, long Last, long Samples);

/// <summary>Samples of the series that match, from <paramref name="From"/> (inclusive) to <paramref name="To"/> (exclusive), Unix ms;
/// without <paramref name="StepMs"/> as they came, with it in buckets aligned to the epoch.</summary>
internal sealed record SampleQuery(SeriesFilter Filter, long From, long To, long? StepMs, Aggregation Aggregation);

internal enum Aggregation { Avg, Min, Max, Sum, Last, Rate }

internal sealed record SeriesPoints(string Name, IReadOnlyList<KeyValuePair<string, string>> Tags, IReadOnlyList<SamplePoint> Points);

/// <summary>A sample, or a bucket by its start. NaN where the sample was no number.</summary>
internal readonly record struct SamplePoint(long Time, double Value);

/// <summary>The store could not write or answer now (busy, disk full, gone); nothing was half-done, the call may be made again.</summary>
internal sealed class StoreUnavailableException(string message, Exception inner) : Exception(message, inner);

/// <summary>A query whose answer would not fit the store's bound; the message names the bound and how to ask for less.</summary>
internal sealed class QueryTooLargeException(string message) : Exception(message);

/// <summary>The store cannot be opened: not ours, damaged, newer, locked, or not writable. The message names the file and the
/// fix.</summary>
internal sealed class StoreOpenException(string message, Exception? inner = null) : Exception(message, inner);
