using MetricStream.Storing;

namespace MetricStream.Tests.Intake;

/// <summary>A store that answers what a test says: intake asks for known batch ids only, the state for the account and no clients.</summary>
internal sealed class ScriptedStore(Func<StoredBatch?> find, Func<StoreAccount>? account = null) : IMetricStore
{
    private int _finds;

    public int Finds => Volatile.Read(ref _finds);

    public StoredBatch? Find(ReadOnlySpan<byte> clientId, ReadOnlySpan<byte> batchId)
    {
        Interlocked.Increment(ref _finds);
        return find();
    }

    public long Position(string source) => throw NotAsked();

    public StoreReceipt Write(StoreTransaction transaction) => throw NotAsked();

    public void AddRejected(IReadOnlyCollection<ClientRejections> rejections) => throw NotAsked();

    public IReadOnlyList<StoredBatch>? Batches(string clientId, string? after, int limit) => throw NotAsked();

    public IReadOnlyList<PlacedBatch> BatchesOf(string source, long from, long until, int limit) => throw NotAsked();

    public IReadOnlyList<SeriesSummary> Series(SeriesFilter filter, CancellationToken cancellation) => throw NotAsked();

    public MetricNames Names(string? search, int limit) => throw NotAsked();

    public IReadOnlyList<SeriesPoints> Query(SampleQuery query, CancellationToken cancellation) => throw NotAsked();

    public StoreCounters Counters() => throw NotAsked();

    public IReadOnlyList<ClientCounters> Clients(int limit) => account is null ? throw NotAsked() : [];

    public ExpiryStep Expire(long samplesBefore, long batchesBefore, int limit) => throw NotAsked();

    public RollupStep RollUp(long closeBefore, int limit) => throw NotAsked();

    public IReadOnlyList<SourceClaim> Claim(IReadOnlyList<SourceBounds> sources, string owner) => throw NotAsked();

    public StoreAccount Account() => account is null ? throw NotAsked() : account();

    public void Dispose()
    {
    }

    private static InvalidOperationException NotAsked() => new("Intake asks the store for batch ids only.");
}
