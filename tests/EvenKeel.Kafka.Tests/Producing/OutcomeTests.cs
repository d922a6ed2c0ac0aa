using System.Collections.Concurrent;
using System.Threading.Tasks.Sources;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Tests.Native;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;
using static EvenKeel.Kafka.Tests.Producing.Producers;

namespace EvenKeel.Kafka.Tests.Producing;

public sealed class OutcomeTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Continuations_and_handlers_that_throw_are_counted_and_harm_no_other_record()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("throwing", 1, Cancellation);
        await using var producer = new ReliableProducer(Options(broker) with
        {
            Properties = new Dictionary<string, string> { ["debug"] = "broker" },
        });
        producer.Noticed += (_, _) => throw new InvalidOperationException("a handler that throws");
        var callers = new ConcurrentBag<string?>();
        for (var i = 0; i < 100; i++)
        {
#pragma warning disable CA2012 // The awaiter itself, as no await would use it: a continuation that throws.
            var awaiter = producer.SendAsync("throwing", null, $"{i}", cancellationToken: Cancellation).GetAwaiter();
#pragma warning restore CA2012
            awaiter.UnsafeOnCompleted(() =>
            {
                callers.Add(Thread.CurrentThread.IsThreadPoolThread ? null : Thread.CurrentThread.Name);
                throw new InvalidOperationException("a continuation that throws");
            });
        }

        var later = await All(Enumerable.Range(0, 100).Select(i => producer.Send("throwing", null, $"{i}")));

        Assert.All(later, outcome => Assert.True(outcome.IsDelivered));
        await Until(() => producer.Counters.ThrownByUsers >= 200, () => $"{producer.Counters}");
        Assert.Equal(Enumerable.Repeat<string?>(null, 100), callers);
        Assert.Equal(200, producer.Counters.Delivered);
        await producer.DisposeAsync();
    }

    [Theory]
    [InlineData(BrokerKinds.Embedded)]
    [InlineData(BrokerKinds.Real)]
    public async Task A_record_that_is_too_large_or_has_no_valid_topic_is_refused_for_good(string kind)
    {
        await using var broker = BrokerKinds.Start(kind);
        await using var producer = new ReliableProducer(Options(broker) with { MaxRecordBytes = 2000 });

        var large = await producer.Send("large", default, new byte[2001]);
        var framed = await producer.Send("large", default, new byte[1999]);
        var named = await producer.Send(new string('n', 600), null, "value").WaitAsync(Deadline, Cancellation);

        Assert.Equal(
            (DeliveryStatus.Refused, KafkaErrorCode.MessageTooLarge, RetryAdvice.Never), (large.Status, large.Error, large.Retry));
        Assert.Contains("2001", large.Reason, StringComparison.Ordinal);
        Assert.Equal(KafkaErrorCode.MessageTooLarge, framed.Error);
        Assert.Equal((DeliveryStatus.Refused, RetryAdvice.Never), (named.Status, named.Retry));
        await Assert.ThrowsAsync<ArgumentException>(() => producer.Send(" ", null, "value"));
        await Assert.ThrowsAsync<ArgumentException>(() => producer.Send("large", null, "value", [new RecordHeader("a\0b", null)]));
        Assert.Equal(0, producer.Counters.Backlog);
    }

    [Fact]
    public async Task A_record_for_an_unknown_topic_is_refused_until_somebody_makes_it()
    {
        await using var broker = EmbeddedBroker.Start();
        broker.Faults.SetTopicError("nowhere", KafkaErrorCode.UnknownTopicOrPartition);
        await using var producer = new ReliableProducer(Options(broker) with
        {
            Properties = new Dictionary<string, string> { ["topic.metadata.propagation.max.ms"] = "1" },
        });

        var outcome = await producer.Send("nowhere", null, "value").WaitAsync(Deadline, Cancellation);

        Assert.Equal((DeliveryStatus.Refused, RetryAdvice.AfterRepair), (outcome.Status, outcome.Retry));
        Assert.NotEmpty(outcome.Reason!);
    }

    [Fact]
    public async Task A_record_whose_time_is_over_before_it_was_sent_is_refused()
    {
        await using var broker = EmbeddedBroker.Start();
        broker.Faults.TakeDown();
        await using var producer = new ReliableProducer(
            Options(broker) with { DeliveryTimeout = TimeSpan.FromMilliseconds(500), Drain = Short });

        var outcome = await producer.Send("late", null, "value").WaitAsync(Deadline, Cancellation);

        Assert.Equal(
            (DeliveryStatus.Refused, KafkaErrorCode.MessageTimedOut, RetryAdvice.Later), (outcome.Status, outcome.Error, outcome.Retry));
    }

    [Fact]
    public async Task More_failed_requests_than_ten_reach_no_caller()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("few", 1, Cancellation);
        await using var producer = new ReliableProducer(Options(broker) with
        {
            RetryBackoff = TimeSpan.FromMilliseconds(1),
            Properties = new Dictionary<string, string> { ["retry.backoff.max.ms"] = "5" },
        });
        broker.Faults.FailRequests(KafkaApi.Produce, [.. Enumerable.Repeat(KafkaErrorCode.NotEnoughReplicas, 15)]);

        Assert.True((await producer.Send("few", null, "value").WaitAsync(Deadline, Cancellation)).IsDelivered);
    }

    [Fact]
    public void A_send_that_is_awaited_too_early_twice_or_again_says_so_and_keeps_its_outcome()
    {
        var thrown = new List<Exception>();
        var send = new PendingSendPool(1, thrown.Add).Rent();
        var seen = new List<DeliveryOutcome>();

        Assert.Contains("AsTask", Assert.Throws<InvalidOperationException>(() => send.GetResult(0)).Message, StringComparison.Ordinal);
        send.OnCompleted(_ => seen.Add(send.GetResult(0)), null, 0, ValueTaskSourceOnCompletedFlags.None);
        Assert.Throws<InvalidOperationException>(() => send.OnCompleted(_ => { }, null, 0, ValueTaskSourceOnCompletedFlags.None));
        Assert.True(send.Resolve(DeliveryOutcome.Delivered(1, 2, 3)));
        Assert.Empty(seen);
        send.Execute();

        Assert.Equal(DeliveryOutcome.Delivered(1, 2, 3), Assert.Single(seen));
        Assert.Throws<InvalidOperationException>(() => send.GetResult(0));
        Assert.False(send.Resolve(DeliveryOutcome.Delivered(4, 5, 6)));
        Assert.Equal(5, send.GetResult(1).Offset);
        Assert.Empty(thrown);
    }

    [Fact]
    public async Task A_warm_up_without_a_broker_ends_at_its_limit_and_says_what_is_missing()
    {
        await using var broker = EmbeddedBroker.Start();
        broker.Faults.TakeDown();
        await using var producer = new ReliableProducer(Options(broker));

        var failed = await Assert.ThrowsAsync<KafkaException>(
            () => producer.WarmUpAsync(["cold"], TimeSpan.FromMilliseconds(100), Cancellation));

        Assert.Contains("topic 'cold'", failed.Message, StringComparison.Ordinal);
        Assert.True(producer.CreationTook > TimeSpan.Zero);
    }
}
