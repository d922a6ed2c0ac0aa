using System.Text;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Spilling;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;
using static EvenKeel.Kafka.Tests.Producing.Producers;
using static EvenKeel.Kafka.Tests.Spilling.Spills;

namespace EvenKeel.Kafka.Tests.Spilling;

public sealed class TopicFaultTests : IDisposable
{
    private readonly Spills _spills = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _spills.Dispose();

    [Theory]
    [InlineData(KafkaErrorCode.TopicAuthorizationFailed)]
    [InlineData(KafkaErrorCode.UnknownTopicOrPartition)]
    public async Task A_topic_that_is_gone_or_forbidden_is_held_and_told_while_others_go_on_and_sent_when_it_is_back(KafkaErrorCode error)
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("other", 1, Cancellation);
        broker.Faults.SetTopicError("held", error);
        await using var producer = _spills.Producer(broker);
        var notices = Notices(producer);
        var sent = Enumerable.Range(0, 200).Select(i => ($"key-{i % 3}", $"{i}")).ToList();

        var held = sent.Select(record => Send(producer, "held", record.Item1, record.Item2)).ToList();
        await UntilTold(notices, ProducerNoticeKind.TopicHeld);
        await Until(() => producer.Counters is { SpillRecords: 200, HeldTopics: 1 }, () => $"{producer.Counters}");
        Assert.True((await Send(producer, "other", "key", "first")).IsDelivered);
        await Until(() => producer.Counters.SpillRecords == 200, () => $"{producer.Counters}");
        var before = producer.Counters.Direct;
        var others = await All(Enumerable.Range(0, 200).Select(i => Send(producer, "other", "key", $"{i}")));

        Assert.All(others, outcome => Assert.True(outcome.IsDelivered, $"{outcome}"));
        Assert.All(held, send => Assert.False(send.IsCompleted));
        Assert.Equal(before + 200, producer.Counters.Direct);
        broker.Faults.SetTopicError("held", KafkaErrorCode.None);
        Assert.All(await All(held), outcome => Assert.True(outcome.IsDelivered, $"{outcome}"));
        await UntilTold(notices, ProducerNoticeKind.TopicReleased);
        AssertHistory(await ReadIdsAsync(broker, "held", 4, 200), sent);
        await UntilState(producer, SpillState.Direct);
    }

    [Fact]
    public async Task Records_behind_one_that_is_forbidden_do_not_pass_it()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("gap", 1, Cancellation);
        var client = Client(broker);
        await using var producer = new SpillingProducer(
            client with
            {
                BatchRecords = 10,
                Properties = new Dictionary<string, string>(client.Properties) { ["max.in.flight.requests.per.connection"] = "1" },
            },
            _spills.Options());
        Assert.True((await Send(producer, "gap", "key", "first")).IsDelivered);
        broker.Faults.FailRequests(KafkaApi.Produce, KafkaErrorCode.None, KafkaErrorCode.None, KafkaErrorCode.TopicAuthorizationFailed);
        var sent = Enumerable.Range(0, 500).Select(i => ("key", $"{i}")).ToList();

        var outcomes = await All(sent.Select(record => Send(producer, "gap", record.Item1, record.Item2)));

        Assert.All(outcomes, outcome => Assert.True(outcome.IsDelivered, $"{outcome}"));
        Assert.InRange(producer.Counters.Takeovers, 1, 3);
        AssertHistory(await ReadIdsAsync(broker, "gap", 1, 501), [("key", "first"), .. sent]);
    }

    [Fact]
    public async Task A_record_that_is_refused_for_good_is_refused_to_its_caller_and_the_others_go_on()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("refused", 1, Cancellation);
        await using var producer = _spills.Producer(broker);
        Assert.True((await Send(producer, "refused", "key", "first")).IsDelivered);
        broker.Faults.FailRequests(KafkaApi.Produce, KafkaErrorCode.MessageTooLarge);

        var refused = await Send(producer, "refused", "key", "large");
        var large = await Send(producer, "refused", "key", new string('x', 1_000_001));
        var last = await Send(producer, "refused", "key", "last").WaitAsync(Deadline, Cancellation);

        Assert.Equal((DeliveryStatus.Refused, RetryAdvice.Never), (refused.Status, refused.Retry));
        Assert.Equal((DeliveryStatus.Refused, KafkaErrorCode.MessageTooLarge), (large.Status, large.Error));
        Assert.True(last.IsDelivered);
        Assert.Equal(["first", "last"], (await ReadIdsAsync(broker, "refused", 1, 2)).Select(record => record.Value));
        Assert.Equal(0, producer.Counters.DeadLettered);
    }

    [Fact]
    public async Task A_spilled_record_that_is_refused_for_good_becomes_a_dead_letter_that_stays_until_it_is_removed()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("dead", 1, Cancellation);
        RecordHeader[] headers = [RecordHeader.Of("kind", "bad"), RecordHeader.Of(SpillingProducer.RecordIdHeader, "the-id")];
        await using (var producer = _spills.Producer(broker, SpillAcknowledgement.Disk))
        {
            var notices = Notices(producer);
            broker.Faults.TakeDown();
            var spilled = await All(Enumerable.Range(0, 20).Select(i => Send(producer, "dead", "key", $"{i}", i == 0 ? headers : null)));
            Assert.All(spilled, outcome => Assert.Equal(DeliveryStatus.Spilled, outcome.Status));
            broker.Faults.FailRequests(KafkaApi.Produce, KafkaErrorCode.MessageTooLarge);
            broker.Faults.BringUp();
            await UntilState(producer, SpillState.Direct);
            Assert.Equal((1, 19, 1), (producer.Counters.DeadLettered, producer.Counters.Replayed, producer.Counters.DeadLetters));
            await UntilTold(notices, ProducerNoticeKind.DeadLettered);
        }

        await using var next = _spills.Producer(broker);
        var letter = Assert.Single(next.ReadDeadLetters(10));
        Assert.Equal(("dead", "key", "0", KafkaErrorCode.MessageTooLarge), (
            letter.Topic, Encoding.UTF8.GetString(letter.Key.Span), Encoding.UTF8.GetString(letter.Value!.Value.Span), letter.Error));
        Assert.Equal("the-id", Encoding.UTF8.GetString(letter.Headers[1].Value!.Value.Span));
        var seen = await ReadIdsAsync(broker, "dead", 1, 19);
        Assert.Equal(Enumerable.Range(1, 19).Select(i => $"{i}"), seen.Select(record => record.Value));
        next.RemoveDeadLetters(1);
        Assert.Equal((0, 0), (next.ReadDeadLetters(10).Count, next.Counters.DeadLetters));
    }

    [Fact]
    public async Task A_batch_that_is_refused_whole_is_sent_one_by_one_and_loses_none_of_its_sound_records()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("whole", 1, Cancellation);
        await using var producer = _spills.Producer(broker, SpillAcknowledgement.Disk);
        broker.Faults.TakeDown();
        var sent = Enumerable.Range(0, 50).Select(i => ("key", $"{i}")).ToList();
        await All(sent.Select(record => Send(producer, "whole", record.Item1, record.Item2)));

        // The first goes alone, the others in one request.
        broker.Faults.FailRequests(KafkaApi.Produce, KafkaErrorCode.None, KafkaErrorCode.InvalidRecord);
        broker.Faults.BringUp();

        await UntilState(producer, SpillState.Direct);
        Assert.Equal((0, 50), (producer.Counters.DeadLettered, producer.Counters.Replayed));
        AssertHistory(await ReadIdsAsync(broker, "whole", 1, 50), sent);
    }
}
