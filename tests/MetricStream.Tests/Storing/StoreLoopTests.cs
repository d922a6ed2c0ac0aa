using System.Text;
using EvenKeel.Queue;
using MetricStream.Queueing;
using MetricStream.Storing;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace MetricStream.Tests.Storing;

public sealed class StoreLoopTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly StoreFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Batches_of_the_queue_come_into_the_store_and_leave_the_queue()
    {
        using var queue = OpenQueue();
        using var store = _folder.Open();
        using var loop = NewLoop(queue, store);
        loop.Start();

        for (var i = 0; i < 50; i++)
            await AppendAsync(queue, $"b{i}");

        await UntilAsync(() => loop.Position == 50 && queue.Acked == 50, () => $"position {loop.Position}, acked {queue.Acked}");
        Assert.True(loop.Stop(Patience));
        Assert.Equal(50, store.Counters().Stored);
        Assert.Equal(50, store.Position(StoreLoop.SourceOf(queue)));
        Assert.Null(loop.Trouble);
    }

    [Fact]
    public async Task A_store_that_refuses_holds_the_batches_in_the_queue_until_it_takes_them_once()
    {
        using var queue = OpenQueue();
        using var store = _folder.Open();
        var refusing = new RefusingStore(store, times: 3);
        using var loop = NewLoop(queue, refusing);
        await AppendAsync(queue, "a");
        await AppendAsync(queue, "b");
        loop.Start();

        await UntilAsync(() => refusing.Refused > 0 && loop.Trouble is not null || refusing.Refused == 3, () => $"refused {refusing.Refused}");
        await UntilAsync(() => loop.Position == 2 && loop.Trouble is null, () => $"position {loop.Position}, trouble {loop.Trouble}");

        Assert.True(loop.Stop(Patience));
        Assert.Equal(3, refusing.Refused);
        Assert.Equal(2, store.Counters().Stored);
        Assert.Equal(0, store.Counters().Duplicates);
    }

    [Fact]
    public async Task A_loop_stopped_while_the_store_refuses_leaves_everything_in_the_queue()
    {
        using var queue = OpenQueue();
        using var store = _folder.Open();
        var refusing = new RefusingStore(store, times: int.MaxValue);
        using (var loop = NewLoop(queue, refusing))
        {
            await AppendAsync(queue, "a");
            loop.Start();
            await UntilAsync(() => loop.Trouble is not null, () => $"position {loop.Position}");
            Assert.True(loop.Stop(Patience));
            Assert.Equal(0, loop.Position);
        }

        using var next = NewLoop(queue, store);
        next.Start();
        await UntilAsync(() => next.Position == 1, () => $"position {next.Position}");
        Assert.True(next.Stop(Patience));
        Assert.Equal(1, store.Counters().Stored);
    }

    [Fact]
    public async Task A_damaged_record_is_quarantined_in_the_law_and_the_others_are_stored()
    {
        using (var queue = OpenQueue())
        {
            foreach (var id in new[] { "first", "second", "third" })
                await AppendAsync(queue, id);
        }
        Flip(Directory.GetFiles(Path.Combine(_folder.Path, "queue"), "*.segment").Single(), "second"u8);

        using var damaged = OpenQueue();
        using var store = _folder.Open();
        using var loop = NewLoop(damaged, store);
        loop.Start();
        await UntilAsync(() => loop.Position == 3, () => $"position {loop.Position}");

        Assert.True(loop.Stop(Patience));
        Assert.Equal((2, 1), (store.Counters().Stored, store.Counters().Quarantined));
    }

    [Fact]
    public async Task A_record_that_no_version_knows_becomes_a_dead_letter_and_holds_nothing_up()
    {
        using var queue = OpenQueue();
        using var store = _folder.Open();
        using var loop = NewLoop(queue, store);
        await queue.AppendAsync("what is this"u8);
        await AppendAsync(queue, "good");
        loop.Start();

        await UntilAsync(() => loop.Position == 2, () => $"position {loop.Position}");

        Assert.True(loop.Stop(Patience));
        Assert.Equal((1, 1), (store.Counters().Stored, store.Counters().DeadLettered));
    }

    [Fact]
    public async Task A_queue_behind_its_store_never_uses_a_sequence_again()
    {
        using var store = _folder.Open();
        using var queue = OpenQueue();
        var source = StoreLoop.SourceOf(queue);
        store.Write(new StoreTransaction(source, 10, 10, []));

        using var loop = NewLoop(queue, store);
        loop.Start();
        var sequence = await AppendAsync(queue, "after the restored copy");

        Assert.Equal(10, sequence);
        await UntilAsync(() => loop.Position == 11, () => $"position {loop.Position}");
        Assert.True(loop.Stop(Patience));
        Assert.Equal(1, store.Counters().Stored);
    }

    private static StoreLoop NewLoop(DurableQueue queue, IMetricStore store) => new(queue, store, TimeProvider.System, NullLogger.Instance);

    private static ValueTask<long> AppendAsync(DurableQueue queue, string id)
    {
        var header = new byte[BatchRecord.MaxHeaderBytes];
        var length = BatchRecord.WriteHeader(header, BatchRecordKind.Batch, 1000, 1, "web"u8, Encoding.ASCII.GetBytes(id));
        return queue.AppendAsync(header.AsSpan(0, length), """{"metrics":[{"name":"a","type":"gauge","value":1}]}"""u8);
    }

    private static void Flip(string file, ReadOnlySpan<byte> where)
    {
        var bytes = File.ReadAllBytes(file);
        bytes[bytes.AsSpan().IndexOf(where)] ^= 1;
        File.WriteAllBytes(file, bytes);
    }

    private DurableQueue OpenQueue() => DurableQueue.Open(new DurableQueueOptions { Directory = Path.Combine(_folder.Path, "queue") });

    private static async Task UntilAsync(Func<bool> condition, Func<string> state)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        var deadline = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            if (TimeProvider.System.GetElapsedTime(deadline) > Patience)
                throw new TimeoutException($"Not so within {Patience}: {state()}.");
            await timer.WaitForNextTickAsync(TestContext.Current.CancellationToken);
        }
    }

    /// <summary>A store that cannot be written the first so many times.</summary>
    private sealed class RefusingStore(IMetricStore store, int times) : IMetricStore
    {
        private int _refused;

        public int Refused => Volatile.Read(ref _refused);

        public StoreReceipt Write(StoreTransaction transaction)
        {
            if (_refused == times)
                return store.Write(transaction);
            Interlocked.Increment(ref _refused);
            throw new StoreUnavailableException("The store is away.", new IOException("away"));
        }

        public IReadOnlyList<SourceClaim> Claim(IReadOnlyList<SourceBounds> sources, string owner) => store.Claim(sources, owner);

        public long Position(string source) => store.Position(source);

        public void AddRejected(IReadOnlyCollection<ClientRejections> rejections) => store.AddRejected(rejections);

        public StoredBatch? Find(ReadOnlySpan<byte> clientId, ReadOnlySpan<byte> batchId) => store.Find(clientId, batchId);

        public IReadOnlyList<PlacedBatch> BatchesOf(string source, long from, long until, int limit) =>
            store.BatchesOf(source, from, until, limit);

        public IReadOnlyList<StoredBatch>? Batches(string clientId, string? after, int limit) => store.Batches(clientId, after, limit);

        public IReadOnlyList<SeriesSummary> Series(SeriesFilter filter, CancellationToken cancellation) => store.Series(filter, cancellation);

        public MetricNames Names(string? search, int limit) => store.Names(search, limit);

        public IReadOnlyList<SeriesPoints> Query(SampleQuery query, CancellationToken cancellation) => store.Query(query, cancellation);

        public StoreCounters Counters() => store.Counters();

        public StoreAccount Account() => store.Account();

        public IReadOnlyList<ClientCounters> Clients(int limit) => store.Clients(limit);

        public ExpiryStep Expire(long samplesBefore, long batchesBefore, int limit) => store.Expire(samplesBefore, batchesBefore, limit);

        public RollupStep RollUp(long closeBefore, int limit) => store.RollUp(closeBefore, limit);

        public void Dispose() => store.Dispose();
    }
}
