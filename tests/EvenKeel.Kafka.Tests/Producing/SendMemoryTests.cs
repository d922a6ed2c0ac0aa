using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Tests.Native;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;
using static EvenKeel.Kafka.Tests.Producing.Producers;

namespace EvenKeel.Kafka.Tests.Producing;

/// <summary>Tests that count the memory of the whole process, so nothing else may run.</summary>
[CollectionDefinition(nameof(ProcessMemory), DisableParallelization = true)]
public sealed class ProcessMemory;

[Collection(nameof(ProcessMemory))]
public sealed class SendMemoryTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Cancelled_waits_send_nothing_and_keep_no_memory()
    {
        await using var broker = EmbeddedBroker.Start();
        broker.Faults.TakeDown();
        await using var producer = new ReliableProducer(Options(broker) with { MaxRecords = 1, Drain = Short });
        var first = producer.Send("cancelled", null, "first");
        await CancelMany(producer, 200);
        var before = GC.GetTotalMemory(forceFullCollection: true);

        await CancelMany(producer, 20_000);

        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 4 << 20);
        Assert.Equal((20_200, 0, 1), (producer.Counters.Cancelled, producer.Counters.Waiting, producer.Counters.Backlog));
        await producer.DisposeAsync();
        Assert.Equal(1, producer.Counters.Accepted);
        Assert.Equal(DeliveryStatus.Refused, (await first).Status);
    }

    [Fact]
    public async Task Sends_that_waited_and_were_delivered_leave_nothing_with_a_token_that_lives_on()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("lasting", 1, Cancellation);
        await using var producer = new ReliableProducer(Options(broker) with { MaxRecords = 500 });
        using var lasting = new CancellationTokenSource();
        await SendMany(1000);
        var before = GC.GetTotalMemory(forceFullCollection: true);

        await SendMany(20_000);

        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 4 << 20);
        Assert.True(producer.Counters.Waited > 10_000, $"{producer.Counters}");

        async Task SendMany(int count)
        {
            var outcomes = await All(Enumerable.Range(0, count).Select(
                _ => producer.Send("lasting", "key"u8, new byte[1000], token: lasting.Token)));
            Assert.All(outcomes, outcome => Assert.True(outcome.IsDelivered));
        }
    }

    [Theory]
    [InlineData(BrokerKinds.Embedded)]
    [InlineData(BrokerKinds.Real)]
    public async Task A_steady_send_allocates_next_to_nothing(string kind)
    {
        await using var broker = BrokerKinds.Start(kind);
        var topic = NewName("steady");
        await broker.CreateTopicAsync(topic, 4, Cancellation);
        await using var producer = new ReliableProducer(Options(broker));
        await producer.WarmUpAsync([topic], Deadline, Cancellation);
        var pending = new ValueTask<DeliveryOutcome>[1000];
        await Send(20);
        var before = GC.GetTotalAllocatedBytes(precise: true);

        await Send(20);

        var perRecord = (GC.GetTotalAllocatedBytes(precise: true) - before) / 20_000.0;
        Assert.InRange(perRecord, 0, 32);

        async Task Send(int rounds)
        {
            var value = new byte[100];
            for (var round = 0; round < rounds; round++)
            {
#pragma warning disable CA2012 // Each is awaited once, below.
                for (var i = 0; i < pending.Length; i++)
                    pending[i] = producer.SendAsync(topic, "key"u8, value, cancellationToken: Cancellation);
#pragma warning restore CA2012
                foreach (var send in pending)
                    Assert.True((await send).IsDelivered);
            }
        }
    }

    private static async Task CancelMany(ReliableProducer producer, int count)
    {
        using var cancel = new CancellationTokenSource();
        var sends = Enumerable.Range(0, count)
            .Select(_ => producer.Send("cancelled", "key"u8, new byte[1000], token: cancel.Token)).ToArray();
        await cancel.CancelAsync();
        foreach (var send in sends)
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => send);
    }
}
