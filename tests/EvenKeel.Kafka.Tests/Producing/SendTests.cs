using System.Buffers;
using System.Text.Json.Serialization;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Tests.Native;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;
using static EvenKeel.Kafka.Tests.Producing.Producers;

namespace EvenKeel.Kafka.Tests.Producing;

public sealed partial class SendTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(BrokerKinds.Embedded)]
    [InlineData(BrokerKinds.Real)]
    public async Task Records_of_many_threads_are_each_delivered_once_and_in_order_per_key(string kind)
    {
        await using var broker = BrokerKinds.Start(kind);
        var topic = NewName("order");
        await broker.CreateTopicAsync(topic, 3, Cancellation);
        await using var producer = new ReliableProducer(Options(broker));
        await producer.WarmUpAsync([topic], Deadline, Cancellation);

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 8).Select(key => Task.Run(
            () => All(Enumerable.Range(0, 500).Select(i => producer.Send(topic, $"key{key}", $"{i}"))), Cancellation)));

        Assert.All(outcomes.SelectMany(of => of), outcome => Assert.Equal(DeliveryStatus.Delivered, outcome.Status));
        Assert.Equal(4000, outcomes.SelectMany(of => of).Select(outcome => (outcome.Partition, outcome.Offset)).Distinct().Count());
        Assert.All(outcomes.SelectMany(of => of), outcome => Assert.True(outcome.TimestampMs > 0));
        var read = await ReadAsync(broker, topic, 3, 4000);
        foreach (var key in read.GroupBy(record => record.Key))
            Assert.Equal(Enumerable.Range(0, 500).Select(i => $"{i}"), key.Select(record => record.Value));
        Assert.Equal((4000, 4000, 0), (producer.Counters.Accepted, producer.Counters.Delivered, producer.Counters.Backlog));
    }

    [Theory]
    [InlineData(BrokerKinds.Embedded)]
    [InlineData(BrokerKinds.Real)]
    public async Task Text_bytes_serialized_values_headers_and_tombstones_arrive_as_they_were_sent(string kind)
    {
        await using var broker = BrokerKinds.Start(kind);
        var topic = NewName("shapes");
        await broker.CreateTopicAsync(topic, 1, Cancellation);
        await using var producer = new ReliableProducer(Options(broker));
        var reused = Bytes("bytes");
        RecordHeader[] headers = [RecordHeader.Of("trace", "abc"), new RecordHeader("none", null)];

        var sends = new List<Task<DeliveryOutcome>>
        {
            producer.Send(topic, "k", "grüße", headers),
            producer.Send(topic, "k"u8, reused, headers),
        };
        Array.Clear(reused);
        sends.Add(producer.SendAsync(topic, "k"u8, 42, new DigitsSerializer(), cancellationToken: Cancellation).AsTask());
        var json = new JsonRecordSerializer<Reading>(ReadingJson.Default.Reading);
        sends.Add(producer.SendAsync(topic, "k"u8, new Reading("a", 1), json, cancellationToken: Cancellation).AsTask());
        sends.Add(producer.Send(topic, "k", null));
        sends.Add(producer.Send(topic, null, new string('x', 2000)));

        Assert.All(await All(sends), outcome => Assert.True(outcome.IsDelivered));
        var read = await ReadAsync(broker, topic, 1, 6);
        Assert.Equal(["grüße", "bytes", "42", """{"Name":"a","Value":1}""", "null", new string('x', 2000)], read.Select(record => record.Value));
        Assert.Equal(["k", "k", "k", "k", "k", ""], read.Select(record => record.Key));
    }

    [Fact(Explicit = true)]
    public async Task A_full_producer_makes_senders_wait_in_their_order_and_never_meets_a_full_queue()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("full", 1, Cancellation);
        await using var producer = new ReliableProducer(Options(broker) with { MaxRecords = 10, MaxBytes = 4096, MaxRecordBytes = 2000 });
        await producer.WarmUpAsync(["full"], Deadline, Cancellation);

        // Large ones among small ones: nobody may pass them.
        var outcomes = await All(Enumerable.Range(0, 2000).Select(i => producer.Send(
            "full", "k", i % 7 == 0 ? $"{i}".PadRight(1500) : $"{i}")));

        Assert.All(outcomes, outcome => Assert.True(outcome.IsDelivered));
        Assert.Equal(Enumerable.Range(0, 2000).Select(i => (long)i), outcomes.Select(outcome => outcome.Offset));
        Assert.True(producer.Counters.Waited > 1000, $"{producer.Counters}");
        Assert.Equal(0, producer.Counters.QueueFullMet);
    }

    [Fact]
    public async Task Records_refused_among_others_that_go_in_one_call_end_alone_and_the_others_keep_their_order()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("mixed", 1, Cancellation);
        await broker.CreateTopicAsync("other", 1, Cancellation);
        await using var producer = new ReliableProducer(Options(broker) with { MaxRecordBytes = 1000 });
        await producer.WarmUpAsync(["mixed", "other"], Deadline, Cancellation);
        RecordHeader[] headers = [RecordHeader.Of("trace", "abc")];

        // With its framing a value of exactly the limit is too large for librdkafka, and not for the look before it.
        var outcomes = await All(Enumerable.Range(0, 6000).Select(i => producer.Send(
            i % 50 == 3 ? "other" : "mixed", "k", i % 7 == 5 ? new string('x', 999) : $"{i}", i % 31 == 1 && i % 7 != 5 ? headers : null)));

        var tooLarge = outcomes.Where((_, i) => i % 7 == 5).ToList();
        Assert.All(tooLarge, outcome =>
            Assert.Equal((DeliveryStatus.Refused, KafkaErrorCode.MessageTooLarge), (outcome.Status, outcome.Error)));
        foreach (var isOther in new[] { false, true })
        {
            var offsets = outcomes.Where((_, i) => i % 7 != 5 && i % 50 == 3 == isOther).Select(outcome => outcome.Offset).ToList();
            Assert.Equal(Enumerable.Range(0, offsets.Count).Select(i => (long)i), offsets);
        }
        Assert.Equal((6000, tooLarge.Count, 0), (producer.Counters.Accepted, producer.Counters.Refused, producer.Counters.Backlog));
    }

    [Fact]
    public async Task A_try_that_would_wait_does_nothing_and_a_full_line_refuses()
    {
        await using var broker = EmbeddedBroker.Start();
        broker.Faults.TakeDown();
        await using var producer = new ReliableProducer(
            Options(broker) with { MaxRecords = 1, MaxWaitingSends = 1, Drain = Short });

        Assert.True(producer.TrySend(new OutgoingRecord("busy", default, "first"u8), out var first));
        Assert.False(producer.TrySend(new OutgoingRecord("busy", default, "second"u8), out _));
        var second = producer.Send("busy", null, "second");
        Assert.False(second.IsCompleted);
        var third = await producer.Send("busy", null, "third");

        Assert.Equal((DeliveryStatus.Refused, RetryAdvice.Later), (third.Status, third.Retry));
        Assert.Contains("MaxWaitingSends", third.Reason, StringComparison.Ordinal);
        Assert.Equal((1, 1), (producer.Counters.Backlog, producer.Counters.Waiting));
        await producer.DisposeAsync();
        Assert.Equal(DeliveryStatus.Refused, (await first).Status);
        Assert.Equal(KafkaErrorCode.QueueFull, (await second).Error);
    }

    [Fact]
    public async Task A_cancelled_head_of_the_line_lets_the_smaller_record_behind_it_through()
    {
        await using var broker = EmbeddedBroker.Start();
        broker.Faults.TakeDown();
        await using var producer = new ReliableProducer(
            Options(broker) with { MaxBytes = 2000, MaxRecordBytes = 1500, Drain = Short });
        using var cancel = new CancellationTokenSource();
        _ = producer.Send("head", null, new string('a', 1000));
        var large = producer.Send("head", null, new string('b', 1400), token: cancel.Token);
        _ = producer.Send("head", null, "small");
        Assert.Equal((1, 2), (producer.Counters.Backlog, producer.Counters.Waiting));

        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => large);
        Assert.Equal((2, 0), (producer.Counters.Backlog, producer.Counters.Waiting));
    }

    [Fact]
    public async Task The_backlog_warning_comes_once_per_crossing()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("warned", 1, Cancellation);
        await using var producer = new ReliableProducer(Options(broker) with { MaxRecords = 100 });
        await producer.WarmUpAsync(["warned"], Deadline, Cancellation);
        var told = new TaskCompletionSource<ProducerNotice>();
        producer.Noticed += (_, notice) =>
        {
            if (notice.Kind == ProducerNoticeKind.BacklogHigh)
                told.TrySetResult(notice);
        };
        broker.Faults.TakeDown();
        var sends = Enumerable.Range(0, 49).Select(i => producer.Send("warned", null, $"{i}")).ToList();
        Assert.Equal(0, producer.Counters.BacklogWarnings);

        sends.AddRange(Enumerable.Range(0, 51).Select(i => producer.Send("warned", null, $"{i}")));
        Assert.Equal(1, producer.Counters.BacklogWarnings);
        Assert.Contains("50 records", (await told.Task.WaitAsync(Deadline, Cancellation)).Text, StringComparison.Ordinal);
        broker.Faults.BringUp();
        await All(sends);
        await All(Enumerable.Range(0, 10).Select(i => producer.Send("warned", null, $"{i}")));
        Assert.Equal(1, producer.Counters.BacklogWarnings);
        await All(Enumerable.Range(0, 100).Select(i => producer.Send("warned", null, $"{i}")));
        Assert.InRange(producer.Counters.BacklogWarnings, 2, 3);
    }

    [JsonSerializable(typeof(Reading))]
    private sealed partial class ReadingJson : JsonSerializerContext;

    private sealed record Reading(string Name, int Value);

    private sealed class DigitsSerializer : IRecordSerializer<int>
    {
        public void Serialize(int value, IBufferWriter<byte> writer)
        {
            value.TryFormat(writer.GetSpan(16), out var written);
            writer.Advance(written);
        }
    }
}
