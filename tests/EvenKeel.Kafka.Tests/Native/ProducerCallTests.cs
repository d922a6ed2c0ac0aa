using System.Text;
using EvenKeel.Kafka.Native;
using EvenKeel.Testing.Cluster;
using Xunit;
using static EvenKeel.Kafka.Tests.Native.TestClients;

namespace EvenKeel.Kafka.Tests.Native;

public sealed class ProducerCallTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(BrokerKinds.Embedded)]
    [InlineData(BrokerKinds.Real)]
    public async Task Messages_are_reported_one_by_one_and_read_back_as_they_were_sent(string kind)
    {
        await using var broker = BrokerKinds.Start(kind);
        var topicName = NewName("produce");
        await broker.CreateTopicAsync(topicName, 1, Cancellation);
        await using var producer = Producer(broker.BootstrapServers);
        using var queue = EventQueue.Main(producer);
        var topic = producer.Topic(topicName);
        Assert.Same(topic, producer.Topic(topicName));

        for (var i = 0; i < 100; i++)
        {
            var code = producer.Produce(topic, SpecialOffset.AnyPartition, Encoding.UTF8.GetBytes($"value {i}"), "key"u8, i);
            Assert.Equal(KafkaErrorCode.None, code);
        }
        var reports = TakeReports(queue, 100);

        Assert.Equal(Enumerable.Range(0, 100).Select(i => (nint)i), reports.Select(report => report.Opaque));
        Assert.Equal(Enumerable.Range(0, 100).Select(i => (long)i), reports.Select(report => report.Offset));
        Assert.All(reports, report => Assert.Equal((KafkaErrorCode.None, PersistenceStatus.Persisted), (report.Error, report.Status)));
        Assert.Equal((0, 100), producer.QueryWatermarks(topicName, 0, Deadline));
        Assert.Equal(0, producer.OutstandingCount());
        Assert.Equal(Enumerable.Range(0, 100).Select(i => $"key=value {i}"), await ReadBack(broker, topicName, 100));
    }

    [Theory]
    [InlineData(BrokerKinds.Embedded)]
    [InlineData(BrokerKinds.Real)]
    public async Task Headers_timestamps_empty_values_and_tombstones_survive(string kind)
    {
        await using var broker = BrokerKinds.Start(kind);
        var topicName = NewName("headers");
        await broker.CreateTopicAsync(topicName, 1, Cancellation);
        await using var producer = Producer(broker.BootstrapServers);
        using var queue = EventQueue.Main(producer);
        var topic = producer.Topic(topicName);
        var sentAtMs = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() - 1000;

        SendWithHeaders(producer, topic, sentAtMs);
        Assert.Equal(KafkaErrorCode.None, producer.Produce(topic, 0, [], [], 9));
        Assert.Equal([7, 0, 9], TakeReports(queue, 3).Select(report => (int)report.Opaque));

        Assert.Equal(
            [$"abc=(trace:abc trace: none:null) at {sentAtMs}", "abc=null(trace:abc)", "null="],
            await ReadBack(broker, topicName, 3, sentAtMs));
    }

    [Fact]
    public async Task A_message_that_cannot_be_queued_gets_a_code_and_no_report()
    {
        await using var broker = EmbeddedBroker.Start();
        await using var producer = Producer(broker.BootstrapServers, ("queue.buffering.max.messages", "2"), ("message.max.bytes", "1000"));
        using var queue = EventQueue.Main(producer);
        var topic = producer.Topic("small");
        broker.Faults.TakeDown();

        Assert.Equal(KafkaErrorCode.MessageTooLarge, producer.Produce(topic, 0, new byte[2000], [], 1));
        Assert.Equal(KafkaErrorCode.Conflict, ProduceWithHeadersOfBothKinds(producer, topic));
        Assert.Equal(KafkaErrorCode.None, producer.Produce(topic, 0, "1"u8, [], 2));
        Assert.Equal(KafkaErrorCode.None, producer.Produce(topic, 0, "2"u8, [], 3));
        Assert.Equal(KafkaErrorCode.QueueFull, producer.Produce(topic, 0, "3"u8, [], 4));

        producer.Purge(PurgeScope.Queue | PurgeScope.InFlight);
        Assert.Equal([2, 3], TakeReports(queue, 2).Select(report => (int)report.Opaque));
    }

    [Fact]
    public async Task A_purge_reports_every_message_and_tells_sent_from_unsent()
    {
        await using var broker = EmbeddedBroker.Start();
        await broker.CreateTopicAsync("purged", 1, Cancellation);
        await using var producer = Producer(
            broker.BootstrapServers, ("max.in.flight.requests.per.connection", "20"), ("batch.num.messages", "10"));
        using var queue = EventQueue.Main(producer);
        var topic = producer.Topic("purged");
        Assert.Equal(KafkaErrorCode.None, producer.Produce(topic, 0, "warm"u8, [], 0));
        TakeReports(queue, 1);
        broker.Faults.SetRoundTripTime(TimeSpan.FromMinutes(5));
        broker.Faults.StartRecording();
        for (var i = 1; i <= 1000; i++)
            Assert.Equal(KafkaErrorCode.None, producer.Produce(topic, 0, "value"u8, [], i));
        await Until(() => broker.Faults.Requests().Any(request => request.Api == KafkaApi.Produce), () => "no produce request came");

        Assert.Equal(KafkaErrorCode.TimedOut, producer.Flush(TimeSpan.FromMilliseconds(20)));
        producer.Purge(PurgeScope.Queue | PurgeScope.InFlight);
        var reports = TakeReports(queue, 1000, TimeSpan.FromSeconds(5));

        Assert.Equal(Enumerable.Range(1, 1000), reports.Select(report => (int)report.Opaque).Order());
        var sent = reports.Where(report => report.Error == KafkaErrorCode.PurgedInFlight).ToList();
        // Twenty requests of ten; fewer where a metadata request, which nobody answers either, holds a place on the connection.
        Assert.InRange(sent.Count, 1, 200);
        Assert.All(sent, report => Assert.Equal(PersistenceStatus.PossiblyPersisted, report.Status));
        Assert.All(reports.Except(sent), report => Assert.Equal(
            (KafkaErrorCode.PurgedInQueue, PersistenceStatus.NotPersisted), (report.Error, report.Status)));
    }

    [Fact]
    public async Task A_flush_sends_what_lingers_and_ends_when_the_reports_are_taken()
    {
        await using var broker = EmbeddedBroker.Start();
        await using var producer = Producer(broker.BootstrapServers, ("linger.ms", "60000"));
        using var queue = EventQueue.Main(producer);
        Assert.Equal(KafkaErrorCode.None, producer.Produce(producer.Topic("flushed"), 0, "value"u8, [], 5));

        var flush = Task.Run(() => producer.Flush(Deadline), Cancellation);

        Assert.Equal(5, Assert.Single(TakeReports(queue, 1)).Opaque);
        Assert.Equal(KafkaErrorCode.None, await flush);
    }

    [Fact]
    public async Task A_fatal_error_is_an_event_and_stays_on_the_client()
    {
        await using var broker = EmbeddedBroker.Start();
        await using var producer = Producer(broker.BootstrapServers, ("enable.idempotence", "true"));
        using var queue = EventQueue.Main(producer);
        Assert.Null(producer.FatalError());

        using (var call = producer.Enter())
            Assert.Equal(KafkaErrorCode.None, Librdkafka.TestFatalError(call.Client, KafkaErrorCode.OutOfOrderSequence, "made up"));

        Assert.True(WaitFor(queue, EventKinds.Error, error => error.IsFatal));
        var fatal = producer.FatalError();
        Assert.Equal((KafkaErrorCode.OutOfOrderSequence, true), (fatal!.Code, fatal.IsFatal));
        Assert.Contains("made up", fatal.Message, StringComparison.Ordinal);
        Assert.Equal(KafkaErrorCode.Fatal, producer.Produce(producer.Topic("late"), 0, "value"u8, [], 1));
    }

    [Fact]
    public async Task A_lost_broker_log_lines_and_statistics_are_events()
    {
        await using var broker = EmbeddedBroker.Start();
        await using var producer = Producer(broker.BootstrapServers, ("statistics.interval.ms", "20"), ("debug", "broker"));
        using var queue = EventQueue.Main(producer);
        Assert.NotEmpty(producer.Metadata(null, Deadline).Brokers);

        Assert.True(WaitFor(queue, EventKinds.Statistics, next => next.Statistics.StartsWith('{')));
        Assert.True(WaitFor(queue, EventKinds.Log, next => next.Log is { Level: 7, Facility.Length: > 0, Text.Length: > 0 }));
        broker.Faults.TakeDown();
        Assert.True(WaitFor(queue, EventKinds.Error, next => next.Error == KafkaErrorCode.AllBrokersDown && next.ErrorText.Length > 0));
    }

    [Theory]
    [InlineData(BrokerKinds.Embedded)]
    [InlineData(BrokerKinds.Real)]
    public async Task Metadata_names_brokers_partitions_and_unknown_topics(string kind)
    {
        await using var broker = BrokerKinds.Start(kind);
        var topicName = NewName("metadata");
        await broker.CreateTopicAsync(topicName, 3, Cancellation);
        await using var producer = Producer(broker.BootstrapServers);

        var topic = Assert.Single(producer.Metadata(producer.Topic(topicName), Deadline).Topics);
        Assert.Equal((topicName, KafkaErrorCode.None, 3), (topic.Name, topic.Error, topic.Partitions.Count));
        Assert.All(topic.Partitions, partition => Assert.True(
            partition is { Leader: > 0, Replicas: 1, InSync: 1, Error: KafkaErrorCode.None }));
        Assert.Contains(
            producer.Metadata(null, Deadline).Brokers,
            known => broker.BootstrapServers.Contains($":{known.Port}", StringComparison.Ordinal));
        Assert.NotNull(producer.ClusterId(Deadline));
    }

    [Fact]
    public async Task Questions_to_a_broker_that_is_away_end_at_their_deadline()
    {
        await using var broker = EmbeddedBroker.Start();
        broker.Faults.TakeDown();
        await using var producer = Producer(broker.BootstrapServers);
        var wait = TimeSpan.FromMilliseconds(50);

        Assert.Equal(KafkaErrorCode.Transport, Assert.Throws<KafkaException>(() => producer.Metadata(null, wait)).Code);
        Assert.Null(producer.ClusterId(wait));
        Assert.Throws<KafkaException>(() => producer.QueryWatermarks("away", 0, wait));
    }

    [Fact]
    public async Task A_token_can_be_set_only_where_tokens_are_used()
    {
        await using var producer = Producer("127.0.0.1:1");

        Assert.Equal((KafkaErrorCode.WrongState, KafkaErrorCode.WrongState), SetToken(producer));
    }

    private static unsafe (KafkaErrorCode Token, KafkaErrorCode Failure) SetToken(ClientHandle producer)
    {
        using var call = producer.Enter();
        var text = stackalloc byte[NativeText.ErrorTextBytes];
        return (
            Librdkafka.OAuthBearerSetToken(call.Client, "token", long.MaxValue / 2, "me", null, 0, text, NativeText.ErrorTextBytes),
            Librdkafka.OAuthBearerSetTokenFailure(call.Client, "no token"));
    }

    private static unsafe void SendWithHeaders(ClientHandle producer, TopicHandle topic, long sentAtMs)
    {
        fixed (byte* name = "trace\0"u8, other = "none\0"u8, value = "abc"u8)
        {
            // One by one: a value, an empty one, a null one; and the message's own value empty.
            Assert.Equal(KafkaErrorCode.None, producer.Produce(
            [
                NativeArgument.Topic(topic.Pointer), NativeArgument.Partition(0), NativeArgument.Flags(MessageFlags.Copy),
                NativeArgument.Value(value, 0), NativeArgument.Key(value, 3), NativeArgument.Opaque(7), NativeArgument.Timestamp(sentAtMs),
                NativeArgument.Header(name, value, 3), NativeArgument.Header(name, value, 0), NativeArgument.Header(other, null, 0),
            ]));

            // As a list; and a tombstone.
            var list = Librdkafka.HeadersNew(1);
            Assert.Equal(KafkaErrorCode.None, Librdkafka.HeaderAdd(list, name, -1, value, 3));
            Assert.Equal(KafkaErrorCode.None, producer.Produce(
            [
                NativeArgument.Topic(topic.Pointer), NativeArgument.Partition(0), NativeArgument.Key(value, 3),
                NativeArgument.Value(null, 0), NativeArgument.Headers(list),
            ]));
        }
    }

    private static unsafe KafkaErrorCode ProduceWithHeadersOfBothKinds(ClientHandle producer, TopicHandle topic)
    {
        fixed (byte* name = "n\0"u8)
        {
            return producer.Produce(
                [NativeArgument.Topic(topic.Pointer), NativeArgument.Header(name, name, 1), NativeArgument.Headers(0)]);
        }
    }

    private delegate bool EventTest(ClientEvent next);

    private static bool WaitFor(EventQueue queue, EventKinds kind, EventTest test)
    {
        for (var polls = 0; polls < 3000; polls++)
        {
            using var next = queue.Poll(TimeSpan.FromMilliseconds(10));
            if (next.Kind == kind && test(next))
                return true;
        }
        return false;
    }

    /// <summary>Key=value of each record in order; a given time asks for headers too, and for the time of the record that has it.</summary>
    private static async Task<List<string>> ReadBack(IBroker broker, string topic, int count, long timeMs = -1)
    {
        await using var consumer = Consumer(broker.BootstrapServers, NewName("read"));
        using var queue = EventQueue.Consumer(consumer);
        using (var partitions = new PartitionList().Add(topic, 0, SpecialOffset.Beginning))
            consumer.Assign(partitions);
        var records = new List<string>();
        ServeUntil(consumer, queue, () => records.Count == count, record => records.Add(Text(record, timeMs)));
        return records;
    }

    private static unsafe string Text(nint record, long timeMs)
    {
        var message = (NativeMessage*)record;
        var text = new StringBuilder()
            .Append(message->Key is null ? "null" : Encoding.UTF8.GetString(message->Key, (int)message->KeySize)).Append('=')
            .Append(message->Value is null ? "null" : Encoding.UTF8.GetString(message->Value, (int)message->ValueSize));
        var headers = MessageHeaders.Of(message);
        for (var i = 0; i < headers.Count; i++)
        {
            var hasValue = headers.Read(i, out var name, out var value);
            text.Append(i == 0 ? '(' : ' ').Append(Encoding.UTF8.GetString(name)).Append(':');
            text.Append(hasValue ? Encoding.UTF8.GetString(value) : "null");
        }
        if (headers.Count > 0)
            text.Append(')');
        int kind;
        if (timeMs >= 0 && Librdkafka.MessageTimestamp(message, &kind) == timeMs)
            text.Append(" at ").Append(timeMs);
        return text.ToString();
    }
}
