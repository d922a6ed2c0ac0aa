using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Spilling;
using EvenKeel.Kafka.Tests.Native;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;
using static EvenKeel.Kafka.Tests.Producing.Producers;
using static EvenKeel.Kafka.Tests.Spilling.Spills;

namespace EvenKeel.Kafka.Tests.Spilling;

public sealed class OutageTests : IDisposable
{
    private readonly Spills _spills = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _spills.Dispose();

    [Theory]
    [InlineData(BrokerKinds.Embedded)]
    [InlineData(BrokerKinds.Real)]
    public async Task With_the_broker_there_records_go_straight_each_under_an_id_of_its_own_or_its_callers(string kind)
    {
        await using var broker = BrokerKinds.Start(kind);
        var topic = NewName("straight");
        await broker.CreateTopicAsync(topic, 1, Cancellation);
        await using var producer = _spills.Producer(broker);

        RecordHeader[] mine = [RecordHeader.Of(SpillingProducer.RecordIdHeader, "mine")];
        var outcomes = await All(Enumerable.Range(0, 100).Select(i => Send(producer, topic, "key", $"{i}", i == 99 ? mine : null)));

        Assert.All(outcomes, outcome => Assert.True(outcome.IsDelivered, $"{outcome}"));
        var seen = await ReadIdsAsync(broker, topic, 1, 100);
        AssertHistory(seen, Enumerable.Range(0, 100).Select(i => ("key", $"{i}")));
        Assert.Equal("mine", seen[^1].Id);
        Assert.Equal((SpillState.Direct, 100), (producer.State, producer.Counters.Direct + producer.Counters.Replayed));
    }

    [Theory]
    [InlineData(SpillAcknowledgement.Broker)]
    [InlineData(SpillAcknowledgement.Disk)]
    public async Task An_outage_is_spilled_and_replayed_in_order_and_the_callers_are_answered_by_their_rule(SpillAcknowledgement rule)
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("outage", 4, Cancellation);
        await using var producer = _spills.Producer(broker, rule);
        var sent = Enumerable.Range(0, 3000).Select(i => ($"key-{i % 7}", $"{i}")).ToList();
        await All(sent[..500].Select(record => Send(producer, "outage", record.Item1, record.Item2)));
        await UntilState(producer, SpillState.Direct);
        broker.Faults.TakeDown();

        var during = sent[500..2000].Select(record => Send(producer, "outage", record.Item1, record.Item2)).ToList();
        if (rule == SpillAcknowledgement.Disk)
            Assert.All(await All(during), outcome => Assert.Equal(DeliveryStatus.Spilled, outcome.Status));
        else
            await Until(() => producer.Counters.PendingCallers == 1500, () => $"{producer.Counters}");
        Assert.Equal((SpillState.Spilling, 1500), (producer.State, producer.Counters.SpillRecords));
        broker.Faults.BringUp();
        var after = sent[2000..].Select(record => Send(producer, "outage", record.Item1, record.Item2)).ToList();

        Assert.All(await All(after), outcome => Assert.True(outcome.Status is DeliveryStatus.Delivered or DeliveryStatus.Spilled));
        if (rule == SpillAcknowledgement.Broker)
            Assert.All(await All(during), outcome => Assert.True(outcome.IsDelivered));
        await UntilState(producer, SpillState.Direct);
        AssertHistory(await ReadIdsAsync(broker, "outage", 4, 3000), sent);
        Assert.True((await Send(producer, "outage", "key-1", "last")).IsDelivered);
        var counters = producer.Counters;
        Assert.Equal((0, 0, 0), (counters.SpillRecords, counters.PendingCallers, counters.Waiting));
        Assert.Equal(3001, counters.Direct + counters.Replayed);
    }
}
