using System.Text;
using EvenKeel.Kafka.Native;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;

namespace EvenKeel.Kafka.Tests.Native;

public sealed class ConsumerCallTests
{
    // Both brokers' shortest: after a member leaves, the embedded one waits for that long before it lets others in.
    private static (string, string) Session(string kind) => ("session.timeout.ms", ShortestSession(kind == BrokerKinds.Embedded));

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(BrokerKinds.Embedded)]
    [InlineData(BrokerKinds.Real)]
    public async Task A_group_member_reads_commits_and_leaves_and_the_next_goes_on_where_it_stopped(string kind)
    {
        await using var broker = BrokerKinds.Start(kind);
        var (topic, group) = (NewName("group"), NewName("group"));
        await Fill(broker, topic, partitions: 1, records: 10);

        await using (var first = Consumer(broker.BootstrapServers, group, Session(kind), ("heartbeat.interval.ms", "300")))
        {
            using var queue = EventQueue.Consumer(first);
            first.Subscribe(topic);
            using (var subscription = first.Subscription())
                Assert.Equal((1, topic), (subscription.Count, subscription.Topic(0)));
            var offsets = new List<long>();
            ServeUntil(first, queue, () => offsets.Count == 10, record => offsets.Add(Offset(record)));
            Assert.Equal(Enumerable.Range(0, 10).Select(i => (long)i), offsets);
            Assert.Equal("EAGER", first.RebalanceProtocol());
            Assert.False(first.IsAssignmentLost());
            Assert.NotEmpty(first.MemberId());
            Assert.True(first.Generation() > 0);
            using (var assignment = first.Assignment())
            {
                Assert.Equal((1, topic, 0), (assignment.Count, assignment.Topic(0), assignment[0].Partition));
                first.ReadPositions(assignment);
                Assert.Equal(10, assignment[0].Offset);
            }
            Assert.Equal(KafkaErrorCode.None, Commit(first, queue, topic, 7));
            Close(first, queue);
            Assert.True(first.IsConsumerClosed());
        }

        await using var second = Consumer(broker.BootstrapServers, group, Session(kind), ("heartbeat.interval.ms", "300"));
        using var secondQueue = EventQueue.Consumer(second);
        using (var committed = new PartitionList().Add(topic, 0))
        {
            second.ReadCommitted(committed, Deadline);
            Assert.Equal(7, committed[0].Offset);
        }
        second.Subscribe(topic);
        long? next = null;
        ServeUntil(second, secondQueue, () => next is not null, record => next ??= Offset(record));
        Assert.Equal(7, next);
        Assert.Equal((0, 10), second.KnownWatermarks(topic, 0));
        second.Unsubscribe();
        using (var subscription = second.Subscription())
            Assert.Equal(0, subscription.Count);
    }

    [Theory]
    [InlineData(BrokerKinds.Embedded)]
    [InlineData(BrokerKinds.Real)]
    public async Task A_cooperative_member_gets_its_partitions_by_the_incremental_calls(string kind)
    {
        await using var broker = BrokerKinds.Start(kind);
        var topic = NewName("cooperative");
        await Fill(broker, topic, partitions: 2, records: 2);
        await using var consumer = Consumer(
            broker.BootstrapServers, NewName("cooperative"), ("partition.assignment.strategy", "cooperative-sticky"));
        using var queue = EventQueue.Consumer(consumer);
        consumer.Subscribe(topic);

        var assigned = 0;
        await Until(() => (assigned += TakeRebalance(consumer, queue)) == 2, () => $"{assigned} assigned");
        Assert.Equal("COOPERATIVE", consumer.RebalanceProtocol());
        consumer.BeginConsumerClose(queue);
        await Until(
            () => (assigned += TakeRebalance(consumer, queue)) == 0 && consumer.IsConsumerClosed(), () => $"{assigned} still assigned");
    }

    [Fact]
    public async Task A_paused_partition_is_silent_until_it_is_resumed_and_a_seek_goes_back()
    {
        await using var broker = EmbeddedBroker.Start();
        await Fill(broker, "paused", partitions: 2, records: 20);
        await using var consumer = Consumer(broker.BootstrapServers, "paused");
        using var queue = EventQueue.Consumer(consumer);
        using var both = new PartitionList().Add("paused", 0, SpecialOffset.Beginning).Add("paused", 1, SpecialOffset.Beginning);
        using var one = new PartitionList().Add("paused", 1);
        consumer.Assign(both);
        consumer.Pause(one);
        var seen = new int[2];
        Action<nint> count = record => seen[Partition(record)]++;

        ServeUntil(consumer, queue, () => seen[0] == 10, count);
        Assert.Equal(0, seen[1]);
        consumer.Resume(one);
        ServeUntil(consumer, queue, () => seen[1] == 10, count);

        one[0].Offset = 4;
        consumer.Seek(one, Deadline);
        Assert.Equal(KafkaErrorCode.None, one[0].Error);
        ServeUntil(consumer, queue, () => seen[1] == 16, count);
        Assert.Equal(10, seen[0]);
    }

    [Fact]
    public async Task A_partition_has_a_queue_of_its_own_on_demand_and_its_records_come_nowhere_else()
    {
        await using var broker = EmbeddedBroker.Start();
        await Fill(broker, "apart", partitions: 2, records: 20);
        await using var consumer = Consumer(broker.BootstrapServers, "apart");
        using var queue = EventQueue.Consumer(consumer);
        using var both = new PartitionList().Add("apart", 0, SpecialOffset.Beginning).Add("apart", 1, SpecialOffset.Beginning);
        using var one = EventQueue.Partition(consumer, "apart", 1);
        one.ForwardTo(null);
        consumer.Assign(both);
        var (shared, own) = (new int[2], new int[2]);

        ServeUntil(consumer, queue, () => shared[0] == 10, record => shared[Partition(record)]++);
        ServeUntil(consumer, one, () => own[1] == 10, record => own[Partition(record)]++);
        Assert.Equal((0, 0, 0), (shared[1], own[0], one.Length));

        one.ForwardTo(queue);
        one.Wake();
        using var back = new PartitionList().Add("apart", 1, 4);
        consumer.Seek(back, Deadline);
        ServeUntil(consumer, queue, () => shared[1] == 6, record => shared[Partition(record)]++);
    }

    [Fact]
    public async Task Offsets_are_stored_only_for_assigned_partitions_and_committed_in_the_background()
    {
        await using var broker = EmbeddedBroker.Start();
        await Fill(broker, "stored", partitions: 1, records: 3);
        await using var consumer = Consumer(broker.BootstrapServers, "stored");
        using var queue = EventQueue.Consumer(consumer);
        using var offsets = new PartitionList().Add("stored", 0, 2);
        Assert.NotEqual(KafkaErrorCode.None, consumer.StoreOffsets(offsets));
        Assert.NotEqual(KafkaErrorCode.None, offsets[0].Error);

        var read = 0;
        consumer.AssignMore(offsets);
        ServeUntil(consumer, queue, () => read == 1, _ => read++);
        offsets[0].Offset = 3;
        offsets.SetLeaderEpoch(0, 0);
        Assert.Equal(0, offsets.GetLeaderEpoch(0));
        Assert.Equal(KafkaErrorCode.None, consumer.StoreOffsets(offsets));
        consumer.CommitInBackground(offsets);
        using var committed = new PartitionList().Add("stored", 0);
        await Until(
            () =>
            {
                consumer.ReadCommitted(committed, Deadline);
                return committed[0].Offset == 3;
            },
            () => $"committed {committed[0].Offset}");
        consumer.Unassign(offsets);
        using var assignment = consumer.Assignment();
        Assert.Equal(0, assignment.Count);
    }

    [Theory]
    [InlineData(BrokerKinds.Real)]
    public async Task Offsets_are_found_by_time(string kind)
    {
        await using var broker = BrokerKinds.Start(kind);
        var topic = NewName("times");
        await Fill(broker, topic, partitions: 1, records: 5);
        await using var consumer = Consumer(broker.BootstrapServers, NewName("times"));
        var tomorrowMs = TimeProvider.System.GetUtcNow().AddDays(1).ToUnixTimeMilliseconds();
        using var past = new PartitionList().Add(topic, 0, 1);
        using var future = new PartitionList().Add(topic, 0, tomorrowMs);

        consumer.ReadOffsetsForTimes(past, Deadline);
        consumer.ReadOffsetsForTimes(future, Deadline);

        Assert.Equal((0, SpecialOffset.End), (past[0].Offset, future[0].Offset));
    }

    [Fact]
    public async Task Calls_that_need_a_group_are_refused_on_a_producer()
    {
        await using var producer = Producer("127.0.0.1:1");
        using var list = new PartitionList().Add("t", 0, 1);

        Assert.Throws<KafkaException>(() => producer.Subscribe("t"));
        Assert.Throws<KafkaException>(() => EventQueue.Consumer(producer));
        Assert.Throws<KafkaException>(() => producer.AssignMore(list));
        Assert.Throws<KafkaException>(() => producer.PollMainFromConsumerQueue());
        Assert.Equal(-1, producer.Generation());
        Assert.False(producer.IsAssignmentLost());
        Assert.Throws<ArgumentOutOfRangeException>(() => list[1].Offset);
    }

    private static async Task Fill(IBroker broker, string topicName, int partitions, int records)
    {
        await broker.CreateTopicAsync(topicName, partitions, Cancellation);
        await using var producer = Producer(broker.BootstrapServers);
        using var queue = EventQueue.Main(producer);
        for (var i = 0; i < records; i++)
        {
            var code = producer.Produce(producer.Topic(topicName), i % partitions, Encoding.UTF8.GetBytes($"value {i}"), [], i);
            Assert.Equal(KafkaErrorCode.None, code);
        }
        Assert.All(TakeReports(queue, records), report => Assert.Equal(KafkaErrorCode.None, report.Error));
    }

    private static KafkaErrorCode Commit(ClientHandle consumer, EventQueue queue, string topic, long offset)
    {
        using var offsets = new PartitionList().Add(topic, 0, offset);
        consumer.CommitTo(offsets, queue, 42);
        for (var polls = 0; polls < 1000; polls++)
        {
            using var next = queue.Poll(TimeSpan.FromMilliseconds(30));
            if (next.Kind != EventKinds.OffsetCommit)
                continue;
            Assert.Equal(42, next.Opaque);
            return next.Error;
        }
        throw new TimeoutException("The commit was not answered.");
    }

    private static void Close(ClientHandle consumer, EventQueue queue)
    {
        consumer.BeginConsumerClose(queue);
        ServeUntil(consumer, queue, consumer.IsConsumerClosed);
    }

    private static unsafe int TakeRebalance(ClientHandle consumer, EventQueue queue)
    {
        using var next = queue.Poll(TimeSpan.FromMilliseconds(20));
        if (next.Kind != EventKinds.Rebalance)
            return 0;
        if (next.Error == KafkaErrorCode.AssignPartitions)
        {
            consumer.AssignMore(next.Partitions);
            return next.Partitions->Count;
        }
        consumer.Unassign(next.Partitions);
        return -next.Partitions->Count;
    }

    private static unsafe long Offset(nint record) => ((NativeMessage*)record)->Offset;

    private static unsafe int Partition(nint record) => ((NativeMessage*)record)->Partition;
}
