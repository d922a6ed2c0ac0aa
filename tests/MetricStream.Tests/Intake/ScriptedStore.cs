using MetricStream.Storing;

namespace MetricStream.Tests.Intake;

/// <summary>A store of which intake only asks for known batch ids; a test says what it answers.</summary>
internal sealed class ScriptedStore(Func<StoredBatch?> find) : IMetricStore
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

    public IReadOnlyList<SeriesSummary> Series(SeriesFilter filter, CancellationToken cancellation) => throw NotAsked();

    public IReadOnlyList<SeriesPoints> Query(SampleQuery query, CancellationToken cancellation) => throw NotAsked();

    public StoreCounters Counters() => throw NotAsked();

    public IReadOnlyList<ClientCounters> Clients(int limit) => throw NotAsked();

    public ExpiryStep Expire(long samplesBefore, long batchesBefore, int limit) => throw NotAsked();

    public StoreAccount Account() => throw NotAsked();

    public void Dispose()
    {
    }

    private static InvalidOperationException NotAsked() => new("Intake asks the store for batch ids only.");
}
