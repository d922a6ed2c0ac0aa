using EvenKeel.Kafka.Consuming;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Tests.Native;
using EvenKeel.Kafka.Tests.Producing;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Consuming.Consumers;
using static EvenKeel.Kafka.Tests.Native.TestClients;

namespace EvenKeel.Kafka.Tests.Consuming;

public sealed class BackpressureTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_slow_handler_holds_no_more_records_in_hand_than_the_limit_and_all_are_handled_in_the_end()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("held", 2, Cancellation);
        await FillAsync(broker, "held", 500);
        var heard = new Heard();
        using var turns = new SemaphoreSlim(0);
        var most = 0L;
        ReliableConsumer? consumer = null;

        await using (consumer = new ReliableConsumer(
            Options(broker, "held", "held") with { Lanes = 3, InHand = new InHandLimits { MaxRecords = 7 } },
            async (record, stop) =>
            {
                await turns.WaitAsync(stop);
                await heard.Take(record);
            },
            heard.Take))
        {
            await Until(() => consumer.IsPaused, () => $"{consumer.Counters}; {heard}");
            for (var turn = 0; turn < 500; turn++)
            {
                most = Math.Max(most, consumer.Counters.InHand);
                turns.Release();
                await heard.Until(all => all.Count > turn);
                most = Math.Max(most, consumer.Counters.InHand);
            }
        }

        Assert.InRange(most, 1, 7);
        Assert.Equal(Enumerable.Range(0, 500), heard.Records.Select(record => record.Number).Order());
    }

    [Theory]
    [InlineData(BrokerKinds.Real)]
    public async Task Records_of_one_byte_to_a_mebibyte_with_a_slow_handler_keep_the_memory_in_hand_at_its_limit(string kind)
    {
        await using var broker = BrokerKinds.Start(kind);
        var topic = NewName("mixed");
        await broker.CreateTopicAsync(topic, 2, Cancellation);
        await using (var producer = new ReliableProducer(Producers.Options(broker)))
        {
            for (var i = 0; i < 300; i++)
            {
                var value = new byte[i % 10 == 0 ? 900_000 : 1 + i % 100];
                Assert.True((await producer.SendAsync(topic, BitConverter.GetBytes(i % 16), value, cancellationToken: Cancellation)).IsDelivered);
            }
        }
        const long maxBytes = 4 << 20;
        var (most, handled, heard) = (0L, 0, new Heard());
        ReliableConsumer? consumer = null;
        using var pace = new SemaphoreSlim(0);

        await using (consumer = new ReliableConsumer(
            Options(broker, NewName("mixed"), topic) with
            {
                Lanes = 4,
                InHand = new InHandLimits { MaxBytes = maxBytes, PrefetchBytes = 1 << 20 },
            },
            async (_, stop) =>
            {
                await pace.WaitAsync(TimeSpan.FromMilliseconds(2), stop);
                Interlocked.Increment(ref handled);
            },
            heard.Take))
        {
            await Until(
                () =>
                {
                    most = Math.Max(most, consumer.Counters.InHandBytes);
                    return Volatile.Read(ref handled) >= 300;
                },
                () => $"{handled} handled; {heard}");
        }

        // What is in librdkafka's queue when there is room again may be taken at once: no more than it fetches ahead, and one answer.
        Assert.InRange(most, 1_000_000, maxBytes + (4 << 20));
        Assert.Equal(300, handled);
    }

    [Fact]
    public async Task Records_that_retention_deletes_before_they_are_read_are_told_and_counted()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("expiring", 1, Cancellation);
        await using (var producer = new ReliableProducer(Producers.Options(broker)))
        {
            // 4.5 MB, of which a consumer that stands still has fetched at most two limits of 1 MiB.
            for (var i = 0; i < 45; i++)
            {
                var value = new byte[100_000];
                Assert.True((await producer.SendAsync("expiring", default, value, cancellationToken: Cancellation)).IsDelivered);
            }
        }
        var (offsets, heard, turns) = (new List<long>(), new Heard(), new TaskCompletionSource());
        await using var consumer = new ReliableConsumer(
            Options(broker, "expiring", "expiring") with { InHand = new InHandLimits { MaxRecords = 1, PrefetchBytes = 1 << 20 } },
            async (record, _) =>
            {
                await turns.Task;
                lock (offsets)
                    offsets.Add(record.Offset);
            },
            heard.Take);
        await Until(() => consumer.IsPaused, () => $"{heard}");

        broker.DeleteRecords("expiring", 0, 44);
        turns.SetResult();
        await heard.Until(all => all.Notices.Any(notice => notice.Kind == ConsumerNoticeKind.RecordsExpired));
        await Until(() => consumer.Positions() is [{ DoneOffset: 45 }], () => $"{heard}");

        var handled = offsets.Count;
        Assert.Equal((0, 44), (offsets[0], offsets[^1]));
        Assert.InRange(handled, 2, 44);
        Assert.Equal(45 - handled, consumer.Counters.Expired);
    }
}
