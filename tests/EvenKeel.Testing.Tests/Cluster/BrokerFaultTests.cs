using System.Diagnostics;
using EvenKeel.Kafka;
using EvenKeel.Kafka.Native;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;

namespace EvenKeel.Testing.Tests.Cluster;

public sealed class BrokerFaultTests : IAsyncLifetime
{
    private readonly EmbeddedBroker _broker = EmbeddedBroker.Start(new EmbeddedBrokerOptions { Brokers = 3 });

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => new(_broker.CreateTopicAsync("faulty", 1, Cancellation));

    public ValueTask DisposeAsync() => _broker.DisposeAsync();

    [Fact]
    public async Task What_is_sent_while_all_brokers_are_down_arrives_when_they_are_up()
    {
        await using var producer = Producer(_broker.BootstrapServers, ("reconnect.backoff.max.ms", "100"));
        using var queue = EventQueue.Main(producer);
        Send(producer, 0);
        TakeReports(queue, 1);

        _broker.Faults.TakeDown();
        Send(producer, 1);
        Assert.Throws<TimeoutException>(() => TakeReports(queue, 1, TimeSpan.FromMilliseconds(200)));
        _broker.Faults.BringUp();

        Assert.Equal((1, KafkaErrorCode.None, 1L), TakeReports(queue, 1).Select(r => ((int)r.Opaque, r.Error, r.Offset)).Single());
    }

    [Fact]
    public async Task A_round_trip_takes_the_time_that_was_set()
    {
        await using var producer = Producer(_broker.BootstrapServers);
        using var queue = EventQueue.Main(producer);
        Send(producer, 0);
        TakeReports(queue, 1);

        _broker.Faults.SetRoundTripTime(TimeSpan.FromMilliseconds(300));
        var start = Stopwatch.GetTimestamp();
        Send(producer, 1);
        TakeReports(queue, 1);
        var slow = Stopwatch.GetElapsedTime(start);
        Assert.True(slow >= TimeSpan.FromMilliseconds(290), $"It took {slow.TotalMilliseconds:0} ms.");
        Assert.Throws<ArgumentOutOfRangeException>(() => _broker.Faults.SetRoundTripTime(TimeSpan.FromSeconds(-1)));
    }

    [Fact]
    public async Task Requests_fail_with_the_errors_in_their_order_and_then_succeed()
    {
        await using var producer = Producer(_broker.BootstrapServers, ("retries", "0"));
        using var queue = EventQueue.Main(producer);
        _broker.Faults.FailRequests(KafkaApi.Produce, KafkaErrorCode.PolicyViolation, KafkaErrorCode.InvalidRecord);

        Assert.Equal(
            [KafkaErrorCode.PolicyViolation, KafkaErrorCode.InvalidRecord, KafkaErrorCode.None],
            new[] { 0, 1, 2 }.Select(i => SendAndReport(producer, queue, i)));

        _broker.Faults.FailRequests(KafkaApi.Produce, KafkaErrorCode.InvalidRecord);
        _broker.Faults.StopFailing(KafkaApi.Produce);
        Assert.Equal(KafkaErrorCode.None, SendAndReport(producer, queue, 3));
    }

    [Fact]
    public async Task A_topic_with_an_error_refuses_what_is_sent_to_it()
    {
        _broker.Faults.SetTopicError("faulty", KafkaErrorCode.TopicAuthorizationFailed);
        await using var producer = Producer(_broker.BootstrapServers);
        using var queue = EventQueue.Main(producer);

        Assert.Equal(KafkaErrorCode.TopicAuthorizationFailed, SendAndReport(producer, queue, 1));
    }

