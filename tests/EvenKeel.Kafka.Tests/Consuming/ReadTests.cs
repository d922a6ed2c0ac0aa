using System.Text;
using EvenKeel.Kafka.Consuming;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Tests.Native;
using EvenKeel.Kafka.Tests.Producing;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Consuming.Consumers;
using static EvenKeel.Kafka.Tests.Native.TestClients;

namespace EvenKeel.Kafka.Tests.Consuming;

public sealed class ReadTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(BrokersAndProtocols), MemberType = typeof(Consumers))]
    public async Task A_member_handles_each_record_once_in_order_and_the_next_member_goes_on_behind_it(string kind, string protocol)
    {
        await using var broker = BrokerKinds.Start(kind);
        var (topic, group) = (NewName("read"), NewName("read"));
        await broker.CreateTopicAsync(topic, 3, Cancellation);
        await FillAsync(broker, topic, 1000);
        var (first, second) = (new Heard(), new Heard());

        await using (var consumer = new ReliableConsumer(
            Options(broker, group, topic, protocol), (record, _) => first.Take(record), first.Take))
        {
            await first.Until(heard => heard.Count == 1000);
            var report = await consumer.StopAsync(cancellationToken: Cancellation);
            Assert.Equal((true, true, 0), (report.LeftGroup, report.IsCommitted, report.AbandonedRecords));
        }
        await FillAsync(broker, topic, 10, from: 1000);
        await using var next = new ReliableConsumer(
            Options(broker, group, topic, protocol), (record, _) => second.Take(record), second.Take);
        await second.Until(heard => heard.Count >= 10);

        Assert.Equal(Enumerable.Range(0, 1000), first.Records.Select(record => record.Number).Order());
        Assert.All(first.Records.GroupBy(record => record.Source), partition =>
            Assert.Equal(partition.Select(record => record.Offset).Order(), partition.Select(record => record.Offset)));
        Assert.Equal(Enumerable.Range(1000, 10), second.Records.Select(record => record.Number).Order());
    }

    [Fact]
    public async Task Eight_lanes_keep_the_order_of_each_key_and_work_at_once()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("lanes", 3, Cancellation);
        await FillAsync(broker, "lanes", 2000, keys: 50);
        var heard = new Heard();
        using var atOnce = new CountdownEvent(4);

        await using var consumer = new ReliableConsumer(
            Options(broker, "lanes", "lanes") with { Lanes = 8 },
            (record, stop) =>
            {
                // The first four wait for each other: they can only go on if they run at once.
                if (!atOnce.IsSet && heard.Count == 0)
                {
                    atOnce.Signal();
                    Assert.True(atOnce.Wait(Deadline, stop));
                }
                return heard.Take(record);
            },
            heard.Take);
        await heard.Until(all => all.Count >= 2000);

        Assert.Equal(Enumerable.Range(0, 2000), heard.Records.Select(record => record.Number).Order());
        Assert.All(heard.Records.GroupBy(record => record.Key), key =>
            Assert.Equal(key.Select(record => record.Number).Order(), key.Select(record => record.Number)));
    }

    [Fact]
    public async Task A_record_shows_what_was_sent_while_it_is_handled_and_an_error_afterwards()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("whole", 1, Cancellation);
        await using (var producer = new ReliableProducer(Producers.Options(broker)))
        {
            RecordHeader[] headers = [RecordHeader.Of("a", "1"), new RecordHeader("b", null), RecordHeader.Of("a", "2")];
            Assert.True((await producer.Send("whole", "key", "value", headers)).IsDelivered);
            Assert.True((await producer.SendAsync("whole", (string?)null, null, cancellationToken: Cancellation)).IsDelivered);
        }
        var seen = new List<string>();
        ReceivedRecord kept = default;
        ReadOnlyMemory<byte> keptValue = default;
        var done = new TaskCompletionSource();

        await using var consumer = new ReliableConsumer(Options(broker, "whole", "whole"), (record, _) =>
        {
            Assert.True(record.TryGetHeader("a", out var last) == (record.Offset == 0));
            seen.Add(
                $"{record} {record.HasKey} {Encoding.UTF8.GetString(record.Key.Span)} {record.IsTombstone} "
                + $"{Encoding.UTF8.GetString(record.Value.Span)} {Encoding.UTF8.GetString(last)} {record.Attempt} {record.Fence} "
                + string.Join(',', record.Headers.Select(header => $"{header.Name}={header.Value?.Length.ToString() ?? "none"}")));
            Assert.InRange(record.TimestampMs, 1, TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds());
            if (record.Offset == 0)
                (kept, keptValue) = (record, record.Value);
            else
                done.SetResult();
            return ValueTask.CompletedTask;
        });
        await done.Task.WaitAsync(Deadline, Cancellation);

        Assert.Equal(["whole[0]@0 True key False value 2 1 0 a=1,b=none,a=1", "whole[0]@1 False  True   1 0 "], seen);
        Assert.Contains("Copy", Assert.Throws<InvalidOperationException>(() => kept.Offset).Message, StringComparison.Ordinal);
        Assert.ThrowsAny<Exception>(() => keptValue.Span.Length);
        Assert.Throws<InvalidOperationException>(() => default(ReceivedRecord).Topic);
    }

    [Fact]
    public async Task A_batch_handler_gets_the_records_of_one_partition_in_order()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("batches", 3, Cancellation);
        await FillAsync(broker, "batches", 1000);
        var batches = new List<(TopicPartition Source, List<long> Offsets, long Next)>();
        var (heard, handled) = (new Heard(), 0);

        await using var consumer = ReliableConsumer.OfBatches(
            Options(broker, "batches", "batches") with { MaxBatchRecords = 100 },
            async (batch, _) =>
            {
                var offsets = Enumerable.Range(0, batch.Count).Select(i => batch[i].Offset).ToList();
                Assert.All(Enumerable.Range(0, batch.Count), i => Assert.Equal(batch.Source, batch[i].Source));
                await Task.Yield(); // The memory is there until the task ends, on whatever thread.
                for (var i = 0; i < batch.Count; i++)
                    Assert.InRange(batch[i].Number(), 0, 999);
                batches.Add((batch.Source, offsets, batch.NextOffset));
                Interlocked.Add(ref handled, batch.Count);
            },
            heard.Take);
        await Until(() => Volatile.Read(ref handled) == 1000, () => $"{handled} handled; {heard}");

        Assert.All(batches, batch => Assert.InRange(batch.Offsets.Count, 1, 100));
        Assert.Contains(batches, batch => batch.Offsets.Count > 1);
        Assert.All(batches, batch => Assert.Equal(batch.Offsets[^1] + 1, batch.Next));
        Assert.All(batches.GroupBy(batch => batch.Source), partition =>
            Assert.Equal(Enumerable.Range(0, partition.Sum(batch => batch.Offsets.Count)).Select(i => (long)i),
                partition.SelectMany(batch => batch.Offsets)));
    }
}
