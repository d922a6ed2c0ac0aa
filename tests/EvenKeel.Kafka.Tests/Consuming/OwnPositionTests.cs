using EvenKeel.Kafka.Consuming;
using EvenKeel.Kafka.Tests.Native;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Consuming.Consumers;
using static EvenKeel.Kafka.Tests.Native.TestClients;

namespace EvenKeel.Kafka.Tests.Consuming;

public sealed class OwnPositionTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(BrokersAndProtocols), MemberType = typeof(Consumers))]
    public async Task A_member_goes_on_where_the_store_says_whatever_the_group_committed(string kind, string protocol)
    {
        await using var broker = BrokerKinds.Start(kind);
        var (topic, group) = (NewName("own"), NewName("own"));
        await broker.CreateTopicAsync(topic, 2, Cancellation);
        await FillAsync(broker, topic, 100);
        var (store, heard) = (new MemoryPositions(), new Heard());
        ValueTask Handle(ReceivedRecord record)
        {
            store.Write(record);
            return heard.Take(record);
        }

        await using (var first = new ReliableConsumer(
            Options(broker, group, topic, protocol), (record, _) => Handle(record), heard.Take, new FailingPositions(store, 2)))
        {
            await heard.Until(all => all.Count == 100);
        }

        // A group without commits of its own: the store alone knows.
        await FillAsync(broker, topic, 10, from: 100);
        await using var second = new ReliableConsumer(
            Options(broker, NewName("other"), topic, protocol), (record, _) => Handle(record), heard.Take, store);
        await heard.Until(all => all.Count >= 110);

        Assert.Equal(Enumerable.Range(0, 110), heard.Records.Select(record => record.Number).Order());
        Assert.Equal(2, heard.Notices.Count(notice => notice.Kind == ConsumerNoticeKind.StoreFailed));
        Assert.Equal(store.Effects.Distinct().Count(), store.Effects.Count);
    }

    [Fact]
    public async Task A_member_whose_write_is_fenced_claims_anew_goes_on_at_the_stores_position_and_has_each_effect_once()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("fence", 1, Cancellation);
        await FillAsync(broker, "fence", 100);
        var (store, heard) = (new MemoryPositions(), new Heard());
        var raised = 0;

        await using var consumer = new ReliableConsumer(
            Options(broker, "fence", "fence"),
            (record, _) =>
            {
                // Another member claims the partition while this one is at its 50th record.
                if (record.Offset == 50 && Interlocked.Exchange(ref raised, 1) == 0)
                    store.RaiseFence(record.Source);
                store.Write(record);
                return heard.Take(record);
            },
            heard.Take, store);
        await heard.Until(all => all.Count >= 100);

        Assert.Equal(Enumerable.Range(0, 100).Select(i => (long)i), store.Effects.Select(effect => effect.Offset));
        Assert.Single(heard.Notices, notice => notice.Kind == ConsumerNoticeKind.Fenced);
    }
}
