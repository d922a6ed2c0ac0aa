using EvenKeel.Kafka.Native;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;

namespace EvenKeel.Kafka.Tests.Native;

public sealed class ReportTests
{
    [Fact]
    public async Task A_report_tells_broker_and_latency_and_has_no_text_where_the_broker_sent_none()
    {
        await using var broker = EmbeddedBroker.Start();
        await using var producer = Producer(broker.BootstrapServers);
        using var queue = EventQueue.Main(producer);
        var topic = producer.Topic("told");

        Assert.Equal(KafkaErrorCode.None, producer.Produce(topic, 0, "v"u8, [], 1));
        var (brokerId, latencyUs, text) = TakeOne(queue);
        Assert.Equal((1, ""), (brokerId, text));
        Assert.InRange(latencyUs, 1, 30_000_000);

        broker.Faults.FailRequests(KafkaApi.Produce, KafkaErrorCode.InvalidRecord);
        Assert.Equal(KafkaErrorCode.None, producer.Produce(topic, 0, "v"u8, [], 2));
        Assert.Equal("", TakeOne(queue).Text); // The embedded broker refuses without a text of its own.
        Assert.True(Librdkafka.ThreadCount() > 0);
    }

    private static unsafe (int Broker, long LatencyUs, string Text) TakeOne(EventQueue queue)
    {
        var messages = new nint[1];
        for (var polls = 0; polls < 1000; polls++)
        {
            using var next = queue.Poll(TimeSpan.FromMilliseconds(30));
            if (next.Kind != EventKinds.DeliveryReport || next.TakeMessages(messages) == 0)
                continue;
            var message = (NativeMessage*)messages[0];
            return (Librdkafka.MessageBrokerId(message), Librdkafka.MessageLatency(message),
                NativeText.Read(Librdkafka.MessageProduceErrorText(message)));
        }
        throw new TimeoutException("No report came.");
    }
}
