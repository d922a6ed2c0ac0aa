using System.Globalization;
using EvenKeel.Kafka.Consuming;
using EvenKeel.Kafka.Tests.Native;
using Xunit;
using static EvenKeel.Kafka.Tests.Consuming.Consumers;
using static EvenKeel.Kafka.Tests.Native.TestClients;

namespace EvenKeel.Kafka.Tests.Consuming;

/// <summary>A class of its own: it waits for most of a minute, and classes wait beside each other.</summary>
public sealed class SlowHandlerTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(BrokersAndProtocols), MemberType = typeof(Consumers))]
    public async Task A_handler_of_three_times_the_longest_poll_interval_keeps_its_membership_and_handles_nothing_twice(
        string kind, string protocol)
    {
        await using var broker = BrokerKinds.Start(kind);
        var (topic, group) = (NewName("slow"), NewName("slow"));
        await broker.CreateTopicAsync(topic, 1, Cancellation);
        await FillAsync(broker, topic, 20);
        var heard = new Heard();
        using var waits = new SemaphoreSlim(0);
        var maxPollMs = int.Parse(ShortestSession(kind == BrokerKinds.Embedded), CultureInfo.InvariantCulture);
        var options = Options(broker, group, topic, protocol).With("max.poll.interval.ms", $"{maxPollMs}") with
        {
            InHand = new InHandLimits { MaxRecords = 5 },
            Deadlines = new ConsumerDeadlines { Revoke = TimeSpan.FromSeconds(1) },
        };

        await using var consumer = new ReliableConsumer(
            options,
            async (record, stop) =>
            {
                // The handler is slow: nobody lets it go on before three intervals are over.
                if (record.Offset == 0)
                    await waits.WaitAsync(TimeSpan.FromMilliseconds(maxPollMs * 3), stop);
                await heard.Take(record);
            },
            heard.Take);
        await Until(() => consumer.Counters.Taken >= 5, () => $"{heard}");
        await heard.Until(all => all.Count >= 20);

        Assert.Equal(Enumerable.Range(0, 20), heard.Records.Select(record => record.Number));
        Assert.DoesNotContain(heard.Notices, notice =>
            notice.Kind is ConsumerNoticeKind.Lost || notice.Error == KafkaErrorCode.MaxPollExceeded);
        Assert.Single(heard.Notices, notice => notice.Kind == ConsumerNoticeKind.Assigned);
    }
}
