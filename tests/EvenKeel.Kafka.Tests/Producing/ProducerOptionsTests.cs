using EvenKeel.Kafka.Native;
using EvenKeel.Kafka.Producing;
using Xunit;

namespace EvenKeel.Kafka.Tests.Producing;

public sealed class ProducerOptionsTests
{
    [Fact]
    public async Task The_defaults_are_valid_and_reach_librdkafka()
    {
        await using var producer = new ReliableProducer(new ProducerOptions { BootstrapServers = "127.0.0.1:1" });
        var client = producer.Client.Handle;

        string[] names =
        [
            "enable.idempotence", "acks", "partitioner", "batch.num.messages", "queue.buffering.max.ms", "message.timeout.ms",
            "retry.backoff.ms", "queue.buffering.max.messages", "queue.buffering.max.kbytes", "socket.timeout.ms",
        ];
        Assert.Equal(
            ["true", "-1", "murmur2_random", "1000", "10", "120000", "100", "101000", "1049600", "60000"],
            names.Select(client.Setting));
    }

    [Theory]
    [InlineData(null, null, "1000")]
    [InlineData("3000", null, "3000")]
    [InlineData("50", null, "1000")]
    [InlineData(null, "20000", "20000")]
    public async Task A_broker_that_went_is_tried_again_every_second_unless_the_user_wants_otherwise(
        string? backoff, string? longest, string expected)
    {
        var properties = new Dictionary<string, string>();
        if (backoff is not null)
            properties["reconnect.backoff.ms"] = backoff;
        if (longest is not null)
            properties["reconnect.backoff.max.ms"] = longest;

        await using var producer = new ReliableProducer(
            new ProducerOptions { BootstrapServers = "127.0.0.1:1", Properties = properties });

        Assert.Equal(expected, producer.Client.Handle.Setting("reconnect.backoff.max.ms"));
    }

    [Fact]
    public void Every_violation_is_named_with_its_value()
    {
        var options = new ProducerOptions
        {
            BootstrapServers = "",
            MaxRecords = 0,
            MaxBytes = 1 << 20,
            MaxRecordBytes = 2 << 20,
            MaxWaitingSends = -1,
            BacklogWarningShare = 2,
            BatchRecords = 0,
            Linger = TimeSpan.FromSeconds(2),
            DeliveryTimeout = TimeSpan.FromSeconds(1),
            Retries = 0,
            RetryBackoff = TimeSpan.Zero,
            Drain = new DrainLimits { Flush = TimeSpan.FromSeconds(-1), Stragglers = TimeSpan.FromDays(2) },
            Properties = new Dictionary<string, string> { ["acks"] = "1", ["socket.timeout.ms"] = "5000" },
        };

        var violations = options.Validate();

        string[] expected =
        [
            "BootstrapServers is ''", "MaxRecords is 0", "MaxWaitingSends is -1", "BacklogWarningShare is 2", "BatchRecords is 0",
            "MaxRecordBytes is 2097152", "Linger is 00:00:02", "Retries is 0", "RetryBackoff is 00:00:00", "Drain.Flush is -00:00:01",
            "Drain.Stragglers is 2.00:00:00", "Property 'acks' is '1'", "socket.timeout.ms is 5000",
        ];
        Assert.Equal(expected.Length, violations.Count);
        Assert.All(expected.Zip(violations), pair => Assert.StartsWith(pair.First, pair.Second, StringComparison.Ordinal));
        var refused = Assert.Throws<ArgumentException>(() => new ReliableProducer(options));
        Assert.All(violations, violation => Assert.Contains(violation, refused.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void A_property_that_librdkafka_does_not_know_is_refused_by_name()
    {
        var options = new ProducerOptions
        {
            BootstrapServers = "127.0.0.1:1",
            Properties = new Dictionary<string, string> { ["no.such.setting"] = "1" },
        };

        Assert.Contains(
            "no.such.setting", Assert.Throws<KafkaException>(() => new ReliableProducer(options)).Message, StringComparison.Ordinal);
    }
}