    [Fact]
    public async Task A_leader_moves_and_the_producer_follows()
    {
        await using var producer = Producer(_broker.BootstrapServers);
        using var queue = EventQueue.Main(producer);
        _broker.Faults.MoveLeader("faulty", 0, 1);
        Assert.Equal(KafkaErrorCode.None, SendAndReport(producer, queue, 0));

        _broker.Faults.StartRecording();
        _broker.Faults.MoveLeader("faulty", 0, 2);
        Assert.Equal(KafkaErrorCode.None, SendAndReport(producer, queue, 1));

        Assert.Equal(2, _broker.Faults.Requests().Last(request => request.Api == KafkaApi.Produce).Broker);
        Assert.Throws<KafkaException>(() => _broker.Faults.MoveLeader("faulty", 0, 99));
        _broker.Faults.StopRecording();
        Assert.Empty(_broker.Faults.Requests());
    }

    [Fact]
    public async Task A_partition_without_a_leader_holds_what_is_sent_until_it_has_one()
    {
        await using var producer = Producer(_broker.BootstrapServers, ("topic.metadata.refresh.interval.ms", "100"));
        using var queue = EventQueue.Main(producer);
        _broker.Faults.MoveLeader("faulty", 0, null);
        Send(producer, 1);
        Assert.Throws<TimeoutException>(() => TakeReports(queue, 1, TimeSpan.FromMilliseconds(200)));

        _broker.Faults.MoveLeader("faulty", 0, 3);

        Assert.Equal(KafkaErrorCode.None, Assert.Single(TakeReports(queue, 1)).Error);
    }

    [Fact]
    public async Task A_coordinator_moves_and_the_group_goes_on()
    {
        _broker.Faults.MoveCoordinator("moved", 1);
        await using var consumer = Consumer(
            _broker.BootstrapServers, "moved", ("session.timeout.ms", "2000"), ("heartbeat.interval.ms", "100"));
        using var queue = EventQueue.Consumer(consumer);
        Join(consumer, queue);

        _broker.Faults.StartRecording();
        _broker.Faults.MoveCoordinator("moved", 2);

        ServeUntil(consumer, queue, () => _broker.Faults.Requests().Any(request => request is { Broker: 2, Api: KafkaApi.Heartbeat }));
    }

