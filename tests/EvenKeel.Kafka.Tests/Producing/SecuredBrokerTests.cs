using System.Collections.Concurrent;
using System.Text;
using EvenKeel.Kafka.Native;
using EvenKeel.Kafka.Producing;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;
using static EvenKeel.Kafka.Tests.Producing.Producers;

namespace EvenKeel.Kafka.Tests.Producing;

/// <summary>TLS and SASL, which the embedded broker lacks: librdkafka's own settings go through, and a refusal says what to repair.</summary>
public sealed class SecuredBrokerTests(SecuredBroker broker) : IClassFixture<SecuredBroker>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Records_pass_over_TLS_with_a_login_and_are_read_back_in_order()
    {
        var address = await broker.StartAsync();
        var topic = NewName("secured");
        await using var producer = new ReliableProducer(broker.Options(address));
        await producer.WarmUpAsync([topic], Deadline, Cancellation);

        var outcomes = await All(Enumerable.Range(0, 200).Select(i => producer.Send(topic, "key", $"{i}")));

        Assert.All(outcomes, outcome => Assert.Equal(DeliveryStatus.Delivered, outcome.Status));
        Assert.Equal(Enumerable.Range(0, 200).Select(i => $"{i}"), await ReadAsync(address, topic, outcomes[0].Partition, 200));
    }

    [Fact]
    public async Task A_client_without_TLS_does_not_get_in()
    {
        var address = await broker.StartAsync();
        await using var producer = new ReliableProducer(new ProducerOptions { BootstrapServers = address });

        await Assert.ThrowsAsync<KafkaException>(() => producer.WarmUpAsync([], TimeSpan.FromSeconds(2), Cancellation));
    }

    [Fact]
    public async Task A_wrong_password_is_one_clear_error_and_the_record_is_refused()
    {
        var address = await broker.StartAsync();

        var (warmUp, notice, outcome) = await RefusedAsync(address, ("sasl.password", "wrong-secret"));

        Assert.Equal(KafkaErrorCode.AuthenticationFailed, notice.Error);
        Assert.Contains("Invalid username or password", notice.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("wrong-secret", warmUp.Message + notice.Text, StringComparison.Ordinal);
        Assert.Contains("Invalid username or password", warmUp.Message, StringComparison.Ordinal);
        Assert.Equal(DeliveryStatus.Refused, outcome.Status);
    }

    [Fact]
    public async Task A_certificate_of_an_authority_that_is_not_trusted_is_one_clear_error_and_the_record_is_refused()
    {
        var address = await broker.StartAsync();

        // The system's authorities, of which the broker's is none.
        var (warmUp, notice, outcome) = await RefusedAsync(address, ("ssl.ca.location", "probe"));

        Assert.Equal(KafkaErrorCode.TlsFailed, notice.Error);
        Assert.Contains("certificate verify failed", notice.Text, StringComparison.Ordinal);
        Assert.Contains("ssl.ca.location", notice.Text, StringComparison.Ordinal);
        Assert.Contains("certificate verify failed", warmUp.Message, StringComparison.Ordinal);
        Assert.Equal(DeliveryStatus.Refused, outcome.Status);
    }

    [Fact]
    public async Task A_certificate_file_that_is_not_there_is_refused_at_the_creation()
    {
        var address = await broker.StartAsync();

        var refusal = Assert.Throws<KafkaException>(
            () => new ReliableProducer(broker.Options(address, ("ssl.ca.location", "no/such/ca.pem"))));

        Assert.Contains("ssl.ca.location", refusal.Message, StringComparison.Ordinal);
    }

    private static async Task<IReadOnlyList<string>> ReadAsync(
        string address, string topic, int partition, int count, Dictionary<string, string> settings)
    {
        await using var consumer = Consumer(address, NewName("read"), [.. settings.Select(setting => (setting.Key, setting.Value))]);
        using var queue = EventQueue.Consumer(consumer);
        using (var list = new PartitionList().Add(topic, partition, SpecialOffset.Beginning))
            consumer.Assign(list);
        var values = new List<string>();
        ServeUntil(consumer, queue, () => values.Count >= count, record => values.Add(Value(record)));
        return values;
    }

    private static unsafe string Value(nint record) =>
        Encoding.UTF8.GetString(new ReadOnlySpan<byte>(((NativeMessage*)record)->Value, (int)((NativeMessage*)record)->ValueSize));

    private Task<IReadOnlyList<string>> ReadAsync(string address, string topic, int partition, int count) =>
        ReadAsync(address, topic, partition, count, broker.Settings);

    /// <summary>How a producer with wrong settings is told: by its warm-up, by its notices, and by the outcome of what it was given.</summary>
    private async Task<(KafkaException WarmUp, ProducerNotice Notice, DeliveryOutcome Outcome)> RefusedAsync(
        string address, (string Name, string Value) wrong)
    {
        var notices = new ConcurrentQueue<ProducerNotice>();
        await using var producer = new ReliableProducer(broker.Options(address, wrong));
        producer.Noticed += (_, notice) => notices.Enqueue(notice);
        var send = producer.Send(NewName("refused"), "key", "value");

        var warmUp = await Assert.ThrowsAsync<KafkaException>(
            () => producer.WarmUpAsync([], TimeSpan.FromSeconds(2), Cancellation));
        await Until(() => notices.Any(IsRefusal), () => string.Join(" | ", notices.Select(notice => notice.Text)));

        // Nobody repairs it: the stop is what ends the wait for a broker that lets it in.
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await producer.DrainAsync(cancellationToken: now.Token);
        return (warmUp, notices.First(IsRefusal), await send.WaitAsync(Deadline, Cancellation));

        static bool IsRefusal(ProducerNotice notice) =>
            notice is { Kind: ProducerNoticeKind.BrokerError, Error: KafkaErrorCode.AuthenticationFailed or KafkaErrorCode.TlsFailed };
    }
}
