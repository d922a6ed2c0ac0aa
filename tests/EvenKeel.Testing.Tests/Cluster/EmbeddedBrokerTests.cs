using System.Diagnostics;
using System.Globalization;
using EvenKeel.Kafka;
using EvenKeel.Kafka.Native;
using EvenKeel.Kafka.Tests.Native;
using EvenKeel.Testing.Cluster;
using EvenKeel.Testing.Isolation;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;

namespace EvenKeel.Testing.Tests.Cluster;

public sealed class EmbeddedBrokerTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task It_starts_within_50_ms()
    {
        await using (EmbeddedBroker.Start())
        {
            // The first one of the process loads the library.
        }
        var best = TimeSpan.MaxValue;
        for (var i = 0; i < 5; i++)
        {
            var start = Stopwatch.GetTimestamp();
            await using var broker = EmbeddedBroker.Start(new EmbeddedBrokerOptions { Brokers = 3 });
            best = new[] { best, Stopwatch.GetElapsedTime(start) }.Min();
            Assert.Equal(3, broker.BootstrapServers.Split(',').Length);
        }
        Assert.True(best < TimeSpan.FromMilliseconds(50), $"The fastest of five starts took {best.TotalMilliseconds:0.0} ms.");
    }

    [Fact]
    public async Task No_signal_to_the_process_reaches_the_thread_of_the_brokers()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the threads of a process are read from /proc");
        await using var broker = EmbeddedBroker.Start();

        // Each bit is a signal: of those that can be blocked, which are all but SIGKILL and SIGSTOP, and the two that the C library keeps
        // for itself, 32 and 33.
        const ulong All = ~((1ul << 8) | (1ul << 18) | (3ul << 31));
        var blocked = ProcessView.Threads().Where(thread => thread.Name == "rdk:mock").Select(thread => BlockedBy(thread.Id)).OfType<ulong>()
            .ToList();

        Assert.NotEmpty(blocked);
        Assert.All(blocked, mask => Assert.Equal(All, mask & All));
    }

    private static ulong? BlockedBy(string thread)
    {
        try
        {
            var line = File.ReadLines($"/proc/self/task/{thread}/status").Single(text => text.StartsWith("SigBlk:", StringComparison.Ordinal));
            return ulong.Parse(line["SigBlk:".Length..].Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return null; // Another test's broker, which has ended since it was listed.
        }
    }

    [Fact]
    public void Options_outside_their_limits_are_refused_with_the_value()
    {
        Assert.Contains("Brokers is 0", Assert.Throws<ArgumentException>(
            () => EmbeddedBroker.Start(new EmbeddedBrokerOptions { Brokers = 0 })).Message, StringComparison.Ordinal);
        Assert.Contains("-00:00:01", Assert.Throws<ArgumentException>(
            () => EmbeddedBroker.Start(new EmbeddedBrokerOptions { InitialRebalanceDelay = TimeSpan.FromSeconds(-1) })).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task After_disposal_nobody_listens_and_each_control_is_refused()
    {
        var broker = EmbeddedBroker.Start();
        await broker.DisposeAsync();
        await broker.DisposeAsync();

        Assert.Throws<ObjectDisposedException>(() => broker.Faults.TakeDown());
        await Assert.ThrowsAsync<ObjectDisposedException>(() => broker.CreateTopicAsync("late", 1, Cancellation));
        using var socket = new System.Net.Sockets.TcpClient();
        await Assert.ThrowsAsync<System.Net.Sockets.SocketException>(
            () => socket.ConnectAsync(System.Net.IPEndPoint.Parse(broker.BootstrapServers), Cancellation).AsTask());
    }

    [Theory]
    [InlineData(BrokerKinds.Embedded)]
    [InlineData(BrokerKinds.Real)]
    public async Task Topics_are_created_and_deleted_and_refused_alike_on_both_brokers(string kind)
    {
        await using var broker = BrokerKinds.Start(kind);
        var topic = NewName("topic");
        await broker.CreateTopicAsync(topic, 3, Cancellation);
        await using (var producer = Producer(broker.BootstrapServers))
            Assert.Equal(3, Assert.Single(producer.Metadata(producer.Topic(topic), Deadline).Topics).Partitions.Count);

        var twice = await Assert.ThrowsAsync<KafkaException>(() => broker.CreateTopicAsync(topic, 3, Cancellation));
        Assert.Equal(KafkaErrorCode.TopicAlreadyExists, twice.Code);
        Assert.Contains(topic, twice.Message, StringComparison.Ordinal);
        await broker.DeleteTopicAsync(topic, Cancellation);
        var gone = await Assert.ThrowsAsync<KafkaException>(() => broker.DeleteTopicAsync(topic, Cancellation));
        Assert.Equal(KafkaErrorCode.UnknownTopicOrPartition, gone.Code);
        var invalid = await Assert.ThrowsAsync<KafkaException>(() => broker.CreateTopicAsync("no/topic", 1, Cancellation));
        Assert.Equal(KafkaErrorCode.InvalidTopic, invalid.Code);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => broker.CreateTopicAsync(topic, 0, Cancellation));
    }

    [Fact]
    public async Task A_real_broker_says_that_it_has_no_faults_to_inject()
    {
        await using var broker = TestBroker.Connect("127.0.0.1:1");

        Assert.False(broker.IsEmbedded);
        var refusal = Assert.Throws<NotSupportedException>(() => broker.Faults);
        Assert.Contains("127.0.0.1:1", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_broker_is_taken_from_the_environment_or_else_embedded()
    {
        await using var broker = TestBroker.Start();

        Assert.Equal(TestBroker.ExternalAddress is null, broker.IsEmbedded);
        Assert.Equal(TestBroker.ExternalAddress ?? broker.BootstrapServers, broker.BootstrapServers);
    }

    [Theory]
    [InlineData(BrokerKinds.Real)]
    public async Task A_real_topics_durability_is_told(string kind)
    {
        await using var broker = BrokerKinds.Start(kind);
        var topic = NewName("durability");
        await broker.CreateTopicAsync(topic, 2, Cancellation);
        await using var client = Producer(broker.BootstrapServers);

        var described = await TopicAdmin.DescribeAsync(client, topic, Deadline, Cancellation);

        Assert.Equal(2, described.Partitions);
        Assert.True(described is { Replicas: >= 1, MinInSyncReplicas: >= 1 }, $"{described}");
        await Assert.ThrowsAsync<KafkaException>(() => TopicAdmin.DescribeAsync(client, NewName("absent"), Deadline, Cancellation));
    }

    [Fact]
    public async Task Deleted_records_move_the_first_offset()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("retained", 1, Cancellation);
        await using var producer = Producer(broker.BootstrapServers);
        using var queue = EventQueue.Main(producer);
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(KafkaErrorCode.None, producer.Produce(producer.Topic("retained"), 0, "v"u8, [], i));
            TakeReports(queue, 1);
        }

        broker.DeleteRecords("retained", 0, 2);

        Assert.Equal((2, 3), producer.QueryWatermarks("retained", 0, Deadline));
        Assert.Throws<KafkaException>(() => broker.DeleteRecords("absent", 0, 1));
    }
}
