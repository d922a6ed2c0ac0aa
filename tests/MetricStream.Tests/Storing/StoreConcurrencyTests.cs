using System.Text;
using MetricStream.Storing;
using Xunit;

namespace MetricStream.Tests.Storing;

public sealed class StoreConcurrencyTests
{
    [Fact]
    public async Task Writes_expiry_refusals_and_reads_at_one_time_leave_one_consistent_store()
    {
        const int Transactions = 150;
        const int Refusals = 100;
        using var folder = new StoreFolder();
        using var store = folder.Open();
        var cancellation = TestContext.Current.CancellationToken;
        using var written = new CancellationTokenSource();

        // Time is the number of the transaction; expiry follows twenty behind.
        var newest = 0L;
        var writing = Task.Run(
            () =>
            {
                for (var i = 0; i < Transactions; i++)
                {
                    var records = Enumerable.Range(i * 10, 10).Select(n => Given.Batch(n, "web", $"{n}", Given.Gauge($"m{n % 5}", n, i), arrived: i));
                    store.Write(Given.Transaction([.. records]));
                    Interlocked.Exchange(ref newest, i);
                }

                written.Cancel();
            },
            cancellation);
        var refusing = Task.Run(
            () =>
            {
                for (var i = 0; i < Refusals; i++)
                    store.AddRejected([new ClientRejections("web", 1, i)]);
            },
            cancellation);
        var expiring = Task.Run(
            () =>
            {
                for (var seen = 0L; !written.IsCancellationRequested; Thread.Yield())
                {
                    if (seen == Interlocked.Read(ref newest))
                        continue;
                    seen = Interlocked.Read(ref newest);
                    store.Expire(seen - 20, seen - 20, 30);
                }
            },
            cancellation);
        // More readers than connections. Every snapshot sees whole transactions: ten batches each, two samples a series.
        var reading = Enumerable.Range(0, SqliteMetricStore.Readers + 2).Select(number => Task.Run(
            () =>
            {
                while (!written.IsCancellationRequested)
                {
                    Assert.Equal(0, store.Counters().Stored % 10);
                    Assert.All(store.Series(Given.Everything, cancellation), one => Assert.InRange(one.Last - one.First, 0, Transactions));
                    _ = store.Find("web"u8, Encoding.ASCII.GetBytes($"{Interlocked.Read(ref newest) * 10}"));
                }
            },
            cancellation));
        await Task.WhenAll([writing, refusing, expiring, .. reading]);

        // The first round ends the one that was under way with earlier times; the second covers every series.
        for (var rounds = 0; rounds < 2;)
            rounds += store.Expire(Transactions - 20, Transactions - 20, 30).More ? 0 : 1;
        Assert.Equal(new StoreCounters(Transactions * 10, 0, 0, 0, Refusals), store.Counters());
        Assert.Equal([new ClientCounters("web", Transactions * 10, Refusals, Transactions - 1)], store.Clients(10));
        Assert.All(store.Series(Given.Everything, cancellation), one => Assert.Equal((130L, 149L, 40L), (one.First, one.Last, one.Samples)));
        Assert.Equal(200, store.Batches("web", null, 1000)!.Count);
    }
}
