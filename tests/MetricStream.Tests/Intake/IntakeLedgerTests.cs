using System.Text;
using MetricStream.Intake;
using MetricStream.Storing;
using Xunit;

namespace MetricStream.Tests.Intake;

public sealed class IntakeLedgerTests
{
    [Fact]
    public void A_client_s_last_refusal_is_kept_as_it_was_told()
    {
        var ledger = new IntakeLedger();
        var client = ledger.Client("web"u8);
        client.Reject(1, "The body is empty.");
        client.Reject(2);
        client.Acknowledge(3);

        Assert.Equal("The body is empty.", ledger.Snapshot()[0].LastRefusal);
    }

    [Fact]
    public void Rejections_are_handed_over_once_and_come_back_when_the_store_could_not_take_them()
    {
        var ledger = new IntakeLedger();
        ledger.Client("a"u8).Reject(5);
        ledger.Client("a"u8).Reject(7);
        ledger.Unknown.Reject(9);
        ledger.Client("b"u8).Acknowledge(8);
        var taken = ledger.TakeRejections();
        Assert.Equal([new ClientRejections("a", 2, 7), new ClientRejections("", 1, 9)], taken);
        Assert.Empty(ledger.TakeRejections());
        ledger.PutBack(taken);
        ledger.Client("a"u8).Reject(11);
        Assert.Equal([new ClientRejections("a", 3, 11), new ClientRejections("", 1, 9)], ledger.TakeRejections());
        Assert.Equal(1, ledger.Snapshot().Single(row => row.ClientId == "b").Acknowledged);
    }

    [Fact]
    public void A_client_keeps_its_tally_and_others_have_their_own()
    {
        var ledger = new IntakeLedger();
        Assert.Same(ledger.Client("client-1"u8), ledger.Client("client-1"u8));
        Assert.NotSame(ledger.Client("client-1"u8), ledger.Client("client-2"u8));
        Assert.Equal("client-1", ledger.Client("client-1"u8).Name);
        Assert.Equal("client-1"u8.ToArray(), ledger.Client("client-1"u8).Id);
    }

    [Fact]
    public void Clients_beyond_the_bound_keep_their_ids_and_are_counted_together()
    {
        var ledger = new IntakeLedger(maxClients: 2);
        for (var i = 0; i < 100; i++)
        {
            var client = ledger.Client(Encoding.ASCII.GetBytes($"c{i}"));
            Assert.Equal($"c{i}", client.Name);
            client.Acknowledge(i);
            client.Reject(i);
        }

        var rows = ledger.Snapshot();
        Assert.Equal(3, rows.Count);
        Assert.Equal((100, 100), (rows.Sum(row => row.Acknowledged), rows.Sum(row => row.UnsavedRejected)));
        Assert.Equal(new ClientActivity("", 98, 98, 99), rows[^1]);
    }

    [Fact]
    public async Task Counting_from_many_threads_while_rejections_are_taken_loses_none()
    {
        var ledger = new IntakeLedger();
        const int Threads = 4, Each = 20_000;
        var counting = Task.WhenAll(Enumerable.Range(0, Threads).Select(thread => Task.Run(() =>
        {
            for (var i = 0; i < Each; i++)
                ledger.Client(i % 2 == 0 ? "even"u8 : "odd"u8).Reject(thread);
        })));
        long taken = 0;
        while (!counting.IsCompleted)
            taken += ledger.TakeRejections().Sum(row => row.Rejected);
        await counting;
        taken += ledger.TakeRejections().Sum(row => row.Rejected);
        Assert.Equal(Threads * Each, taken);
    }
}