    [Fact]
    public async Task A_silent_coordinator_hangs_the_close_of_a_consumer_whose_client_is_closed_all_the_same()
    {
        var consumer = Consumer(_broker.BootstrapServers, "silent", ("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "100"));
        using var queue = EventQueue.Consumer(consumer);
        Join(consumer, queue);
        _broker.Faults.StartRecording();
        _broker.Faults.SilenceCoordinator("silent");
        ServeUntil(consumer, queue, () => _broker.Faults.Requests().Any(request => request is { Broker: 4, Api: KafkaApi.ApiVersions }));
        using (var offsets = new PartitionList().Add("faulty", 0, 1))
            consumer.CommitTo(offsets, queue, 1);

        consumer.BeginConsumerClose(queue);
        Assert.False(ServeFor(consumer, queue, TimeSpan.FromSeconds(1)), "The close ended without an answer from the coordinator.");

        var destroyed = consumer.CloseAsync(DestroyOptions.NoConsumerClose);
        _broker.Faults.EndSilence("silent");
        await destroyed.WaitAsync(Deadline, Cancellation);
    }

    [Fact]
    public async Task Once_a_silence_ends_the_group_goes_on()
    {
        await using var consumer = Consumer(
            _broker.BootstrapServers, "again", ("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "100"));
        using var queue = EventQueue.Consumer(consumer);
        Join(consumer, queue);
        _broker.Faults.StartRecording();
        _broker.Faults.SilenceCoordinator("again");
        ServeUntil(consumer, queue, () => _broker.Faults.Requests().Any(request => request is { Broker: 4, Api: KafkaApi.ApiVersions }));

        _broker.Faults.StartRecording();
        _broker.Faults.EndSilence("again");

        ServeUntil(consumer, queue, () => _broker.Faults.Requests().Any(request => request is { Broker: 1, Api: KafkaApi.Heartbeat }));
    }

    [Fact]
    public async Task The_end_of_one_groups_silence_leaves_another_group_silenced()
    {
        (string, string)[] settings = [("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "100")];
        await using var freed = Consumer(_broker.BootstrapServers, "freed", settings);
        await using var held = Consumer(_broker.BootstrapServers, "held", settings);
        using var freedQueue = EventQueue.Consumer(freed);
        using var heldQueue = EventQueue.Consumer(held);
        Join(freed, freedQueue);
        Join(held, heldQueue);
        _broker.Faults.StartRecording();
        _broker.Faults.SilenceCoordinator("freed");
        _broker.Faults.SilenceCoordinator("held");
        ServeUntil(
            held, heldQueue, () => _broker.Faults.Requests().Count(request => request is { Broker: 4, Api: KafkaApi.ApiVersions }) > 1);

        _broker.Faults.StartRecording();
        _broker.Faults.EndSilence("freed");

        ServeUntil(freed, freedQueue, () => _broker.Faults.Requests().Any(request => request is { Broker: 1, Api: KafkaApi.Heartbeat }));
        ServeUntil(held, heldQueue, () => _broker.Faults.Requests().Any(request => request is { Broker: 4, Api: KafkaApi.ApiVersions }));
        Assert.DoesNotContain(_broker.Faults.Requests(), request => request is { Broker: 4, Api: KafkaApi.Heartbeat });
        _broker.Faults.EndSilence("held");
    }

    [Fact]
    public async Task One_broker_of_three_is_slow_or_down_and_the_others_are_not()
    {
        await _broker.CreateTopicAsync("spread", 2, Cancellation);
        _broker.Faults.MoveLeader("spread", 0, 1);
        _broker.Faults.MoveLeader("spread", 1, 2);
        await using var producer = Producer(_broker.BootstrapServers, ("reconnect.backoff.max.ms", "100"));
        using var queue = EventQueue.Main(producer);
        SendTo(producer, 0);
        SendTo(producer, 1);
        TakeReports(queue, 2);

        _broker.Faults.TakeDown(2);
        SendTo(producer, 1);
        SendTo(producer, 0);
        Assert.Equal(0, Assert.Single(TakeReports(queue, 1)).Partition);
        _broker.Faults.SetRoundTripTime(TimeSpan.FromMilliseconds(300), 2);
        _broker.Faults.BringUp(2);
        Assert.Equal((1, KafkaErrorCode.None), TakeReports(queue, 1).Select(report => (report.Partition, report.Error)).Single());

        SendTo(producer, 1);
        SendTo(producer, 0);
        Assert.Equal([0, 1], TakeReports(queue, 2).Select(report => report.Partition));

        static void SendTo(ClientHandle producer, int partition) =>
            Assert.Equal(KafkaErrorCode.None, producer.Produce(producer.Topic("spread"), partition, "value"u8, "key"u8, partition));
    }

    private static void Send(ClientHandle producer, int number) =>
        Assert.Equal(KafkaErrorCode.None, producer.Produce(producer.Topic("faulty"), 0, "value"u8, "key"u8, number));

    private static KafkaErrorCode SendAndReport(ClientHandle producer, EventQueue queue, int number)
    {
        Send(producer, number);
        return Assert.Single(TakeReports(queue, 1)).Error;
    }

    private static void Join(ClientHandle consumer, EventQueue queue)
    {
        consumer.Subscribe("faulty");
        ServeUntil(consumer, queue, () =>
        {
            using var assignment = consumer.Assignment();
            return assignment.Count == 1;
        });
    }

    private static bool ServeFor(ClientHandle consumer, EventQueue queue, TimeSpan time)
    {
        var start = Stopwatch.GetTimestamp();
        ServeUntil(consumer, queue, () => consumer.IsConsumerClosed() || Stopwatch.GetElapsedTime(start) > time);
        return consumer.IsConsumerClosed();
    }
}
