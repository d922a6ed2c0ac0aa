using EvenKeel.Kafka.Producing;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;
using static EvenKeel.Kafka.Tests.Producing.Producers;

namespace EvenKeel.Kafka.Tests.Producing;

/// <summary>The turn that a sender takes while the send loop sleeps.</summary>
public sealed class LoneRecordTests
{
    private readonly Backlog _backlog = new(new ProducerOptions { BootstrapServers = "none" }, _ => { });
    private readonly PendingSendPool _sends = new(16, _ => { });

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task While_a_sender_has_its_turn_the_loop_gets_nothing_and_then_the_record_left_behind_first()
    {
        var loop = await SleepingLoopAsync();
        Assert.Equal(Admission.Lone, Offer("lone"));
        Assert.Equal(Admission.Queued, Offer("second"));
        _backlog.WakeLoop();
        Assert.Equal(Admission.Queued, Offer("third"));
        await Assert.ThrowsAsync<TimeoutException>(() => loop.WaitAsync(TimeSpan.FromMilliseconds(100), Cancellation));

        _backlog.EndLone();

        Assert.Equal(["lone"], Values((await loop.WaitAsync(Deadline, Cancellation))!));
        Assert.Equal(["second", "third"], Values(_backlog.Take(new SendGroup())!));
        Assert.Equal(3, _backlog.Counters.Accepted);
    }

    [Fact]
    public async Task A_loop_that_is_stopped_in_a_senders_turn_ends_after_it_and_leaves_nothing_behind()
    {
        var loop = await SleepingLoopAsync();
        Assert.Equal(Admission.Lone, Offer("lone"));
        Assert.Equal(Admission.Queued, Offer("second"));
        _backlog.StopLoop();
        await Assert.ThrowsAsync<TimeoutException>(() => loop.WaitAsync(TimeSpan.FromMilliseconds(100), Cancellation));

        _backlog.EndLone();

        Assert.Null(await loop.WaitAsync(Deadline, Cancellation));
        Assert.Equal(["lone", "second"], Values(_backlog.TakeRest()));
    }

    [Fact]
    public async Task A_loop_that_was_woken_for_something_else_is_passed_by_by_nobody()
    {
        var loop = await SleepingLoopAsync();
        _backlog.WakeLoop();
        Assert.Empty(Values((await loop.WaitAsync(Deadline, Cancellation))!));

        Assert.Equal(Admission.Queued, Offer("while it works"));

        Assert.Equal(["while it works"], Values(_backlog.Take(new SendGroup())!));
    }

    [Fact]
    public async Task Sends_one_after_the_other_need_no_loop_and_many_at_once_keep_their_order()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("turns", 1, Cancellation);
        await using var producer = new ReliableProducer(Options(broker));
        await producer.WarmUpAsync(["turns"], Deadline, Cancellation);
        for (var i = 0; i < 100; i++)
            Assert.Equal(i, (await producer.Send("turns", "key", $"{i}")).Offset);

        // Each of a thread's sends meets a loop that sleeps or works, and other senders: its own order holds all the same.
        var offsets = await Task.WhenAll(Enumerable.Range(0, 4).Select(worker => Task.Run(
            async () =>
            {
                var sends = new List<Task<DeliveryOutcome>>();
                for (var i = 0; i < 500; i++)
                {
                    sends.Add(producer.Send("turns", $"key{worker}", $"{i}"));
                    if (i % 10 == 9)
                        await sends[i - 5];
                }
                return (await All(sends)).Select(outcome => outcome.Offset).ToList();
            },
            Cancellation)));

        Assert.All(offsets, of => Assert.Equal(of.Order(), of));
        Assert.Equal(Enumerable.Range(100, 2000).Select(i => (long)i), offsets.SelectMany(of => of).Order());
    }

    private static IEnumerable<string> Values(SendGroup group) =>
        group.Entries.Select(entry => System.Text.Encoding.UTF8.GetString(group.Value(entry)));

    private Admission Offer(string value) =>
        _backlog.TryQueue(new OutgoingRecord("lone", default, Bytes(value)), 0, _sends.Rent(), feedsLone: true);

    private async Task<Task<SendGroup?>> SleepingLoopAsync()
    {
        var taken = new TaskCompletionSource<SendGroup?>(TaskCreationOptions.RunContinuationsAsynchronously);
        var loop = new Thread(() => taken.SetResult(_backlog.Take(new SendGroup()))) { IsBackground = true };
        loop.Start();
        await Until(() => loop.ThreadState.HasFlag(ThreadState.WaitSleepJoin), () => $"the loop is {loop.ThreadState}");
        return taken.Task;
    }
}
